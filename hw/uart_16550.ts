/**
 * The 16550A UART: a serial port with two FIFOs.
 *
 * *Document*: National Semiconductor PC16550D data sheet, "Registers", table "Interrupt Control Functions".
 *
 * *Modelled*: the eight registers with the divisor latch behind DLAB; the FIFOs and their resets; the sources
 * "received data available" and "transmitter holding register empty" with their priority, and how each is cleared;
 * loopback of bytes; lines that tell of a peer that is there.
 *
 * *Not modelled*: line status errors, the character time-out, trigger levels (one byte is enough), changes of the modem
 * lines.
 *
 * *Deviations*: a byte takes no time on the line: whoever owns the chip passes it on at once, as an emulation does.
 *
 * A write answers with the byte that it sends; {@linkcode Uart16550.interrupts} is the level of INTR.
 *
 * @module
 */

import type { StateHash } from "./sim/state_hash.ts";

/** Registers by their offsets; some offsets have another one for reading, or behind DLAB. */
export const Uart = Object.freeze({
  Data: 0,
  IER: 1,
  IIR: 2,
  FCR: 2,
  LCR: 3,
  MCR: 4,
  LSR: 5,
  MSR: 6,
  SCR: 7,
});
/** Offsets that it takes. */
export const UART_PORTS = 8;
/** Bits of IER. */
export const UartEnable = Object.freeze({ Received: 1, Empty: 2 });
/** What IIR says in bits 3:0: nothing, THR empty, received data. */
export const UartCause = Object.freeze({ None: 1, Empty: 2, Received: 4 });
/** Bits of LSR: data ready; transmitter holding register empty; transmitter empty. */
export const UartStatus = Object.freeze({ Ready: 1, HoldingEmpty: 0x20, TransmitterEmpty: 0x40 });
/** Bytes of a FIFO. */
export const UART_FIFO = 16;

/** FCR: FIFOs enabled, receiver's and transmitter's reset. */
const Fifo = Object.freeze({ Enabled: 1, ResetReceiver: 2, ResetTransmitter: 4 });
/** IIR bits 7:6 while the FIFOs are enabled. */
const FIFOS_ENABLED = 0xc0;
const DLAB = 0x80, LOOPBACK = 0x10;
/** MSR: clear to send, data set ready, data carrier detected. */
const PEER_IS_THERE = 0xb0;

/** A UART. */
export class Uart16550 {
  #ier = 0;
  #lcr = 0;
  #mcr = 0;
  #scratch = 0;
  #divisor = 0;
  #fifos = false;
  /** The holding register has become empty, and nobody has been told. */
  #emptyPending = false;
  readonly #received: number[] = [];

  /** Every register to its value after a reset. */
  reset(): void {
    this.#ier =
      this.#lcr =
      this.#mcr =
      this.#scratch =
      this.#divisor =
        0;
    this.#fifos = this.#emptyPending = false;
    this.#received.length = 0;
  }

  /** The level of INTR. */
  get interrupts(): boolean {
    return this.#cause() !== UartCause.None;
  }

  /** The source of the highest priority that is enabled and pending. */
  #cause(): number {
    if ((this.#ier & UartEnable.Received) !== 0 && this.#received.length > 0) return UartCause.Received;
    if ((this.#ier & UartEnable.Empty) !== 0 && this.#emptyPending) return UartCause.Empty;
    return UartCause.None;
  }

  /** A byte comes in. @returns false: there is no room, it is lost */
  receive(byte: number): boolean {
    if (this.#received.length >= (this.#fifos ? UART_FIFO : 1)) return false;
    this.#received.push(byte & 0xff);
    return true;
  }

  /** Writes a register. @returns the byte that leaves on the line; undefined: none */
  write(offset: number, value: number): number | undefined {
    value &= 0xff;
    const latch = (this.#lcr & DLAB) !== 0;
    switch (offset) {
      case Uart.Data:
        if (latch) {
          this.#divisor = (this.#divisor & 0xff00) | value;
          return;
        }
        this.#emptyPending = true; // it leaves at once
        if ((this.#mcr & LOOPBACK) === 0) return value;
        this.receive(value);
        return;
      case Uart.IER:
        if (latch) {
          this.#divisor = (this.#divisor & 0xff) | (value << 8);
          return;
        }
        // Enabling the source finds the register empty.
        if ((value & ~this.#ier & UartEnable.Empty) !== 0) this.#emptyPending = true;
        this.#ier = value & 0x0f;
        return;
      case Uart.FCR:
        this.#fifos = (value & Fifo.Enabled) !== 0;
        if ((value & Fifo.ResetReceiver) !== 0) this.#received.length = 0;
        if ((value & Fifo.ResetTransmitter) !== 0) this.#emptyPending = true;
        return;
      case Uart.LCR:
        this.#lcr = value;
        return;
      case Uart.MCR:
        this.#mcr = value & 0x1f;
        return;
      case Uart.SCR:
        this.#scratch = value;
    }
  }

  /** Reads a register. */
  read(offset: number): number {
    const latch = (this.#lcr & DLAB) !== 0;
    switch (offset) {
      case Uart.Data:
        return latch ? this.#divisor & 0xff : this.#received.shift() ?? 0;
      case Uart.IER:
        return latch ? this.#divisor >>> 8 : this.#ier;
      case Uart.IIR: {
        const cause = this.#cause();
        if (cause === UartCause.Empty) this.#emptyPending = false; // reading it clears this source, and no other
        return cause | (this.#fifos ? FIFOS_ENABLED : 0);
      }
      case Uart.LCR:
        return this.#lcr;
      case Uart.MCR:
        return this.#mcr;
      case Uart.LSR:
        return UartStatus.HoldingEmpty | UartStatus.TransmitterEmpty |
          (this.#received.length > 0 ? UartStatus.Ready : 0);
      case Uart.MSR:
        return PEER_IS_THERE;
      default:
        return this.#scratch;
    }
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.#ier).word(this.#lcr).word(this.#mcr).word(this.#scratch).word(this.#divisor);
    hash.flag(this.#fifos).flag(this.#emptyPending);
    for (const byte of this.#received) hash.word(byte);
  }
}
