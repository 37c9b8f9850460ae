/**
 * SVG by string templates: escaping, numbers, text, and the one style sheet that all figures share.
 *
 * A figure names classes and never a colour, so the same drawing is right on light and on dark ground: in the page,
 * and as a file, which carries the sheet with it.
 *
 * @module
 */

/** Text that is safe between tags and in quoted attributes. */
export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(
    '"',
    "&quot;",
  );
}

/** A coordinate: hundredths of a pixel are enough. */
export function coordinate(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** How a piece of text is set. */
export interface TextStyle {
  /** Classes of {@linkcode FIGURE_STYLE}. */
  readonly classes?: string;
  readonly anchor?: "start" | "middle" | "end";
}

/** A line of text with its baseline at `y`. */
export function textAt(x: number, y: number, text: string, style: TextStyle = {}): string {
  return `<text x="${coordinate(x)}" y="${coordinate(y)}"${attributes(style)}>${escape(text)}</text>`;
}

/** `10` with `exponent` raised: the tick of a logarithmic axis, its right end at `x`. */
export function powerOfTenAt(x: number, y: number, exponent: number): string {
  return `<text x="${coordinate(x)}" y="${
    coordinate(y)
  }" text-anchor="end" class="tick">10<tspan dy="-4" class="raised">${
    String(exponent).replace("-", "−")
  }</tspan></text>`;
}

/** A straight line. */
export function lineFrom(x1: number, y1: number, x2: number, y2: number, classes: string): string {
  const [a, b, c, d] = [x1, y1, x2, y2].map(coordinate);
  return `<line x1="${a}" y1="${b}" x2="${c}" y2="${d}" class="${classes}"/>`;
}

function attributes({ classes, anchor }: TextStyle): string {
  return (anchor === undefined || anchor === "start" ? "" : ` text-anchor="${anchor}"`) +
    (classes === undefined ? "" : ` class="${classes}"`);
}

/** About how wide a text is, in a proportional face of `size` pixels: good enough to make room for it. */
export function textWidth(text: string, size: number): number {
  let units = 0;
  for (const letter of text) {
    units += /[ilIj.,:;'|!]/.test(letter)
      ? 0.3
      : /[mwMW@%]/.test(letter)
      ? 0.9
      : /[A-Z]/.test(letter)
      ? 0.68
      : 0.55;
  }
  return units * size;
}

/** Colours of one ground. */
interface Palette {
  readonly ink: string;
  readonly muted: string;
  readonly rule: string;
  readonly paper: string;
  readonly lane: string;
  readonly bare: string;
  readonly kvm: string;
  readonly direct: string;
  readonly exit: string;
  readonly entry: string;
}

const LIGHT: Palette = {
  ink: "#1b2330",
  muted: "#667085",
  rule: "#e3e7ed",
  paper: "#ffffff",
  lane: "#f4f6f9",
  bare: "#5d6b7e",
  kvm: "#c2542d",
  direct: "#1d6fa5",
  exit: "#c2303a",
  entry: "#2a7f62",
};

const DARK: Palette = {
  ink: "#e8ebf0",
  muted: "#9aa5b5",
  rule: "#2d3644",
  paper: "#151b24",
  lane: "#1c2430",
  bare: "#a7b4c6",
  kvm: "#f08a5d",
  direct: "#62b4e6",
  exit: "#ff7a80",
  entry: "#63c29d",
};

const FACE = `"Inter","Helvetica Neue",Helvetica,Arial,"DejaVu Sans",sans-serif`;

const SHAPE = `.fig{font-family:${FACE};font-size:12px}
.fig .strong{font-weight:600}
.fig .small,.fig .tick{font-size:11px}
.fig .raised{font-size:8px}
.fig .area{fill-opacity:.16;stroke:none}
.fig .outline{fill:none;stroke-width:1.6;stroke-linejoin:round}
.fig .single{stroke-width:1.6}
.fig .axis{stroke-width:1}
.fig .grid{stroke-width:1}
.fig .rail{stroke-width:1.4}
.fig .reading{fill:none;stroke-width:1.2}
.fig .box{stroke-width:1.2}
.fig .event{stroke-width:1.2;stroke-dasharray:3 2}
.fig .path{fill:none;stroke-width:1.4}
.fig .mark{fill-opacity:.10;stroke-width:1;stroke-dasharray:4 3}`;

function colours({ ink, muted, rule, paper, lane, bare, kvm, direct, exit, entry }: Palette): string {
  const series = (name: string, colour: string) =>
    `.fig .${name}.area,.fig .${name}.bar,.fig .${name}.dot,.fig .${name}.mark,.fig text.${name}{fill:${colour}}
.fig .${name}.outline,.fig .${name}.single,.fig .${name}.rail,.fig .${name}.mark,.fig .${name}.path{stroke:${colour}}`;
  return `.fig .paper{fill:${paper}}
.fig text{fill:${ink}}
.fig .muted,.fig .tick{fill:${muted}}
.fig .axis{stroke:${muted}}
.fig .grid{stroke:${rule}}
.fig .lane{fill:${lane}}
.fig .box{fill:${paper};stroke:${ink}}
.fig .event{fill:${paper};stroke:${ink}}
.fig .path{stroke:${muted}}
.fig .arrow{fill:${muted}}
.fig .exit.path{stroke:${exit}} .fig .exit.arrow,.fig text.exit{fill:${exit}}
.fig .entry.path{stroke:${entry}} .fig .entry.arrow,.fig text.entry{fill:${entry}}
.fig .reading{stroke:${ink}} .fig .published.rail{stroke:${ink}} .fig .published.dot{fill:${paper};stroke:${ink}}
${series("bare-metal", bare)}
${series("kvm", kvm)}
${series("rfc-v2", direct)}
${series("eoi", entry)}`;
}

/** The style sheet of all figures, for light and for dark ground. */
export const FIGURE_STYLE = `${SHAPE}
${colours(LIGHT)}
@media (prefers-color-scheme:dark){
${colours(DARK)}
}`;

/** A drawing as an `svg` element, to stand in a page that has {@linkcode FIGURE_STYLE}. */
export function svgElement(
  { title, width, height, body }: {
    readonly title: string;
    readonly width: number;
    readonly height: number;
    readonly body: string;
  },
  style = "",
): string {
  const [w, h] = [coordinate(width), coordinate(height)];
  return `<svg xmlns="http://www.w3.org/2000/svg" class="fig" viewBox="0 0 ${w} ${h}" width="${w}" height="${h}" role="img">
<title>${escape(title)}</title>
${style === "" ? "" : `<style>\n${style}\n</style>\n`}<rect class="paper" width="${w}" height="${h}"/>
${body}
</svg>
`;
}

/** A drawing as a file of its own. */
export function svgFile(figure: Parameters<typeof svgElement>[0]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${svgElement(figure, FIGURE_STYLE)}`;
}
