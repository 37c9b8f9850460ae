/**
 * What `rtkvm run setup.rtk` says of the mistakes that people make, word for word: where it is, the line with a caret,
 * what was expected, and what was probably meant.
 */
import { assertEquals } from "@std/assert";
import { main } from "../dsl/cli.ts";
import { FakeHost } from "./session_rig.ts";

interface Mistake {
  readonly mistake: string;
  readonly script: string;
  /** The lines on standard error. */
  readonly says: readonly string[];
}

const mistakes: readonly Mistake[] = [
  {
    mistake: "a loop without done",
    script: "for i in 1 2; do\n  echo $i\n\necho next\n",
    says: [
      "setup.rtk:4:10: syntax error: unexpected end of file",
      "  4 | echo next",
      '    |          ^ column 10: expected a command or "done"',
      'note: the "for" on line 1 has no "done"',
    ],
  },
  {
    mistake: "an if without fi",
    script: "if [ -e /sys ]; then\n  echo a\n",
    says: [
      "setup.rtk:2:9: syntax error: unexpected end of file",
      "  2 |   echo a",
      '    |         ^ column 9: expected a command or "fi"',
      'note: the "if" on line 1 has no "fi"',
    ],
  },
  {
    mistake: "an if without then",
    script: "if [ -e /sys ]\n  echo a\nfi\n",
    says: [
      "setup.rtk:3:1: syntax error near unexpected token `fi'",
      "  3 | fi",
      '    | ^ column 1: expected a command or "then"',
      'note: the "if" on line 1 has no "then"',
    ],
  },
  {
    mistake: "then on the line of the condition, without ;",
    script: "if [ -e /sys ] then echo a; fi\n",
    says: [
      "setup.rtk:1:29: syntax error near unexpected token `fi'",
      "  1 | if [ -e /sys ] then echo a; fi",
      '    |                             ^ column 29: expected a command or "then"',
      'note: the "then" in column 16 is an argument of "[": put ; before it',
    ],
  },
  {
    mistake: "do on the line of the condition, without ;",
    script: "while [ $x -lt 3 ] do x=1; done\n",
    says: [
      "setup.rtk:1:28: syntax error near unexpected token `done'",
      "  1 | while [ $x -lt 3 ] do x=1; done",
      '    |                            ^ column 28: expected "do"',
      'note: the "do" in column 20 is an argument of "[": put ; before it',
    ],
  },
  {
    mistake: "a loop without do",
    script: "while true\n  echo a\ndone\n",
    says: [
      "setup.rtk:3:1: syntax error near unexpected token `done'",
      "  3 | done",
      '    | ^ column 1: expected "do"',
      'note: the "while" on line 1 has no "do"',
    ],
  },
  {
    mistake: "a for without do",
    script: "for i in 1 2; echo $i; done\n",
    says: [
      "setup.rtk:1:15: syntax error near unexpected token `echo'",
      "  1 | for i in 1 2; echo $i; done",
      '    |               ^ column 15: expected "do"',
    ],
  },
  {
    mistake: "a for whose words are not there yet",
    script: "for i in\n",
    says: [
      "setup.rtk:1:9: syntax error: unexpected end of file",
      "  1 | for i in",
      '    |         ^ column 9: expected "do"',
      'note: the "for" in column 1 has no "do"',
    ],
  },
  {
    mistake: "a for whose variable has a $",
    script: "for $i in 1 2; do echo $i; done\n",
    says: [
      "setup.rtk:1:5: syntax error near unexpected token `$i'",
      "  1 | for $i in 1 2; do echo $i; done",
      "    |     ^ column 5: expected a name",
      "note: the variable without $: for i in …",
    ],
  },
  {
    mistake: "the for of C with one pair of parentheses",
    script: "for (i=0; i<3; i++); do echo $i; done\n",
    says: [
      "setup.rtk:1:5: syntax error near unexpected token `('",
      "  1 | for (i=0; i<3; i++); do echo $i; done",
      "    |     ^ column 5: expected a name",
      "note: two parentheses: for ((i=0; i<3; i++))",
    ],
  },
  {
    mistake: "the for of C with two parts",
    script: "for ((i=0; i<3)); do echo $i; done\n",
    says: [
      "setup.rtk:1:15: syntax error near unexpected token `)'",
      "  1 | for ((i=0; i<3)); do echo $i; done",
      '    |               ^ column 15: expected ";"',
      "note: three parts with two ; between them: for ((i = 0; i < 3; i++))",
    ],
  },
  {
    mistake: "a case without esac",
    script: "case $x in\n  a) echo a;;\n  b) echo b\n",
    says: [
      "setup.rtk:3:12: syntax error: unexpected end of file",
      "  3 |   b) echo b",
      '    |            ^ column 12: expected a command, "esac" or ";;"',
      'note: the "case" on line 1 has no "esac"',
    ],
  },
  {
    mistake: "a case item without ;;",
    script: "case $x in\n  a) echo a\n  b) echo b;;\nesac\n",
    says: [
      "setup.rtk:3:4: syntax error near unexpected token `)'",
      "  3 |   b) echo b;;",
      '    |    ^ column 4: expected "esac", ";;" or the end of the command',
      'note: ";;" ends an item of "case": put it before the next pattern',
    ],
  },
  {
    mistake: ";; outside case",
    script: "echo a;; echo b\n",
    says: [
      "setup.rtk:1:7: syntax error near unexpected token `;;'",
      "  1 | echo a;; echo b",
      "    |       ^ column 7: expected the end of the command",
      'note: no "case" is open here',
    ],
  },
  {
    mistake: "else if instead of elif",
    script: "if true; then echo a\nelse if false; then echo b\nfi\n",
    says: [
      "setup.rtk:3:3: syntax error: unexpected end of file",
      "  3 | fi",
      '    |   ^ column 3: expected a command or "fi"',
      'note: "else if" begins another "if" with a "fi" of its own; "elif" does not',
    ],
  },
  {
    mistake: "elsif instead of elif",
    script: "if true; then echo a; elsif true; then echo b; fi\n",
    says: [
      "setup.rtk:1:35: syntax error near unexpected token `then'",
      "  1 | if true; then echo a; elsif true; then echo b; fi",
      '    |                                   ^ column 35: expected a command or "fi"',
      'note: "elsif" in column 23: did you mean elif?',
    ],
  },
  {
    mistake: "end instead of done",
    script: "until true; do echo a; end\n",
    says: [
      "setup.rtk:1:27: syntax error: unexpected end of file",
      "  1 | until true; do echo a; end",
      '    |                           ^ column 27: expected a command or "done"',
      'note: "end" in column 24: did you mean done?',
    ],
  },
  {
    mistake: "; after then",
    script: "if true; then; echo a; fi\n",
    says: [
      "setup.rtk:1:14: syntax error near unexpected token `;'",
      "  1 | if true; then; echo a; fi",
      "    |              ^ column 14: expected a command",
      'note: a command follows "then", not ;',
    ],
  },
  {
    mistake: "an empty body",
    script: "for c in 2 3; do done\n",
    says: [
      "setup.rtk:1:18: syntax error near unexpected token `done'",
      "  1 | for c in 2 3; do done",
      '    |                  ^ column 18: expected a command or "done"',
      "note: a body that does nothing is a colon: do :; done",
    ],
  },
  {
    mistake: "a stray done",
    script: "done\n",
    says: [
      "setup.rtk:1:1: syntax error near unexpected token `done'",
      "  1 | done",
      "    | ^ column 1: expected a command",
      'note: no "for", "while" or "until" is open here',
    ],
  },
  {
    mistake: "a stray }",
    script: "echo a\n}\n",
    says: [
      "setup.rtk:2:1: syntax error near unexpected token `}'",
      "  2 | }",
      "    | ^ column 1: expected a command",
      'note: no "{" is open here',
    ],
  },
  {
    mistake: "a stray )",
    script: "echo a)\n",
    says: [
      "setup.rtk:1:7: syntax error near unexpected token `)'",
      "  1 | echo a)",
      "    |       ^ column 7: expected the end of the command",
      'note: no "(" is open here',
    ],
  },
  {
    mistake: "a { without }",
    script: "f() {\n  echo a\n",
    says: [
      "setup.rtk:2:9: syntax error: unexpected end of file",
      "  2 |   echo a",
      '    |         ^ column 9: expected a command or "}"',
      'note: the "{" on line 1 has no "}"',
    ],
  },
  {
    mistake: "a } among the arguments",
    script: "{ echo a }\n",
    says: [
      "setup.rtk:1:11: syntax error: unexpected end of file",
      "  1 | { echo a }",
      '    |           ^ column 11: expected a command or "}"',
      'note: the "}" in column 10 is an argument of "echo": put ; before it',
    ],
  },
  {
    mistake: "a { that belongs to a word",
    script: "{echo a; }\n",
    says: [
      "setup.rtk:1:10: syntax error near unexpected token `}'",
      "  1 | {echo a; }",
      "    |          ^ column 10: expected a command",
      'note: "{echo" is one word: a blank makes two of it, { echo',
    ],
  },
  {
    mistake: "an if that belongs to a word",
    script: "if[ -e /sys ]; then echo a; fi\n",
    says: [
      "setup.rtk:1:16: syntax error near unexpected token `then'",
      "  1 | if[ -e /sys ]; then echo a; fi",
      "    |                ^ column 16: expected a command",
      'note: "if[" is one word: a blank makes two of it, if [',
    ],
  },
  {
    mistake: "a ( without )",
    script: "(echo a\n",
    says: [
      "setup.rtk:1:8: syntax error: unexpected end of file",
      "  1 | (echo a",
      '    |        ^ column 8: expected a command or ")"',
      'note: the "(" in column 1 has no ")"',
    ],
  },
  {
    mistake: "an array without )",
    script: "cpus=(2 3\necho ${cpus[0]}\n",
    says: [
      "setup.rtk:2:16: syntax error: unexpected end of file",
      "  2 | echo ${cpus[0]}",
      '    |                ^ column 16: expected ")"',
      'note: the "(" on line 1 has no ")"',
    ],
  },
  {
    mistake: "a single quote without its end",
    script: "echo 'isolate\necho b\n",
    says: [
      "setup.rtk:1:6: unexpected EOF while looking for matching `''",
      "  1 | echo 'isolate",
      "    |      ^ column 6: expected a closing '",
    ],
  },
  {
    mistake: "a double quote without its end",
    script: "echo \"it's $x\necho 'b'\n",
    says: [
      "setup.rtk:1:6: unexpected EOF while looking for matching `\"'",
      "  1 | echo \"it's $x",
      '    |      ^ column 6: expected a closing "',
    ],
  },
  {
    mistake: "a backquote without its end",
    script: "x=`cat /proc/cmdline\necho $x\n",
    says: [
      "setup.rtk:1:3: unexpected EOF while looking for matching ``'",
      "  1 | x=`cat /proc/cmdline",
      "    |   ^ column 3: expected a closing `",
    ],
  },
  {
    mistake: "$( without )",
    script: "x=$(cat /proc/cmdline\necho $x\n",
    says: [
      "setup.rtk:1:3: unexpected EOF while looking for matching `)'",
      "  1 | x=$(cat /proc/cmdline",
      "    |   ^ column 3: expected a closing )",
    ],
  },
  {
    mistake: "${ without }",
    script: "echo ${x\necho b\n",
    says: [
      "setup.rtk:1:6: unexpected EOF while looking for matching `}'",
      "  1 | echo ${x",
      "    |      ^ column 6: expected a closing }",
    ],
  },
  {
    mistake: "$(( without ))",
    script: "echo $((1 + 2)\necho b\n",
    says: [
      "setup.rtk:1:6: unexpected EOF while looking for matching `)'",
      "  1 | echo $((1 + 2)",
      "    |      ^ column 6: expected a closing )",
    ],
  },
  {
    mistake: "an operand that is missing",
    script: "echo $((1 + ))\n",
    says: [
      "setup.rtk:1:13: syntax error near unexpected token `)'",
      "  1 | echo $((1 + ))",
      "    |             ^ column 13: expected an expression",
    ],
  },
  {
    mistake: "an operator that is missing",
    script: "echo $((2 x))\n",
    says: [
      "setup.rtk:1:11: syntax error near unexpected token `x'",
      "  1 | echo $((2 x))",
      "    |           ^ column 11: expected an operator",
    ],
  },
  {
    mistake: "a number in base 8 that is none",
    script: "echo $((08))\n",
    says: [
      'setup.rtk:1:9: 08: value too great for base (error token is "08")',
      "  1 | echo $((08))",
      "    |         ^ column 9",
    ],
  },
  {
    mistake: "the comma operator",
    script: "echo $((1,2))\n",
    says: [
      "setup.rtk:1:10: the comma operator: not in this language",
      "  1 | echo $((1,2))",
      "    |          ^ column 10",
    ],
  },
  {
    mistake: "a substitution that is none",
    script: "echo ${x y}\n",
    says: [
      "setup.rtk:1:6: ${x y}: bad substitution",
      "  1 | echo ${x y}",
      "    |      ^ column 6: expected a parameter and an operator",
    ],
  },
  {
    mistake: "a here-document without its end",
    script: "cat <<EOF\nbody\n",
    says: [
      "setup.rtk:1:5: syntax error: unexpected end of file",
      "  1 | cat <<EOF",
      "    |     ^ column 5: expected a line EOF that ends the here-document",
    ],
  },
  {
    mistake: "a here-document whose end is indented",
    script: "cat <<EOF\nbody\n  EOF\n",
    says: [
      "setup.rtk:1:5: syntax error: unexpected end of file",
      "  1 | cat <<EOF",
      "    |     ^ column 5: expected a line EOF that ends the here-document",
      "note: line 3 has blanks beside its EOF",
    ],
  },
  {
    mistake: "[[ without ]]",
    script: "[[ -e /sys && echo a\n",
    says: [
      "setup.rtk:1:20: syntax error near unexpected token `a'",
      "  1 | [[ -e /sys && echo a",
      '    |                    ^ column 20: expected "]]"',
      'note: the "[[" has no "]]"',
    ],
  },
  {
    mistake: "[[ that ends with ]",
    script: "[[ $x == a ]\n",
    says: [
      "setup.rtk:1:12: syntax error near unexpected token `]'",
      "  1 | [[ $x == a ]",
      '    |            ^ column 12: expected "]]"',
      "note: [[ ends with ]]",
    ],
  },
  {
    mistake: "[ that ends with ]]",
    script: "[ $x = a ]]\n",
    says: [
      "setup.rtk: line 1: [: missing `]'",
      "note: ]] ends [[, ] ends [",
    ],
  },
  {
    mistake: "[ without a blank",
    script: "[1 = 1]\n",
    says: [
      "setup.rtk: line 1: [1: command not found",
      "note: a blank follows [: [ 1",
    ],
  },
  {
    mistake: "a redirection without a file",
    script: "echo 0 >\n",
    says: [
      "setup.rtk:1:9: syntax error near unexpected token `newline'",
      "  1 | echo 0 >",
      "    |         ^ column 9: expected a file",
    ],
  },
  {
    mistake: "two operators",
    script: "a && || b\n",
    says: [
      "setup.rtk:1:6: syntax error near unexpected token `||'",
      "  1 | a && || b",
      "    |      ^ column 6: expected a command",
    ],
  },
  {
    mistake: "&& at the start of a line",
    script: "echo a\n&& echo b\n",
    says: [
      "setup.rtk:2:1: syntax error near unexpected token `&&'",
      "  2 | && echo b",
      "    | ^ column 1: expected a command",
      "note: && stands at the end of the line before, not at the start of this one",
    ],
  },
  {
    mistake: "a pipe at the start of a line",
    script: "echo a\n  | grep a\n",
    says: [
      "setup.rtk:2:3: syntax error near unexpected token `|'",
      "  2 |   | grep a",
      "    |   ^ column 3: expected a command",
      "note: | stands at the end of the line before, not at the start of this one",
    ],
  },
  {
    mistake: "; after &",
    script: "sleep 1 & ; echo b\n",
    says: [
      "setup.rtk:1:11: syntax error near unexpected token `;'",
      "  1 | sleep 1 & ; echo b",
      "    |           ^ column 11: expected a command",
      "note: & ends a command as ; does: one of them is enough",
    ],
  },
  {
    mistake: "a function with parameters",
    script: "f(x) { echo $x; }\n",
    says: [
      "setup.rtk:1:6: syntax error near unexpected token `{'",
      "  1 | f(x) { echo $x; }",
      "    |      ^ column 6: expected the end of the command",
      "note: a function names no parameters: NAME() { …; }, and $1, $2 in its body",
    ],
  },
  {
    mistake: "a function without a body",
    script: "f() echo a\n",
    says: [
      "setup.rtk:1:5: syntax error near unexpected token `echo'",
      "  1 | f() echo a",
      '    |     ^ column 5: expected "{"',
      "note: the body of a function is { …; } or another compound command",
    ],
  },
  {
    mistake: "a function without a name",
    script: "function { echo a; }\n",
    says: [
      "setup.rtk:1:10: syntax error near unexpected token `{'",
      "  1 | function { echo a; }",
      "    |          ^ column 10: expected a name",
      "note: a function has a name: function NAME { …; }",
    ],
  },
  {
    mistake: "an extended pattern",
    script: "ls !(a)\n",
    says: [
      "setup.rtk:1:4: extglob: not in this language",
      "  1 | ls !(a)",
      "    |    ^ column 4",
    ],
  },
  {
    mistake: "select",
    script: "select x in a b; do echo; done\n",
    says: [
      "setup.rtk:1:1: select: not in this language",
      "  1 | select x in a b; do echo; done",
      "    | ^ column 1",
    ],
  },
  {
    mistake: "coproc",
    script: "coproc cat\n",
    says: [
      "setup.rtk: line 1: coproc: not in this language: use a pipeline or <( )",
    ],
  },
  {
    mistake: "alias",
    script: "alias ll=ls\n",
    says: [
      "setup.rtk: line 1: alias: not in this language: use a function",
    ],
  },
  {
    mistake: "job control",
    script: "fg\n",
    says: [
      "setup.rtk: line 1: fg: not in this language: wait for a job with wait",
    ],
  },
  {
    mistake: "a name reference",
    script: "f() { local -n r=x; }; f\n",
    says: [
      "setup.rtk: line 1: local: -n: not in this language: give the name to eval",
    ],
  },
  {
    mistake: "Windows line ends",
    script: "if true; then\r\n  echo a\r\nfi\r\n",
    says: [
      "setup.rtk:1:14: the line ends with a carriage return, as on Windows",
      "  1 | if true; then",
      "    |              ^ column 14: expected the end of the line",
    ],
  },
  {
    mistake: "a no-break space",
    script: "echo\u00a0a\n",
    says: [
      "setup.rtk:1:5: U+00A0 is no blank, it only looks like one",
      "  1 | echo\u00a0a",
      "    |     ^ column 5: expected a blank",
    ],
  },
  {
    mistake: "typographic quotes",
    script: "echo “a b”\n",
    says: [
      "setup.rtk:1:6: “ (U+201C) is no quote",
      "  1 | echo “a b”",
      '    |      ^ column 6: expected "',
    ],
  },
  {
    mistake: "a dash instead of a hyphen",
    script: "cyclictest –p 99\n",
    says: [
      "setup.rtk:1:12: – (U+2013) begins no option",
      "  1 | cyclictest –p 99",
      "    |            ^ column 12: expected -",
    ],
  },
  {
    mistake: "a subscript without ]",
    script: "ioctl(vcpu[i, KVM_SET_SLAVE_CPU, 3);\n",
    says: [
      "setup.rtk:1:13: syntax error near unexpected token `,'",
      "  1 | ioctl(vcpu[i, KVM_SET_SLAVE_CPU, 3);",
      '    |             ^ column 13: expected "]"',
    ],
  },
  {
    mistake: "a comma that is missing",
    script: "ioctl(vcpu[0] KVM_RUN);\n",
    says: [
      "setup.rtk:1:15: syntax error near unexpected token `KVM_RUN'",
      "  1 | ioctl(vcpu[0] KVM_RUN);",
      '    |               ^ column 15: expected "," or ")"',
      "note: a comma stands between two arguments",
    ],
  },
  {
    mistake: "an argument that is missing",
    script: "ioctl(vcpu[0], , 0);\n",
    says: [
      "setup.rtk:1:16: syntax error near unexpected token `,'",
      "  1 | ioctl(vcpu[0], , 0);",
      "    |                ^ column 16: expected an expression",
    ],
  },
  {
    mistake: "a call without )",
    script: "ioctl(vcpu[0], KVM_RUN, 0;\n",
    says: [
      "setup.rtk:1:26: syntax error near unexpected token `;'",
      "  1 | ioctl(vcpu[0], KVM_RUN, 0;",
      '    |                          ^ column 26: expected "," or ")"',
    ],
  },
  {
    mistake: "one ) too many",
    script: "ioctl(vcpu[0], KVM_RUN, 0));\n",
    says: [
      "setup.rtk:1:27: syntax error near unexpected token `)'",
      "  1 | ioctl(vcpu[0], KVM_RUN, 0));",
      "    |                           ^ column 27: expected the end of the command",
      "note: one ) too many",
    ],
  },
  {
    mistake: "a string in single quotes",
    script: "fd = open('/dev/kvm', O_RDWR);\n",
    says: [
      "setup.rtk:1:11: syntax error near unexpected token `''",
      "  1 | fd = open('/dev/kvm', O_RDWR);",
      "    |           ^ column 11: expected an expression",
      "note: a string in a C call has double quotes",
    ],
  },
  {
    mistake: "a path that is no string",
    script: "fd = open(/dev/kvm, O_RDWR);\n",
    says: [
      "setup.rtk:1:11: syntax error near unexpected token `/dev/kvm'",
      "  1 | fd = open(/dev/kvm, O_RDWR);",
      "    |           ^ column 11: expected an expression",
      'note: a path is a string: "/dev/kvm"',
    ],
  },
  {
    mistake: "a variable with a type",
    script: 'int fd = open("/dev/kvm", O_RDWR);\n',
    says: [
      "setup.rtk:1:14: syntax error near unexpected token `('",
      '  1 | int fd = open("/dev/kvm", O_RDWR);',
      "    |              ^ column 14: expected the end of the command",
      "note: a variable has no type: fd = …",
    ],
  },
  {
    mistake: "a command called like a function of C",
    script: 'printf("hello");\n',
    says: [
      "setup.rtk: line 1: printf: no such system call on host",
      "note: printf is a command: its arguments stand behind a blank",
    ],
  },
  {
    mistake: "a typo in a system call",
    script: "ioctll(0, KVM_RUN, 0);\n",
    says: [
      "setup.rtk: line 1: ioctll: no such system call on host",
      "note: did you mean ioctl(…)?",
    ],
  },
  {
    mistake: "a typo in a constant",
    script: 'kvm = open("/dev/kvm", O_RDWR);\nioctl(kvm, KVM_CREATE_VN, 0);\n',
    says: [
      "setup.rtk: line 2: ioctl: KVM_CREATE_VN is neither a known constant nor a variable (did you mean KVM_CREATE_VM?)",
    ],
  },
  {
    mistake: "a vCPU before there is one",
    script: "ioctl(vcpu[0], KVM_RUN, 0);\n",
    says: [
      "setup.rtk: line 1: ioctl: vcpu[0] is not set (a QEMU that has started sets vcpu[])",
    ],
  },
  {
    mistake: "a device file that is not there",
    script: 'kvm = open("/dev/kvmm", O_RDWR);\n',
    says: [
      "setup.rtk: line 1: open: /dev/kvmm: No such file or directory (ENOENT)",
    ],
  },
  {
    mistake: "blanks in an assignment",
    script: "x = 3\n",
    says: [
      "setup.rtk: line 1: x: command not found",
      "note: an assignment has no blanks: x=3",
    ],
  },
  {
    mistake: "a blank after =",
    script: "x= 3\n",
    says: [
      "setup.rtk: line 1: 3: command not found",
      "note: an assignment has no blanks: x=3",
    ],
  },
  {
    mistake: "$ in an assignment",
    script: "$x=3\n",
    says: [
      "setup.rtk: line 1: =3: command not found",
      "note: an assignment names its variable without $: NAME=VALUE",
    ],
  },
  {
    mistake: "a typo in a command",
    script: "cyclicttest -q\n",
    says: [
      "setup.rtk: line 1: cyclicttest: command not found",
      "note: did you mean cyclictest?",
    ],
  },
  {
    mistake: "a typo in a built-in",
    script: "ech hi\n",
    says: [
      "setup.rtk: line 1: ech: command not found",
      "note: did you mean echo?",
    ],
  },
  {
    mistake: "a typo in a word of the laboratory",
    script: "stp 3\n",
    says: [
      "setup.rtk: line 1: stp: command not found",
      "note: did you mean step?",
    ],
  },
  {
    mistake: "a typo in expect",
    script: "expct time > 1s\n",
    says: [
      "setup.rtk: line 1: expct: command not found",
      "note: did you mean expect?",
    ],
  },
  {
    mistake: "a typo in a quantity",
    script: "expect tme > 1s\n",
    says: [
      'setup.rtk: line 1: expect: unknown quantity "tme": did you mean time?',
    ],
  },
  {
    mistake: "a duration without its unit",
    script: "expect time > 1\n",
    says: [
      "setup.rtk: line 1: expect: time > 1: expected a duration with its unit, like 10us on the right",
    ],
  },
  {
    mistake: "a typo in a system",
    script: "boot kvn\n",
    says: [
      'setup.rtk: line 1: boot: unknown system "kvn": did you mean kvm?',
    ],
  },
  {
    mistake: "a typo in an option of boot",
    script: "boot --kernl linux-3.4.0\n",
    says: [
      'setup.rtk: line 1: boot: unknown option "--kernl": did you mean --kernel?',
    ],
  },
  {
    mistake: "a typo in a kernel",
    script: "boot --kernel linux-3.4.1\n",
    says: [
      'setup.rtk: line 1: boot: unknown kernel "linux-3.4.1": did you mean linux-3.4.0?',
    ],
  },
  {
    mistake: "a typo in a table",
    script: "show cpus\n",
    says: [
      'setup.rtk: line 1: show: unknown word "cpus": did you mean cpu?',
    ],
  },
  {
    mistake: "a device that raises no interrupt",
    script: "irq vf9\n",
    says: [
      'setup.rtk: line 1: irq: unknown device "vf9": did you mean vf0?',
    ],
  },
  {
    mistake: "a wrong path to read",
    script: "cat /proc/interupts\n",
    says: [
      "cat: /proc/interupts: No such file or directory",
      "note: did you mean /proc/interrupts?",
    ],
  },
  {
    mistake: "a wrong path to write",
    script: "echo 0 > /sys/device/system/cpu/cpu3/online\n",
    says: [
      "setup.rtk: line 1: /sys/device/system/cpu/cpu3/online: No such file or directory",
      "note: did you mean /sys/devices/system/cpu/cpu3/online?",
    ],
  },
  {
    mistake: "a wrong attribute",
    script: "echo 0 > /sys/devices/system/cpu/cpu3/onlin\n",
    says: [
      "setup.rtk: line 1: /sys/devices/system/cpu/cpu3/onlin: Permission denied",
      "note: did you mean /sys/devices/system/cpu/cpu3/online?",
    ],
  },
  {
    mistake: "a processor that is not there",
    script: "echo 0 > /sys/devices/system/cpu/cpu9/online\n",
    says: [
      "setup.rtk: line 1: /sys/devices/system/cpu/cpu9/online: No such file or directory",
    ],
  },
  {
    mistake: "a wrong driver",
    script: "echo 0000:05:00.0 > /sys/bus/pci/drivers/pci-stubb/bind\n",
    says: [
      "setup.rtk: line 1: /sys/bus/pci/drivers/pci-stubb/bind: No such file or directory",
      "note: did you mean /sys/bus/pci/drivers/pci-stub/bind?",
    ],
  },
  {
    mistake: "a wrong device",
    script: "echo 0000:05:00.7 > /sys/bus/pci/drivers/ixgbevf/unbind\n",
    says: [
      "setup.rtk: line 1: echo: write error: No such device",
      "note: there is no 0000:05:00.7 in /sys/bus/pci/devices: did you mean 0000:05:00.0?",
    ],
  },
  {
    mistake: "a wrong folder",
    script: "cd /syss\n",
    says: [
      "setup.rtk: line 1: cd: /syss: No such file or directory",
      "note: did you mean /sys?",
    ],
  },
  {
    mistake: "a wrong option of a filter",
    script: "grep -P a\n",
    says: [
      "grep: invalid option -- 'P'",
    ],
  },
  {
    mistake: "a wrong option of the shell",
    script: "set -o pipefial\n",
    says: [
      "setup.rtk: line 1: set: pipefial: invalid option name",
      "note: did you mean pipefail?",
    ],
  },
  {
    mistake: "a wrong signal",
    script: "trap : FOO\n",
    says: [
      "setup.rtk: line 1: trap: FOO: invalid signal specification",
    ],
  },
  {
    mistake: "an unset variable under set -u",
    script: "set -u; echo $cpuss\n",
    says: [
      "setup.rtk: line 1: cpuss: unbound variable",
    ],
  },
  {
    mistake: "a division by zero",
    script: "echo $((1/0))\n",
    says: [
      'setup.rtk: line 1: 1/0: division by 0 (error token is "0")',
    ],
  },
];

for (const { mistake, script, says } of mistakes) {
  Deno.test(`mistake: ${mistake}`, async () => {
    const host = new FakeHost({ "setup.rtk": script });
    await main(["run", "setup.rtk"], host);
    assertEquals(host.stderr.split("\n"), [...says, ""]);
    assertEquals(host.stdout, "");
  });
}
