/**
 * What a laboratory has been given and has written, and the document that plays it again.
 *
 * @module
 */

import type { ListItem, Script } from "../syntax/ast.ts";
import { linesOf } from "../commands/command.ts";
import type { ScriptWatcher } from "../session/foreground.ts";
import { DeadlockError } from "../shell/jobs.ts";
import { promptLines, sourceOf } from "../session/narrate.ts";
import { Session, type SessionOptions } from "../session/session.ts";
import { quote } from "./shell_run.ts";

/** Name of the script in a document. */
const SCRIPT = "failure.rtk";
/** More lines of output than this are cut in the middle: `...` stands for them. */
const MOST_LINES = 60;

/** A machine as the command line boots it. */
export type BootWords = Pick<
  SessionOptions,
  "era" | "system" | "kernel" | "seed" | "strict" | "profiles" | "devices" | "files"
>;

/** A document, and whether it brings back what it is for. */
export interface Replay {
  /** Markdown: the script, and a console block that runs it. */
  readonly document: string;
  /** The script's exit status. */
  readonly status: number;
}

/** Everything that one laboratory has been given. */
export class Transcript implements ScriptWatcher {
  /** As at a prompt: commands behind `# `, and what they have written. */
  readonly lines: string[] = [];
  readonly #scripts: string[] = [];
  #output = "";

  /** @param boot what the laboratory was booted with */
  constructor(readonly boot: BootWords) {}

  /** A script is given. */
  script(text: string): void {
    this.#scripts.push(text);
  }

  /** Something is written. */
  write(text: string): void {
    this.#output += text;
  }

  /** A command of a script's top level is come to. */
  before(item: ListItem, script: Script): void {
    this.flush();
    this.lines.push(...linesOf(promptLines(sourceOf(item, script))));
  }

  /** It has ended. */
  after(): void {
    this.flush();
  }

  /** What has been written is behind the command that has written it. */
  flush(): void {
    this.lines.push(...linesOf(this.#output));
    this.#output = "";
  }

  /** Runs all of it again, then `last`, and makes a document of that. */
  replay(words: SessionOptions["words"], last?: string): Replay {
    const script = [`# ${SCRIPT}`, ...this.#scripts, ...(last === undefined ? [] : [last])]
      .map((text) => text.replace(/^\n+|\s+$/g, "")).join("\n") + "\n";
    let output = "";
    const write = (text: string) => void (output += text);
    const session = new Session({
      ...this.boot,
      io: { out: write, err: write },
      name: SCRIPT,
      folder: { path: "/root/scripts", files: new Map([[SCRIPT, script]]) },
      words,
    });
    let status = 1;
    try {
      status = session.runScript(script, SCRIPT);
    } catch (error) {
      if (!(error instanceof DeadlockError)) throw error;
      write(`rtkvm: ${error.message}\n`);
    }
    const command = `$ rtkvm run ${SCRIPT}${this.#options()}`;
    const blocks = [block("sh", script), ...this.#profiles(), block("console", `${command}\n${cut(output)}`)];
    return { document: blocks.join("\n"), status };
  }

  #options(): string {
    const { era, system, kernel, seed, strict, profiles = [] } = this.boot;
    return [
      ...(era === undefined ? [] : ["--era", era.name]),
      ...(system === undefined ? [] : ["--system", system.name]),
      ...(kernel === undefined ? [] : ["--kernel", kernel]),
      ...(seed === undefined ? [] : ["--seed", String(seed)]),
      ...(strict === true ? ["--strict"] : []),
      ...profiles.flatMap((_, i) => ["--profile", `profile${i + 1}.yaml`]),
    ].map((word) => ` ${quote(word)}`).join("");
  }

  #profiles(): string[] {
    return (this.boot.profiles ?? []).map(({ text }, i) => block("yaml", `# profile${i + 1}.yaml\n${text}`));
  }
}

function block(language: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${text.replace(/\n*$/, "\n")}${fence}\n`;
}

function cut(output: string): string {
  const lines = output.split("\n");
  if (lines.length <= MOST_LINES) return output;
  return [...lines.slice(0, MOST_LINES / 2), "...", ...lines.slice(-MOST_LINES / 2)].join("\n");
}
