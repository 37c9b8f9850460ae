/**
 * The command line: what `rtkvm` is called with, and the only place that reads files of the computer it runs on.
 *
 * ```sh
 * deno run --allow-read=. mod.ts run examples/talk_setup.rtk
 * ```
 *
 * {@linkcode main} reaches the world by a {@linkcode HostPort}, so that tests give it another one.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { eraNamed, eraRefusal, ERAS, eraSystem } from "../runtime/lab/eras.ts";
import { KERNEL_NAMES } from "../runtime/lab/kernels.ts";
import { closest } from "../runtime/lab/spelling.ts";
import { systemNamed, SYSTEMS } from "../runtime/lab/systems.ts";
import { commandHelp, COMMANDS, overview } from "./cli_help.ts";
import type { HostFile, HostPort } from "./host/host_port.ts";
import { integer, type Line, readProfiles, wrong } from "./run/command_line.ts";
import type { RunOptions } from "./host/run_options.ts";
import { unknownName } from "./shell/unknown_name.ts";
import { VERSION } from "./host/version.ts";

export { VERSION };

/** Options with a value, of all commands. */
const VALUES = ["era", "system", "kernel", "seed", "loops", "profile", "trace", "out", "with"] as const;
/** Options without. */
const FLAGS = ["strict", "json", "verbose", "alone", "update", "help", "version"] as const;

/** Which options a command takes. */
const TAKES: Readonly<Record<string, readonly string[]>> = {
  run: ["era", "system", "kernel", "seed", "strict", "json", "verbose", "profile", "trace", "help"],
  explain: ["era", "system", "kernel", "seed", "strict", "json", "profile", "with", "alone", "help"],
  repl: ["era", "system", "kernel", "seed", "strict", "profile", "help"],
  verify: ["update", "json", "help"],
  demo: ["loops", "seed", "help"],
  slides: ["loops", "seed", "json", "profile", "out", "help"],
  help: ["help"],
  version: ["help"],
  params: ["profile", "help"],
  sweep: [
    "seeds",
    "resume",
    "system",
    "kernel",
    "set",
    "threads",
    "rate",
    "strict",
    "json",
    "profile",
    "help",
  ],
  merge: ["profile", "help"],
  compare: ["on", "kernel", "seed", "strict", "json", "profile", "help"],
  calibrate: ["stage", "rounds", "loops", "seeds", "threads", "yaml", "profile", "help"],
  residuals: ["loops", "seeds", "threads", "profile", "help"],
  sensitivity: ["loops", "seeds", "threads", "profile", "help"],
};

/** Options that only the studies take: with a value, and without. */
const STUDY_VALUES = ["seeds", "set", "threads", "rate", "on", "stage", "rounds", "resume"] as const;
const STUDY_FLAGS = ["yaml"] as const;
/** Options that may be given more than once. */
const REPEATED = ["profile", "set"] as const;
/** The commands of `studies/commands.ts`. */
const STUDIES = ["params", "sweep", "merge", "compare", "calibrate", "residuals", "sensitivity"];

/** Runs a command line; answers the exit status. */
export async function main(args: readonly string[], host: HostPort): Promise<number> {
  const line = readLine(args);
  if (typeof line === "string") return wrong(host, line);
  const { command, words, flags } = line;
  if (flags.has("help") && command !== "help") return print(host, commandHelp(command));
  switch (command) {
    case "version":
      return print(host, `rtkvm ${VERSION}`);
    case "help":
      return help(words, host);
    case "demo":
    case "slides": {
      const loops = integer(line, "loops", 300_000, 1), seed = integer(line, "seed", 1, 0);
      if (typeof loops === "string") return wrong(host, loops);
      if (typeof seed === "string") return wrong(host, seed);
      if (command === "slides") return await runSlides(line, { loops, seed }, host);
      const { demo } = await import("./slides/demo.ts");
      return demo({ loops, seed }, host);
    }
  }
  if (command === "verify") {
    if (words.length === 0) return wrong(host, "verify: expected a document, as in: verify README.md");
    const { verify } = await import("./documents/verify.ts");
    return await verify(line, host, main);
  }
  if (STUDIES.includes(command)) {
    const { study } = await import("./studies/commands.ts");
    return await study(line, host);
  }
  const options = runOptions(line, host);
  if (typeof options === "string") return wrong(host, options);
  if (typeof options === "number") return options;
  if (command === "repl") {
    if (words.length > 0) {
      return wrong(host, `repl: expected no word, found "${words[0]}"; to run a script: run ${words[0]}`);
    }
    return await host.repl(options);
  }
  if (command === "explain") return await explain(line, options, host);
  if (words.length === 0) {
    return wrong(host, "run: expected the file of a script, as in: run examples/talk_setup.rtk");
  }
  const { runScripts } = await import("./run/run_scripts.ts");
  return await runScripts(words, options, host);
}

async function runSlides(
  line: Line,
  numbers: { readonly loops: number; readonly seed: number },
  host: HostPort,
): Promise<number> {
  const { slides, slidesUsage } = await import("./slides/slides.ts");
  const { words, flags, values } = line;
  const out = values.get("out");
  const problem = slidesUsage(words, values.keys());
  if (problem !== undefined) return wrong(host, problem);
  const profiles = readProfiles(line, host);
  if (profiles === undefined) return 1;
  const [what = ""] = words;
  return slides(
    { what, ...numbers, profiles, json: flags.has("json"), ...(out === undefined ? {} : { out }) },
    host,
  );
}

/** `explain max SCRIPT`: runs the script, then explains a sample of what it has measured last. */
async function explain(
  { words, values, flags }: Line,
  options: RunOptions,
  host: HostPort,
): Promise<number> {
  const path = words.at(-1);
  if (path === undefined || words.length < 2) {
    return wrong(
      host,
      "explain: expected a sample and a script, as in: explain max examples/slide25_row.rtk",
    );
  }
  const which = [...words.slice(0, -1)];
  const others = values.get("with");
  if (others !== undefined) which.push("--with", others);
  which.push(...["alone", "json"].filter((name) => flags.has(name)).map((name) => `--${name}`));
  const { parseExplain } = await import("./words/explain.ts");
  const request = parseExplain(which);
  if (typeof request === "string") return wrong(host, `explain: ${request}`);
  const { runScripts } = await import("./run/run_scripts.ts");
  return await runScripts([path], { ...options, explain: request }, host);
}

function print(host: HostPort, text: string): number {
  host.out(`${text}\n`);
  return 0;
}

function help([topic, ...more]: readonly string[], host: HostPort): number {
  if (topic === undefined) return print(host, overview());
  if (more.length > 0) return wrong(host, "help: expected one topic");
  if (!COMMANDS.has(topic)) return wrong(host, unknownName("command", topic, [...COMMANDS.keys()]));
  return print(host, commandHelp(topic));
}

/** Takes the command line apart; a text says what is wrong with it. */
function readLine(args: readonly string[]): Line | string {
  const unknown: string[] = [];
  const parsed = parseArgs(args, {
    string: [...VALUES, ...STUDY_VALUES, "_"],
    boolean: [...FLAGS, ...STUDY_FLAGS],
    collect: [...REPEATED],
    alias: { help: "h", verbose: "v" },
    "--": true,
    unknown(arg) {
      if (!arg.startsWith("-") || arg === "-") return true;
      unknown.push(arg.replace(/=.*/, ""));
      return false;
    },
  });
  const [first, ...words] = parsed._.map(String);
  const command = parsed.version ? "version" : first ?? (parsed.help ? "help" : "repl");
  const takes = TAKES[command];
  if (takes === undefined) {
    if (command.endsWith(".rtk")) return `"${command}" is no command; to run a script: run ${command}`;
    return unknownName("command", command, [...COMMANDS.keys()]);
  }
  const [stranger] = unknown;
  if (stranger !== undefined) {
    const meant = closest(stranger, takes.map((name) => `--${name}`));
    return `${command}: unknown option ${stranger}` + (meant === undefined ? "" : `: did you mean ${meant}?`);
  }
  const values = new Map<string, string>();
  for (const name of [...VALUES, ...STUDY_VALUES]) {
    const given: string | readonly string[] | undefined = parsed[name];
    const value = typeof given === "string" ? given : given?.at(-1);
    if (value === undefined) continue;
    if (!takes.includes(name)) return `${command}: takes no --${name}`;
    if (value === "") return `${command}: --${name}: expected a value`;
    values.set(name, value);
  }
  const flags = new Set<string>([...FLAGS, ...STUDY_FLAGS].filter((name) => parsed[name]));
  for (const name of flags) {
    if (name !== "version" && !takes.includes(name)) return `${command}: takes no --${name}`;
  }
  const { profile: profiles, set } = parsed;
  return { command, words, values, profiles, set, flags, positional: parsed["--"] ?? [] };
}

/** What the options of `run` and `repl` ask for; a text is wrong use, a number the status of what failed. */
function runOptions(line: Line, host: HostPort): RunOptions | string | number {
  const { command, values, flags } = line;
  const system = values.get("system"), kernel = values.get("kernel");
  const row = system === undefined ? undefined : systemNamed(system);
  const eraName = values.get("era"), era = eraName === undefined ? ERAS[0]! : eraNamed(eraName);
  if (era === undefined) return `${command}: ${unknownName("era", eraName!, ERAS.map(({ name }) => name))}`;
  if (system !== undefined && row === undefined) {
    return `${command}: ${unknownName("system", system, SYSTEMS.map(({ name }) => name))}`;
  }
  if (kernel !== undefined && !KERNEL_NAMES.includes(kernel)) {
    return `${command}: ${unknownName("kernel", kernel, KERNEL_NAMES)}`;
  }
  const refused = eraRefusal(era, row ?? eraSystem(era), kernel ?? era.kernel);
  if (refused !== undefined) return `${command}: ${refused}`;
  const trace = values.get("trace");
  if (trace !== undefined && line.words.length > 1) return `${command}: --trace: expected one script`;
  const seed = integer(line, "seed", 1, 0);
  if (typeof seed === "string") return seed;
  const profiles = readProfiles(line, host);
  if (profiles === undefined) return 1;
  return {
    era,
    ...(row === undefined ? {} : { system: row }),
    ...(kernel === undefined ? {} : { kernel }),
    seed,
    profiles,
    strict: flags.has("strict"),
    json: flags.has("json"),
    verbose: flags.has("verbose"),
    positional: line.positional,
    ...(trace === undefined ? {} : { trace }),
  };
}

// ---- the real computer ----

/** Runs the command line of this process; answers the exit status. */
export async function start(args: readonly string[]): Promise<number> {
  const encoder = new TextEncoder();
  const write = (stream: { writeSync(bytes: Uint8Array): number }, text: string) => {
    let bytes = encoder.encode(text);
    try {
      while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) Deno.exit(128 + 13); // nobody reads any more: as by SIGPIPE
      throw error;
    }
  };
  const out = (text: string) => write(Deno.stdout, text);
  const err = (text: string) => write(Deno.stderr, text);
  const errIsTerminal = Deno.stderr.isTerminal();
  return await main(args, {
    read: readFile,
    readInput,
    write: writeFile,
    list: listFolder,
    out,
    err,
    errIsTerminal,
    interruptible,
    processors: navigator.hardwareConcurrency,
    async repl(options) {
      const { repl } = await import("./repl.ts");
      return await repl(options, {
        read: readFile,
        write: writeFile,
        out,
        err,
        errIsTerminal,
        interruptible,
      });
    },
  });
}

/**
 * How long slices go on before signals and keys are looked for, ms of the computer's time. What ends before that never
 * waits: the first `setTimeout` of a process loads a good part of Node's library.
 */
const PATIENCE_MS = 100;

async function interruptible<T>(slices: Generator<void, T, void>, interrupt: () => void): Promise<T> {
  Deno.addSignalListener("SIGINT", interrupt);
  try {
    for (let lastMs = performance.now();;) {
      const { done, value } = slices.next();
      if (done) return value;
      if (performance.now() - lastMs < PATIENCE_MS) continue;
      await new Promise((resume) => setTimeout(resume)); // signals and keys come now
      lastMs = performance.now();
    }
  } finally {
    Deno.removeSignalListener("SIGINT", interrupt);
  }
}

/** Whether the bundle runs that `deno task install` makes, not mod.ts. */
const IS_INSTALLED = !Deno.mainModule.endsWith(".ts");

/** Whether a file may be used already: nobody is asked. */
function isGranted(name: "read" | "write", path: string): boolean {
  return Deno.permissions.querySync({ name, path }).state === "granted";
}

function readFile(path: string): HostFile {
  try {
    if (!isGranted("read", path)) throw new Deno.errors.NotCapable();
    return { text: Deno.readTextFileSync(path) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { problem: "No such file or directory" };
    if (error instanceof Deno.errors.NotCapable) {
      return { problem: "no permission to read: deno run --allow-read=. mod.ts …" };
    }
    if (error instanceof Deno.errors.PermissionDenied) return { problem: "Permission denied" };
    if (error instanceof Deno.errors.IsADirectory) return { problem: "Is a directory" };
    if (error instanceof Error) return { problem: error.message };
    throw error;
  }
}

function readInput(): HostFile {
  const decoder = new TextDecoder(), part = new Uint8Array(65_536);
  let text = "";
  for (let length; (length = Deno.stdin.readSync(part)) !== null;) {
    text += decoder.decode(part.subarray(0, length), { stream: true });
  }
  return { text: text + decoder.decode() };
}

function writeFile(path: string, text: string): string | undefined {
  const folder = path.slice(0, Math.max(0, path.lastIndexOf("/")));
  try {
    if (!isGranted("write", path)) throw new Deno.errors.NotCapable();
    if (folder !== "") Deno.mkdirSync(folder, { recursive: true });
    Deno.writeTextFileSync(path, text);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      return IS_INSTALLED
        ? "no permission to write: rtkvm writes below the folder that it is started in"
        : `no permission to write: deno run --allow-read=. --allow-write=${folder || "."} mod.ts …`;
    }
    if (error instanceof Deno.errors.PermissionDenied) return "Permission denied";
    if (error instanceof Deno.errors.NotFound) return "No such file or directory";
    if (error instanceof Deno.errors.AlreadyExists || error instanceof Deno.errors.NotADirectory) {
      return "Not a directory";
    }
    if (error instanceof Deno.errors.IsADirectory) return "Is a directory";
    if (error instanceof Error) return error.message;
    throw error;
  }
}

function listFolder(path: string): string[] {
  try {
    if (!isGranted("read", path)) return [];
    return [...Deno.readDirSync(path)].filter((entry) => entry.isFile).map(({ name }) => name).sort();
  } catch {
    return []; // a script alone, without its neighbours, may still run
  }
}
