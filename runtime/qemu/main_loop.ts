/**
 * QEMU's first thread: does, one after the other, what monitors and devices ask for.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { KernelCpu, KvmProcess, Task } from "../kvm/user_space.ts";

/** Something that the thread shall do. */
type Work = (main: Task) => Activity;

/** The loop. */
export class MainLoop {
  /** The thread; null before it is made. */
  task: Task | null = null;
  readonly #work: Work[] = [];
  /** Who waits for the loop; told of its end. */
  readonly #waiting = new Set<Task>();
  #ended = false;

  /** Of `process`. */
  constructor(readonly process: KvmProcess) {}

  /** The process's id; 0 before it has started. */
  get pid(): number {
    return this.task?.pid ?? 0;
  }

  /** The thread's life, until `isOver` says so; whoever changes that wakes the thread. */
  *run(main: Task, isOver: () => boolean): Activity {
    for (;;) {
      yield* this.process.waitUntil(main, () => isOver() || this.#work.length > 0);
      if (isOver()) return;
      yield* this.#work.shift()!(main);
    }
  }

  /** The process is over: nothing more is done. */
  *end(main: Task): Activity {
    this.#ended = true;
    yield* this.process.wake([...this.#waiting], main);
  }

  /** Has the thread do `work`. @param by the thread that asks, and does not wait */
  *post(work: Work, by: Task): Activity {
    this.#work.push(work);
    yield* this.wake(by);
  }

  /** The same by software on CPU `from`, which sends the wake-up's interrupt when it can. */
  postFrom(work: Work, from: KernelCpu): void {
    this.#work.push(work);
    if (this.task !== null) this.process.kvm.host.wake(this.task, from);
  }

  /** Has the thread do `work` and waits until it has, or has ended. @param caller the task that waits */
  *ask(caller: Task, work: Work): Activity {
    const { process } = this;
    if (this.#ended || this.task === null) return;
    const asked = { done: false };
    this.#work.push((main) => answer(process, caller, work(main), main, asked));
    const stays = this.#waiting.has(caller);
    this.#waiting.add(caller);
    yield* this.wake(caller);
    yield* process.waitUntil(caller, () => asked.done || this.#ended);
    if (!stays) this.#waiting.delete(caller);
  }

  /** The end of the process shall wake `task`. */
  watchEnd(task: Task): void {
    this.#waiting.add(task);
  }

  /** Makes the thread look at what there is to do. */
  *wake(by: Task): Activity {
    if (this.task !== null) yield* this.process.wake([this.task], by);
  }
}

function* answer(
  process: KvmProcess,
  caller: Task,
  work: Activity,
  main: Task,
  asked: { done: boolean },
): Activity {
  yield* work;
  asked.done = true;
  yield* process.wake([caller], main);
}
