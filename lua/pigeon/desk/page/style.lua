--- The style of a page: light and dark, narrow and wide, on paper.
return [[
:root {
  color-scheme: light;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1b1f24; --quiet: #57606a; --line: #d5dae0; --link: #0b5cad;
  --old: #7d8896; --new: #1f6feb; --escape: #8a3b00; --escape-paper: #fff1e0;
  --accept: #12683a; --accept-paper: #dcf5e5; --defer: #7a4d00; --defer-paper: #fdf0cf;
  --ignore: #49525c; --ignore-paper: #e9edf1; --fail: #a1171f; --fail-paper: #fde4e4;
  --added: #e6f7ec; --added-mark: #9fe3b8; --removed: #fdecec; --removed-mark: #f6b5b5;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark;
    --paper: #0f1319; --panel: #171c24; --ink: #e4e9ef; --quiet: #9aa6b3; --line: #2d3540; --link: #7ab7ff;
    --old: #6f7c8b; --new: #4c9bff; --escape: #ffb577; --escape-paper: #3a2512;
    --accept: #7fe0a5; --accept-paper: #12351f; --defer: #f3cb6b; --defer-paper: #3b2e0d;
    --ignore: #b6c0cb; --ignore-paper: #28303a; --fail: #ff9d9d; --fail-paper: #43191c;
    --added: #0f2a1a; --added-mark: #1e5c37; --removed: #331619; --removed-mark: #712a30;
  }
}
* { box-sizing: border-box; }
html { background: var(--paper); color: var(--ink); -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1.25rem 3rem;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; text-wrap: balance; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.5rem 0 .5rem; }
p { margin: .5rem 0; }
.command { margin: 0 0 .25rem; color: var(--quiet); font-size: .875rem; }
.quiet, small { color: var(--quiet); }
small { font-size: .8125rem; }
bdi, code, .lines td { overflow-wrap: anywhere; }
code, .script, .lines td, .fields td, .keys li, .hash { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas,
  "DejaVu Sans Mono", monospace; font-size: .8125rem; }
.escape { color: var(--escape); background: var(--escape-paper); border-radius: .2em; padding: 0 .15em; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.notes { margin: 1rem 0; padding: .6rem 1rem .6rem 2rem; background: var(--defer-paper); color: var(--defer);
  border-radius: .4rem; }
.notes.bad { background: var(--fail-paper); color: var(--fail); }

table { width: 100%; border-collapse: collapse; margin: 1rem 0 1.5rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .35rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .5rem; border-top: 1px solid var(--line);
  font-weight: 400; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--quiet); font-size: .8125rem; border-top: 0; vertical-align: bottom; }
.counts { table-layout: fixed; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap;
  width: calc(var(--digits) * .66rem + 1rem); }
.signed { width: calc((var(--digits) + 1.5) * .66rem + 1rem); }
.number small { display: block; }
.changed { font-weight: 600; }

.verdict { display: inline-block; padding: 0 .45em; border-radius: .3em; font-size: .875rem; font-weight: 600; }
.accept { color: var(--accept); background: var(--accept-paper); }
.defer { color: var(--defer); background: var(--defer-paper); }
.ignore { color: var(--ignore); background: var(--ignore-paper); }
.fail { color: var(--fail); background: var(--fail-paper); }

.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .5rem 0; padding: 0; list-style: none; }
.swatch { display: inline-block; width: 1.5rem; height: .55rem; margin-right: .5rem; border-radius: 2px; }
.bars { display: block; margin-top: .3rem; }
.bar { display: block; height: .5rem; margin-top: 2px; border-radius: 2px; min-width: 2px; }
.bar.none { width: 0; min-width: 0; }
.bar, .swatch { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.old { background: var(--old); }
.new { background: var(--new); }

details { border-top: 1px solid var(--line); }
details:last-of-type { border-bottom: 1px solid var(--line); }
summary { padding: .5rem 0; cursor: pointer; }
summary::marker { color: var(--quiet); }
summary:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.kind summary .amount { font-weight: 600; font-variant-numeric: tabular-nums; }
.kind .side { display: inline; }
.arrow { color: var(--quiet); padding: 0 .35em; }
.inside { padding: 0 0 1rem 1.1rem; }
.inside table { margin: .25rem 0 .5rem; }
.keys { margin: .25rem 0; padding-left: 1.25rem; }
.keys li { padding: .15rem 0; }
.fields th { width: 8rem; color: var(--quiet); font-size: .875rem; }
.fields th, .fields td { padding-top: .2rem; padding-bottom: .2rem; }
.more { margin-bottom: 1.5rem; }

.lines { table-layout: fixed; border: 1px solid var(--line); margin-top: .5rem; }
.lines caption { padding-bottom: .5rem; }
.lines th, .lines td { border: 0; padding: 0 .5rem; line-height: 1.55; }
.lines thead th { padding: .3rem .5rem; border-bottom: 1px solid var(--line); }
.lines .at { width: 3.5rem; text-align: right; color: var(--quiet); font-variant-numeric: tabular-nums; }
.lines .sign { width: 1.75rem; text-align: center; padding: 0; }
.lines .line { white-space: pre-wrap; tab-size: 4; }
.lines tr.added { background: var(--added); }
.lines tr.removed { background: var(--removed); }
.lines tr { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.lines mark { color: inherit; border-radius: 2px; }
.lines .added mark { background: var(--added-mark); }
.lines .removed mark { background: var(--removed-mark); }
.lines ins, .lines del { text-decoration: none; }
.lines .skip td { background: var(--panel); color: var(--quiet); padding: .2rem .5rem; text-align: center;
  font-family: inherit; }
footer { margin-top: 2.5rem; padding-top: .75rem; border-top: 1px solid var(--line); color: var(--quiet);
  font-size: .875rem; }

@media (max-width: 36rem) {
  body { padding: 1rem .9rem 2rem; }
  h1 { font-size: 1.35rem; }
  th, td { padding: .4rem .25rem; }
  .number, thead .number { font-size: .75rem; width: calc(var(--digits) * .5rem + .5rem); }
  .signed, thead .signed { width: calc((var(--digits) + 1.5) * .5rem + .25rem); }
  .number small { font-size: .6875rem; }
  .lines th, .lines td { padding: 0 .3rem; }
  .lines .at { width: 2.4rem; font-size: .6875rem; }
  .lines .sign { width: 1.1rem; }
  .fields th { width: 5.5rem; }
  .inside { padding-left: .5rem; }
}
@media print {
  @page { margin: 1.5cm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  details:not([open])::details-content { content-visibility: visible; display: block; height: auto; }
  summary { list-style: none; }
  h2, caption, summary { break-after: avoid; }
  tr, .keys li, .fields { break-inside: avoid; }
}
@media (forced-colors: active) {
  .bar, .swatch { border: 1px solid CanvasText; forced-color-adjust: none; }
  .verdict, .escape { border: 1px solid CanvasText; }
}
]]
