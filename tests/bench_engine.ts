/**
 * The engine's cost per event, as a ratio to a loop without an engine that does the same arithmetic.
 *
 * A ratio of two loops in one process depends little on the machine; both sides make the same draws in the same
 * order and must come to the same checksum, so they do the same work.
 */
import { type Activity, work } from "../hw/sim/activity.ts";
import { type Alarm, Engine } from "../hw/sim/engine.ts";
import { Machine } from "../hw/machine.ts";
import { PathFactors } from "../hw/path_factor.ts";
import { Context, RegisterFile } from "../hw/register_file.ts";
import { defaultProfile } from "../runtime/lab/defaults.ts";

/** One cost: `n` events with and without the engine. */
export interface EngineBench {
  readonly name: string;
  /** The largest ratio that is acceptable. */
  readonly limitRatio: number;
  /** Runs `n` events on the engine; returns a checksum. */
  engine(n: number): number;
  /** Does the same arithmetic without an engine; returns the same checksum. */
  baseline(n: number): number;
}

const PENDING = 8;

/** More than the events of one measurement, and a power of two. */
const SEQUENCES = 2 ** 23;

/** The next delay of a source: 1 to 1024 ns, off a 32-bit draw. */
function delayNs(draw: number): number {
  return 1 + (draw & 1023);
}

/** Eight alarms, each of which re-arms itself when it fires: the number that is pending in a run of one guest. */
const alarmEvent: EngineBench = {
  name: `alarm event, ${PENDING} pending`,
  limitRatio: 2.5,
  engine(n) {
    const engine = new Engine(1);
    const draws = engine.random.stream("bench");
    let fired = 0;
    const alarms: Alarm[] = [];
    for (let i = 0; i < PENDING; i++) {
      const alarm: Alarm = engine.alarm(`a${i}`, () => {
        fired++;
        alarm.at(engine.nowNs + delayNs(draws.uint32()));
      });
      alarms.push(alarm);
    }
    for (const alarm of alarms) alarm.at(delayNs(draws.uint32()));
    for (let i = 0; i < n; i++) engine.step();
    return fired * 1e3 + engine.nowNs % 1e3;
  },
  // Who is next has to be found without an engine, too: the least of eight numbers that hold time and sequence at
  // once (27 + 23 bits), as a loop written for this one case can do.
  baseline(n) {
    const draws = new Engine(1).random.stream("bench");
    const keys = new Float64Array(PENDING);
    let sequence = 0;
    for (let i = 0; i < PENDING; i++) keys[i] = delayNs(draws.uint32()) * SEQUENCES + sequence++;
    let fired = 0;
    let nowNs = 0;
    for (let i = 0; i < n; i++) {
      let next = 0;
      let least = keys[0]!;
      for (let j = 1; j < PENDING; j++) {
        const key = keys[j]!;
        if (key < least) {
          least = key;
          next = j;
        }
      }
      nowNs = Math.floor(least / SEQUENCES);
      fired++;
      keys[next] = (nowNs + delayNs(draws.uint32())) * SEQUENCES + sequence++;
    }
    return fired * 1e3 + nowNs % 1e3;
  },
};

/** A step's typical cost, ns. */
const STEP_NS = 500;

/**
 * One activity on a processor; each of its steps draws the factor of its path, as the model does at the root of each
 * path, is scaled by it and booked on a layer. Nothing else is due: the processor goes on from step to step, as it does
 * between two interrupts.
 */
const activityStep: EngineBench = {
  name: "activity step with its draw",
  limitRatio: 5,
  engine(n) {
    const engine = new Engine(1);
    const machine = new Machine(engine, defaultProfile().values.hw);
    const cpu = machine.cpus[0]!;
    const step = work("bench", 1, STEP_NS);
    const life = function* (): Activity {
      for (;;) {
        cpu.pathFactor = cpu.paths!.draw(0xef);
        yield step;
      }
    };
    const nobody = function* (): Activity {};
    const table = { interrupt: nobody, nmi: nobody, exception: nobody };
    cpu.start(new RegisterFile(table, new Context("bench", life())));
    engine.run(n * STEP_NS);
    return engine.event * 1e3 + engine.nowNs % 1e3;
  },
  baseline(n) {
    const { path } = defaultProfile().values.hw;
    const paths = new PathFactors(path, new Engine(1).random.stream("path.cpu0"), { writtenBytes: () => 0 });
    const layerNs = new Float64Array(8);
    const untilNs = n * STEP_NS;
    let nowNs = 0;
    let events = 0;
    for (;;) {
      const ns = Math.floor(STEP_NS * paths.draw(0xef) + 0.5);
      if (nowNs + ns > untilNs) return events * 1e3 + nowNs % 1e3;
      nowNs += ns;
      layerNs[1]! += ns;
      events++;
    }
  },
};

/** Every cost that has a limit. */
export const ENGINE_BENCHES: readonly EngineBench[] = [alarmEvent, activityStep];
