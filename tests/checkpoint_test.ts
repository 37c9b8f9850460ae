/**
 * Checkpoints: a run that is loaded is the run that was saved.
 *
 * What must be equal is the state hash of a run that goes forward and that nobody looks at.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PromptLines } from "../dsl/prompt/prompt.ts";
import { SessionRig } from "./session_rig.ts";
import { travelSession } from "./time_travel.ts";

const state = ({ session, lab }: SessionRig) => ({ ...session.now, hash: lab.engine.stateHash() });

/** Another session, with the files of the one that saved. */
function beside(
  { files }: SessionRig,
  options: ConstructorParameters<typeof SessionRig>[0] = {},
): SessionRig {
  const rig = new SessionRig(options);
  for (const [path, text] of files) rig.files.set(path, text);
  return rig;
}

for (const system of ["kvm", "rfc-v2"]) {
  Deno.test(`${system}: a run forward, one in steps and one from a checkpoint come to the same state`, () => {
    const forward = travelSession(system, "busy");
    forward.ok("run until event >= 9000");
    const at = state(forward);
    forward.ok("run 20ms");
    const later = state(forward);

    const stepped = travelSession(system, "busy");
    const rest = 9000 - stepped.session.now.event;
    stepped.ok(`step ${rest - 1}; step; back 7; step 7; save here.json`);
    assertEquals(state(stepped), at);

    const loaded = beside(stepped, { system: "bare-metal", seed: 9 });
    assertMatch(loaded.ok("load here.json"), /^event 9000, /);
    assertEquals(state(loaded), at);
    loaded.ok("run 20ms");
    assertEquals(state(loaded), later, "what ran goes on");
    // It is a run like any other: one can go back in it, beyond the place where it was saved, and save it anew.
    loaded.ok("step 30; back 30; save again.json; goto 8000; run 1ms; load again.json");
    assertEquals(state(loaded), later);
  });
}

Deno.test("a checkpoint has the shell, too: variables, functions, directory, what was booted and sourced", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  const prompt = new PromptLines(rig.session);
  rig.collect(() => {
    for (
      const line of [
        "a=(1 'two  blanks' 3); declare -A m=([k]=v); readonly r=5; export e=x",
        "f() {\n  cat <<END >> /tmp/f\n$1  ${a[1]}\nEND\n}",
        "f before",
        "boot kvm --seed 3",
        ". ./talk_setup.rtk > /dev/null 2>&1",
        "set -o pipefail; cd /tmp; (sleep 0.02; echo job > /tmp/job) &",
        "f after; sleep 0.003; ssh vm0 uname -r",
        "save x.json",
      ]
    ) prompt.line(line);
    return 0;
  });
  const before = state(rig);
  const loaded = beside(rig);
  loaded.ok("load x.json");
  assertEquals(state(loaded), before);
  const look =
    'pwd; echo $e $r "${a[1]}" ${m[k]} $$ $!; f again; cat /tmp/f; wait; cat /tmp/job; set -o | grep pipefail';
  const { out } = loaded.run(look);
  assertEquals(out, rig.run(look).out);
  assertStringIncludes(out, "after  two  blanks\nagain  two  blanks\njob\n");
  assertEquals(state(loaded), state(rig), "and goes on alike");
});

Deno.test("a checkpoint is a text that can be read: the machine, the profile by its hash, each command with its time", () => {
  const rig = new SessionRig({ system: "kvm", seed: 4 });
  rig.ok("sleep 0.001\necho 0 > /sys/devices/system/cpu/cpu3/online\nsave x.json");
  const text = rig.files.get("x.json")!;
  const file = JSON.parse(text);
  assertEquals([file.format, file.version, file.release], ["rtkvm checkpoint", 1, "0.8.1"]);
  assertEquals([file.machine.system, file.machine.kernel, file.machine.seed], ["kvm", "linux-3.4.0", 4]);
  assertEquals(file.profile.hash, rig.lab.options.profile.hash);
  assertEquals(file.hash, rig.lab.engine.stateHash());
  const [sleep, offline, save] = file.journal[0].items;
  assertEquals([sleep.text, offline.text, save.text], [
    "sleep 0.001",
    "echo 0 > /sys/devices/system/cpu/cpu3/online",
    "save x.json",
  ]);
  assert(sleep.timeNs === 100_000_000 && offline.timeNs > 101_000_000 && offline.event > sleep.event);
  assertMatch(text, /\n +\{"source":0,"start":0,"text":"sleep 0.001",/);
  for (const line of text.split("\n")) assert(!/"journal".{200}/.test(line), "a line for each command");
});

Deno.test("what does not fit or is damaged is refused with its place, and the state is untouched", () => {
  const saved = new SessionRig({ system: "kvm" });
  saved.ok("sleep 0.01; save x.json");
  const good = saved.files.get("x.json")!;
  const rig = beside(saved, { system: "bare-metal" });
  rig.ok("x=mine; sleep 0.002");
  const before = state(rig);
  /** The file with another value at a path of keys. */
  const edit = (path: string, value: unknown) => {
    const file = JSON.parse(good);
    const keys = path.split(".");
    keys.slice(0, -1).reduce((part, key) => part[key], file)[keys.at(-1)!] = value;
    return JSON.stringify(file);
  };
  const cases: [text: string | undefined, says: RegExp][] = [
    [undefined, /load: y\.json: No such file or directory/],
    ["", /damaged: line 1, column 1: unexpected end of the file/],
    [good.slice(0, good.length / 2), /damaged: line \d+, column \d+: /],
    [good.replace('"release"', 'release"'), /damaged: line \d+, column \d+: not JSON from here on/],
    ["[]", /damaged: the file: expected an object/],
    ["{}", /damaged: format: expected "rtkvm checkpoint"/],
    [edit("version", 7), /damaged: version: expected 1, the only version/],
    [edit("machine.system", "kwm"), /damaged: machine\.system: expected one of bare-metal/],
    [edit("journal.0.items.1.event", -4), /damaged: journal\[0\]\.items\[1\]\.event: expected a whole/],
    [edit("journal.0.items.0.start", 3), /damaged: journal\[0\]\.items\[0\]\.start: expected a command's/],
    [edit("journal.0.items.0.source", 9), /items\[0\]\.source: expected one of the \d+ sources/],
    [edit("sources.0.text", "if"), /sources\[0\]\.text: expected a script: .*syntax error/],
    [edit("at.event", 1_000_000), /cannot be repeated/],
    [edit("hash", "0123456789abcdef"), /it leads to state \w{16}, and 0123456789abcdef was saved/],
    [edit("release", "0.1.0"), /saved by release 0\.1\.0, and this is \d+\.\d+\.\d+: load --force y\.json/],
    [edit("profile.hash", "00"), /saved under profile .*, 00, and this is .*: load --force/],
  ];
  for (const [text, says] of cases) {
    if (text !== undefined) rig.files.set("y.json", text);
    const { status, err } = rig.run("load y.json");
    assertEquals(status, 1, String(says));
    assertMatch(err, says);
    assertEquals([state(rig), rig.ok("echo $x")], [before, "mine\n"]);
    Object.assign(before, state(rig)); // the echo took its time
  }
  rig.files.set("y.json", edit("release", "0.1.0"));
  const { status, err } = rig.run("load --force y.json");
  assertEquals(status, 0);
  assertMatch(err, /note: y\.json: it was saved by release 0\.1\.0/);
  assertEquals(rig.lab.engine.stateHash(), saved.lab.engine.stateHash());
});

Deno.test("another profile is another machine: its checkpoints are refused", () => {
  const saved = new SessionRig({
    system: "kvm",
    changes: { "hw.processor.vm_exit": { value: 999, unit: "ns" } },
  });
  saved.ok("sleep 0.01; save x.json");
  assertMatch(beside(saved, { system: "kvm" }).run("load x.json").err, /saved under profile/);
});

Deno.test("save and load say what is missing", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  for (const [line, says] of [["save", "expected save FILE"], ["load a b", "expected load"]] as const) {
    const { status, err } = rig.run(line);
    assertEquals(status, 2);
    assertStringIncludes(err, says);
  }
  assertMatch(rig.run("save x.json; (load x.json)").err, /only in the session's own shell/);
});

Deno.test("a Ctrl-C is part of what was given: it comes again at its instant, however often one goes back", () => {
  const rig = new SessionRig({ system: "kvm" });
  const { session } = rig;
  session.interruptAt(session.now.event + 200);
  rig.run("trap 'echo hit >> /tmp/hits' INT\nsleep 1\necho on >> /tmp/hits\nsleep 0.001");
  rig.ok("run 5ms; bookmark here");
  const at = state(rig);
  for (const turn of [1, 2, 3]) {
    rig.ok(`run ${turn}ms; echo ${turn} > /tmp/turn; run 1ms; goto here`);
    assertEquals(state(rig), at, `turn ${turn}`);
    assertEquals(rig.ok("cat /tmp/hits"), "hit\non\n");
    rig.ok("goto here; save here.json");
    const loaded = beside(rig);
    loaded.ok("load here.json");
    assertEquals(state(loaded), at, `turn ${turn}, loaded`);
  }
});

Deno.test("a Ctrl-C that has been gone back from does not come where something else is given", () => {
  const rig = new SessionRig({ system: "kvm" });
  const { session } = rig;
  const { event } = session.now;
  session.interruptAt(event + 400);
  rig.run("sleep 0.001\nsleep 1");
  rig.ok(`goto ${event + 100}`);
  assertEquals(rig.run("sleep 0.2; echo whole").out, "whole\n");
  assertEquals(session.journal.inputs.flatMap(({ interrupts }) => interrupts), []);
});
