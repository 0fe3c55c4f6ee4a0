import { Html } from '../../shared/http/html.ts';

/** Styles of the page: light and dark, for wide and narrow screens. */
export const PAGE_STYLE = new Html(`
:root {
  color-scheme: light dark;
  --ground: #f7f3ec; --card: #ffffff; --ink: #211b14; --faint: #675e52; --line: #e2d9cb; --grid: #eee7db;
  --first: #a34a06; --second: #0f6e78; --third: #968a7a;
  --good: #15703a; --bad: #b3261e; --notice: #fbf0da;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #15120e; --card: #1f1b16; --ink: #f2ece2; --faint: #b3a898; --line: #38322a; --grid: #2c2720;
    --first: #f3a247; --second: #5cc6cf; --third: #8f8474;
    --good: #62d28f; --bad: #ff958c; --notice: #33291a;
  }
}
* { box-sizing: border-box; }
body {
  max-width: 76rem; margin: 0 auto; padding: 2rem clamp(1rem, 3vw, 2.5rem) 3rem;
  background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;
}
h1, h2, h3, p, ul, figure { margin: 0; padding: 0; }
h1 { font-size: clamp(1.625rem, 5vw, 2.625rem); line-height: 1.12; letter-spacing: -0.02em; text-wrap: balance; }
h2 { font-size: 1.1875rem; letter-spacing: -0.01em; }
h3 { font-size: 0.9375rem; }
.kind { color: var(--first); font-weight: 650; font-size: 0.875rem; margin-bottom: 0.375rem; overflow-wrap: anywhere; }
.subtitle { color: var(--faint); margin-top: 0.5rem; overflow-wrap: anywhere; }
.notice { margin-top: 1rem; padding: 0.625rem 1rem; border-radius: 0.625rem; background: var(--notice); }
main { display: grid; gap: 2.25rem; margin-top: 1.75rem; }
main > section { display: grid; gap: 0.875rem; min-width: 0; }
main > .tiles { display: flex; flex-wrap: wrap; }
.card { min-width: 0; padding: 1rem 1.125rem; border: 1px solid var(--line); border-radius: 0.75rem; background: var(--card); }
.tile { flex: 1 1 11rem; }
.tile h2 { color: var(--faint); font-size: 0.8125rem; font-weight: 600; letter-spacing: 0; }
.tile .value { font-size: 1.625rem; line-height: 1.35; font-weight: 650; letter-spacing: -0.02em; white-space: nowrap; }
.tile p:last-child { color: var(--faint); font-size: 0.8125rem; line-height: 1.35; }
.pair { grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
.pair > .card { border-left: 4px solid var(--line); display: grid; gap: 0.375rem; align-content: start; }
.pair > .passed { border-left-color: var(--good); } .pair > .failed { border-left-color: var(--bad); }
.pair h2 { font-size: 1rem; } .passed h2 { color: var(--good); } .failed h2 { color: var(--bad); }
.pair ul { list-style: none; }
.yes::before, .no::before { display: inline-block; width: 1.25rem; font-weight: 700; }
.yes::before { content: "✓"; color: var(--good); } .no::before { content: "✗"; color: var(--bad); } .no { font-weight: 650; }
.plots { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); }
main > .plots { gap: 1rem; }
.plots > :last-child:nth-child(odd) { grid-column: 1 / -1; }
.plot { min-width: 0; padding: 0.875rem 1.125rem 0.75rem 0.75rem; border: 1px solid var(--line); border-radius: 0.75rem; background: var(--card); }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0.25rem 1rem; padding-left: 0.375rem; }
.legend { display: flex; gap: 0.875rem; font-size: 0.8125rem; color: var(--faint); }
.legend span::before { content: ""; display: inline-block; width: 0.875rem; height: 0.1875rem; margin-right: 0.375rem; border-radius: 2px; vertical-align: middle; background: currentColor; }
.legend .first::before { color: var(--first); } .legend .second::before { color: var(--second); } .legend .third::before { color: var(--third); }
.frame { display: grid; grid-template: 10.5rem 1.375rem / 3.5rem 1fr; margin-top: 0.875rem; }
.large .frame { grid-template-rows: 16rem 1.375rem; }
.banded { grid-template-rows: 1.5rem 10.5rem 1.375rem; }
.bands { position: relative; grid-column: 2; }
.bands span { position: absolute; top: 0; height: 1.125rem; }
.band { border-left: 2px solid var(--third); border-bottom: 2px solid var(--grid); }
.name { padding-left: 0.5rem; color: var(--faint); font-size: 0.6875rem; line-height: 1; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.banded .ys { grid-row: 2; grid-column: 1; }
.area { position: relative; }
.area svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
.ys, .xs { position: relative; color: var(--faint); font-size: 0.75rem; line-height: 1; font-variant-numeric: tabular-nums; }
.ys span { position: absolute; right: 0.5rem; transform: translateY(50%); white-space: nowrap; }
.xs { grid-column: 2; }
.xs span { position: absolute; top: 0.5rem; transform: translateX(-50%); white-space: nowrap; }
.xs .start { transform: none; } .xs .end { transform: translateX(-100%); }
path { vector-effect: non-scaling-stroke; }
.grid { stroke: var(--grid); stroke-width: 1; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.first { stroke: var(--first); } .line.second { stroke: var(--second); } .line.third { stroke: var(--third); stroke-width: 1.25; }
.line.dot { stroke-width: 6; }
.fill { fill: var(--first); opacity: 0.12; }
.slot { position: absolute; top: 0; bottom: 0; }
.slot:hover { border-left: 1px solid var(--faint); }
.tip { display: none; position: absolute; z-index: 1; top: 0.5rem; padding: 0.375rem 0.625rem; border: 1px solid var(--line); border-radius: 0.5rem; background: var(--card); box-shadow: 0 2px 10px rgb(0 0 0 / 18%); font-size: 0.8125rem; line-height: 1.4; white-space: nowrap; pointer-events: none; font-variant-numeric: tabular-nums; }
.tip span { display: block; } .slot:hover .tip { display: block; } .tip.after { left: 0.5rem; } .tip.before { right: calc(100% + 0.5rem); }
.note { padding: 0.625rem 0.375rem 0; color: var(--faint); font-size: 0.8125rem; line-height: 1.45; }
.columns { columns: 25rem 3; column-gap: 1rem; }
.columns .card { break-inside: avoid; margin-bottom: 1rem; }
table { width: 100%; border-collapse: collapse; font-size: 0.875rem; }
.rows th { width: 46%; padding: 0.3125rem 0.75rem 0.3125rem 0; color: var(--faint); font-weight: 400; text-align: left; vertical-align: top; }
.rows td { padding: 0.3125rem 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.rows tr + tr { border-top: 1px solid var(--grid); }
.columns h3 { margin-bottom: 0.375rem; }
.plain { list-style: none; font-size: 0.875rem; overflow-wrap: anywhere; }
.plain li { padding: 0.3125rem 0; } .plain li + li { border-top: 1px solid var(--grid); }
.wide { overflow-x: auto; }
.numbers { font-variant-numeric: tabular-nums; }
.numbers th, .numbers td { padding: 0.375rem 0 0.375rem 1rem; text-align: right; white-space: nowrap; font-weight: 400; }
.numbers thead { color: var(--faint); }
.numbers tr > :first-child { padding-left: 0; text-align: left; }
.numbers tbody tr { border-top: 1px solid var(--grid); }
details > summary { cursor: pointer; font-weight: 600; }
details[open] > summary { margin-bottom: 0.75rem; }
:focus-visible { outline: 3px solid var(--first); outline-offset: 2px; border-radius: 0.25rem; }
footer { margin-top: 2rem; color: var(--faint); font-size: 0.8125rem; }
@media (max-width: 40rem) {
  .tile .value { font-size: 1.375rem; }
  .frame { grid-template-columns: 3rem 1fr; }
  .spare { display: none; }
}
@media print { .slot, details { display: none; } body { padding: 0; } }
`);
