/**
 * The VGA: its registers and its memory, as far as text is shown.
 *
 * *Document*: IBM Personal System/2 Hardware Interface Technical Reference, "Video Subsystem"; FreeVGA project, "VGA
 * Chipset Reference".
 *
 * *Modelled*: index and data registers of sequencer, graphics controller and CRT controller, the attribute controller with
 * its flip-flop, miscellaneous output and the addresses that it chooses, input status 1, the palette's ports; in text
 * modes the memory of characters and attributes, and which of it is on the screen.
 *
 * *Not modelled*: pixels: planes, latches, write modes, fonts; the beam (retrace and display enable change with each read).
 *
 * @module
 */

import type { StateHash } from "./sim/state_hash.ts";

/** Ports. Those of the CRT controller are at 0x3b4 instead of 0x3d4 while bit 0 of miscellaneous output is clear. */
export const VgaPort = Object.freeze({
  Attribute: 0x3c0,
  AttributeRead: 0x3c1,
  MiscellaneousWrite: 0x3c2,
  SequencerIndex: 0x3c4,
  SequencerData: 0x3c5,
  PaletteMask: 0x3c6,
  PaletteReadIndex: 0x3c7,
  PaletteWriteIndex: 0x3c8,
  PaletteData: 0x3c9,
  MiscellaneousRead: 0x3cc,
  GraphicsIndex: 0x3ce,
  GraphicsData: 0x3cf,
  CrtcIndex: 0x3d4,
  CrtcData: 0x3d5,
  Status1: 0x3da,
});
/** Registers of the CRT controller. */
export const Crtc = Object.freeze({
  CursorStart: 0x0a,
  CursorEnd: 0x0b,
  StartHigh: 0x0c,
  StartLow: 0x0d,
  CursorHigh: 0x0e,
  CursorLow: 0x0f,
  Offset: 0x13,
});
/** The window in memory, of which a mode uses a part. */
export const VGA_WINDOW = Object.freeze({ address: 0xa_0000, bytes: 0x2_0000 });
/** Columns and rows of mode 3, and where its text is. */
export const VGA_TEXT = Object.freeze({ columns: 80, rows: 25, address: 0xb_8000, bytes: 0x8000 });

const FIRST_PORT = 0x3b0, LAST_PORT = 0x3df;
/** Distance of the monochrome ports from the others. */
const MONOCHROME = 0x20;
/** Miscellaneous output: colour addresses, memory enabled. */
const COLOUR = 1, MEMORY = 2;
/** Graphics 6: bit 0 graphics, bits 3:2 which part of the window. */
const MEMORY_MAP = 6;
const MAPS = [
  { from: 0, bytes: 0x2_0000 },
  { from: 0, bytes: 0x1_0000 },
  { from: 0x1_0000, bytes: 0x8000 },
  { from: 0x1_8000, bytes: 0x8000 },
] as const;
/** What firmware leaves in mode 3: miscellaneous output; graphics 5 and 6; cursor in lines 13 and 14; 40 words a row. */
const MODE_3 = {
  miscellaneous: 0x67,
  graphics: [[5, 0x10], [MEMORY_MAP, 0x0e]],
  cursor: [0x0d, 0x0e],
  offset: 0x28,
};
/** Display enable and vertical retrace in input status 1. */
const BEAM = 0x09;

/** The chip. */
export class Vga {
  readonly #sequencer = new Uint8Array(8);
  readonly #graphics = new Uint8Array(16);
  readonly #crtc = new Uint8Array(32);
  readonly #attribute = new Uint8Array(32);
  readonly #palette = new Uint8Array(768);
  readonly #memory = new Uint8Array(VGA_TEXT.bytes);
  #index = { sequencer: 0, graphics: 0, crtc: 0, attribute: 0, palette: 0 };
  /** The next write of 0x3c0 is data. */
  #attributeData = false;
  #miscellaneous = 0;
  #status = 0;

  /** As firmware leaves it: mode 3, the screen blank. */
  constructor() {
    this.reset();
  }

  /** The same again. */
  reset(): void {
    for (const registers of [this.#sequencer, this.#graphics, this.#crtc, this.#attribute, this.#palette]) {
      registers.fill(0);
    }
    this.#index = { sequencer: 0, graphics: 0, crtc: 0, attribute: 0, palette: 0 };
    this.#attributeData = false;
    this.#status = 0;
    this.#miscellaneous = MODE_3.miscellaneous;
    for (const [index, value] of MODE_3.graphics) this.#graphics[index!] = value!;
    [this.#crtc[Crtc.CursorStart], this.#crtc[Crtc.CursorEnd]] = MODE_3.cursor as [number, number];
    this.#crtc[Crtc.Offset] = MODE_3.offset;
    for (let at = 0; at < this.#memory.length; at += 2) {
      this.#memory[at] = 0x20;
      this.#memory[at + 1] = 0x07;
    }
  }

  /** Whether `port` is one of its, as the addresses stand now. */
  hasPort(port: number): boolean {
    if (port < FIRST_PORT || port > LAST_PORT) return false;
    return port >= VgaPort.Attribute && port <= VgaPort.GraphicsData || this.#crtcPort(port) !== undefined;
  }

  /** Ports of the CRT controller and of input status 1 as their colour addresses. */
  #crtcPort(port: number): number | undefined {
    const colour = (this.#miscellaneous & COLOUR) !== 0 ? port : port + MONOCHROME;
    const { CrtcIndex, CrtcData, Status1 } = VgaPort;
    return colour === CrtcIndex || colour === CrtcData || colour === Status1 ? colour : undefined;
  }

  /** Writes `bytes` bytes: the second one goes to the next port, as the bus takes a word apart. */
  writePort(port: number, bytes: 1 | 2 | 4, value: number): void {
    for (let i = 0; i < bytes; i++) this.#write(port + i, (value >>> (8 * i)) & 0xff);
  }

  #write(port: number, value: number): void {
    const index = this.#index;
    switch (this.#crtcPort(port) ?? port) {
      case VgaPort.Attribute:
        if (this.#attributeData) this.#attribute[index.attribute & 31] = value;
        else index.attribute = value;
        this.#attributeData = !this.#attributeData;
        return;
      case VgaPort.MiscellaneousWrite:
        this.#miscellaneous = value;
        return;
      case VgaPort.SequencerIndex:
        index.sequencer = value & 7;
        return;
      case VgaPort.SequencerData:
        this.#sequencer[index.sequencer] = value;
        return;
      case VgaPort.PaletteReadIndex:
      case VgaPort.PaletteWriteIndex:
        index.palette = 3 * value;
        return;
      case VgaPort.PaletteData:
        this.#palette[index.palette] = value & 63;
        index.palette = (index.palette + 1) % this.#palette.length;
        return;
      case VgaPort.GraphicsIndex:
        index.graphics = value & 15;
        return;
      case VgaPort.GraphicsData:
        this.#graphics[index.graphics] = value;
        return;
      case VgaPort.CrtcIndex:
        index.crtc = value & 31;
        return;
      case VgaPort.CrtcData:
        this.#crtc[index.crtc] = value;
    }
  }

  /** Reads `bytes` bytes. */
  readPort(port: number, bytes: 1 | 2 | 4): number {
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + this.#read(port + i);
    return value;
  }

  #read(port: number): number {
    const index = this.#index;
    switch (this.#crtcPort(port) ?? port) {
      case VgaPort.Attribute:
        return index.attribute;
      case VgaPort.AttributeRead:
        return this.#attribute[index.attribute & 31]!;
      case VgaPort.MiscellaneousRead:
        return this.#miscellaneous;
      case VgaPort.SequencerIndex:
        return index.sequencer;
      case VgaPort.SequencerData:
        return this.#sequencer[index.sequencer]!;
      case VgaPort.PaletteMask:
        return 0xff;
      case VgaPort.PaletteData: {
        const value = this.#palette[index.palette]!;
        index.palette = (index.palette + 1) % this.#palette.length;
        return value;
      }
      case VgaPort.GraphicsIndex:
        return index.graphics;
      case VgaPort.GraphicsData:
        return this.#graphics[index.graphics]!;
      case VgaPort.CrtcIndex:
        return index.crtc;
      case VgaPort.CrtcData:
        return this.#crtc[index.crtc]!;
      case VgaPort.Status1:
        this.#attributeData = false;
        return this.#status ^= BEAM;
      default:
        return 0xff;
    }
  }

  /** Offset into the text's memory; -1: the mode uses no such address, or memory is off. */
  #offset(address: number): number {
    if ((this.#miscellaneous & MEMORY) === 0) return -1;
    const map = MAPS[(this.#graphics[MEMORY_MAP]! >>> 2) & 3]!;
    const offset = address - VGA_WINDOW.address - map.from;
    return offset >= 0 && offset < map.bytes ? offset % this.#memory.length : -1;
  }

  /** Writes memory in the window. */
  writeMemory(address: number, bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) {
      const offset = this.#offset(address + i);
      if (offset >= 0) this.#memory[offset] = value >>> (8 * i);
    }
  }

  /** Reads memory in the window; where the mode uses none, all bits are 1. */
  readMemory(address: number, bytes: number): number {
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) {
      const offset = this.#offset(address + i);
      value = value * 256 + (offset < 0 ? 0xff : this.#memory[offset]!);
    }
    return value;
  }

  /** The rows of text on the screen, without blanks at their ends. */
  screen(): string[] {
    const crtc = this.#crtc;
    const start = 2 * (crtc[Crtc.StartHigh]! * 256 + crtc[Crtc.StartLow]!);
    const rowBytes = 4 * crtc[Crtc.Offset]!;
    return Array.from({ length: VGA_TEXT.rows }, (_, row) => {
      let text = "";
      for (let column = 0; column < VGA_TEXT.columns; column++) {
        text += String.fromCharCode(
          this.#memory[(start + row * rowBytes + 2 * column) % this.#memory.length]!,
        );
      }
      return text.trimEnd();
    });
  }

  /** Where the cursor is, as a character's number in memory. */
  get cursor(): number {
    return this.#crtc[Crtc.CursorHigh]! * 256 + this.#crtc[Crtc.CursorLow]!;
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    for (const registers of [this.#sequencer, this.#graphics, this.#crtc, this.#attribute]) {
      for (const value of registers) hash.word(value);
    }
    hash.word(this.#miscellaneous).word(this.#status).flag(this.#attributeData);
    hash.words(new Uint32Array(this.#memory.buffer));
  }
}
