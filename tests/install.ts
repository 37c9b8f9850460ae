/**
 * `deno task install`: makes the program one bundle and installs it as the command `rtkvm`, as `deno install --global`
 * does; `--root=FOLDER` installs it elsewhere. The same line again, after a change, renews it.
 *
 * Of the program's some six hundred modules Deno loads each on its own; of the bundle it loads some twenty files, and
 * only those that a command needs. What it prints is the same, byte for byte: `deno task installed`.
 *
 * @module
 */

/** Where the bundle stands, below the project: what the installed command runs. */
export const BUNDLE = ".bundle";

/** The thread of `--threads`: `run_pool.ts` starts it by its file name, beside the module that it stands in itself. */
const THREAD = "dsl/studies/run_job.ts";

const project = new URL("..", import.meta.url);

/** Runs `deno` in the project; answers what it says. @throws Error if it fails */
async function deno(...args: string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: project, stdout: "piped", stderr: "piped" });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder(), said = decoder.decode(stderr) + decoder.decode(stdout);
  if (!success) throw new Error(`deno ${args.join(" ")}: ${said}`);
  return said.trim();
}

/** Writes the program as a bundle into `folder`, which is emptied before; its entry is `mod.js`. */
export async function bundle(folder: string): Promise<void> {
  try {
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const form = ["--platform=deno", "--minify", "--code-splitting", "--sourcemap=linked"];
  await deno("bundle", "--quiet", ...form, `--outdir=${folder}`, "mod.ts", THREAD);
  const name = THREAD.split("/").at(-1);
  await Deno.writeTextFile(`${folder}/${name}`, `import "./${THREAD.replace(/ts$/, "js")}";\n`);
}

/**
 * Installs the bundle in `folder` as `rtkvm`, below `root`, or where Deno installs commands. It may read files, and write
 * below the folder that it is started in; with a `home` the prompt keeps its history there. Answers what Deno says: where
 * the command stands, and whether it is found there.
 */
export async function install(folder: string, root: string | undefined, home?: string): Promise<string> {
  const history = home === undefined ? "" : `,${home}/.rtkvm_history`;
  return await deno(
    ...["install", "--global", "--force", "--name=rtkvm", "--no-config", "--no-lock"],
    ...root === undefined ? [] : [`--root=${root}`],
    ...["--allow-read", `--allow-write=.${history}`, "--allow-env=HOME"],
    `${folder}/mod.js`,
  );
}

if (import.meta.main) {
  const root = /^--root=(.+)$/;
  const stranger = Deno.args.find((argument) => !root.test(argument));
  if (stranger !== undefined) throw new RangeError(`${stranger}: expected --root=FOLDER`);
  const folder = new URL(BUNDLE, project).pathname;
  await bundle(folder);
  console.log(await install(folder, Deno.args[0]?.match(root)?.[1], Deno.env.get("HOME")));
}
