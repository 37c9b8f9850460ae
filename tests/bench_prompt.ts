/** Measured by `bench.ts`: types so many lines at a prompt. */
import { Session } from "../dsl/session.ts";
import { laboratoryWords } from "../dsl/words/index.ts";

const session = new Session({
  io: { out() {}, err() {} },
  interactive: true,
  words: laboratoryWords,
});
const typed = [
  "echo 0 > /sys/devices/system/cpu/cpu3/online",
  "for c in 1 2; do cat /sys/devices/system/cpu/cpu$c/online; done",
  "x=$((x + 1)); [ $x -gt 0 ] && echo $x",
  "echo 1 > /sys/devices/system/cpu/cpu3/online",
];
// No line twice: what has been parsed is not parsed again.
for (let i = 0; i < Number(Deno.args[0]); i++) session.runLine(`${typed[i % typed.length]} # ${i}`, () => {});
