/**
 * What a slide is made of when it comes back: text, consoles, tables and figures. Each part knows its forms: lines of
 * text, a piece of HTML, JSON, and, if it is a figure, SVG.
 *
 * @module
 */

import { type Cell, type Column, tableLines } from "../../runtime/measure/table.ts";
import { escape } from "./svg.ts";

/** A part of a slide. */
export interface Part {
  /** For a terminal. */
  text(): readonly string[];
  /** For the page. */
  html(): string;
  /** For programs: plain data, with a field `kind`. */
  json(): Readonly<Record<string, unknown>>;
  /** A figure's drawing, for a file of its own. */
  readonly figure?: Figure;
}

/** A drawing. */
export interface Figure {
  /** Names its file: `slide25-histograms`. */
  readonly name: string;
  /** What a reader who does not see it is told. */
  readonly title: string;
  readonly width: number;
  readonly height: number;
  /** SVG elements, in units of pixels; colours by the classes of {@linkcode "./svg.ts"}. */
  readonly body: string;
}

/** Sentences, a paragraph each. */
export function paragraphs(...lines: readonly string[]): Part {
  return {
    text: () => lines,
    html: () => lines.map((line) => `<p>${escape(line)}</p>`).join("\n"),
    json: () => ({ kind: "text", lines }),
  };
}

/** What a shell showed: prompts, commands, output. */
export function consoleText(title: string, lines: readonly string[]): Part {
  return {
    text: () => [`${title}:`, "", ...lines.map((line) => `  ${line}`.trimEnd())],
    html: () => `<h3>${escape(title)}</h3>\n<pre class="console">${lines.map(promptHtml).join("\n")}</pre>`,
    json: () => ({ kind: "console", title, lines }),
  };
}

/** A line of a console; what was typed stands out. */
function promptHtml(line: string): string {
  return /^[#>] /.test(line) ? `<b>${escape(line)}</b>` : escape(line);
}

/** A table. Below it, notes. */
export interface TableContent {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  readonly notes?: readonly string[];
}

/** The part of a table. */
export function table({ title, columns, rows, notes = [] }: TableContent): Part {
  return {
    text: () => [title, ...tableLines(columns, rows), ...notes],
    html: () => tableHtml(title, columns, rows, notes),
    json: () => ({
      kind: "table",
      title,
      columns: columns.map(({ title: name, group }) => group === undefined ? name : `${group} ${name}`),
      rows: rows.map((row) => row.map((cell) => cell ?? null)),
      notes,
    }),
  };
}

function tableHtml(
  title: string,
  columns: readonly Column[],
  rows: TableContent["rows"],
  notes: readonly string[],
): string {
  const kind = ({ align }: Column) => align === "left" ? "" : ' class="number"';
  const groups: { title: string; span: number }[] = [];
  for (const { group = "" } of columns) {
    const last = groups.at(-1);
    if (last?.title === group) last.span++;
    else groups.push({ title: group, span: 1 });
  }
  const groupRow = groups.length === 1
    ? ""
    : `<tr class="groups">${
      groups.map((group) => `<th colspan="${group.span}">${escape(group.title)}</th>`).join("")
    }</tr>\n`;
  const head = columns.map((column) => `<th${kind(column)}>${escape(column.title)}</th>`).join("");
  const body = rows.map((row) =>
    `<tr>${
      row.map((cell, i) =>
        `<td${kind(columns[i]!)}>${cell === undefined ? "n/a" : escape(String(cell))}</td>`
      )
        .join("")
    }</tr>`
  );
  return [
    `<h3>${escape(title)}</h3>`,
    `<div class="wide"><table>\n<thead>\n${groupRow}<tr>${head}</tr>\n</thead>`,
    `<tbody>\n${body.join("\n")}\n</tbody>\n</table></div>`,
    ...notes.map((note) => `<p class="note">${escape(note)}</p>`),
  ].join("\n");
}
