/**
 * `deno task terminal`: the prompt on a real terminal. tmux plays it: keys are sent, and the screen is compared.
 *
 * What the model says comes from the model: the same lines through a pipe. The prompts, what Tab and Ctrl-R make of keys,
 * and what is not there in a pipe are written here. Where there is no tmux, script(1) brings at least a terminal; where
 * there is neither, every test is skipped, and a line says so.
 */
import { assert, assertEquals, assertFalse, assertStringIncludes } from "@std/assert";

const MAIN = new URL("../mod.ts", import.meta.url).pathname;
const PROGRAM = [Deno.execPath(), "run", MAIN];
const ESCAPE = "\x1b";
const HELLO =
  "rtkvm: real-time KVM on a deterministic model. help lists the words, ls the examples, Ctrl-D leaves.";
const FIRST = "rfc-v2 0.100s #";

/** What a command writes; undefined: there is no such command. */
async function outputOf(command: string, args: readonly string[], input = ""): Promise<string | undefined> {
  try {
    const child = new Deno.Command(command, {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    })
      .spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
    const { stdout } = await child.output();
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const hasTmux = await outputOf("tmux", ["-V"]) !== undefined;
const hasScript = await outputOf("script", ["--version"]) !== undefined;
if (!hasTmux) console.log("There is no tmux here: what a screen shows is not tested.");
if (!hasScript) console.log("There is no script(1) here: what a terminal is sent is not tested.");

/** How long a screen may take to become what is expected; a busy computer is slow. */
const PATIENCE_MS = 60_000;

/** A terminal with the prompt in it. */
class Terminal implements AsyncDisposable {
  static #opened = 0;
  readonly #socket = `rtkvm-${Deno.pid}-${Terminal.#opened++}`;

  static async open(): Promise<Terminal> {
    const terminal = new Terminal();
    // A shell around it says how it has ended: tmux does not always hear of it.
    const program = PROGRAM.map((word) => `'${word}'`).join(" ");
    const command = `${program}; echo "left with status $?"; exec sleep 1000`;
    await terminal.#tmux("-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "60", command);
    return terminal;
  }

  /** The same, once the laboratory behind the prompt is there: Tab waits for it. */
  static async openBooted(): Promise<Terminal> {
    const terminal = await Terminal.open();
    await terminal.shows(`${HELLO}\n${FIRST}`);
    await terminal.type("bookm");
    await terminal.press("Tab");
    await terminal.shows(`${HELLO}\n${FIRST} bookmark`);
    await terminal.press("C-u");
    await terminal.shows(`${HELLO}\n${FIRST}`);
    return terminal;
  }

  async #tmux(...args: string[]): Promise<string> {
    return await outputOf("tmux", ["-L", this.#socket, ...args]) ?? "";
  }

  /** Types a text, letter by letter as tmux sends it. */
  async type(text: string): Promise<void> {
    await this.#tmux("send-keys", "-l", text);
  }

  /** Presses keys by tmux's names. */
  async press(...keys: string[]): Promise<void> {
    await this.#tmux("send-keys", ...keys);
  }

  async paste(text: string): Promise<void> {
    await this.#tmux("set-buffer", text);
    await this.#tmux("paste-buffer", "-r"); // -r: lines end as they are
  }

  /** The screen, without the empty lines at its end. */
  async screen(): Promise<string> {
    return (await this.#tmux("capture-pane", "-p")).trimEnd();
  }

  /** Waits until the screen is `expected`. */
  async shows(expected: string): Promise<void> {
    const endMs = Date.now() + PATIENCE_MS;
    while (await this.screen() !== expected && Date.now() < endMs) {
      await new Promise((resume) => setTimeout(resume, 100));
    }
    assertEquals(await this.screen(), expected);
  }

  /** Waits until the last line of the screen is such a one. */
  async endsWith(line: RegExp): Promise<string> {
    const endMs = Date.now() + PATIENCE_MS;
    const last = async () => (await this.screen()).split("\n").at(-1)!;
    while (!line.test(await last()) && Date.now() < endMs) {
      await new Promise((resume) => setTimeout(resume, 100));
    }
    assert(line.test(await last()), `${line} is not the end of the screen:\n${await this.screen()}`);
    return await this.screen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server");
  }
}

/** What the lines write, each, where they come from a pipe. A manual stands between: asking for it costs no time. */
async function piped(lines: readonly string[]): Promise<string[]> {
  const mark = "help bookmark\n";
  const [program = "", ...args] = PROGRAM;
  const manual = await outputOf(program, args, mark) ?? "";
  const output = await outputOf(program, args, lines.map((line) => `${line}\n${mark}`).join("")) ?? "";
  assertFalse(output.includes(ESCAPE), "a pipe gets no escapes");
  return output.split(manual).slice(0, lines.length).map((part) => part.trimEnd());
}

/** The screen without its numbers: how wide they are is no matter either. */
function withoutNumbers(screen: string): string {
  return screen.replace(/\d+(\.\d+)?/g, "N").replace(/ +/g, " ");
}

Deno.test({
  name:
    "a session on the screen: boots, sets up, stops, steps three ways, goes back, asks why, draws, leaves",
  ignore: !hasTmux,
  async fn() {
    const typed = [
      "boot kvm --seed 2",
      "qemu-kvm -m 1024 -enable-kvm -nographic 2> /dev/null",
      "ssh vm0 true",
      "stop-at exit reason=HLT cpu 3",
      "run",
      "delete all",
      "step interrupt",
      "step phase",
      "step",
      "back",
      "why",
      "diagram 100us",
    ];
    const said = await piped(typed);
    await using terminal = await Terminal.openBooted();
    const prompt = /^\S+ \d+\.\d{3}s (\[.*\] )?#$/;
    let screen = await terminal.screen();
    for (const [i, line] of typed.entries()) {
      const begun = screen.split("\n").at(-1)!;
      await terminal.press("C-l");
      await terminal.shows(begun);
      await terminal.type(line);
      await terminal.press("Enter");
      await terminal.endsWith(prompt);
      screen = await terminal.screen();
      assertEquals(
        screen.split("\n").slice(0, -1).join("\n"),
        [`${begun} ${line}`, said[i]].join("\n").trimEnd(),
      );
      if (line === "run") {
        assertEquals(withoutNumbers(screen.split("\n").at(-1)!), "kvm Ns [exit reason=HLT cpu N] #");
      }
    }
    await terminal.press("C-d");
    await terminal.endsWith(/^left with status 0$/);
  },
});

Deno.test({
  name: "keys: Tab completes and lists, Up and Ctrl-R find lines again, Ctrl-C clears",
  ignore: !hasTmux,
  async fn() {
    await using terminal = await Terminal.openBooted();
    const at = FIRST;
    await terminal.press("C-l");
    await terminal.type("ls /sys/devices/system/cpu/cpu3/onl");
    await terminal.press("Tab");
    await terminal.shows(`${at} ls /sys/devices/system/cpu/cpu3/online`);
    await terminal.press("C-c");
    await terminal.type("irq ");
    await terminal.press("Tab", "Tab");
    await terminal.endsWith(/irq$/);
    assertStringIncludes(await terminal.screen(), "pf0  vf0");
    await terminal.press("C-u");
    for (const line of ["x=one", "x=two", "echo $x"]) {
      await terminal.type(line);
      await terminal.press("Enter");
    }
    await terminal.endsWith(/# *$/);
    await terminal.press("C-l", "Up", "Up");
    await terminal.shows(`${at} x=two`);
    await terminal.press("C-u", "C-r");
    await terminal.type("x=");
    await terminal.shows("(reverse-i-search)`x=': x=two");
    await terminal.press("C-r");
    await terminal.shows("(reverse-i-search)`x=': x=one");
    await terminal.press("Enter");
    await terminal.endsWith(/s #$/);
    await terminal.press("C-l");
    await terminal.type("echo $x");
    await terminal.press("Enter");
    await terminal.shows(`${at} echo $x\none\n${at}`);
  },
});

Deno.test({
  name: "what is typed before the laboratory is there waits for it; Ctrl-C and Ctrl-D do not",
  ignore: !hasTmux,
  async fn() {
    await using typed = await Terminal.open();
    await typed.shows(`${HELLO}\n${FIRST}`);
    await typed.type("x=one; echo $x");
    await typed.press("Enter");
    await typed.shows(`${HELLO}\n${FIRST} x=one; echo $x\none\n${FIRST}`);
    await using left = await Terminal.open();
    await left.shows(`${HELLO}\n${FIRST}`);
    await left.type("no matter");
    await left.press("C-c");
    await left.shows(`${HELLO}\n${FIRST} no matter^C\n${FIRST}`);
    await left.press("C-d");
    await left.endsWith(/^left with status 0$/);
  },
});

Deno.test({
  name: "a slide that is pasted runs, with its prompts, and with options on lines of their own",
  ignore: !hasTmux,
  async fn() {
    await using terminal = await Terminal.openBooted();
    const at = FIRST;
    await terminal.paste("# echo a \\\n    -b\n# echo -c\n        -d\n");
    const screen = await terminal.endsWith(/s #$/);
    await terminal.press("C-l");
    await terminal.shows(at);
    assertStringIncludes(screen, "a -b\n");
    assertStringIncludes(screen, "-c -d\n");
  },
});

Deno.test({
  name: "of lines that are pasted together each stands behind its prompt, before what it writes",
  ignore: !hasTmux,
  async fn() {
    await using terminal = await Terminal.openBooted();
    await terminal.paste("run 1ms\nfor i in 1 2\ndo echo $i\ndone\nfalse\necho $?\nexit 3\n");
    const screen = await terminal.endsWith(/^left with status 3$/);
    assertStringIncludes(screen, "s # for i in 1 2\n> do echo $i\n> done\n1\n2\nrfc-v2 ");
    assertStringIncludes(screen, "s # echo $?\n1\nrfc-v2 ");
  },
});

Deno.test({
  name: "Ctrl-C ends what runs, and the prompt says where time stands",
  ignore: !hasTmux,
  async fn() {
    await using terminal = await Terminal.openBooted();
    await terminal.type("echo on; while :; do :; done");
    await terminal.press("Enter");
    await terminal.endsWith(/^on$/);
    await terminal.press("C-c");
    await terminal.endsWith(/^rfc-v2 \d+\.\d{3}s \[\^C\] #$/);
    await terminal.type("run 1ms; echo $?");
    await terminal.press("Enter");
    assertStringIncludes(await terminal.endsWith(/^rfc-v2 \d+\.\d{3}s #$/), "\n0\n");
  },
});

Deno.test({
  name: "colours stand only where a terminal wants them",
  ignore: !hasScript,
  async fn() {
    const run = async (prefix: string) =>
      await outputOf("script", ["-qec", `${prefix} '${PROGRAM[0]}' run '${MAIN}'`, "/dev/null"], "exit\n") ??
        "";
    assertStringIncludes(await run("env -u NO_COLOR"), `${ESCAPE}[1mrfc-v2 0.100s # ${ESCAPE}[0m`);
    const plain = await run("env NO_COLOR=1");
    assertStringIncludes(plain, "rfc-v2 0.100s # ");
    assertFalse(new RegExp(`${ESCAPE}\\[[0-9;]*m`).test(plain));
  },
});
