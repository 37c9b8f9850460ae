import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `id`. */
const doc = `id - who one is
Usage: id [-u | -g | -G] [-n]
Effects: writes user and group, or only their numbers or names: everybody is root
Exit status: 0, or 1 on a wrong argument
Errors: ‘NAME’: no such user
Differs from the real one: there is no other user
Examples: test "$(id -u)" -eq 0`;

/** `whoami`. */
const whoamiDoc = `whoami - the name of the user
Usage: whoami
Effects: writes root
Exit status: 0, or 1 on an argument
Errors: extra operand 'TEXT'
Differs from the real one: there is no other user
Examples: whoami`;

export const id: Command = {
  name: "id",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "ugGn", "anywhere", {
      "user": "u",
      "group": "g",
      "name": "n",
    });
    if (typeof options === "string") return context.misuse(options);
    const { flags, operands } = options;
    for (const name of operands) {
      if (name !== "root" && name !== "0") return context.complain(`‘${name}’: no such user`);
    }
    const isOne = ["u", "g", "G"].some((letter) => flags.has(letter));
    if (flags.has("n") && !isOne) {
      return context.complain("cannot print only names or real IDs in default format");
    }
    context.out(isOne ? (flags.has("n") ? "root\n" : "0\n") : "uid=0(root) gid=0(root) groups=0(root)\n");
    return 0;
  },
};

export const whoami: Command = {
  name: "whoami",
  kind: "filter",
  doc: whoamiDoc,
  run(context) {
    const [extra] = context.args;
    if (extra !== undefined) return context.misuse(`extra operand '${extra}'`);
    context.out("root\n");
    return 0;
  },
};
