/**
 * Transcripts: text with prompts, as slides and console blocks print it.
 *
 * `# ` and `$ ` at the start of a line are prompts there, not comments; lines without a prompt are output. A command
 * whose backslashes were lost in copying goes on in indented lines that start with an option:
 *
 * ```console
 * # qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic
 *                    -enable-kvm
 *                    -device pci-assign,host=05:00.0
 * ```
 *
 * @module
 */

const prompt = /^[ \t]*[#$] /;
const continuationPrompt = /^[ \t]*> /;

/** Whether a pasted text is a transcript: its first line that is not empty has a prompt. */
export function isTranscript(text: string): boolean {
  const first = text.split("\n").find((line) => line.trim() !== "") ?? "";
  return /^[ \t]*[#$] \S/.test(first);
}

/**
 * The commands of a transcript as a script of the same length: prompts and output become blanks, so every offset,
 * line and column is that of the transcript.
 */
export function scriptOfTranscript(text: string): string {
  const blank = (part: string) => " ".repeat(part.length);
  const lines = text.split("\n");
  let result = "";
  let inCommand: boolean = false;
  for (const [i, line] of lines.entries()) {
    const before = lines[i - 1] ?? "";
    const marked = prompt.exec(line);
    const continued: RegExpExecArray | null = inCommand ? continuationPrompt.exec(line) : null;
    const joined: boolean = inCommand && before.endsWith("\\");
    const option: boolean = inCommand && /^[ \t]+-\S/.test(line);
    if (option && !joined) result = result.slice(0, -1) + " "; // the newline before it was no end of a command
    if (joined || option) result += line;
    else if (marked !== null || continued !== null) {
      const [found] = marked ?? continued ?? [""];
      result += blank(found) + line.slice(found.length);
    } else result += blank(line);
    inCommand = joined || option || marked !== null || continued !== null;
    if (i < lines.length - 1) result += "\n";
  }
  return result;
}
