/**
 * The command `slides`: lists the talk's slides, says what brings each back, and brings them back.
 *
 * @module
 */

import type { LabProfile } from "../../runtime/lab/defaults.ts";
import { ProfileError, type ProfileText } from "../../runtime/lab/profile.ts";
import { tableLines } from "../../runtime/measure/table.ts";
import type { HostPort } from "../host/host_port.ts";
import { ProgressLine, progressText } from "../host/progress.ts";
import { laboratoryWords } from "../words/index.ts";
import { slideNumbered, SLIDES } from "../talk/catalogue.ts";
import { coverage, coverageText, standing } from "./coverage.ts";
import { page } from "./page.ts";
import { regenerate, type Regenerated, slideJson, slideLines } from "./regenerate.ts";
import { Runs } from "./runs.ts";
import { svgFile } from "../talk/svg.ts";

/** The version of the JSON; a field that changes its meaning raises it. */
const FORMAT = 1;

/** What the command line says. */
export interface SlidesOptions {
  /** `list`, `coverage`, `all` or a number. */
  readonly what: string;
  readonly loops: number;
  readonly seed: number;
  readonly profiles: readonly ProfileText[];
  readonly json: boolean;
  /** Where files go; absent: nothing is written. */
  readonly out?: string;
}

/** What is wrong with the words of the command, or with its options; undefined: nothing. */
export function slidesUsage(words: readonly string[], options: Iterable<string>): string | undefined {
  const [what, ...more] = words;
  if (what === undefined || more.length > 0) {
    return `slides: expected list, coverage, all or the number of a slide, 1 to ${SLIDES.length}`;
  }
  if (what === "list" || what === "coverage") {
    const [option] = options;
    return option === undefined ? undefined : `slides ${what}: takes no --${option}: nothing is run`;
  }
  if (what === "all" || (/^\d+$/.test(what) && slideNumbered(Number(what)) !== undefined)) return undefined;
  return `slides: no slide "${what}": there are 1 to ${SLIDES.length}, list, coverage and all`;
}

/** Runs it; answers the exit status. */
export function slides(options: SlidesOptions, host: HostPort): number {
  const { what, json } = options;
  if (what === "list") return print(host, json ? listJson() : listText());
  if (what === "coverage") return print(host, json ? coverageJson() : coverageLines().join("\n"));
  const wanted = what === "all" ? SLIDES : [slideNumbered(Number(what))!];
  const progress = new ProgressLine(host.errIsTerminal ? (part) => host.err(part) : undefined);
  let runs: Runs;
  try {
    runs = new Runs({
      ...options,
      words: laboratoryWords,
      onProgress: (name, fraction, where) => progress.show(progressText(name, fraction, where)),
    });
  } catch (error) {
    if (!(error instanceof ProfileError)) throw error;
    host.err(`${error.message}\n`);
    return 1;
  }
  const files = options.out === undefined ? undefined : new Files(options.out, host);
  // The first file, before anything has run: a folder that cannot be written is found out at once.
  if (files?.write("coverage.txt", `${coverageLines().join("\n")}\n`) === false) return 1;
  const made: Regenerated[] = []; // what is printed at once is not kept
  let failed = false;
  for (const slide of wanted) {
    const one = regenerate(slide, runs);
    progress.clear();
    if (json || files !== undefined) made.push(one);
    else host.out(`${slide === wanted[0] ? "" : "\n"}${slideLines(one).join("\n")}\n`);
    failed ||= one.problem !== undefined;
    if (one.problem !== undefined) host.err(`rtkvm: slide ${slide.number}: ${one.problem}\n`);
  }
  if (json) host.out(`${madeJson(made, options, runs.profile)}\n`);
  if (files !== undefined) {
    const figures = made.flatMap(({ parts }) => parts.flatMap(({ figure }) => figure ?? []));
    for (const figure of figures) if (!files.write(`${figure.name}.svg`, svgFile(figure))) return 1;
    if (!files.write("index.html", page(made, { ...options, profile: runs.profile }))) return 1;
    if (!json) host.out(`${files.folder}/index.html: ${of(wanted, "slide")}, ${of(figures, "figure")}\n`);
  }
  return failed ? 1 : 0;
}

/** `1 slide`, `2 slides`. */
function of(things: readonly unknown[], name: string): string {
  return `${things.length} ${name}${things.length === 1 ? "" : "s"}`;
}

/** The files of one folder. */
class Files {
  /** The folder as it was named, without a slash at its end. */
  readonly folder: string;

  constructor(folder: string, readonly host: HostPort) {
    this.folder = folder.replace(/(.)\/+$/, "$1");
  }

  /** Writes a file, and says so if that fails. */
  write(name: string, text: string): boolean {
    const path = `${this.folder}/${name}`;
    const problem = this.host.write(path, text);
    if (problem !== undefined) this.host.err(`rtkvm: ${path}: ${problem}\n`);
    return problem === undefined;
  }
}

function print(host: HostPort, text: string): number {
  host.out(`${text}\n`);
  return 0;
}

function listText(): string {
  return tableLines(
    [{ title: "slide" }, { title: "kind", align: "left" }, { title: "title", align: "left" }],
    SLIDES.map(({ number, kind, title }) => [number, kind, title]),
  ).join("\n");
}

function listJson(): string {
  return JSON.stringify({
    version: FORMAT,
    slides: SLIDES.map(({ number, title, kind }) => ({ slide: number, title, kind })),
  });
}

function coverageLines(): string[] {
  return [
    ...tableLines(
      [
        { title: "slide" },
        { title: "kind", align: "left" },
        { title: "by", align: "left" },
        { title: "title", align: "left" },
      ],
      SLIDES.map((slide) => [slide.number, standing(slide), slide.by, slide.title]),
    ),
    "",
    coverageText(coverage()),
  ];
}

function coverageJson(): string {
  const found = coverage();
  return JSON.stringify({
    version: FORMAT,
    slides: SLIDES.map((slide) => ({
      slide: slide.number,
      title: slide.title,
      kind: standing(slide),
      by: slide.by,
    })),
    executed: found.executed,
    derived: found.derived,
    text: found.text,
    missing: found.missing.length,
  });
}

function madeJson(
  made: readonly Regenerated[],
  { seed, loops }: SlidesOptions,
  { name, hash }: LabProfile,
): string {
  return JSON.stringify({
    version: FORMAT,
    seed,
    loops,
    profile: { name, hash },
    slides: made.map(slideJson),
  });
}
