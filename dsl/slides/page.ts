/**
 * The slides as one HTML page: an index, then every slide with its figures, tables and consoles. One file, no script,
 * nothing loaded; light and dark as the reader's system is.
 *
 * @module
 */

import type { LabProfile } from "../../runtime/lab/defaults.ts";
import { provenanceLines } from "../../runtime/lab/provenance.ts";
import { SLIDES } from "../talk/catalogue.ts";
import { coverage, coverageText, standing } from "./coverage.ts";
import type { Regenerated } from "./regenerate.ts";
import { escape, FIGURE_STYLE } from "../talk/svg.ts";

/** What all slides of a page rest on. */
export interface PageFacts {
  readonly seed: number;
  readonly loops: number;
  readonly profile: LabProfile;
}

const STYLE =
  `:root{color-scheme:light dark;--ink:#1b2330;--muted:#667085;--rule:#e3e7ed;--paper:#fff;--ground:#f5f6f8;--accent:#1d6fa5;--accent-soft:#e7f0f7}
@media (prefers-color-scheme:dark){:root{--ink:#e8ebf0;--muted:#9aa5b5;--rule:#2d3644;--paper:#151b24;--ground:#0e131a;--accent:#62b4e6;--accent-soft:#182b3a}}
*{box-sizing:border-box}
html{scroll-behavior:smooth}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 "Inter","Helvetica Neue",Helvetica,Arial,"DejaVu Sans",sans-serif}
header,main,footer{max-width:1220px;margin:0 auto;padding:0 24px}
header{padding-top:56px;padding-bottom:8px}
h1{font-size:34px;line-height:1.2;letter-spacing:-.015em;margin:0 0 10px}
header p{max-width:68ch;color:var(--muted);margin:0 0 8px}
h2{font-size:22px;line-height:1.3;letter-spacing:-.01em;margin:0 0 4px}
h3{font-size:15px;margin:26px 0 8px}
a{color:inherit;text-decoration:none}
nav{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:8px;margin:28px auto 40px}
nav a,nav span{display:flex;gap:10px;align-items:baseline;padding:8px 12px;border-radius:8px;font-size:13.5px;line-height:1.35}
nav a{background:var(--paper);border:1px solid var(--rule)}
nav a:hover,nav a:focus-visible{border-color:var(--accent);outline:none}
nav span{color:var(--muted)}
nav b{font-variant-numeric:tabular-nums;color:var(--accent);min-width:1.4em;text-align:right}
nav span b{color:inherit}
section{background:var(--paper);border:1px solid var(--rule);border-radius:14px;padding:26px 30px 30px;margin:0 0 22px;scroll-margin-top:16px}
.number{font-variant-numeric:tabular-nums;text-align:right}
.eyebrow{display:flex;gap:10px;align-items:center;font-size:13px;color:var(--muted);margin:0 0 6px}
.kind{background:var(--accent-soft);color:var(--accent);border-radius:99px;padding:1px 10px;font-size:12px}
.by{color:var(--muted);font-size:14px;margin:0}
figure{margin:22px 0 6px;overflow-x:auto}
figure svg{display:block;max-width:100%;height:auto}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:14px;min-width:60%}
th,td{text-align:left;padding:6px 14px 6px 0;border-bottom:1px solid var(--rule);white-space:nowrap;vertical-align:baseline}
th{font-weight:600;color:var(--muted);font-size:12.5px}
th.number,td.number{text-align:right}
tbody tr:last-child td{border-bottom-color:var(--muted)}
tr.groups th{border-bottom:0;padding-bottom:0;text-align:center}
.note{font-size:13px;color:var(--muted);margin:8px 0 0}
pre{font:13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;background:var(--ground);border:1px solid var(--rule);border-radius:10px;padding:14px 16px;overflow-x:auto;margin:8px 0 0}
footer{color:var(--muted);font-size:13px;padding-top:12px;padding-bottom:56px}
@media (max-width:640px){figure svg{max-width:none}section{padding:20px 16px}header,main,footer{padding-left:12px;padding-right:12px}}
@media print{body{background:#fff}section{break-inside:avoid;border:0;padding:0 0 24px}}`;

/** The page. */
export function page(made: readonly Regenerated[], { seed, loops, profile }: PageFacts): string {
  const shown = made.filter(({ slide }) => slide.kind !== "text" || made.length === 1);
  const numbers = new Set(shown.map(({ slide }) => slide.number));
  const summary = coverageText(coverage());
  const facts = `Seed ${seed}, ${loops} loops a row of cyclictest. Every table ${
    provenanceLines(profile, []).join(" ")
  }.`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Improvement of Real-time Performance of KVM, regenerated</title>
<style>
${STYLE}
${FIGURE_STYLE}
</style>
</head>
<body>
<header>
<h1>Improvement of Real-time Performance of KVM, regenerated</h1>
<p>The slides of Tomoki Sekiyama's talk (LinuxCon North America 2012), made anew by runs of rtkvm: commands typed, flows drawn from traces, tables and charts from what was measured, beside what the talk published.</p>
<p>${escape(summary)}.</p>
</header>
<main>
<nav aria-label="Slides">
${
    SLIDES.map(({ number, title }) =>
      numbers.has(number)
        ? `<a href="#slide-${number}"><b>${number}</b>${escape(title)}</a>`
        : `<span><b>${number}</b>${escape(title)}</span>`
    ).join("\n")
  }
</nav>
${shown.map(section).join("\n")}
</main>
<footer>
<p>${escape(facts)}</p>
</footer>
</body>
</html>
`;
}

function section({ slide, parts }: Regenerated): string {
  const { number, title, by } = slide;
  return `<section id="slide-${number}">
<p class="eyebrow">Slide ${number} <span class="kind">${standing(slide)}</span></p>
<h2>${escape(title)}</h2>
<p class="by">${escape(by)}</p>
${parts.map((part) => part.html()).join("\n")}
</section>`;
}
