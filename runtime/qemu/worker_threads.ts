/**
 * QEMU's worker threads: they wait for the host's disk in place of the main loop.
 *
 * *Document*: qemu-kvm 1.1 `posix-aio-compat.c` (`qemu_paio_submit()`, `spawn_thread()`, `aio_thread()`); QEMU 7.2
 * `util/thread-pool.c`.
 *
 * *Modelled*: a thread is made by the main loop when there is work and none is idle, 64 at most; it takes one piece of work
 * after the other.
 *
 * *Not modelled*: that a thread ends after 10 idle seconds.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { KvmProcess, Task } from "../kvm/user_space.ts";
import type { MainLoop } from "./main_loop.ts";

/** Something that a thread shall do. */
type Work = (own: Task) => Activity;

const MOST = 64;

/** The threads of one process. */
export class WorkerThreads {
  readonly #work: Work[] = [];
  readonly #idle: Task[] = [];
  readonly #all = new Set<Task>();
  /** Threads that the main loop has been asked for, and has not made yet. */
  #pending = 0;
  #over = false;

  /** @param loop makes the threads @param name theirs */
  constructor(readonly process: KvmProcess, readonly loop: MainLoop, readonly name: string) {}

  /** Has a thread do `work`. @param by the thread that asks */
  *submit(by: Task, work: Work): Activity {
    if (this.#over) return;
    this.#work.push(work);
    const idle = this.#idle.pop();
    if (idle !== undefined) return yield* this.process.wake([idle], by);
    if (this.#all.size + this.#pending >= MOST) return;
    this.#pending++;
    yield* this.loop.post((main) => this.#make(main), by);
  }

  *#make(main: Task): Activity {
    this.#pending--;
    const made = yield* this.process.startThread(main, this.name, undefined, (own) => this.#life(own));
    this.#all.add(made);
  }

  *#life(own: Task): Activity<number> {
    for (;;) {
      const work = this.#work.shift();
      if (this.#over) break;
      if (work !== undefined) {
        yield* work(own);
        continue;
      }
      this.#idle.push(own);
      yield* this.process.waitUntil(own, () => this.#over || this.#work.length > 0);
      const at = this.#idle.indexOf(own);
      if (at >= 0) this.#idle.splice(at, 1);
    }
    this.#all.delete(own);
    yield* this.loop.wake(own);
    return 0;
  }

  /** The process ends: the threads do, and the main loop `main` waits for them. */
  *end(main: Task): Activity {
    this.#over = true;
    yield* this.process.wake([...this.#all], main);
    yield* this.process.waitUntil(main, () => this.#all.size === 0);
  }
}
