/**
 * What a user of the prompt or of the library waits for: a step, a way back, a boot. CPU time of the process, the
 * collector's included, and the most that is acceptable.
 */
import process from "node:process";
import { Session } from "../dsl/session/session.ts";
import { laboratoryWords } from "../dsl/words/index.ts";
import { Lab } from "../mod.ts";
import { SessionRig } from "./session_rig.ts";

/** One wait. */
export interface SteppingBench {
  readonly name: string;
  /** Most CPU time of one, ms. */
  readonly limitMs: number;
  /** How many are measured in one go. */
  readonly count: number;
  /** Prepares what is measured, and answers it. What it promises is waited for. */
  prepare(): () => Promise<unknown> | void;
}

/** The talk's guest with cyclictest, and traffic where `iperf` says so, run on as `run` says. */
function running(system: string, run: string, iperf = false): SessionRig {
  const rig = new SessionRig({ system });
  rig.ok(". ./talk_setup.rtk > /dev/null 2>&1");
  rig.ok("ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 400000 > /tmp/cyclictest &");
  if (iperf) rig.ok("ssh vm0 iperf -s > /dev/null &\nsleep 0.1\niperf -c vm0 -t 60 > /tmp/iperf &");
  rig.ok(run);
  return rig;
}

const again = (rig: SessionRig, script: string) => () => void rig.ok(script);

const FAR = "run until event >= 100000";
const LONG = "run 300s";

/** Lines as they are typed at a prompt, each with a text of its own. */
function typing(): () => void {
  const session = new Session({ io: { out() {}, err() {} }, interactive: true, words: laboratoryWords });
  const lines = [
    "echo 0 > /sys/devices/system/cpu/cpu3/online",
    "for c in 1 2; do cat /sys/devices/system/cpu/cpu$c/online; done",
    "x=$((x + 1)); [ $x -gt 0 ] && echo $x",
    "echo 1 > /sys/devices/system/cpu/cpu3/online",
  ];
  let typed = 0;
  return () => void session.runLine(`${lines[typed % lines.length]} # ${typed++}`, () => {});
}

/** What is done at {@linkcode FAR}. */
const AT_FAR = [
  { word: "step", load: "idle", limitMs: 1, count: 500 },
  { word: "step", load: "iperf", limitMs: 1, count: 500 },
  { word: "back", load: "idle", limitMs: 50, count: 20 },
  { word: "back", load: "iperf", limitMs: 50, count: 20 },
];

/** The waits that have limits. */
export const STEPPING_BENCHES: readonly SteppingBench[] = [
  { name: "a line typed", limitMs: 1, count: 2000, prepare: typing },
  ...["rfc-v2", "kvm"].flatMap((system): SteppingBench[] => [
    ...AT_FAR.map(({ word, load, limitMs, count }) => ({
      name: `${word} at event 100,000, ${load}, ${system}`,
      limitMs,
      count,
      prepare: () => again(running(system, FAR, load === "iperf"), word),
    })),
    {
      name: `back after 300 s idle, ${system}`,
      limitMs: 3000,
      count: 1,
      prepare: () => again(running(system, LONG), "back"),
    },
  ]),
  { name: "Lab.boot", limitMs: 5, count: 200, prepare: () => () => Lab.boot() },
];

/** CPU time of one, ms, after a few that are not counted. */
export async function cpuMs({ count, prepare }: SteppingBench): Promise<number> {
  const run = prepare();
  for (let i = 0; i < count / 10; i++) await run();
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / count;
}
