/**
 * The text console on a VGA: `/dev/tty0`, `/dev/tty1`, and its screen as `/dev/vcs`.
 *
 * *Document*: Linux 3.5 `drivers/tty/vt/vt.c` (`do_con_write()`, `con_flush_chars()`, `scrup()`), `drivers/tty/n_tty.c`
 * (`n_tty_write()`), `drivers/video/console/vgacon.c` (`vgacon_cursor()`, `vgacon_set_cursor_size()`, `vgacon_scroll()`,
 * `write_vga()`), `drivers/tty/vt/vc_screen.c`.
 *
 * *Modelled*: the console's buffer is the adapter's memory: each character is a store of 16 bits there; each piece of text
 * hides the cursor and shows it again, by accesses to ports; a line more than the screen has moves the start address, and
 * at the end of the memory everything is copied. A kernel that does not preempt its own code lets nobody in before a piece of
 * text is done, and the accesses to the cursor's registers keep interrupts out on any kernel. Reading `/dev/vcs` loads character after character. Each access is an
 * instruction: in a guest it exits.
 *
 * *Not modelled*: escape sequences, other consoles than the first, the keyboard, the kernel's own messages.
 *
 * @module
 */

import {
  type Activity,
  IN,
  LOAD_WORD,
  OUT,
  OUT_WORD,
  type Step,
  STORE_WORD,
} from "../../../hw/sim/activity.ts";
import { Crtc, VGA_TEXT, VgaPort } from "../../../hw/vga.ts";
import { EBADF, EIO, type Errno } from "../errno.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import { withoutInterrupts, withoutPreemption } from "../system_call.ts";
import type { DeviceNode, OpenFile, OpenFlags } from "../fs/vfs.ts";

const { columns: COLUMNS, rows: ROWS, address: BASE } = VGA_TEXT;
const ROW_BYTES = 2 * COLUMNS, SCREEN_BYTES = ROWS * ROW_BYTES;
/** Light grey on black. */
const ATTRIBUTE = 0x0700;
const BLANK = ATTRIBUTE | 0x20;
const NEWLINE = 10, CARRIAGE_RETURN = 13, BACKSPACE = 8, TAB = 9;
/** Scan lines of the cursor: hidden, and an underline of a font of 16 lines. */
const HIDDEN = [31, 30] as const, UNDERLINE = [13, 14] as const;

/** The console. */
export class VgaConsole {
  /** First byte of the screen, and the cursor's place on it, as offsets into the text's memory. */
  #origin = 0;
  #row = 0;
  #column = 0;
  #cursorLines: readonly [number, number] = [0, 0];

  /** @param thisCpu the CPU that executes now @param putCharacter the work for a character, without its store */
  constructor(readonly thisCpu: () => KernelCpu, readonly putCharacter: Step) {}

  /** `/dev/tty0`, or with minor number 1 `/dev/tty1`: the same console here. */
  device(minor: 0 | 1): DeviceNode {
    return { kind: "device", mode: 0o600, number: [4, minor], open: (flags) => new OpenConsole(this, flags) };
  }

  /** `/dev/vcs`. */
  screenDevice(): DeviceNode {
    return { kind: "device", mode: 0o600, number: [7, 0], open: (flags) => new OpenScreen(this, flags) };
  }

  /** A program writes: each line is a piece of text and, by ONLCR, another one of two characters. */
  *write(text: string): Activity<number> {
    for (const piece of text.match(/[^\n]+|\n/g) ?? []) {
      const codes = piece === "\n" ? [CARRIAGE_RETURN, NEWLINE] : [...new TextEncoder().encode(piece)];
      yield* withoutPreemption(this.thisCpu, this.#piece(codes)); // console_conditional_schedule() follows each
    }
    return text.length;
  }

  *#piece(codes: readonly number[]): Activity {
    yield* this.#cursor(HIDDEN);
    for (const code of codes) yield* this.#put(code);
    yield* this.#cursor(UNDERLINE);
  }

  /** Loads `count` characters from number `first` on; the screen ends the text. */
  *read(first: number, count: number): Activity<string> {
    let text = "";
    for (let i = first; i < Math.min(first + count, COLUMNS * ROWS); i++) {
      const { registers } = this.thisCpu();
      registers.address = BASE + this.#origin + 2 * i;
      text += String.fromCharCode((yield LOAD_WORD) & 0xff);
    }
    return text;
  }

  *#put(code: number): Activity {
    switch (code) {
      case CARRIAGE_RETURN:
        this.#column = 0;
        return;
      case NEWLINE:
        return yield* this.#lineFeed();
      case BACKSPACE:
        if (this.#column > 0) this.#column--;
        return;
      case TAB:
        this.#column = Math.min(COLUMNS - 1, (this.#column | 7) + 1);
        return;
    }
    if (this.#column === COLUMNS) {
      this.#column = 0;
      yield* this.#lineFeed();
    }
    yield this.putCharacter;
    yield* this.#store(this.#position, ATTRIBUTE | code);
    this.#column++; // at the end of a row the next character wraps
  }

  get #position(): number {
    return this.#origin + this.#row * ROW_BYTES + 2 * Math.min(this.#column, COLUMNS - 1);
  }

  *#lineFeed(): Activity {
    if (this.#row < ROWS - 1) {
      this.#row++;
      return;
    }
    if (this.#origin + SCREEN_BYTES + ROW_BYTES > VGA_TEXT.bytes) yield* this.#rollOver();
    else this.#origin += ROW_BYTES;
    for (let column = 0; column < COLUMNS; column++) {
      yield* this.#store(this.#origin + SCREEN_BYTES - ROW_BYTES + 2 * column, BLANK);
    }
    yield* this.#locked(this.#writePair(Crtc.StartHigh, this.#origin / 2));
  }

  /** The screen, without its first line, goes to the beginning of the memory. */
  *#rollOver(): Activity {
    const from = this.#origin + ROW_BYTES;
    for (let at = 0; at < SCREEN_BYTES - ROW_BYTES; at += 2) {
      const { registers } = this.thisCpu();
      registers.address = BASE + from + at;
      const character = yield LOAD_WORD;
      yield* this.#store(at, character);
    }
    this.#origin = 0;
  }

  *#store(offset: number, value: number): Activity {
    const { registers } = this.thisCpu();
    registers.address = BASE + offset;
    registers.value = value;
    yield STORE_WORD;
  }

  /** `vgacon_cursor()`: its place, and between which scan lines it is. */
  *#cursor(lines: readonly [number, number]): Activity {
    yield* this.#locked(this.#writePair(Crtc.CursorHigh, this.#position / 2));
    if (lines[0] === this.#cursorLines[0] && lines[1] === this.#cursorLines[1]) return;
    this.#cursorLines = lines;
    yield* this.#locked(this.#setLines(lines));
  }

  *#setLines(lines: readonly [number, number]): Activity {
    const kept: number[] = [];
    for (const register of [Crtc.CursorStart, Crtc.CursorEnd]) {
      yield* this.#out(VgaPort.CrtcIndex, register);
      this.thisCpu().registers.address = VgaPort.CrtcData;
      kept.push(yield IN);
    }
    const [start, end] = kept as [number, number];
    yield* this.#out(VgaPort.CrtcIndex, Crtc.CursorStart);
    yield* this.#out(VgaPort.CrtcData, start & 0xc0 | lines[0]);
    yield* this.#out(VgaPort.CrtcIndex, Crtc.CursorEnd);
    yield* this.#out(VgaPort.CrtcData, end & 0xe0 | lines[1]);
  }

  /** Accesses under `vga_lock`. */
  #locked(accesses: Activity): Activity {
    return withoutInterrupts(this.thisCpu, true, accesses);
  }

  /** `write_vga()`: two registers, the high byte's first; index and data are one word. */
  *#writePair(register: number, value: number): Activity {
    const { registers } = this.thisCpu();
    registers.address = VgaPort.CrtcIndex;
    registers.value = register | value & 0xff00;
    yield OUT_WORD;
    const again = this.thisCpu().registers;
    again.address = VgaPort.CrtcIndex;
    again.value = register + 1 | (value & 0xff) << 8;
    yield OUT_WORD;
  }

  *#out(port: number, value: number): Activity {
    const { registers } = this.thisCpu();
    registers.address = port;
    registers.value = value;
    yield OUT;
  }
}

/** An open `/dev/tty0`. */
class OpenConsole implements OpenFile {
  constructor(readonly console: VgaConsole, readonly flags: OpenFlags) {}

  // deno-lint-ignore require-yield -- nobody types
  *read(): Activity<string | Errno> {
    return this.flags.read ? EIO : EBADF;
  }

  *write(text: string): Activity<number | Errno> {
    if (!this.flags.write && !this.flags.append) return EBADF;
    return yield* this.console.write(text);
  }

  /** Nothing is held back. */
  close(): void {}
}

/** An open `/dev/vcs`. */
class OpenScreen implements OpenFile {
  #position = 0;

  constructor(readonly console: VgaConsole, readonly flags: OpenFlags) {}

  *read(length = Infinity): Activity<string | Errno> {
    if (!this.flags.read) return EBADF;
    const text = yield* this.console.read(this.#position, length);
    this.#position += text.length;
    return text;
  }

  // deno-lint-ignore require-yield -- writing to the screen so is not modelled
  *write(): Activity<number | Errno> {
    return this.flags.write || this.flags.append ? EIO : EBADF;
  }

  seek(position: number): void {
    this.#position = position;
  }

  /** Nothing is held back. */
  close(): void {}
}
