/**
 * QMP, the monitor for programs: a JSON object in, JSON objects out.
 *
 * *Document*: QEMU 7.2, `docs/interop/qmp-spec.txt`, `qapi/{run-state,machine,misc,qdev}.json`, `monitor/qmp.c`.
 *
 * *Modelled*: the greeting, the negotiation, the commands of {@linkcode COMMANDS}, and the events STOP, RESUME, RESET,
 * POWERDOWN and SHUTDOWN of what the session itself asks for.
 *
 * *Not modelled*, and refused by name: the other commands; out-of-band execution; objects over several lines; QMP of 1.1.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Task } from "../kvm/user_space.ts";
import { isFault, readDevice } from "./device_options.ts";
import { addDevice, deleteDevice } from "./hotplug.ts";
import { RELEASES } from "./era.ts";
import type { QemuMachine } from "./machine.ts";

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

type JsonObject = { readonly [key: string]: Json };

const EMPTY: JsonObject = {};

/** As QEMU writes it: a blank behind each comma and colon. */
export function jsonText(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(jsonText).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${jsonText(member)}`);
  return `{${members.join(", ")}}`;
}

/** A command has failed. */
class Failure {
  constructor(
    readonly description: string,
    readonly type: "GenericError" | "CommandNotFound" | "DeviceNotFound" = "GenericError",
  ) {}
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a command runs with. */
interface Call {
  readonly session: QmpSession;
  readonly machine: QemuMachine;
  readonly args: JsonObject;
  readonly main: Task;
}

interface QmpCommand {
  /** Its arguments; `?` behind one that may be left out, `*`: any. */
  readonly takes?: readonly string[];
  run(call: Call): Activity<Json | Failure>;
}

/** Something that looks at the machine or changes nothing but its state. */
function at(answer: (call: Call) => Json | Failure): QmpCommand["run"] {
  // deno-lint-ignore require-yield
  return function* (call) {
    return answer(call);
  };
}

/** The commands. */
const COMMANDS: Readonly<Record<string, QmpCommand>> = {
  qmp_capabilities: {
    takes: ["enable?"],
    run: at(({ session, args: { enable = [] } }) => {
      if (session.negotiated) {
        return new Failure(
          "Capabilities negotiation is already complete, command ignored",
          "CommandNotFound",
        );
      }
      if (Array.isArray(enable) && enable.length > 0) {
        return new Failure("out-of-band execution is not modelled");
      }
      session.negotiated = true;
      return {};
    }),
  },
  "query-status": {
    run: at(({ machine: { running, runState } }) => ({ status: runState, singlestep: false, running })),
  },
  "query-kvm": { run: at(({ machine: { options } }) => ({ enabled: options.kvm, present: true })) },
  "query-name": {
    run: at(({ machine: { options } }) => options.name === undefined ? EMPTY : { name: options.name }),
  },
  "query-version": { run: at(({ session }) => session.version) },
  "query-cpus-fast": {
    run: at(({ machine: { threads } }) =>
      threads.map(({ index, task }) => ({
        "thread-id": task?.pid ?? 0,
        props: { "core-id": index, "thread-id": 0, "socket-id": 0 },
        "qom-path": `/machine/unattached/device[${index}]`,
        "cpu-index": index,
        target: "x86_64",
      }))
    ),
  },
  stop: {
    *run({ session, machine, main }) {
      const ran = machine.running;
      yield* machine.stop(main);
      if (ran) session.event("STOP");
      return {};
    },
  },
  cont: {
    *run({ session, machine, main }) {
      const ran = machine.running;
      yield* machine.cont(main);
      if (!ran) session.event("RESUME");
      return {};
    },
  },
  system_reset: {
    *run({ session, machine, main }) {
      yield* machine.reset(main);
      session.event("RESET", { guest: false, reason: "host-qmp-system-reset" });
      return {};
    },
  },
  system_powerdown: {
    *run({ session, machine, main }) {
      yield* machine.powerDown(main);
      session.event("POWERDOWN");
      return {};
    },
  },
  quit: {
    *run({ session, machine, main }) {
      session.event("SHUTDOWN", { guest: false, reason: "host-qmp-quit" });
      yield* machine.quit(main);
      return {};
    },
  },
  device_add: {
    takes: ["driver", "*"],
    *run({ machine, args, main }) {
      const { options } = machine;
      const argument = Object.entries(args).map(([key, value]) =>
        `${key}=${String(value).replaceAll(",", ",,")}`
      );
      const device = readDevice(argument.join(","), "", options.era, options.netdevs);
      if (isFault(device)) return new Failure(device.message);
      const [failed] = yield* addDevice(machine, device, main);
      return failed === undefined ? {} : new Failure(failed.replace(/^Error: /, ""));
    },
  },
  device_del: {
    takes: ["id"],
    *run({ machine, args: { id = "" }, main }) {
      const failed = yield* deleteDevice(machine, String(id), main);
      if (failed === undefined) return {};
      return new Failure(failed, failed.endsWith("not found") ? "DeviceNotFound" : "GenericError");
    },
  },
  "human-monitor-command": {
    takes: ["command-line", "cpu-index?"],
    *run({ machine, args, main }) {
      const lines = yield* machine.monitor.execute(String(args["command-line"]), main);
      return lines.map((line) => `${line}\r\n`).join("");
    },
  },
};

/** One client. */
export class QmpSession {
  /** Whether `qmp_capabilities` has been said. */
  negotiated = false;
  #events: string[] = [];

  /** @param nowNs the time of day, ns since 1970 */
  constructor(readonly machine: QemuMachine, readonly nowNs: () => number) {}

  /** What it is greeted with. */
  get greeting(): string {
    return jsonText({ QMP: { version: this.version, capabilities: ["oob"] } });
  }

  /** What `query-version` answers. */
  get version(): JsonObject {
    const { version, shortVersion } = RELEASES[this.machine.options.era];
    const [major = 0, minor = 0, micro = 0] = shortVersion.split(".").map(Number);
    return { qemu: { micro, minor, major }, package: version.slice(shortVersion.length) };
  }

  /** Tells of something that has happened, before the return of the command that did it. */
  event(event: string, data?: JsonObject): void {
    const ns = this.nowNs();
    const timestamp = { seconds: Math.floor(ns / 1e9), microseconds: Math.floor(ns % 1e9 / 1000) };
    this.#events.push(jsonText({ timestamp, event, ...data === undefined ? {} : { data } }));
  }

  /** Serves one line, sent by `caller`, who waits: the lines that come back. */
  *serve(line: string, caller: Task): Activity<readonly string[]> {
    if (line.trim() === "") return [];
    let answer: JsonObject = {};
    const execute = (main: Task) => this.#answer(line, main);
    yield* this.machine.loop.ask(caller, function* (main) {
      answer = yield* execute(main);
    });
    const events = this.#events;
    this.#events = [];
    return [...events, jsonText(answer)];
  }

  *#answer(line: string, main: Task): Activity<JsonObject> {
    yield this.machine.steps.monitorCommand;
    const request = parse(line);
    const result = request instanceof Failure ? request : yield* this.#execute(request, main);
    const id = request instanceof Failure || request["id"] === undefined ? EMPTY : { id: request["id"] };
    if (!(result instanceof Failure)) return { return: result, ...id };
    return { ...id, error: { class: result.type, desc: result.description } };
  }

  *#execute(request: JsonObject, main: Task): Activity<Json | Failure> {
    const name = request["execute"];
    const args = request["arguments"] ?? {};
    const strange = Object.keys(request).find((key) => !["execute", "arguments", "id"].includes(key));
    if (strange === "exec-oob") return new Failure("out-of-band execution is not modelled");
    if (strange !== undefined) return new Failure(`QMP input member '${strange}' is unexpected`);
    if (name === undefined) return new Failure("QMP input lacks member 'execute'");
    if (typeof name !== "string") return new Failure("QMP input member 'execute' must be a string");
    if (!isObject(args)) return new Failure("QMP input member 'arguments' must be an object");
    if (!this.negotiated && name !== "qmp_capabilities") {
      return new Failure("Expecting capabilities negotiation with 'qmp_capabilities'", "CommandNotFound");
    }
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name]! : undefined;
    if (command === undefined) {
      return new Failure(`The command ${name} has not been found`, "CommandNotFound");
    }
    const takes = command.takes ?? [];
    for (const key of takes) {
      if (!/[?*]$/.test(key) && args[key] === undefined) return new Failure(`Parameter '${key}' is missing`);
    }
    const extra = Object.keys(args).find((key) =>
      !takes.some((known) => known === "*" || known.replace("?", "") === key)
    );
    if (extra !== undefined) return new Failure(`Parameter '${extra}' is unexpected`);
    return yield* command.run({ session: this, machine: this.machine, args, main });
  }
}

function parse(line: string): JsonObject | Failure {
  const keyword = /^\s*([A-Za-z_]\w*)/.exec(line)?.[1];
  if (keyword !== undefined && !["true", "false", "null"].includes(keyword)) {
    return new Failure(`JSON parse error, invalid keyword '${keyword}'`);
  }
  try {
    const value: Json = JSON.parse(line);
    return isObject(value) ? value : new Failure("QMP input must be a JSON object");
  } catch {
    return new Failure("Invalid JSON syntax");
  }
}
