/**
 * The tree checks itself: which folder may import which, who may import a third-party package, what the floors may
 * not name, and that no module is dead.
 *
 * ```text
 * mod.ts            -> everything (exports), dsl/cli.ts by dynamic import
 * dsl               -> runtime/lab, runtime/measure, hw/sim; dsl/host reads examples as text
 * dsl/<folder>      -> folders of dsl named below it in `languageFloors`
 * runtime/lab       -> runtime/*
 * runtime/qemu      -> runtime/kvm, runtime/guest
 * runtime/guest     -> runtime/linux
 * runtime/kvm       -> runtime/linux, hw
 * runtime/programs  -> runtime/linux, runtime/measure
 * runtime/linux     -> hw
 * runtime/measure   -> hw/sim
 * hw/machine        -> hw/*
 * hw/<device>       -> hw/sim, register and bitmap helpers, not another device
 * hw/sim            -> nothing
 * ```
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { COMPILED_SOURCES } from "./compiled_sources.ts";
import { filesUnder, root } from "./project_files.ts";

/** A file of the project, its path relative to the root with `/` between the parts. */
interface Source {
  readonly path: string;
  readonly text: string;
  /** The text without comments: what the rules about words look at. */
  readonly code: string;
  /** What it imports, as written. */
  readonly imports: readonly string[];
}

/**
 * Blanks out comments, and the contents of strings if `strings` is set, leaving every offset as it was. Templates
 * are kept as they are: what stands in `${…}` is code.
 */
function blank(text: string, strings = false): string {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
  return text.replace(token, (found) => {
    const isString = found.startsWith('"') || found.startsWith("'");
    if (found.startsWith("`") || (isString && !strings)) return found;
    return found.replace(/[^\n]/g, " ");
  });
}

/** Every module that `code` names, statically, dynamically or in a type. */
function importsOf(code: string): string[] {
  const statement = /^\s*(?:import|export)\s+(?:[\w*{][^;"'`]*?\sfrom\s+)?["']([^"']+)["']/gm;
  const call = /\bimport\(\s*["']([^"']+)["']/g;
  return [statement, call].flatMap((form) => [...code.matchAll(form)].map((match) => match[1] ?? ""));
}

function source(path: string, text: string): Source {
  const code = /\.ts$/.test(path) ? blank(text) : text;
  return { path, text, code, imports: /\.ts$/.test(path) ? importsOf(code) : [] };
}

function load(...paths: string[]): Source[] {
  return paths.map((path) => source(path, Deno.readTextFileSync(new URL(path, root))));
}

const topLevel = [...Deno.readDirSync(root)].map((entry) => entry.name);
const floors = load(...["hw/", "runtime/", "dsl/"].flatMap((folder) => [...filesUnder(folder)]));
const modules = floors.filter((file) => file.path.endsWith(".ts"));
const entry = topLevel.includes("mod.ts") ? load("mod.ts") : [];

/** `./x.ts` as written in `from`, relative to the root. */
function resolve(from: string, specifier: string): string {
  return new URL(specifier, new URL(from, "file:///")).pathname.slice(1);
}

// --- Arrows ------------------------------------------------------------------------------------------------------

/**
 * Modules of `hw/` that are no device and open to every device: register tables, bit fields, bitmaps, and the forms
 * that the PCI specification prescribes to every function, its configuration space and its messages.
 */
const hwHelpers = [
  "hw/ethernet",
  "hw/register",
  "hw/registers",
  "hw/bits",
  "hw/bitmap",
  "hw/vector",
  "hw/pci",
  "hw/msi",
];

/** A logical processor consists of its local APIC and its VMX operation; they are not devices beside it. */
const partsOf: Readonly<Record<string, readonly string[]>> = { "hw/cpu": ["hw/lapic", "hw/vmx"] };

/**
 * What lies lowest and may be named from everywhere above: time, activities and random streams; and the schema of
 * parameters, which stands beside its user on every floor.
 */
const lowest = ["hw/sim", "hw/parameters"];

/**
 * What a module belongs to. A device may have several modules: `hw/lapic_timer.ts` and `hw/lapic/timer.ts` are parts
 * of `hw/lapic`.
 */
function floorOf(path: string): string {
  const [top = "", part = ""] = path.replace(/\.\w+$/, "").split("/");
  if (top === "hw") return `hw/${part.split("_")[0]}`;
  return top === "runtime" ? `runtime/${part}` : top;
}

/** The floors of `runtime/` and what they may import beside themselves; `hw` stands for all of it. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  "runtime/measure": ["hw/sim"],
  "runtime/linux": ["hw"],
  "runtime/programs": ["runtime/linux", "runtime/measure"],
  "runtime/kvm": ["hw", "runtime/linux"],
  "runtime/guest": ["runtime/linux"],
  "runtime/qemu": ["runtime/kvm", "runtime/guest"],
  "runtime/lab": ["runtime", "hw"],
  "dsl": ["runtime/lab", "runtime/measure", "hw/sim", "examples"],
};

/**
 * The folders of `dsl/` from the lowest up; its root is above them all. The shell runs commands and commands ask their
 * shell, so the two are one floor; each study, document or laboratory of a program stands beside the others.
 */
const languageFloors: readonly (readonly string[])[] = [
  ["host"],
  ["syntax"],
  ["text"],
  ["shell", "commands"],
  ["session"],
  ["talk"],
  ["words"],
  ["slides"],
  ["prompt"],
  ["run"],
  ["documents", "studies"],
  ["embedding"],
];

/** Which of the floors of `dsl/` a module stands on. */
function languageFloorOf(path: string): number {
  const [, folder, file] = path.split("/");
  if (file === undefined) return languageFloors.length; // the root's own files
  return languageFloors.findIndex((folders) => folders.includes(folder!));
}

/** Why a module of `dsl/` may not import another one, or undefined if it may. */
function languageArrowError(from: string, to: string): string | undefined {
  const [a, b] = [languageFloorOf(from), languageFloorOf(to)];
  const unknown = a < 0 ? from : b < 0 ? to : undefined;
  if (unknown !== undefined) return `${unknown}: its folder is on no floor of dsl/`;
  if (b <= a) return undefined;
  return `${from} may not import ${to}: dsl/ imports downwards`;
}

/** Why `from` may not import `to`, or undefined if it may. */
function arrowError(from: string, to: string): string | undefined {
  const [a, b] = [floorOf(from), floorOf(to)];
  if (a === "dsl" && b === "dsl") return languageArrowError(from, to);
  if (a === b) return undefined;
  const denied = `${from} may not import ${to}`;
  if (a === "mod") return undefined;
  if (a.startsWith("hw/")) {
    if (!b.startsWith("hw/")) return `${denied}: hw/ imports only hw/`;
    if (a === "hw/sim") return `${denied}: hw/sim imports nothing`;
    if (a === "hw/machine" || a === "hw/profiles") return undefined;
    if (lowest.includes(b) || hwHelpers.includes(b) || partsOf[a]?.includes(b)) return undefined;
    return `${denied}: a device imports hw/sim and register helpers; hw/machine wires devices`;
  }
  // Profiles are text, read by whoever declares the parameters in them.
  if (b === "hw/profiles" || b === "runtime/profiles") {
    return a === "runtime/lab" ? undefined : `${denied}: runtime/lab loads profiles`;
  }
  const allowed = arrows[a];
  if (allowed === undefined) return `${denied}: ${a} is no floor of the design`;
  const fits = allowed.some((floor) => b === floor || b.startsWith(`${floor}/`));
  return fits || lowest.includes(b) ? undefined : `${denied}: ${a} -> ${allowed.join(", ")}`;
}

/** Type imports count: an arrow says who knows whom, not only whose code runs. */
function checkArrows(files: readonly Source[]): string[] {
  const errors: string[] = [];
  for (const file of files) {
    for (const specifier of file.imports) {
      if (!specifier.startsWith(".")) continue;
      const error = arrowError(file.path, resolve(file.path, specifier));
      if (error) errors.push(error);
    }
  }
  return errors;
}

Deno.test("imports point downward only", () => {
  assertEquals(checkArrows([...modules, ...entry]), []);
});

Deno.test("every forbidden arrow of the design is recognised", () => {
  const forbidden: [from: string, to: string][] = [
    ["hw/sim/engine.ts", "hw/lapic.ts"],
    ["hw/lapic.ts", "hw/cpu.ts"],
    ["hw/pci.ts", "hw/nic_82599.ts"],
    ["hw/lapic.ts", "hw/machine.ts"],
    ["hw/nic/vf.ts", "runtime/linux/pci.ts"],
    ["runtime/measure/histogram.ts", "hw/lapic.ts"],
    ["runtime/measure/histogram.ts", "runtime/linux/kernel.ts"],
    ["runtime/linux/kernel.ts", "runtime/kvm/kvm.ts"],
    ["runtime/linux/sched/rr.ts", "runtime/measure/histogram.ts"],
    ["runtime/programs/rt_tests/cyclictest.ts", "runtime/kvm/kvm.ts"],
    ["runtime/guest/rtos.ts", "runtime/kvm/kvm.ts"],
    ["runtime/guest/rtos.ts", "hw/lapic.ts"],
    ["runtime/kvm/vcpu.ts", "runtime/qemu/options.ts"],
    ["runtime/qemu/options.ts", "runtime/lab/lab.ts"],
    ["runtime/kvm/vcpu.ts", "runtime/profiles/kvm.yaml"],
    ["runtime/lab/lab.ts", "dsl/syntax/parse.ts"],
    ["dsl/shell/interpret.ts", "runtime/kvm/kvm.ts"],
    ["dsl/shell/interpret.ts", "hw/machine.ts"],
    ["dsl/commands/show.ts", "runtime/linux/kernel.ts"],
    ["runtime/other/x.ts", "hw/lapic.ts"],
    ["dsl/syntax/parse.ts", "dsl/shell/state.ts"],
    ["dsl/shell/interpret.ts", "dsl/words/boot.ts"],
    ["dsl/documents/play.ts", "dsl/cli.ts"],
    ["dsl/other/x.ts", "dsl/syntax/ast.ts"],
  ];
  for (const [from, to] of forbidden) assert(arrowError(from, to), `${from} -> ${to}`);
});

Deno.test("every arrow that the design allows is allowed", () => {
  const allowed: [from: string, to: string][] = [
    ["hw/lapic.ts", "hw/sim/engine.ts"],
    ["hw/lapic.ts", "hw/register.ts"],
    ["hw/nic/vf.ts", "hw/nic/ring.ts"],
    ["hw/lapic_timer.ts", "hw/lapic.ts"],
    ["hw/lapic.ts", "hw/vector_set.ts"],
    ["runtime/programs/rt_tests/cyclictest.ts", "hw/sim/activity.ts"],
    ["hw/machine.ts", "hw/nic/vf.ts"],
    ["runtime/measure/table.ts", "hw/sim/time.ts"],
    ["runtime/linux/sched/rr.ts", "runtime/linux/sched/task.ts"],
    ["runtime/linux/apic.ts", "hw/lapic.ts"],
    ["runtime/programs/rt_tests/cyclictest.ts", "runtime/measure/histogram.ts"],
    ["runtime/kvm/vcpu.ts", "hw/vmx.ts"],
    ["runtime/qemu/start.ts", "runtime/guest/rtos.ts"],
    ["runtime/lab/profile.ts", "hw/profiles/i7-3770.yaml"],
    ["runtime/lab/lab.ts", "runtime/qemu/options.ts"],
    ["dsl/commands/show.ts", "runtime/lab/lab.ts"],
    ["mod.ts", "dsl/cli.ts"],
    ["dsl/cli.ts", "dsl/documents/verify.ts"],
    ["dsl/commands/test.ts", "dsl/shell/ports.ts"],
    ["dsl/shell/interpret.ts", "dsl/commands/index.ts"],
  ];
  for (const [from, to] of allowed) assertEquals(arrowError(from, to), undefined);
});

/** The modules of each circle of imports. Type imports do not run: two modules may know each other's types. */
function circles(files: readonly Source[]): string[][] {
  const imports = new Map(files.map(({ path, code }) => {
    const statements = code.matchAll(/^(?:import|export)\s(?!type\s)([^;"]*)from\s*"(\.[^"]+)"/gm);
    const runs = [...statements].filter(([, names = ""]) => {
      const listed = /^\{([^}]*)\}\s*$/.exec(names)?.[1];
      return listed === undefined || listed.split(",").some((name) => !/^\s*(type\s.*)?$/.test(name));
    });
    return [path, runs.map(([, , specifier]) => resolve(path, specifier!))] as const;
  }));
  // What nobody that is left imports, or what imports nobody that is left, is in no circle.
  const left = new Set(imports.keys());
  const importsNone = (path: string) => !imports.get(path)!.some((other) => left.has(other));
  for (let size = -1; size !== left.size;) {
    size = left.size;
    for (const path of left) if (importsNone(path)) left.delete(path);
  }
  return [...left].map((path) => [path, ...imports.get(path)!.filter((other) => left.has(other))]);
}

Deno.test("no module comes back to itself by what it imports", () => {
  assertEquals(circles([...modules, ...entry]), []);
  const a = source("hw/a.ts", 'import { type B, b } from "./b.ts";');
  assertEquals(circles([a, source("hw/b.ts", 'import type { A } from "./a.ts";')]), []);
  assertEquals(circles([a, source("hw/b.ts", 'export { a } from "./a.ts";')]).length, 2);
});

// --- Third-party packages ----------------------------------------------------------------------------------------

/** The one module that may import a package. Another package needs a line here, and one importing module. */
const importers: Readonly<Record<string, string>> = {
  "ohm-js": "dsl/syntax/parse.ts",
  "@std/yaml": "runtime/lab/profile.ts",
  "@std/cli/parse-args": "dsl/cli.ts",
  "d3-scale": "dsl/talk/axes.ts",
  "d3-shape": "dsl/talk/outline.ts",
};

/** What every test may import: assertions, and the project by its own name. */
const everywhere = ["@std/assert", "@rtkvm/rtkvm"];

/** The same for packages that the program does not have: only tests import them. */
const testImporters: Readonly<Record<string, string>> = {
  "@shikijs/engine-oniguruma": "tests/editor_tokens.ts",
  "@shikijs/engine-oniguruma/wasm-inlined": "tests/editor_tokens.ts",
  "@shikijs/vscode-textmate": "tests/editor_tokens.ts",
};

/** The modules of the tests. */
const testModules = load(...[...filesUnder("tests/")].filter((path) => path.endsWith(".ts")));

/** Which imports of packages are not those of the table. */
function checkImporters(files: readonly Source[], table: Readonly<Record<string, string>>): string[] {
  return files.flatMap((file) =>
    file.imports
      .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"))
      .filter((specifier) => table[specifier] !== file.path)
      .map((specifier) => `${file.path} imports ${specifier}`)
  );
}

Deno.test("each third-party package has one importing module, and one of the tests' own has one among the tests", () => {
  assertEquals(checkImporters([...modules, ...entry], importers), []);
  const own = testModules.map((file) => ({
    ...file,
    imports: file.imports.filter((name) => !everywhere.includes(name) && !(name in importers)),
  }));
  assertEquals(checkImporters(own, testImporters), []);
});

Deno.test("deno.json pins an exact version of every package it maps, and maps no package that nobody imports", () => {
  const config: { imports: Record<string, string> } = JSON.parse(
    Deno.readTextFileSync(new URL("deno.json", root)),
  );
  for (const [name, target] of Object.entries(config.imports)) {
    assert(/^npm:(@[\w-]+\/)?[\w.-]+@\d+\.\d+\.\d+(\/|$)/.test(target), `${name} is not pinned: ${target}`);
    if (everywhere.includes(name)) continue;
    const importer = importers[name] ?? testImporters[name];
    const file = [...modules, ...testModules].find(({ path }) => path === importer);
    assert(file?.imports.includes(name), `${name}: ${importer ?? "no module"} does not import it`);
  }
});

// --- Words -------------------------------------------------------------------------------------------------------

/** Every match of `pattern`, as `path:line: word`. */
function occurrences(path: string, text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => {
    const line = text.slice(0, match.index).split("\n").length;
    return `${path}:${line}: ${match[0].trim()}`;
  });
}

Deno.test("hw/ names no operating system, no hypervisor and no emulator, in code or in comments", () => {
  const files = floors.filter((file) => file.path.startsWith("hw/") && /\.(ts|ya?ml)$/.test(file.path));
  const found = files.flatMap((file) =>
    occurrences(file.path, `${file.path}\n${file.text}`, /linux|kvm|qemu/gi)
  );
  assertEquals(found, []);
});

/** The modules that talk to the real world; `mod.ts` asks whether it is the main module. */
const realWorld = ["dsl/cli.ts", "dsl/repl.ts", "dsl/terminal.ts"];

Deno.test("hw, runtime, grammar and interpreter use no Deno and no node: API", () => {
  const found: string[] = [];
  for (const file of modules) {
    if (realWorld.includes(file.path)) continue;
    found.push(
      ...occurrences(file.path, blank(file.text, true), /\bDeno\b|\bprocess\.(?:env|argv|std\w+|exit)\b/g),
    );
    for (const specifier of file.imports) {
      if (specifier.startsWith("node:")) found.push(`${file.path} imports ${specifier}`);
    }
  }
  assertEquals(found, []);
});

Deno.test("mod.ts only exports, and starts the command line if it is the main module", () => {
  for (const file of entry) {
    const code = blank(file.text);
    const exports = /^export (?:type )?(?:\*(?: as \w+)?|\{[^}]*\}) from "[^"]+";$/gm;
    const rest = code.replace(exports, "").trim();
    assert(
      rest === "" ||
        /^if \(import\.meta\.main\) \{[\s\S]*await import\("\.\/dsl\/cli\.ts"\)[\s\S]*\}$/.test(rest),
      `mod.ts has logic of its own:\n${rest}`,
    );
  }
});

Deno.test("the model reads no clock and draws no number outside its named streams", () => {
  const clock = /\bMath\s*\.\s*random\b|\bDate\s*\.\s*now\b|\bperformance\s*\.\s*now\b|\bnew\s+Date\b/g;
  const others = /\bsetTimeout\b|\bsetInterval\b|\bcrypto\s*\.|\bprocess\s*\.\s*hrtime\b/g;
  const found = modules
    .filter((file) => !file.path.startsWith("dsl/"))
    .flatMap((file) => {
      const code = blank(file.text, true);
      return [...occurrences(file.path, code, clock), ...occurrences(file.path, code, others)];
    });
  assertEquals(found, []);
});

// --- Representation ----------------------------------------------------------------------------------------------

/** Files with classes that an interrupt passes through (see `Alarm` in hw/sim/engine.ts). */
const INTERRUPTS_WAY = `
  hw/cpu.ts hw/ethernet.ts hw/lapic.ts hw/lapic_timer.ts hw/machine.ts hw/machine_effects.ts hw/nic_82599_interrupts.ts
  hw/nic_82599_switch.ts hw/nic_82599_vf.ts hw/register_file.ts hw/sim/activity.ts hw/sim/engine.ts
  runtime/linux/hrtimer.ts runtime/linux/irq/interrupts.ts runtime/linux/kernel.ts runtime/linux/kernel_cpu.ts
  runtime/linux/sched/long_call.ts runtime/linux/net/napi.ts runtime/linux/net/socket_loop.ts runtime/linux/net/stack.ts
  runtime/linux/net/tcp.ts runtime/linux/sched/runqueue.ts runtime/linux/sched/task.ts
  runtime/kvm/assignment/assigned_device.ts runtime/kvm/assignment/assigned_function.ts runtime/kvm/irqchip/lapic.ts runtime/kvm/vcpu.ts
  runtime/kvm/vcpu_events.ts runtime/measure/histogram.ts
`.trim().split(/\s+/);

Deno.test("classes on an interrupt's way declare their fields: parameter properties would have every number boxed", () => {
  const found = INTERRUPTS_WAY.flatMap((path) => {
    const file = floors.find((source) => source.path === path);
    assert(file !== undefined, `${path} is not there`);
    const constructors = file.code.matchAll(/\bconstructor\(([^{]*?)\)\s*\{/g);
    return [...constructors].filter(([, parameters]) =>
      /\b(?:readonly|public|private|protected)\s+\w+\??\s*[:=]/.test(parameters!)
    ).map(([text]) => `${path}: ${text}`);
  });
  assertEquals(found, []);
});

// --- Shape of the tree -------------------------------------------------------------------------------------------

Deno.test("the top level is fixed", () => {
  const allowed = new Set(
    ("deno.json mod.ts dsl runtime hw examples tests README.md deno.lock LICENSE CHANGELOG.md .ci types .gitignore " +
      ".git .bundle").split(" "),
  );
  assertEquals(topLevel.filter((name) => !allowed.has(name)), []);
});

Deno.test("every module under the floors is imported by something, or compiled beforehand", () => {
  const reached = new Set([
    ...COMPILED_SOURCES,
    ...[...floors, ...entry].flatMap((file) =>
      file.imports.filter((specifier) => specifier.startsWith(".")).map((specifier) =>
        resolve(file.path, specifier)
      )
    ),
  ]);
  const tested = new Set(
    testModules.flatMap((file) => file.imports.map((specifier) => resolve(file.path, specifier))),
  );
  const dead = floors
    .filter(({ path }) => /\.(ts|ohm|ya?ml)$/.test(path) && !reached.has(path))
    .map(({ path }) => tested.has(path) ? `${path} (only by tests)` : path);
  assertEquals(dead, []);
});

Deno.test("no file of the floors is longer than 500 lines", () => {
  const long = modules
    .filter((file) => file.text.split("\n").length > 501)
    .map((file) => `${file.path}: ${file.text.split("\n").length - 1} lines`);
  assertEquals(long, []);
});

Deno.test("there is no module of leftovers", () => {
  assertEquals(modules.filter((file) => /(^|\/)(utils?|helpers?|misc|common)\b/.test(file.path)), []);
});

// --- The reader of sources itself ---------------------------------------------------------------------------------

Deno.test("imports are found in every form, and not in comments", () => {
  const text = [
    'import { a, type B } from "./a.ts";',
    'import type { C } from "./c.ts";',
    'export * from "./d.ts";',
    'export {\n  e,\n  f,\n} from "./e.ts";',
    'import "./g.ts";',
    'const h = await import("./h.ts");',
    'import profile from "./i.yaml" with { type: "text" };',
    'let x: import("./j.ts").J;',
    '// import { no } from "./comment.ts";',
    '/* import { no } from "./comment.ts"; */',
  ].join("\n");
  const found = source("hw/x.ts", text).imports;
  assertEquals(
    [...found].sort(),
    ["a.ts", "c.ts", "d.ts", "e.ts", "g.ts", "h.ts", "i.yaml", "j.ts"].map((n) => `./${n}`),
  );
});

Deno.test("a word in a comment or a string is no use of an API", () => {
  assertEquals(blank('f("Deno."); // Deno.cwd()', true).includes("Deno"), false);
  assertEquals(blank("Deno.cwd()", true), "Deno.cwd()");
});

Deno.test("the tests may read the project and nothing else", () => {
  assertThrows(() => Deno.readTextFileSync(new URL("../../etc/passwd", root)), Deno.errors.NotCapable);
});
