/**
 * Many runs, one after the other or on several threads. Each is a machine of its own, so what comes out is the same
 * either way, byte for byte.
 *
 * @module
 */

import { type RunJob, runJob, type RunOutcome, THREAD_NAME } from "./run_job.ts";

/**
 * Runs all jobs on `threads` threads; with 1, here.
 *
 * @param done called for each outcome in the order of the jobs, as soon as those before it are done
 * @param progress called with the number of jobs that have ended
 */
export async function runAll(
  jobs: readonly RunJob[],
  threads: number,
  done: (outcome: RunOutcome, job: RunJob, index: number) => void = () => {},
  progress: (ended: number) => void = () => {},
): Promise<RunOutcome[]> {
  const outcomes = new Array<RunOutcome | undefined>(jobs.length);
  let told = 0, ended = 0;
  const enter = (index: number, outcome: RunOutcome) => {
    outcomes[index] = outcome;
    progress(++ended);
    for (let next = outcomes[told]; next !== undefined; next = outcomes[told]) {
      done(next, jobs[told]!, told);
      told++;
    }
  };
  if (Math.min(threads, jobs.length) <= 1) jobs.forEach((job, index) => enter(index, runJob(job)));
  else await onThreads(jobs, Math.min(threads, jobs.length), enter);
  return outcomes as RunOutcome[];
}

async function onThreads(
  jobs: readonly RunJob[],
  threads: number,
  enter: (index: number, outcome: RunOutcome) => void,
): Promise<void> {
  let next = 0;
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL("./run_job.ts", import.meta.url), { type: "module", name: THREAD_NAME }),
  );
  const drive = (worker: Worker) =>
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
    });
  try {
    await Promise.all(workers.map(drive));
  } finally {
    for (const worker of workers) worker.terminate();
  }
}
