/**
 * Patterns: globs and regular expressions. What they match is recorded from bash 5.2, GNU grep 3.8, sed 4.9, expr 9.1
 * and mawk 1.3.4 with the C library 2.36; where JavaScript's expressions mean the same, they are the yardstick.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { globMatcher, matchGlob } from "../dsl/shell/glob.ts";
import { replaceSpans } from "../dsl/text/patterns/matcher.ts";
import { regularExpression, type Tool } from "../dsl/text/regular_expression.ts";
import { ShellError } from "../dsl/syntax/shell_error.ts";
import { RandomStream } from "../hw/sim/random.ts";

/** What a tool's expression matches first in a text: the whole and its groups, as `<…>`. */
function matched(source: string, text: string, tool: Tool = "bash"): string {
  const matcher = regularExpression(source, tool);
  const span = matcher.first(text);
  if (span === undefined) return "";
  return matcher.groups(text, span).map((group) => `<${group ?? ""}>`).join("");
}

Deno.test("of the leftmost matches the longest is taken, and its groups are those of the C library", () => {
  const recorded: [source: string, text: string, groups: string][] = [
    ["(a|ab)(c|bcd)(d*)", "abcd", "<abcd><a><bcd><>"],
    ["(a*)(ab)*(b*)", "abb", "<abb><a><><bb>"],
    ["(a*)*", "aaa", "<aaa><aaa>"],
    ["(a*)+", "b", "<><>"],
    ["(a*){0,2}", "aa", "<aa><>"],
    ["(a|){1,3}", "aa", "<aa><>"],
    ["(a|(b))*", "ba", "<ba><a><b>"],
    ["((a)|b)*", "ab", "<ab><b><a>"],
    ["((.?)*){2}((b*)?)?", "acab", "<acab><><><><>"],
    ["((.?)*)((b*)?)?", "acab", "<acab><acab><b><><>"],
    ["(a?){1,3}b", "aab", "<aab><>"],
    ["(|a)+", "aa", "<aa><a>"],
    ["((b*|.{0,2}a{1,3})*(.{0,2}ca|c*c.?)?(a+b{2,}b{0,2})?.{0,2})*", "bbabac", "<bbabac><bbabac><aba><c><>"],
    ["(^|-)([0-9]+)(-|$)", "3-5", "<3-><><3><->"],
    ["([^,]*),(.*)", "a,b,c", "<a,b,c><a><b,c>"],
    ["^(.*)-([0-9.]+)$", "vfio-pci-0.1", "<vfio-pci-0.1><vfio-pci><0.1>"],
    ["(.)(.*)\\1", "xabxay", "<xabx><x><ab>"],
    ["([a-c]+)-\\1", "abc-bc", "<bc-bc><bc>"],
    ["a.b", "a\nb", "<a\nb>"],
    ["\\<b", "ab b", "<b>"],
    ["[]a]+", "x]a]", "<]a]>"],
    ["[[:digit:]]{2,3}", "a12345", "<123>"],
    ["[[.a.]][[=b=]]", "ab", "<ab>"],
    ["a{,2}", "aab", "<aa>"],
    ["a)", "a)", "<a)>"],
    ["x*", "aaa", "<>"],
    ["a^b|b$", "ab", "<b>"],
  ];
  for (const [source, text, groups] of recorded) assertEquals(matched(source, text), groups, source);
});

Deno.test("what an expression may not be is said in the C library's words, by each tool as it reads it", () => {
  const preceding = "Invalid preceding regular expression";
  const refused: [tool: Tool, source: string, message: string][] = [
    ["bash", "*a", preceding],
    ["bash", "a|*b", preceding],
    ["bash", "^*", preceding],
    ["bash", "\\<+", preceding],
    ["bash", "{1}", preceding],
    ["bash", "(a", "Unmatched ( or \\("],
    ["bash", "a{1", "Unmatched \\{"],
    ["bash", "a{x}", "Invalid content of \\{\\}"],
    ["bash", "a{2,1}", "Invalid content of \\{\\}"],
    ["bash", "a{40000}", "Regular expression too big"],
    ["bash", "((a{200}){200}){200}", "Regular expression too big"],
    ["bash", "a\\", "Trailing backslash"],
    ["bash", "\\1", "Invalid back reference"],
    ["bash", "(a\\1)", "Invalid back reference"],
    ["bash", "(a)|\\1", "Invalid back reference"],
    ["grep", "a\\)", "Unmatched ) or \\)"],
    ["grep", "a\\{1", "Unmatched \\{"],
    ["grep", "\\{1\\}", preceding],
    ["grep", "[a", "Unmatched [, [^, [:, [., or [="],
    ["grep", "[[:foo:]]", "Invalid character class name"],
    ["grep", "[:alpha:]", "character class syntax is [[:space:]], not [:space:]"],
    ["grep", "[[.space.]]", "Invalid collation character"],
    ["grep", "[z-a]", "Invalid range end"],
    ["sed -E", "a)", "Unmatched ) or \\)"],
    ["sed -E", "*a", preceding],
  ];
  for (const [tool, source, message] of refused) {
    assertEquals(assertThrows(() => regularExpression(source, tool), ShellError).message, message, source);
  }
  const taken: [tool: Tool, source: string, text: string, found: string][] = [
    ["grep", "*a", "aa*a", "<*a>"],
    ["grep", "\\(*a\\)", "*a", "<*a><*a>"],
    ["grep", "^*a", "*a", "<*a>"],
    ["grep", "a^b$c", "a^b$c", "<a^b$c>"],
    ["grep", "a\\|\\(^b\\)", "b", "<b><b>"],
    ["grep", "\\+a", "+a", "<+a>"],
    ["grep", "a\\+b\\?c\\{2\\}", "aacc", "<aacc>"],
    ["grep", "\\(ab\\)\\1", "abab", "<abab><ab>"],
    ["grep -E", "*a", "*a", "<a>"],
    ["grep -E", "a{", "a{", "<a{>"],
    ["grep -E", "a{x}", "a{x}", "<a{x}>"],
    ["grep -E", "a)", "a)", "<a)>"],
    ["sed", "a\\nb", "a\nb", "<a\nb>"],
    ["awk", "[^\\/]\\/", "a/", "<a/>"],
    ["bash", "\\🙂.[🙂é]", "🙂🙂🙂", "<🙂🙂🙂>"],
  ];
  for (const [tool, source, text, found] of taken) assertEquals(matched(source, text, tool), found, source);
});

Deno.test("where matches follow each other, an empty one does not follow one that ends there", () => {
  const recorded: [source: string, text: string, replaced: string][] = [
    ["a*", "baaac", "<>b<aaa>c<>"],
    ["x*", "abc", "<>a<>b<>c<>"],
    ["\\b", "hello world", "<>hello<> <>world<>"],
    ["^a", "aaa", "<a>aa"],
    ["(b)(c)", "abcabc", "a<bc>a<bc>"],
    ["a.*b|a", "aaa", "<a><a><a>"],
  ];
  for (const [source, text, replaced] of recorded) {
    const spans = regularExpression(source, "sed -E").all(text);
    assertEquals(replaceSpans(text, spans, (found) => `<${found}>`), replaced, source);
  }
});

Deno.test("a glob matches as in bash: whole texts, prefixes and suffixes", () => {
  const recorded: [pattern: string, yes: string, no: string][] = [
    ["a*", "a,ab", "ba,"],
    ["*a*b", "ab,xaxb", "ba,a"],
    ["*a*a", "aa,axa", "a"],
    ["[!a-c]?", "dx,]]", "ax,d"],
    ["[^a]", "b", "a,bb"],
    ["[]a]", "],a", "b"],
    ["[a", "[a", "a"],
    ["\\*[*]\\", "**\\", "ab\\"],
    ["[[:digit:]x][[:upper:]]", "1A,xZ", "aA,1a"],
    ["[c-a]", "", "a,b,c,-"],
    ["[!c-a]", "a,b,-", "ab"],
    ["[\\]]", "]", "\\"],
    ["?", "é,🙂", "ab,"],
    ["*🙂*", "a🙂b", "ab"],
    ["\\🙂[\\🙂]", "🙂🙂", "🙂"],
  ];
  for (const [pattern, yes, no] of recorded) {
    for (const text of yes.split(",").filter((_) => yes !== "")) {
      assert(matchGlob(pattern, text), pattern + text);
    }
    for (const text of no.split(",")) assert(!matchGlob(pattern, text), `${pattern} ${text}`);
  }
  const dots = globMatcher("*.");
  assertEquals([dots.prefix("a.b.c", false), dots.prefix("a.b.c", true), dots.prefix("abc", true)], [
    2,
    4,
    undefined,
  ]);
  const suffix = globMatcher(".*");
  assertEquals([suffix.suffix("a.b.c", false), suffix.suffix("a.b.c", true), suffix.suffix("abc", true)], [
    3,
    1,
    undefined,
  ]);
});

Deno.test("no pattern takes more than linear time: what a searcher by trial would never end", () => {
  const many = "a".repeat(30_000);
  for (const source of ["(a*)*b", "(a|aa)+c", "(a+a+)+y", "((a*)*)*[^a]", "(.*)(.*)(.*)(.*)(.*)x"]) {
    const matcher = regularExpression(source, "bash");
    assertEquals([matcher.test(many), matcher.all(many)], [false, []], source);
  }
  assertEquals(matched("((a*)*|b)*$", many), `<${many}><${many}><${many}>`);
  assertEquals(regularExpression("a.*b|a", "sed -E").all(many).length, many.length);
  for (const pattern of ["*a*a*a*a*a*b", "*[a]*[a]*[a]*[a]*[a]*[a]*b", "*?*?*?*?*?*?*?b"]) {
    const matcher = globMatcher(pattern);
    assertEquals([matcher.testWhole(many), matcher.prefix(many, true), matcher.suffix(many, true)], [
      false,
      undefined,
      undefined,
    ]);
  }
  // More sets of states than are kept: they are built anew.
  const random = new RandomStream(1, "patterns");
  const mixed = Array.from({ length: 20_000 }, () => random.uniform() < 0.5 ? "a" : "b").join("");
  assertEquals(regularExpression("(a|b)*a(a|b){14}c", "bash").test(mixed), false);
  assertEquals(regularExpression("a(a|b){14}$", "bash").first(mixed)?.end ?? 20_000, 20_000);
});

Deno.test("back-references are searched for within a bounded number of steps", () => {
  const seventeen = "a".repeat(17); // 221 = 13 * 17: the longest part that fits is taken
  assertEquals(matched("^(aa+)\\1+$", "a".repeat(221)), `<${"a".repeat(221)}><${seventeen}>`);
  assertEquals(matched("^(aa+)\\1+$", "a".repeat(223)), "");
  const error = assertThrows(
    () => regularExpression("(.*)(.*)(.*)(.*)\\1\\2\\3\\4x", "bash").test("ab".repeat(300)),
    ShellError,
  );
  assertEquals(error.message, "Back references take too many steps");
});

Deno.test("without groups and back-references a search finds what JavaScript's finds, where both mean the same", () => {
  const random = new RandomStream(2, "patterns");
  const draw = (count: number) => Math.floor(random.uniform() * count);
  const one = () => ["a", "b", "c", ".", "[ab]", "[^a]", "(?:ab|c)", "(?:a|)", "\\b"][draw(9)]!;
  const piece = () => {
    const atom = one();
    return atom + (atom === "\\b" ? "" : ["", "", "*", "+", "?", "{1,2}"][draw(6)]!);
  };
  for (let n = 0; n < 3000; n++) {
    const source = Array.from({ length: 1 + draw(5) }, piece).join("") + (draw(4) === 0 ? "$" : "");
    const text = Array.from({ length: draw(10) }, () => "abc "[draw(4)]!).join("");
    const span = regularExpression(source.replaceAll("(?:", "("), "bash").first(text);
    // They agree on where a match begins; on its end only if there is one choice, as at the end of the text.
    const found = new RegExp(source, "s").exec(text);
    assertEquals(span?.start, found?.index, `${source} in "${text}"`);
    if (span !== undefined && found !== null) assert(span.end >= found.index + found[0].length, source);
  }
});

Deno.test("whatever is written is a pattern or an error, and what it says of a text agrees with itself", () => {
  const random = new RandomStream(3, "patterns");
  const draw = <T>(items: readonly T[]) => items[Math.floor(random.uniform() * items.length)]!;
  const tokens = [
    ..."ab*+?()[]^$\\|{},12-.é",
    "[:",
    ":]",
    "[=",
    "alpha",
    "\\1",
    "\\(",
    "\\)",
    "{9}",
    "🙂",
    "\ud800",
  ];
  const tools: readonly Tool[] = ["grep", "grep -E", "sed", "sed -E", "awk", "bash"];
  const some = <T>(items: readonly T[], most: number) =>
    Array.from({ length: Math.floor(random.uniform() * most) }, () => draw(items));
  for (let n = 0; n < 3000; n++) {
    const source = some(tokens, 12).join("");
    const text = some([..."ab1-\n", "é", "🙂", "\ud800"], 20).join("");
    try {
      const matcher = n % 4 === 0 ? globMatcher(source) : regularExpression(source, draw(tools));
      const spans = matcher.all(text);
      assertEquals(matcher.test(text), spans.length > 0, `${source} in ${text}`);
      for (const span of spans) assertEquals(matcher.groups(text, span)[0], text.slice(span.start, span.end));
    } catch (error) {
      if (!(error instanceof ShellError)) throw error;
    }
  }
});
