/**
 * The driver of a 16550A serial port: `/dev/ttyS0`.
 *
 * *Document*: Linux 3.5 `drivers/tty/serial/8250/8250.c` (`serial8250_startup()`, `serial8250_start_tx()`,
 * `serial8250_interrupt()`, `serial8250_handle_irq()`, `serial8250_tx_chars()`), `drivers/tty/n_tty.c` (OPOST, ONLCR).
 *
 * *Modelled*: a write fills the transmit buffer and enables the transmitter's interrupt; the interrupt sends up to 16 bytes
 * and disables itself when the buffer is empty. Each register access is an instruction: in a guest it exits.
 *
 * *Not modelled*: reading; `stty`; the kernel's own console, which polls.
 *
 * *Deviations*: the port is started up by the first write, not by opening it; the buffer has no limit, where Linux's holds
 * 4096 bytes and the writer sleeps.
 *
 * @module
 */

import { type Activity, IN, OUT } from "../../../hw/sim/activity.ts";
import { Uart, UART_FIFO, UartCause, UartEnable, UartStatus } from "../../../hw/uart_16550.ts";
import { EBADF, EIO, type Errno } from "../errno.ts";
import { IO_APIC_EDGE, type Irqs } from "../irq/irq.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import { withoutInterrupts } from "../system_call.ts";
import type { DeviceNode, OpenFile, OpenFlags } from "../fs/vfs.ts";

/** FIFOs on, both cleared; eight bits, no parity, one stop bit; DTR, RTS, OUT2. */
const FIFOS_ON = 0x07, EIGHT_BITS = 0x03, MODEM_CONTROL = 0x0b;
const NEWLINE = 10, CARRIAGE_RETURN = 13;

/** The driver of one port. */
export class Serial8250 {
  readonly #buffer: number[] = [];
  #started = false;
  #ier = 0;

  /**
   * @param thisCpu the CPU that executes now @param port of its first register @param irq its line
   */
  constructor(
    readonly irqs: Irqs,
    readonly thisCpu: () => KernelCpu,
    readonly port: number,
    readonly irq: number,
  ) {}

  /** `/dev/ttyS0`. */
  device(): DeviceNode {
    return { kind: "device", mode: 0o660, number: [4, 64], open: (flags) => new OpenSerial(this, flags) };
  }

  /** A program writes. */
  *write(text: string): Activity<number | Errno> {
    if (!this.#started && !(yield* this.#startUp())) return EIO;
    for (const byte of new TextEncoder().encode(text)) {
      if (byte === NEWLINE) this.#buffer.push(CARRIAGE_RETURN);
      this.#buffer.push(byte);
    }
    if ((this.#ier & UartEnable.Empty) === 0) yield* this.#enable(this.#ier | UartEnable.Empty);
    return text.length;
  }

  *#startUp(): Activity<boolean> {
    const { irqs, irq } = this;
    const requested = irqs.request({
      irq,
      name: "serial",
      chip: IO_APIC_EDGE,
      handler: () => this.#interrupt(),
    });
    if ("message" in requested) return false;
    this.#started = true;
    yield* this.#out(Uart.FCR, FIFOS_ON);
    yield* this.#out(Uart.LCR, EIGHT_BITS);
    yield* this.#out(Uart.MCR, MODEM_CONTROL);
    yield* this.#enable(UartEnable.Received);
    return true;
  }

  /** The handler: until the chip has nothing more to say. */
  *#interrupt(): Activity {
    while (((yield* this.#in(Uart.IIR)) & UartCause.None) === 0) {
      const status = yield* this.#in(Uart.LSR);
      if ((status & UartStatus.Ready) !== 0) yield* this.#in(Uart.Data);
      yield* this.#in(Uart.MSR);
      if ((status & UartStatus.HoldingEmpty) !== 0) yield* this.#transmit();
    }
  }

  *#transmit(): Activity {
    for (let i = 0; i < UART_FIFO && this.#buffer.length > 0; i++) {
      yield* this.#out(Uart.Data, this.#buffer.shift()!);
    }
    if (this.#buffer.length === 0 && (this.#ier & UartEnable.Empty) !== 0) {
      yield* this.#enable(this.#ier & ~UartEnable.Empty);
    }
  }

  *#enable(sources: number): Activity {
    this.#ier = sources;
    yield* withoutInterrupts(this.thisCpu, false, this.#out(Uart.IER, sources)); // port->lock
  }

  *#out(offset: number, value: number): Activity {
    const { registers } = this.thisCpu();
    registers.address = this.port + offset;
    registers.value = value;
    yield OUT;
  }

  *#in(offset: number): Activity<number> {
    this.thisCpu().registers.address = this.port + offset;
    return yield IN;
  }
}

/** An open `/dev/ttyS0`. */
class OpenSerial implements OpenFile {
  constructor(readonly port: Serial8250, readonly flags: OpenFlags) {}

  // deno-lint-ignore require-yield
  *read(): Activity<string | Errno> {
    return this.flags.read ? EIO : EBADF;
  }

  *write(text: string): Activity<number | Errno> {
    if (!this.flags.write && !this.flags.append) return EBADF;
    return yield* this.port.write(text);
  }

  /** What is in the transmit buffer is sent all the same. */
  close(): void {}
}
