/**
 * The first serial port of a PC: a UART at ports 0x3f8 to 0x3ff with the ISA line 4, and the back-end that its bytes go to.
 *
 * *Document*: QEMU `hw/serial.c`, today `hw/char/serial-isa.c`; `-serial` in qemu(1).
 *
 * *Modelled*: each access of the guest's is an exit to user space; what it sends comes out of the back-end: on the terminal
 * (`stdio`), or of a pseudo-terminal (`pty`).
 *
 * *Not modelled*: what somebody types into the back-end; other back-ends keep nothing.
 *
 * @module
 */

import type { StateHash } from "../../hw/sim/state_hash.ts";
import { type KernelCpu, Uart16550, UART_PORTS } from "../kvm/user_space.ts";
import type { VmFile } from "../kvm/ioctl/vm_file.ts";
import { DeviceLine } from "./device_line.ts";
import type { QemuMachine } from "./machine.ts";

/** COM1: its first port, and its line. */
export const COM1 = Object.freeze({ port: 0x3f8, irq: 4 });

const CARRIAGE_RETURN = 13;

function isRegister(port: number): boolean {
  return port >= COM1.port && port < COM1.port + UART_PORTS;
}

/** The serial port of a machine, as its command line places it; null: it has none. */
export function serialPortOf(machine: QemuMachine): SerialPort | null {
  const [backend = "none"] = machine.options.serial;
  if (backend === "none") return null;
  return new SerialPort(() => machine.file, (byte) => {
    const text = String.fromCharCode(byte);
    const place = machine.terminals.get("serial0");
    if (place !== undefined) machine.context.ptyOutput?.(place, text);
    else if (/^(mon:)?stdio$/.test(backend) && byte !== CARRIAGE_RETURN) machine.terminal.stdout(text);
  });
}

/** The port. */
export class SerialPort {
  /** The chip. */
  readonly uart = new Uart16550();
  readonly #line: DeviceLine;
  #high = false;

  /** Of the machine whose descriptor `machine` answers. @param send a byte goes to the back-end */
  constructor(machine: () => VmFile, readonly send: (byte: number) => void) {
    this.#line = new DeviceLine(machine, COM1.irq);
  }

  /** The guest writes a port. @param from the CPU whose software emulates it @returns whether it is one of these */
  write(port: number, value: number, from: KernelCpu): boolean {
    if (!isRegister(port)) return false;
    const byte = this.uart.write(port - COM1.port, value);
    if (byte !== undefined) this.send(byte);
    this.#update(from);
    return true;
  }

  /** The guest reads a port; undefined where it is none of these. */
  read(port: number, from: KernelCpu): number | undefined {
    if (!isRegister(port)) return undefined;
    const value = this.uart.read(port - COM1.port);
    this.#update(from);
    return value;
  }

  /** The machine is reset. */
  reset(from: KernelCpu): void {
    this.uart.reset();
    this.#update(from);
  }

  #update(from: KernelCpu): void {
    const high = this.uart.interrupts;
    if (high === this.#high) return;
    this.#high = high;
    if (high) this.#line.raise(from);
    else this.#line.lower(from);
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    this.uart.hashInto(hash);
    hash.flag(this.#high);
  }
}
