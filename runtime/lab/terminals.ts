/**
 * Pseudo-terminals of the host: what character devices of QEMU write into their masters is read from `/dev/pts/N`.
 *
 * *Document*: pts(4).
 *
 * *Not modelled*: the other direction; a reader waits for nothing: it gets what there is.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { EBADF, EIO, type Errno } from "../linux/errno.ts";
import type { DirectoryNode, OpenFile, OpenFlags } from "../linux/fs/vfs.ts";

const FOLDER = "/dev/pts";

/** The pseudo-terminals. */
export class Terminals {
  /** What has come and has not been read, by number. */
  readonly #pending: string[] = [];

  /** Opens the next one: `/dev/pts/0`. */
  open(): string {
    return `${FOLDER}/${this.#pending.push("") - 1}`;
  }

  /** Whoever has the master of `place` writes. */
  output(place: string, text: string): void {
    this.#pending[Number(place.slice(FOLDER.length + 1))] += text;
  }

  /** `/dev/pts`. */
  directory(): DirectoryNode {
    return {
      kind: "directory",
      list: () => this.#pending.keys().map(String),
      lookup: (name) => {
        const number = this.#pending.findIndex((_, i) => String(i) === name);
        return number < 0 ? undefined : {
          kind: "device",
          mode: 0o620,
          number: [136, number],
          open: (flags) => this.#file(number, flags),
        };
      },
    };
  }

  #file(number: number, flags: OpenFlags): OpenFile {
    const pending = this.#pending;
    return {
      // deno-lint-ignore require-yield
      *read(length = Infinity): Activity<string | Errno> {
        if (!flags.read) return EBADF;
        const text = pending[number]!.slice(0, length);
        pending[number] = pending[number]!.slice(text.length);
        return text;
      },
      // deno-lint-ignore require-yield
      *write(): Activity<number | Errno> {
        return EIO;
      },
      close() {},
    };
  }
}
