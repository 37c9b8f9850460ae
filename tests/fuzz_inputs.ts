/** Random inputs for the shell: mutated scripts, soups of tokens, characters of every kind, scripts of the grammar. */
import { RandomStream } from "../hw/sim/random.ts";
import { commands } from "../dsl/commands/index.ts";
import { recipe } from "../dsl/syntax/shell.recipe.ts";
import { bashPlan } from "./bash_scripts.ts";
import { rulesOf, Walk } from "./random_scripts.ts";
import type { ShellVector } from "./shell_vectors.ts";

/** Longest input, in UTF-16 units. */
const LONGEST = 4000;

function readScripts(): string[] {
  const examples = new URL("../examples/", import.meta.url);
  const vectors = new URL("./vectors/shell/", import.meta.url);
  const scripts = [...Deno.readDirSync(examples)].map(({ name }) => name).filter((name) =>
    name.endsWith(".rtk")
  )
    .sort().map((name) => Deno.readTextFileSync(new URL(name, examples)));
  for (const { name } of [...Deno.readDirSync(vectors)].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const recorded: ShellVector[] = JSON.parse(Deno.readTextFileSync(new URL(name, vectors)));
    scripts.push(...recorded.map(({ script }) => script));
  }
  return scripts;
}

/** What a text is cut into, and its parts exchanged. */
const token = /\s+|\w+|\$\(\(|\$\(|\$\{|&&|\|\||;;|<<-?|>>|\(\(|\)\)|\[\[|\]\]|[^\s\w]/g;

/** Texts at the edge of what can be counted, nested, matched or kept. */
const edges = [
  ...[
    "((((((((((((((((((((((((((((((((",
    "$($($($($($($($($($($(",
    "{{{{{{{{{{{{",
    "${x:-${x:-${x:-",
    "`\\`",
    "!!!!!!",
  ],
  ...[
    "{1..1000000000}",
    "{a..z..-1}",
    "{1..9..0}",
    "{a,b}{a,b}{a,b}{a,b}",
    "$((2**62**9))",
    "$((x=x))",
    "x='x+1'",
  ],
  ...[
    "9223372036854775808",
    "-9223372036854775808",
    "99999999999999999999",
    "0x",
    "08",
    "1e9",
    "4294967296",
    "-0",
  ],
  ...[
    "%999999999d",
    "%.999999999f",
    "%*d",
    "%-+ #0x",
    "%",
    "\\x",
    "\\0",
    "\\c",
    "x=$x$x;",
    "$x$x$x$x",
    "${x//a/$x$x}",
  ],
  ...[
    "${x//}",
    "${x/#/}",
    "${x%%*}",
    "${x##*}",
    "${x:-1:-1}",
    "${!x}",
    "${#x[@]}",
    "${x[-1]}",
    "x[x]=x",
    "a=(1 2)",
  ],
  ...[
    "while :; do",
    "for ((;;)); do",
    "until false; do",
    "done",
    "f() { f; };f",
    "eval eval",
    'eval "$x"',
    "trap f EXIT",
  ],
  ...[
    "f() { f | f; };f",
    "f() { f & };f",
    "exec",
    "exec 3>&1",
    ">&-",
    "<&-",
    "2>&1",
    "cat <<E",
    "<<'E'",
    "E\n",
    "<<-\tE",
  ],
  ...[
    "[[ a =~ ",
    "(a*)*b",
    "*a*a*a*a*b",
    "[!a-z]",
    "[[:alpha:]]",
    "[",
    "\\(",
    "\\{1,9\\}",
    "s/a*/b/g",
    "BEGIN {",
    "awk",
    "sed",
  ],
  ...[
    "/dev/null",
    "/tmp",
    "../..",
    "~",
    "*",
    "/*/*/*",
    "expect ",
    "stop-at ",
    "ioctl(",
    "vcpu[0]",
    "KVM_RUN",
    ", 0);",
  ],
  ...[
    "\0",
    "\x01",
    "\x1b[31m",
    "\r",
    "\r\n",
    "\ud800",
    "\udfff",
    "\ue000",
    "\u2028",
    "\u00a0",
    "\ufeff",
    "😀",
    "é",
  ],
];

/** Makes inputs, each of a seed of its own. */
export class FuzzInputs {
  readonly #scripts = readScripts();
  readonly #terminals: readonly string[];
  readonly #rules = rulesOf(recipe);

  constructor() {
    const terminals = new Set([...commands.keys(), " ", "\n", ";"]);
    JSON.stringify(JSON.parse(recipe)[5], (_, value) => {
      if (Array.isArray(value) && value[0] === "terminal") terminals.add(value[2]);
      return value;
    });
    this.#terminals = [...terminals];
  }

  /** The input of a seed. */
  input(seed: number): string {
    const random = new RandomStream(seed, "fuzz");
    const below = (limit: number) => Math.floor(random.uniform() * limit);
    const pick = <T>(choices: readonly T[]) => choices[below(choices.length)]!;
    const soup = () => {
      const one = below(10);
      if (one < 3) return pick(edges) + pick(["", " ", "\n", ";"]);
      if (one < 7) return pick(this.#terminals) + pick(["", " ", " "]);
      return pick(["x", "y", "f", "a", "1", "$x", '"', "'", "\\", "$", "#", "=", "(", ")", "}", "\n"]);
    };
    const character = () => {
      const kind = below(4);
      if (kind < 2) return String.fromCharCode(below(128));
      return kind === 2 ? String.fromCharCode(below(65536)) : pick(edges);
    };
    const mutated = (script: string) => {
      const parts: string[] = script.match(token) ?? [];
      for (let changes = 1 + below(6); changes > 0; changes--) {
        const [at, length] = [below(parts.length + 1), 1 + below(4)];
        switch (below(5)) {
          case 0:
            parts.splice(at, length);
            break;
          case 1:
            parts.splice(at, 0, soup());
            break;
          case 2:
            parts.splice(at, 0, ...parts.slice(below(parts.length + 1)).slice(0, 8));
            break;
          case 3:
            parts.splice(at, length, character());
            break;
          default:
            parts.splice(at, 0, ...(pick(this.#scripts).match(token) ?? []).slice(0, 12));
        }
      }
      return parts.join("");
    };
    const several = (make: () => string, most: number) =>
      Array.from({ length: 1 + below(most) }, make).join("");
    const text = (() => {
      switch (below(5)) {
        case 0:
          return several(soup, 40);
        case 1:
          return several(character, 60);
        case 2:
          return mutated(new Walk(this.#rules, bashPlan, random).text());
        default:
          return mutated(pick(this.#scripts));
      }
    })();
    return text.slice(0, LONGEST);
  }
}
