/**
 * A flow as the talk draws it: two lanes, boxes of work from left to right, crossings between the lanes. SVG.
 *
 * Boxes are as wide as their text, not as long as their work: a period of 4 ms has exits of 2 µs. The times below say
 * when each begins.
 *
 * @module
 */

import type { FlowItem, Lane } from "../../runtime/measure/flow.ts";
import type { Figure } from "./part.ts";
import { coordinate, lineFrom, textAt, textWidth } from "./svg.ts";

/** A stretch of a flow that is marked: from an item to an item, counted from 0. */
export interface FlowMark {
  readonly from: number;
  readonly to: number;
  readonly label: string;
  /** Class of its colour. */
  readonly classes: string;
}

const LEFT = 58;
const RIGHT = 12;
const HEADING = 34;
const MARK = 24;
const LANE = 62;
const BETWEEN = 42;
const BOX = 40;
const TIMES = 30;
const SIZE = 12;
/** Between neighbours of one lane, and added to it around a crossing. */
const STEP = 15;
const CROSSING = 14;
/** A row of boxes that gets longer is broken, where the guest runs and nothing happens. */
const LONGEST = 1350;

/** A box with its place in its row. */
interface Placed {
  readonly item: FlowItem;
  readonly x: number;
  readonly width: number;
  readonly lines: readonly string[];
}

/** The drawing. Times are µs from the first item. */
export function flowFigure(
  name: string,
  title: string,
  items: readonly FlowItem[],
  marks: readonly FlowMark[] = [],
): Figure {
  const startNs = items[0]?.timeNs ?? 0;
  const above = marks.length > 0 ? MARK : 0;
  const pitch = above + 2 * LANE + BETWEEN + TIMES;
  const rows = rowsOf(items).map((part, i) => new Row(part, HEADING + above + i * pitch, startNs));
  const width = Math.max(LEFT + 1.06 * textWidth(title, SIZE) + RIGHT, ...rows.map((row) => row.width));
  const body = [
    textAt(LEFT, 18, title, { classes: "strong" }),
    ...rows.map((row) => row.lanes(width)),
    ...marks.map((mark) => rows[0]!.marked(mark)),
    ...rows.map((row) => row.drawn()),
  ];
  return { name, title, width, height: HEADING + rows.length * pitch, body: body.join("\n") };
}

/** All items in one row, or, if that gets too long, in rows that end where the guest runs. */
function rowsOf(items: readonly FlowItem[]): (readonly FlowItem[])[] {
  if (new Row(items, 0, 0).width <= LONGEST) return [items];
  const rows: FlowItem[][] = [[]];
  items.forEach((item, i) => {
    rows.at(-1)!.push(item);
    if (item.text === "guest runs" && i < items.length - 1) rows.push([]);
  });
  return rows;
}

/** A stretch of a flow on a pair of lanes. */
class Row {
  readonly width: number;
  /** By item; a crossing has no place of its own. */
  readonly #places: (Placed | undefined)[] = [];
  readonly #boxes: readonly Placed[];
  /** The crossing after the last box, if the stretch ends with one, and where it leads. */
  readonly #open: { readonly x: number; readonly lane: Lane } | undefined;
  readonly #top: number;
  readonly #bottom: number;

  constructor(items: readonly FlowItem[], top: number, readonly startNs: number) {
    let x = LEFT + STEP;
    for (const item of items) {
      if (item.kind === "crossing") {
        x += CROSSING;
        this.#places.push(undefined);
        continue;
      }
      const lines = wrap(item.text);
      const width = Math.max(48, ...lines.map((line) => textWidth(line, SIZE) + 16));
      this.#places.push({ item, x, width, lines });
      x += width + STEP;
    }
    this.#boxes = this.#places.filter((placed) => placed !== undefined);
    const last = items.at(-1);
    this.#open = last?.kind === "crossing" ? { x: x + STEP, lane: last.lane } : undefined;
    if (last?.kind === "crossing") x += textWidth(last.text, SIZE);
    this.width = x + RIGHT;
    this.#top = top;
    this.#bottom = top + 2 * LANE + BETWEEN;
  }

  /** The lanes, `width` wide. */
  lanes(width: number): string {
    return (["guest", "host"] as const).map((lane) => {
      const y = this.#centre(lane);
      return `<rect x="${LEFT}" y="${y - LANE / 2}" width="${
        coordinate(width - LEFT - RIGHT / 2)
      }" height="${LANE}" rx="6" class="lane"/>` +
        textAt(LEFT - 10, y + 4, lane === "guest" ? "Guest" : "Host", { classes: "strong", anchor: "end" });
    }).join("\n");
  }

  /** Ways, boxes and times. */
  drawn(): string {
    return [...this.#ways(), ...this.#boxes.map((placed) => this.#box(placed)), ...this.#times()].join("\n");
  }

  /** A frame around some items, with its label above. */
  marked({ from, to, label, classes }: FlowMark): string {
    const inside = this.#places.slice(from, to + 1).filter((placed) => placed !== undefined);
    const [first, last] = [inside[0], inside.at(-1)];
    if (first === undefined || last === undefined) return "";
    const left = first.x - 6, right = last.x + last.width + 6;
    const [x, y, width] = [left, this.#top - 4, right - left].map(coordinate);
    return `<rect x="${x}" y="${y}" width="${width}" height="${
      this.#bottom - this.#top + 8
    }" rx="8" class="mark ${classes}"/>` +
      textAt((left + right) / 2, this.#top - 11, label, {
        classes: `small strong ${classes}`,
        anchor: "middle",
      });
  }

  #centre(lane: Lane): number {
    return this.#top + LANE / 2 + (lane === "host" ? LANE + BETWEEN : 0);
  }

  #box({ item, x, width, lines }: Placed): string {
    const y = this.#centre(item.lane);
    const isEvent = item.text === "interrupt" || item.text === "NMI";
    const first = y + 4 - (lines.length - 1) * 7;
    return `<rect x="${coordinate(x)}" y="${y - BOX / 2}" width="${coordinate(width)}" height="${BOX}" rx="${
      isEvent ? BOX / 2 : 5
    }" class="${isEvent ? "event" : "box"}"/>` +
      lines.map((line, i) => textAt(x + width / 2, first + i * 14, line, { anchor: "middle" })).join("");
  }

  /** From each box to the next one: along the lane, or across. */
  #ways(): string[] {
    const ends = this.#boxes.slice(1).map(({ x, item: { lane } }) => ({ x, lane }));
    if (this.#open !== undefined) ends.push(this.#open);
    return ends.map(({ x: x2, lane }, i) => {
      const { x, width, item } = this.#boxes[i]!;
      const [x1, y1, y2] = [x + width, this.#centre(item.lane), this.#centre(lane)];
      const isCrossing = y1 !== y2;
      const classes = !isCrossing ? "" : lane === "host" ? "exit" : "entry";
      const across = x1 + (x2 - x1) / 2 - 2;
      const way = isCrossing
        ? `H${coordinate(across)}V${y2}H${coordinate(x2 - 5)}`
        : `H${coordinate(x2 - 5)}`;
      const label = lane === "host" ? "VM exit" : "VM entry";
      return `<path d="M${coordinate(x1)} ${y1}${way}" class="path ${classes}"/>` + arrow(x2, y2, classes) +
        (isCrossing
          ? textAt(across + 6, (y1 + y2) / 2 + 4, label, { classes: `small strong ${classes}` })
          : "");
    });
  }

  /** When each box begins; of several in one instant the first says it. */
  #times(): string[] {
    const y = this.#bottom;
    return this.#boxes.map(({ item: { timeNs }, x }, i) => {
      if (this.#boxes[i - 1]?.item.timeNs === timeNs) return "";
      const us = (timeNs - this.startNs) / 1000;
      return lineFrom(x, y + 2, x, y + 7, "axis") +
        textAt(x - 2, y + 18, us === 0 ? "0 µs" : us.toFixed(2), { classes: "tick" });
    });
  }
}

function arrow(x: number, y: number, classes: string): string {
  return `<path d="M${coordinate(x)} ${y}l-7 -3.5v7z" class="arrow ${classes}"/>`;
}

/** Two lines where a text is long and has a blank, as even as they get. */
function wrap(text: string): string[] {
  if (text.length <= 11) return [text];
  const blanks = [...text.matchAll(/ /g)].map(({ index }) => index);
  if (blanks.length === 0) return [text];
  const middle = text.length / 2;
  const at = blanks.reduce((best, i) => Math.abs(i - middle) < Math.abs(best - middle) ? i : best);
  return [text.slice(0, at), text.slice(at + 1)];
}
