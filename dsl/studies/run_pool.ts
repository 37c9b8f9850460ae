/**
 * Many runs, one after the other or on several threads. Each is a machine of its own, so what comes out is the same
 * either way, byte for byte.
 *
 * @module
 */

import { type RunJob, runJob, type RunOutcome, THREAD_NAME } from "./run_job.ts";

/** Threads that do runs; with one of them the runs are done here. Close it when done. */
export class RunPool {
  readonly #workers: Worker[] = [];

  /** @param threads how many runs may go on at a time */
  constructor(readonly threads: number) {}

  /**
   * Runs all jobs.
   *
   * @param done called for each outcome in the order of the jobs, as soon as those before it are done
   * @param progress called with the number of jobs that have ended
   */
  async run(
    jobs: readonly RunJob[],
    done: (outcome: RunOutcome, job: RunJob) => void = () => {},
    progress: (ended: number) => void = () => {},
  ): Promise<RunOutcome[]> {
    const outcomes = new Array<RunOutcome | undefined>(jobs.length);
    let told = 0, ended = 0;
    const enter = (index: number, outcome: RunOutcome) => {
      outcomes[index] = outcome;
      progress(++ended);
      for (let next = outcomes[told]; next !== undefined; next = outcomes[told]) {
        done(next, jobs[told]!);
        told++;
      }
    };
    if (Math.min(this.threads, jobs.length) <= 1) jobs.forEach((job, index) => enter(index, runJob(job)));
    else await this.#share(jobs, enter);
    return outcomes as RunOutcome[];
  }

  /** Ends the threads. */
  close(): void {
    for (const worker of this.#workers.splice(0)) worker.terminate();
  }

  /** Every thread takes the next job whenever it has ended one. */
  async #share(jobs: readonly RunJob[], enter: (index: number, outcome: RunOutcome) => void): Promise<void> {
    while (this.#workers.length < Math.min(this.threads, jobs.length)) {
      const module = new URL("./run_job.ts", import.meta.url);
      this.#workers.push(new Worker(module, { type: "module", name: THREAD_NAME }));
    }
    let next = 0;
    await Promise.all(this.#workers.map((worker) =>
      new Promise<void>((resolve, reject) => {
        let index = -1;
        const give = () => {
          if (next >= jobs.length) return resolve();
          worker.postMessage(jobs[index = next++]);
        };
        worker.onmessage = ({ data }) => {
          enter(index, data);
          give();
        };
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new Error(event.message));
        };
        give();
      })
    ));
  }
}
