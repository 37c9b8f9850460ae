/** Coroutines of the shell: background jobs, pipelines, signals, and what they cost in simulated time. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { DeadlockError } from "../dsl/shell/jobs.ts";
import { ToyLab } from "./toy_machine.ts";
import { work } from "../hw/sim/activity.ts";

Deno.test("a built-in costs a microsecond, and an assignment too", () => {
  const lab = new ToyLab();
  lab.run("echo a; x=1; test 1");
  assertEquals(lab.world.nowNs, 3000);
});

Deno.test("sleep takes simulated time and no other", () => {
  const lab = new ToyLab();
  lab.run("sleep 0.5; sleep 1m");
  assertEquals(lab.world.nowNs, 60_500_000_000);
});

Deno.test("background jobs run beside the foreground", () => {
  const lab = new ToyLab();
  const { stdout } = lab.run(
    "{ sleep 2; echo slow; } & { sleep 1; echo fast; } & echo first; wait; echo last",
  );
  assertEquals(stdout, "first\nfast\nslow\nlast\n");
  assert(lab.world.nowNs < 2_100_000_000);
});

Deno.test("wait gives a job's status, 127 for what is no child", () => {
  const lab = new ToyLab();
  const { stdout } = lab.run(
    "(sleep 1; exit 3) & p=$!; wait $p; echo $?; wait %1; echo $?; wait 99999 2>/dev/null; echo $?",
  );
  assertEquals(stdout, "3\n3\n127\n");
});

Deno.test("an empty endless loop is one CPU-bound task, ended by kill", () => {
  for (const loop of ["while :; do :; done", "while true; do true; done", "until false; do :; done"]) {
    const lab = new ToyLab();
    const { stdout } = lab.run(`${loop} & sleep 1; kill %1; wait %1; echo $?`);
    assertEquals(stdout, "143\n");
    assertEquals(lab.world.tasks.size, 0);
  }
});

Deno.test("$! of one command is the pid of its task, of an endless loop that of the loop", () => {
  const lab = new ToyLab();
  lab.run("while :; do :; done & echo $!");
  assertEquals(lab.stdout.trim(), String([...lab.world.tasks.keys()][0]));
  lab.run("kill $!");
  assertEquals(lab.world.tasks.size, 0);
});

Deno.test("kill ends a job of several commands, what it waits for included", () => {
  const lab = new ToyLab();
  const { stdout } = lab.run("{ sleep 100; echo never; } & sleep 1; kill $!; wait $!; echo $?");
  assertEquals(stdout, "143\n");
  assert(lab.world.nowNs < 2e9);
});

Deno.test("kill -INT of a pipeline in the background ends all of it", () => {
  const lab = new ToyLab();
  const { stdout } = lab.run("sleep 100 | cat & sleep 1; kill -INT %1; wait %1; echo $?");
  assertEquals(stdout, "130\n");
  assertEquals(lab.world.tasks.size, 0);
});

Deno.test("a pipe's reader waits for its writer, and a writer ends when nobody reads", () => {
  const lab = new ToyLab();
  const { stdout } = lab.run("{ sleep 1; echo late; } | cat; while :; do echo y; done | head -n 3; echo end");
  assertEquals(stdout, "late\ny\ny\ny\nend\n");
});

Deno.test("a trap runs when another job signals the shell", () => {
  const lab = new ToyLab();
  const { stdout } = lab.run("trap 'echo got' USR1; (sleep 1; kill -USR1 $$) & sleep 2; echo after");
  assertEquals(stdout, "got\nafter\n");
});

Deno.test("a program's text goes where its descriptor leads, to a file when it ends", () => {
  const lab = new ToyLab();
  lab.host.programs.set("cyclictest", {
    name: "cyclictest",
    doc: "",
    *main(task) {
      task.stdout(`${task.argv.join(" ")}\n`);
      yield work("measure", 1, 1000);
      task.stderr("done\n");
      return Number(task.env.get("STATUS") ?? 0);
    },
  });
  const { stdout, stderr } = lab.run(
    "cyclictest -a 0; cyclictest -q > /tmp/f; STATUS=4 cyclictest | cat; STATUS=4 /usr/bin/cyclictest; echo $?; cat /tmp/f",
  );
  assertEquals(stdout, "cyclictest -a 0\ncyclictest\n/usr/bin/cyclictest\n4\ncyclictest -q\n");
  assertEquals(stderr, "done\n".repeat(4));
});

Deno.test("ssh runs words on another machine, with its own file system and hostname", () => {
  const lab = new ToyLab();
  lab.addMachine("vm0").vfs.mkdir("/only-there");
  const { stdout, stderr, status } = lab.run(
    "x=1; ssh vm0 'test -d /only-there && echo $HOSTNAME [$x]'; ssh root@vm0 pwd; ssh vm0 exit 3; echo $?; ssh vm7 true",
  );
  assertEquals(stdout, "vm0 []\n/root\n3\n");
  assertEquals(stderr, "ssh: Could not resolve hostname vm7: Name or service not known\n");
  assertEquals(status, 255);
});

Deno.test("ssh & leaves the command running there", () => {
  const lab = new ToyLab();
  lab.addMachine("vm0");
  const { stdout } = lab.run("ssh vm0 'sleep 1; echo there' & echo here; wait");
  assertEquals(stdout, "here\nthere\n");
});

Deno.test("an unknown command says what was meant", () => {
  const lab = new ToyLab();
  lab.host.programs.set("cyclictest", {
    name: "cyclictest",
    doc: "",
    *main() {
      yield work("main", 1, 1000);
      return 0;
    },
  });
  const { stderr, status } = lab.run("\ncyclicttest -a 0");
  assertEquals(stderr, "script: line 2: cyclicttest: command not found\nnote: did you mean cyclictest?\n");
  assertEquals(status, 127);
});

Deno.test("a foreground that nothing can wake is reported, not waited for", () => {
  const lab = new ToyLab();
  lab.words.set("stuck", {
    name: "stuck",
    kind: "laboratory",
    doc: "",
    *run() {
      yield { kind: "block", start: () => {} };
      return 0;
    },
  });
  assertThrows(() => lab.run("stuck"), DeadlockError);
});

Deno.test("a word of the laboratory gets its condition as one argument and costs no time", () => {
  const lab = new ToyLab();
  const seen: (readonly string[])[] = [];
  for (const name of ["expect", "run", "stop-at"]) {
    lab.words.set(name, {
      name,
      kind: "laboratory",
      doc: "",
      run(context) {
        seen.push([context.name, ...context.args]);
        context.out(`${context.name} ran\n`);
        return context.args[0]?.includes("fails") ? 1 : 0;
      },
    });
  }
  const { stdout } = lab.run(
    "expect a.total < 20us # note\nrun until cpu 3 offline; run 10ms; expect fails || b",
  );
  assertEquals(seen, [["expect", "a.total < 20us"], ["run", "until", "cpu 3 offline"], ["run", "10ms"], [
    "expect",
    "fails || b",
  ]]);
  assertEquals(stdout, "expect ran\nrun ran\nrun ran\nexpect ran\n");
  assertEquals(lab.world.nowNs, 0);
});

Deno.test("a prompt keeps the shell between lines, and exit tells its status", () => {
  const lab = new ToyLab({ name: "rtkvm", interactive: true });
  const exits: number[] = [];
  const line = (text: string) => lab.line(text, (status) => exits.push(status));
  assertEquals(line("x=5; f() { echo f$x; }"), 0);
  assertEquals(line("f; zzzzzz"), 127);
  assertEquals(line("echo $?; ${y?unset}; echo not reached"), 1);
  assertEquals(line("sleep 100 & echo $x"), 0);
  assertEquals(exits, []);
  assertEquals(line("exit 3; echo not reached"), 3);
  assertEquals(exits, [3]);
  assertEquals(lab.stdout, "f5\n127\n5\n");
  assert(/^rtkvm: zzzzzz: command not found\nrtkvm: y: unset\n\[1\] \d+\n$/.test(lab.stderr), lab.stderr);
});

Deno.test("SIGINT ends the foreground line and leaves the shell as it was", () => {
  const lab = new ToyLab({ interactive: true });
  const job = lab.start("for i in 1 2; do echo $i; sleep 100; done");
  while (lab.world.nowNs < 1e9 && job.status === undefined) {
    lab.jobs.pump();
    lab.world.advance();
  }
  job.signal(2);
  lab.jobs.pump();
  assertEquals([job.status, lab.shell.loopDepth, lab.world.tasks.size], [130, 0, 0]);
  assertEquals(lab.line("echo still here $i", () => {}), 0);
  assertEquals(lab.stdout, "1\nstill here 1\n");
});
