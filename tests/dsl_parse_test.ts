/** Inputs that each main rule of the grammar takes and refuses. */
import { ToyLab } from "./toy_machine.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { parseExpression, parseScript } from "../dsl/syntax/parse.ts";
import { ShellSyntaxError } from "../dsl/syntax/syntax_error.ts";

interface Rule {
  readonly rule: string;
  readonly accepted: readonly string[];
  readonly rejected: readonly string[];
}

const rules: readonly Rule[] = [
  {
    rule: "a list is commands ended by ; & or newline",
    accepted: [
      "",
      "\n\n",
      "# only a comment",
      "a; b",
      "a & b",
      "a & b &",
      "a;\n\nb\n",
      "a # c\nb",
      "a \\\n b",
    ],
    rejected: [";", "a ;; b", "& a", "a & ; b", "a ; ; b"],
  },
  {
    rule: "&& and || join pipelines, and a newline may follow them",
    accepted: ["a && b || c", "a &&\n\n b", "! a && ! b", "a | b && c", "! ! a"],
    rejected: ["a &&", "&& a", "a && || b", "a || ; b"],
  },
  {
    rule: "a pipeline is commands joined by |",
    accepted: ["a | b | c", "a |\n b", "! a | b", "{ a; } | ( b )", "a 2>&1 | b"],
    rejected: ["| a", "a |", "a | | b", "a |&"],
  },
  {
    rule: "a simple command is assignments, a word and redirections in any order",
    accepted: [
      "x=1",
      "x=1 y=2 a b",
      "x+=1",
      "> f",
      "> f a b < g",
      "a > f b",
      "a=b=c",
      "x[1]=2",
      "x= a",
      "echo if then fi",
    ],
    rejected: ["a >", "a > > b", "a )", "a (", "echo a(b)", "if", "then", "}", "fi"],
  },
  {
    rule: "arrays are lists of words in parentheses",
    accepted: ["a=()", "a=(1 2)", "a=(1\n2 # c\n3)", "a=([0]=x [5]='y z')", "a+=(4)", "declare -a a=(1 2)"],
    rejected: ["a=(1 2", "a=(1;2)", "a =(1)"],
  },
  {
    rule: "redirections",
    accepted: [
      "a 2>f",
      "a 2>>f",
      "a <f >g",
      "a >&2",
      "a 2>&1",
      "a 2>&-",
      "a <>f",
      "a >|f",
      "a &>f",
      "a &>>f",
      "a <<<w",
      "a 12>f",
    ],
    rejected: ["a 2>", "a <", "a >& ", "a <<"],
  },
  {
    rule: "here-documents",
    accepted: [
      "cat <<E\nx\nE",
      "cat <<-E\n\tx\n\tE\n",
      "cat <<'E'\n$(\nE\n",
      "a <<A; b <<B\n1\nA\n2\nB",
      "x=$(cat <<E\n)\nE\n)",
    ],
    rejected: ["cat <<E\nx", "cat <<E\n$(\nE\n"],
  },
  {
    rule: "groups and subshells hold at least one command",
    accepted: ["{ a; }", "{ a\n}", "{ a; } > f", "( a )", "(a;b)", "( (a) )", "{ (a) }", "{ { a; }; }"],
    rejected: ["{ a }", "{ }", "()", "( )", "{a; }", "{ a; } b", "( a ) b"],
  },
  {
    rule: "if",
    accepted: [
      "if a; then b; fi",
      "if a\nthen b\nelif c; then d; else e; fi",
      "if a; b; then c; fi",
      "if ! a; then b; fi > f",
    ],
    rejected: [
      "if a; fi",
      "if a; then fi",
      "if; then b; fi",
      "if a; then b; else fi",
      "if a then b; fi",
      "if a; then b; fi fi",
    ],
  },
  {
    rule: "for",
    accepted: [
      "for i in a b; do c; done",
      "for i; do c; done",
      "for i\ndo c; done",
      "for i in; do c; done",
      "for i\nin a\ndo c\ndone",
      "for in in a; do b; done",
      "for ((i=0; i<3; i++)); do a; done",
      "for ((;;)) do a; done",
    ],
    rejected: [
      "for\ni in a; do b; done",
      "for i in a do b; done",
      "for i in a; do done",
      "for 1 in a; do b; done",
      "for i in a; b; done",
      "for ((i=0; i<3)); do a; done",
    ],
  },
  {
    rule: "while and until",
    accepted: [
      "while a; do b; done",
      "until a\ndo\nb\ndone",
      "while a; b; do c; done < f",
      "while :; do :; done &",
    ],
    rejected: ["while; do a; done", "while a; do done", "while a do b; done", "while a; done"],
  },
  {
    rule: "case",
    accepted: [
      "case a in esac",
      "case a in b) c;; esac",
      "case a in b|c) d;; *) ;; esac",
      "case a in (b) c; esac",
      "case a\nin\nb)\nc\n;;\nesac",
      "case $x in ''|*[!0-9]*) a;; esac",
      "case a in if) b;; esac",
    ],
    rejected: [
      "case in a) b;; esac",
      "case a in b c) d;; esac",
      "case a in b) c;;",
      "case a in ) b;; esac",
      "case a b in c) d;; esac",
    ],
  },
  {
    rule: "functions",
    accepted: [
      "f() { a; }",
      "f () { a; }",
      "f()\n{ a; }",
      "f() ( a )",
      "f() if a; then b; fi",
      "f() { a; } > g",
      "function f { a; }",
      "function f() { a; }",
      "set-cpu() { a; }",
    ],
    rejected: ["f() a", "f( { a; }", "f() { a", "function { a; }", "if() { a; }"],
  },
  {
    rule: "[[ ]] and (( ))",
    accepted: [
      "[[ a ]]",
      "[[ -n $x && ! ( a == b* || c ) ]]",
      "[[ a =~ ^(b|c)+$ ]]",
      "[[ $# -gt 1 ]]",
      "[[ a < b ]]",
      "(( 1 ))",
      "((x++))",
      "(( a < 3 && b > 2 ))",
      "(( x = 1 ? 2 : 3 ))",
    ],
    rejected: ["[[ ]]", "[[ a", "[[ a == ]]", "[[ a b ]]", "(( ))", "(( 1 + ))", "(( 1, 2 ))"],
  },
  {
    rule: "quotes, expansions and substitutions",
    accepted: [
      "echo 'a\nb' \"c\nd\" e\\ f",
      'echo $x ${x} ${x:-y z} "${x:-"q"}" ${x#*/} ${x%%.*} ${#x} ${x/a/b} ${x:1:2} ${x,,} ${x[1]} ${#x[@]} ${!x[@]}',
      "echo $(a; b) $( (a) ) `a \\`b\\`` $((1+2)) $((\n1)) $(($x+`a`))",
      "echo $# $? $$ $! $- $@ $* $0 ${10}",
      "echo a#b \\# # comment",
      'echo $ $. "$"',
      "echo $'a\\tb'",
      "echo $(case a in b) c;; esac)",
      "echo ~ {a,b} a{1..3}",
    ],
    rejected: [
      "echo 'a",
      'echo "a',
      "echo `a",
      "echo $(a",
      "echo ${x",
      "echo ${a b}",
      "echo ${}",
      "echo $((1+))",
      "echo $((1",
      "echo $(fi)",
      "echo `fi`",
    ],
  },
  {
    rule: "C calls",
    accepted: [
      "ioctl(vcpu[i], KVM_SET_SLAVE_CPU, slave_cpu_id[i]);",
      "ioctl(vcpu[0], KVM_RUN, 0)",
      'kvm = open("/dev/kvm", O_RDWR);',
      "vcpu[0] = ioctl(vm, KVM_CREATE_VCPU, 0);",
      "ioctl(a,\n  b,\n  1 << 3 | 0x10);",
      "close(kvm) && echo ok",
      "for i in 0 1; do ioctl(vcpu[$i], KVM_RUN, 0); done",
      "ioctl(vm, K, ${n:-0}); # comment",
    ],
    rejected: [
      "ioctl(vcpu[i, KVM_RUN);",
      "ioctl(a,, b);",
      "ioctl(a b);",
      "ioctl(, a);",
      "foo(1) 2",
      "x = open();",
      "ioctl(a, b",
      'open("a);',
    ],
  },
  {
    rule: "after expect, stop-at, watch and run until the rest of the line is a condition",
    accepted: [
      "expect exits.total == 0",
      "expect cyclictest.max < 20us",
      "stop-at latency > 100us",
      "watch msr 0x80b",
      "run until cpu 3 offline",
      "expect a < b; echo c",
      'expect x["a;b"] < (1 > 2) # comment',
      "if expect a > 1; then b; fi",
      "run 10ms",
      "run until $x < 3",
    ],
    rejected: ["expect (a", "expect a)"],
  },
];

for (const { rule, accepted, rejected } of rules) {
  Deno.test(`grammar: ${rule}`, () => {
    for (const text of accepted) parseScript(text, text);
    for (const text of rejected) assertThrows(() => parseScript(text), ShellSyntaxError, undefined, text);
  });
}

Deno.test("operators of C bind as in C", () => {
  const shape = (text: string): string => {
    const show = (e: ReturnType<typeof parseExpression>): string => {
      switch (e.kind) {
        case "number":
          return String(e.value);
        case "variable":
          return e.index === undefined ? e.name : `${e.name}[${show(e.index)}]`;
        case "unary":
          return `(${e.operator}${show(e.operand)})`;
        case "binary":
          return `(${show(e.left)} ${e.operator} ${show(e.right)})`;
        case "choose":
          return `(${show(e.condition)} ? ${show(e.yes)} : ${show(e.no)})`;
        case "set":
          return `(${show(e.target)} ${e.operator}= ${show(e.value)})`;
        case "step":
          return e.prefix ? `(++${show(e.target)})` : `(${show(e.target)}++)`;
        default:
          return "$";
      }
    };
    return show(parseExpression(text));
  };
  assertEquals(shape("1+2*3"), "(1 + (2 * 3))");
  assertEquals(shape("1-2-3"), "((1 - 2) - 3)");
  assertEquals(shape("2**3**2"), "(2 ** (3 ** 2))");
  assertEquals(shape("1<<2+3"), "(1 << (2 + 3))");
  assertEquals(shape("a|b^c&d==e<f<<g+h*i"), "(a | (b ^ (c & (d == (e < (f << (g + (h * i))))))))");
  assertEquals(shape("a||b&&c|d"), "(a || (b && (c | d)))");
  assertEquals(shape("!a+~b"), "((!a) + (~b))");
  assertEquals(shape("a=b?c:d=e"), "(a = (b ? c : (d = e)))");
  assertEquals(shape("a[1]+=b++ - --c"), "(a[1] += ((b++) - (++c)))");
});

Deno.test("the body of a here-document is every character of its lines (XCU 2.7.4)", () => {
  const lab = new ToyLab();
  for (const body of ["  two blanks\n", "# no comment\n", "\n\n  - item\n", "\t# $((1 + 1))  \n"]) {
    const { stdout } = lab.run(`cat <<END\n${body}END\n`);
    assertEquals(stdout, body.replace("$((1 + 1))", "2"));
  }
});

Deno.test("every command knows its line, through here-documents and continuations", () => {
  const script = parseScript("a\ncat <<E\nx\ny\nE\nb \\\n c\nd\n");
  const lines = script.body.items.map((item) => item.command.first.commands[0]?.span.line);
  assertEquals(lines, [1, 2, 6, 8]);
});
