/**
 * A checkpoint: what leads to an instant of a run, as text. It holds no state of the machine: loading it is running again.
 *
 * ```json
 * {
 *   "format": "rtkvm checkpoint", "version": 1, "release": "0.3.0",
 *   "machine": {"era": "2012", "system": "kvm", "kernel": "linux-3.4.0", "seed": 1, …},
 *   "profile": {"name": "…", "hash": "…"},
 *   "choices": [],
 *   "at": {"event": 1400, "timeNs": 105000000, "given": 3}, "hash": "…",
 *   "journal": [{"kind": "line", "items": [{"source": 0, "start": 0, "text": "sleep 1", "event": 1212, …}], …}],
 *   …
 * }
 * ```
 *
 * Commands are places in the texts that they were given in, which stand under `sources`. The scripts of the folder are part
 * of it, as commands read them.
 *
 * @module
 */

import type { LabProfile } from "../../runtime/lab/defaults.ts";
import { eraNamed, ERAS } from "../../runtime/lab/eras.ts";
import { KERNEL_NAMES } from "../../runtime/lab/kernels.ts";
import { mutantNamed, MUTANTS } from "../../runtime/lab/mutants.ts";
import type { ScriptFolder } from "../../runtime/lab/script_folder.ts";
import { systemNamed, SYSTEMS } from "../../runtime/lab/systems.ts";
import type { Command, ListItem, Script } from "../syntax/ast.ts";
import type { BootRequest } from "./boot_request.ts";
import { JsonPart, jsonText } from "./json_part.ts";
import { type Instant, Journal, type JournalInput, type Position } from "./journal.ts";
import { nodesByStart, originOf, type OriginText } from "../syntax/origin.ts";
import { parseScript } from "../syntax/parse.ts";
import type { Session } from "./session.ts";
import { copyOf, type Options, type Shell, type Variable } from "../shell/state.ts";
import { ShellSyntaxError } from "../syntax/syntax_error.ts";
import { VERSION } from "../host/version.ts";

const FORMAT = "rtkvm checkpoint";
/** Of the format; a change that older releases cannot read raises it. */
const FORMAT_VERSION = 1;
const KINDS = ["looks", "passes", "given"] as const;

/** A checkpoint that has been read. */
export interface Checkpoint {
  readonly journal: Journal;
  readonly at: Position;
  /** State hash there. */
  readonly hash: string;
  /** The shell as it was. */
  readonly shell: Shell;
  readonly folder: ScriptFolder | undefined;
  /** Why it may lead elsewhere here: it was saved by another release, or under other parameters. */
  readonly differences: readonly string[];
}

// ---- save ----

/** Texts, each kept once. */
class Sources {
  readonly list: OriginText[] = [];

  /** Where a command stands. */
  place(node: object): { source: number; start: number } {
    const origin = originOf(node);
    if (origin === undefined) throw new Error("A command came from no text");
    const { source: { name, text }, start } = origin;
    let source = this.list.findIndex((known) => known.name === name && known.text === text);
    if (source === -1) source = this.list.push({ name, text }) - 1;
    return { source, start };
  }
}

/** The text of a checkpoint of `session` where it stands. */
export function checkpointText(session: Session): string {
  const { journal, lab, folder } = session;
  const { start } = journal;
  if (start === null) throw new Error("A checkpoint without a command");
  const sources = new Sources();
  const { era, system, kernel, seed, append, mutant, profile } = start.boot;
  return `${
    jsonText({
      format: FORMAT,
      version: FORMAT_VERSION,
      release: VERSION,
      machine: {
        ...{ era: era.name, system: system.name, kernel, seed, append, mutant: mutant?.id ?? null },
        first: start.isFirst,
      },
      profile: { name: profile.name, hash: profile.hash },
      choices: [], // a run takes the first of each
      at: session.position,
      hash: lab.engine.stateHash(),
      boots: journal.boots,
      journal: journal.entries.map((entry) =>
        entry.kind === "cut" ? { ...entry, shell: shellJson(entry.shell, sources) } : {
          ...entry,
          items: entry.items.map(({ item, ...rest }) => ({
            ...sources.place(item),
            text: item.text,
            ...rest,
          })),
        }
      ),
      answers: journal.answers,
      start: shellJson(start.shell, sources),
      shell: shellJson(session.shell, sources),
      sources: sources.list,
      folder: folder === undefined ? null : { path: folder.path, files: Object.fromEntries(folder.files) },
    })
  }\n`;
}

function shellJson(shell: Shell, sources: Sources): unknown {
  const { positional, zero, cwd, umask, status, pid, getoptsOffset, lastBackground, secondsFromNs } = shell;
  const { directoryStack } = shell;
  return {
    ...{ zero, cwd, umask, status, pid, getoptsOffset, secondsFromNs, positional, directoryStack },
    lastBackground: lastBackground?.pid ?? null,
    options: Object.entries(shell.options).filter(([, isOn]) => isOn).map(([name]) => name),
    variables: Object.fromEntries(
      [...shell.variables].map(([name, variable]) => [name, variableJson(variable)]),
    ),
    functions: Object.fromEntries([...shell.functions].map(([name, body]) => [name, sources.place(body)])),
    traps: Object.fromEntries(shell.traps),
  };
}

function variableJson({ value, associative, integer, exported, readonly }: Variable): unknown {
  const flags = Object.entries({ associative, integer, exported, readonly }).filter(([, isOn]) => isOn);
  return {
    value: value instanceof Map ? Object.fromEntries(value) : value ?? null,
    ...(flags.length > 0 ? { is: flags.map(([name]) => name) } : {}),
  };
}

// ---- load ----

/** Reads a checkpoint for `session`, which stays as it is. @throws JsonError */
export function readCheckpoint(text: string, session: Session): Checkpoint {
  const file = JsonPart.of(text);
  if (file.get("format").value !== FORMAT) file.get("format").fail(`"${FORMAT}"`);
  if (file.get("version").whole() !== FORMAT_VERSION) {
    file.get("version").fail(`${FORMAT_VERSION}, the only version of the format that this release reads`);
  }
  if (file.get("choices").list().length > 0) file.get("choices").fail("none: a run takes the first of each");
  const release = file.get("release").text(), hash = file.get("profile").get("hash").text();
  const profile = [session.profile, session.lab.options.profile].find((each) => each.hash === hash);
  const differences = release === VERSION
    ? []
    : [`it was saved by release ${release}, and this is ${VERSION}`];
  if (profile === undefined) {
    const name = file.get("profile").get("name").text();
    const { profile: here } = session;
    differences.push(`it was saved under profile ${name}, ${hash}, and this is ${here.name}, ${here.hash}`);
  }
  const texts = new Texts(file.get("sources").list());
  const shell = (part: JsonPart) => readShell(part, session.shell, texts);
  const journal = new Journal();
  journal.start = {
    boot: readMachine(file.get("machine"), profile ?? session.profile),
    isFirst: file.get("machine").get("first").flag(),
    shell: shell(file.get("start")),
  };
  for (const entry of file.get("journal").list()) {
    if (entry.get("kind").value === "cut") {
      const isFrozen = entry.get("isFrozen").flag();
      journal.cut(readInstant(entry), shell(entry.get("shell")), isFrozen);
    } else readInput(entry, journal, texts);
  }
  for (const answer of file.get("answers").list()) {
    const [out, err] = [answer.get("out").text(), answer.get("err").text()];
    journal.answers.push({ out, err, status: answer.get("status").whole() });
  }
  journal.boots = file.get("boots").whole();
  const at = { ...readInstant(file.get("at")), given: file.get("at").get("given").whole() };
  if (at.given > journal.given) {
    file.get("at").get("given").fail(`at most the ${journal.given} commands that it has`);
  }
  return {
    ...{ journal, at, differences },
    hash: file.get("hash").text(),
    shell: shell(file.get("shell")),
    folder: file.get("folder").orNull(readFolder) ?? undefined,
  };
}

/** The texts that commands were given in, parsed where one is asked for. */
class Texts {
  readonly #nodes = new Map<number, Map<number, object[]>>();

  constructor(readonly list: readonly JsonPart[]) {}

  /** The command of a list at a place. */
  item(part: JsonPart): ListItem {
    const text = part.get("text").text();
    return this.#find(
      part,
      (node): node is ListItem => "command" in node && "text" in node && node.text === text,
    );
  }

  /** The body of a function. */
  body(part: JsonPart): Command {
    return this.#find(part, (node): node is Command => "kind" in node);
  }

  #find<T extends object>(part: JsonPart, isIt: (node: object) => node is T): T {
    const number = part.get("source").whole();
    const text = this.list[number] ?? part.get("source").fail(`one of the ${this.list.length} sources`);
    const nodes = this.#nodes.get(number) ?? nodesByStart(parsed(text));
    this.#nodes.set(number, nodes);
    return nodes.get(part.get("start").whole())?.find(isIt) ??
      part.get("start").fail(`a command's place in source ${number}`);
  }
}

function parsed(source: JsonPart): Script {
  try {
    return parseScript(source.get("text").text(), source.get("name").text());
  } catch (error) {
    if (!(error instanceof ShellSyntaxError)) throw error;
    return source.get("text").fail(`a script: ${error.message.split("\n")[0]}`);
  }
}

function readMachine(part: JsonPart, profile: LabProfile): Required<BootRequest> {
  const [seed, append] = [part.get("seed").whole(), part.get("append").text()];
  return {
    ...{ seed, append, profile },
    era: eraNamed(part.get("era").oneOf(ERAS.map(({ name }) => name)))!,
    system: systemNamed(part.get("system").oneOf(SYSTEMS.map(({ name }) => name)))!,
    kernel: part.get("kernel").oneOf(KERNEL_NAMES),
    mutant: part.get("mutant").orNull((id) => mutantNamed(id.oneOf(MUTANTS.map((each) => each.id)))!),
  };
}

function readInstant(part: JsonPart): Instant {
  return { event: part.get("event").whole(), timeNs: part.get("timeNs").whole() };
}

function readInput(part: JsonPart, journal: Journal, texts: Texts): void {
  const kind: JournalInput["kind"] = part.get("kind").oneOf(["script", "line"]);
  const input = journal.input(kind, part.get("name").text());
  for (const each of part.get("items").list()) {
    const [status, does] = [each.get("status").whole(), each.get("does").oneOf(KINDS)];
    journal.add(input, { item: texts.item(each), ...readInstant(each), status, does });
  }
  input.interrupts.push(...part.get("interrupts").list().map(readInstant));
  input.ended = part.get("ended").orNull(readInstant);
}

/** A shell that nothing happens to; what is not in the file is as in `like`. */
function readShell(part: JsonPart, like: Shell, texts: Texts): Shell {
  const shell = copyOf(like);
  for (const map of [shell.variables, shell.functions, shell.traps]) map.clear();
  const options = part.get("options").list().map((each) => each.oneOf(Object.keys(like.options)));
  for (const name of Object.keys(like.options)) shell.options[name as keyof Options] = options.includes(name);
  for (const [name, variable] of part.get("variables").entries()) {
    const is = variable.get("is").value === undefined ? [] : variable.get("is").list();
    const flags = is.map((each) => each.oneOf(["associative", "integer", "exported", "readonly"]));
    const value = variable.get("value").orNull((each) =>
      typeof each.value === "string"
        ? each.value
        : new Map(each.entries().map(([key, element]) => [key, element.text()]))
    );
    shell.variables.set(name, {
      value: value ?? undefined,
      associative: flags.includes("associative"),
      integer: flags.includes("integer"),
      exported: flags.includes("exported"),
      readonly: flags.includes("readonly"),
    });
  }
  for (const [name, body] of part.get("functions").entries()) shell.functions.set(name, texts.body(body));
  for (const [name, action] of part.get("traps").entries()) shell.traps.set(name, action.text());
  shell.positional = part.get("positional").list().map((each) => each.text());
  shell.directoryStack = part.get("directoryStack").list().map((each) => each.text());
  shell.zero = part.get("zero").text();
  shell.cwd = part.get("cwd").text();
  for (const key of ["umask", "status", "pid", "getoptsOffset", "secondsFromNs"] as const) {
    shell[key] = part.get(key).whole();
  }
  const pid = part.get("lastBackground").orNull((each) => each.whole());
  shell.lastBackground = pid === null ? undefined : { pid };
  return shell;
}

function readFolder(part: JsonPart): ScriptFolder {
  const files = part.get("files").entries().map(([name, text]) => [name, text.text()] as const);
  return { path: part.get("path").text(), files: new Map(files) };
}
