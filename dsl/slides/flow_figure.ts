/**
 * A flow as the talk draws it: two lanes, boxes of work from left to right, crossings between the lanes. SVG.
 *
 * Boxes are as wide as their text, not as long as their work: a period of 4 ms has exits of 2 µs. The times below say
 * when each begins.
 *
 * @module
 */

import type { FlowItem } from "../../runtime/measure/flow.ts";
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

const LEFT = 64;
const RIGHT = 16;
const TOP = 34;
const LANE = 66;
const BETWEEN = 44;
const BOX = 40;
const SIZE = 12;
const MARK = 24;
/** Between neighbours of one lane, and around a crossing. */
const STEP = 16;
const CROSSING = 34;

/** A box or event with its place. */
interface Placed {
  readonly item: FlowItem;
  readonly x: number;
  readonly width: number;
  readonly lines: readonly string[];
}

/** The drawing. Times are µs from `startNs`. */
export function flowFigure(
  name: string,
  title: string,
  items: readonly FlowItem[],
  marks: readonly FlowMark[] = [],
): Figure {
  const startNs = items[0]?.timeNs ?? 0;
  const top = TOP + (marks.length > 0 ? MARK : 0);
  const laneY = { guest: top, host: top + LANE + BETWEEN } as const;
  const centre = { guest: top + LANE / 2, host: top + LANE + BETWEEN + LANE / 2 } as const;
  const boxes: Placed[] = [];
  const places: (Placed | undefined)[] = [];
  let x = LEFT + STEP;
  for (const item of items) {
    if (item.kind === "crossing") {
      x += CROSSING - STEP;
      places.push(undefined);
      continue;
    }
    const lines = wrap(item.text);
    const width = Math.max(52, ...lines.map((line) => textWidth(line, SIZE) + 18));
    const placed = { item, x, width, lines };
    boxes.push(placed);
    places.push(placed);
    x += width + STEP;
  }
  const width = x + RIGHT;
  const bottom = laneY.host + LANE;
  const pieces = [
    textAt(LEFT, 18, title, { classes: "strong" }),
    `<rect x="${LEFT}" y="${laneY.guest}" width="${
      coordinate(width - LEFT - RIGHT / 2)
    }" height="${LANE}" rx="6" class="lane"/>`,
    `<rect x="${LEFT}" y="${laneY.host}" width="${
      coordinate(width - LEFT - RIGHT / 2)
    }" height="${LANE}" rx="6" class="lane"/>`,
    textAt(LEFT - 10, centre.guest + 4, "Guest", { classes: "strong", anchor: "end" }),
    textAt(LEFT - 10, centre.host + 4, "Host", { classes: "strong", anchor: "end" }),
    ...marks.map((mark) => marked(mark)),
    ...crossings(),
    ...boxes.map(box),
    ...times(),
  ];
  return { name, title, width, height: bottom + 30, body: pieces.join("\n") };

  function box({ item, x: left, width: wide, lines }: Placed): string {
    const y = centre[item.lane];
    const isEvent = item.text === "interrupt" || item.text === "NMI";
    const first = y + 4 - (lines.length - 1) * 7;
    return `<rect x="${coordinate(left)}" y="${y - BOX / 2}" width="${
      coordinate(wide)
    }" height="${BOX}" rx="${isEvent ? BOX / 2 : 5}" class="${isEvent ? "event" : "box"}"/>` +
      lines.map((line, i) => textAt(left + wide / 2, first + i * 14, line, { anchor: "middle" })).join("");
  }

  /** From each box to the next one: along the lane, or across. */
  function crossings(): string[] {
    return boxes.slice(1).map((to, i) => {
      const from = boxes[i]!;
      const [x1, y1] = [from.x + from.width, centre[from.item.lane]];
      const [x2, y2] = [to.x, centre[to.item.lane]];
      if (y1 === y2) {
        return `<path d="M${coordinate(x1)} ${y1}H${coordinate(x2 - 5)}" class="path"/>` + arrow(x2, y2, "");
      }
      const classes = to.item.lane === "host" ? "exit" : "entry";
      const middle = x1 + (x2 - x1) / 2 - 2;
      const label = to.item.lane === "host" ? "VM exit" : "VM entry";
      return `<path d="M${coordinate(x1)} ${y1}H${coordinate(middle)}V${y2}H${
        coordinate(x2 - 5)
      }" class="path ${classes}"/>` + arrow(x2, y2, classes) +
        textAt(middle + 6, laneY.guest + LANE + BETWEEN / 2 + 4, label, {
          classes: `small strong ${classes}`,
        });
    });
  }

  function marked({ from, to, label, classes }: FlowMark): string {
    const inside = places.slice(from, to + 1).filter((placed) => placed !== undefined);
    const [first, last] = [inside[0], inside.at(-1)];
    if (first === undefined || last === undefined) return "";
    const left = first.x - 6, right = last.x + last.width + 6;
    return `<rect x="${coordinate(left)}" y="${top - 4}" width="${coordinate(right - left)}" height="${
      bottom - top + 8
    }" rx="8" class="mark ${classes}"/>` +
      textAt((left + right) / 2, top - 11, label, { classes: `small strong ${classes}`, anchor: "middle" });
  }

  function times(): string[] {
    const y = bottom + 18;
    return boxes.map(({ item, x: left }, i) => {
      const us = (item.timeNs - startNs) / 1000;
      // The first box of an instant says when.
      if (boxes[i - 1]?.item.timeNs === item.timeNs) return "";
      return lineFrom(left, bottom + 2, left, bottom + 7, "axis") +
        textAt(left - 2, y, i === 0 ? "0 µs" : us.toFixed(us < 1000 ? 2 : 1), { classes: "tick" });
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
