// Contains the style sheet.
#include "figures/style.h"

namespace stagedtrain::report {

std::string_view style_sheet() {
  return R"css(
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1c2126; --muted: #5b6570; --grid: #e4e7eb; --card: #f5f7f9; --shade: #00000026;
  --good: #1a7f37; --scratch: #6a7480; --scratch-soft: #d3d8de;
  --staged-0: #0b63ce; --staged-1: #b3530a; --staged-2: #7b3fb5; --staged-3: #0d7a80;
  --staged-soft-0: #b4d0f3; --staged-soft-1: #ecc7a3; --staged-soft-2: #d9c3ee; --staged-soft-3: #abdadc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181c; --ink: #e6eaee; --muted: #9aa5b1; --grid: #2b333b; --card: #1d2329; --shade: #00000090;
    --good: #4cc36a; --scratch: #a3adb8; --scratch-soft: #444e58;
    --staged-0: #5aa5ff; --staged-1: #f0994d; --staged-2: #c08df2; --staged-3: #45c4cb;
    --staged-soft-0: #274a75; --staged-soft-1: #6b4421; --staged-soft-2: #543a70; --staged-soft-3: #1d575b;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.05rem; font-weight: 600; color: var(--muted); margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .25rem; }
p { margin: .4rem 0; max-width: 75ch; }
.verdict { font-size: 1.3rem; line-height: 1.4; font-weight: 600; }
.about { color: var(--muted); font-size: .92rem; }
.cards { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0; padding: 0; list-style: none; }
.cards li { flex: 1 1 13rem; background: var(--card); border-radius: .5rem; padding: .75rem 1rem; }
.cards b { display: block; white-space: nowrap; font-size: 1.7rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.cards span { display: block; font-size: .85rem; color: var(--muted); }
.cards .good b { color: var(--good); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; margin: .5rem 0; padding: 0;
  list-style: none; font-size: .88rem; color: var(--muted); }
.legend svg { width: 26px; height: 12px; vertical-align: -1px; margin-right: .35rem; }
figure { margin: 1rem 0 0; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { font-weight: 600; font-size: .95rem; }
.downloads { font-size: .8rem; color: var(--muted); margin: 0; max-width: none; text-align: right; }
a { color: var(--staged-0); }
.pair { display: grid; grid-template-columns: 1fr; gap: 0 1.5rem; }
.wide { display: none; }
@media (min-width: 720px) {
  .pair { grid-template-columns: 1fr 1fr; }
  .wide { display: block; }
  .narrow { display: none; }
}
.table { margin: 1.75rem 0 .25rem; }
.hint { display: none; font-size: .8rem; color: var(--muted); margin: 0; }
/* Shadows at the edges where more of a wide table lies: the two covers scroll with the table, the two
   shadows stay. */
.scroll { overflow-x: auto; padding-bottom: .35rem;
  background: linear-gradient(90deg, var(--paper) 35%, transparent) left / 3rem 100% no-repeat local,
    linear-gradient(270deg, var(--paper) 35%, transparent) right / 3rem 100% no-repeat local,
    linear-gradient(90deg, var(--shade), transparent) left / 1rem 100% no-repeat scroll,
    linear-gradient(270deg, var(--shade), transparent) right / 1rem 100% no-repeat scroll; }
.scroll:focus-visible { outline: 2px solid var(--staged-0); }
caption { text-align: left; font-weight: 600; font-size: 1.05rem; padding-bottom: .3rem; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .7rem; text-align: left; vertical-align: baseline; white-space: nowrap; }
th:first-child { padding-left: 0; }
td:last-child, thead th:last-child { padding-right: 0; }
thead th { color: var(--muted); font-weight: 500; vertical-align: bottom; white-space: normal;
  border-bottom: 1.5px solid var(--muted); }
td.prose { white-space: normal; min-width: 12rem; }
tbody th { font-weight: 500; }
td:last-child:not(.number) { white-space: normal; min-width: 7.5rem; }
tbody th, tbody td { border-bottom: 1px solid var(--grid); }
.number { text-align: right; }
.setup th, .setup td { white-space: normal; min-width: 0; }
.setup th { width: 9.5rem; color: var(--muted); }
.setup td { overflow-wrap: break-word; word-break: normal; }
@media (max-width: 719px) {
  .wide-table .hint { display: block; }
  .setup th { width: 6.5rem; padding-right: .4rem; }
  .setup td { padding-left: .2rem; }
}
.fine li { margin: .3rem 0; max-width: 85ch; }
.fine, footer { font-size: .88rem; color: var(--muted); }
.fine { padding-left: 1.2rem; }
footer { margin-top: 2.5rem; }
@media print { .scroll { overflow: visible; } figure, .scroll { break-inside: avoid; } }
)css";
}

std::string light_value(Colour colour) {
  const std::string_view css = style_sheet();  // the light values come first
  const std::string key = variable(colour) + ": ";
  return std::string(css.substr(css.find(key) + key.size(), 7));
}

}  // namespace stagedtrain::report
