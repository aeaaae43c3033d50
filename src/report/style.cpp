// The report's only style sheet. Colours: text at least 4.5:1 on its background, the outlines of
// bars and lines at least 3:1, in light and dark; nothing is told by colour alone.
#include "report/parts.hpp"

namespace hitless::report {

const char* const kStyle = R"css(
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--edge:#d0d7de;--soft:#f6f8fa;
--good:#116329;--bad:#a40e26;--warn:#7d4e00;--p50:#0550ae;--p95:#8250df;--loss:#a40e26;
--add:#dafbe1;--del:#ffebe9;
--pre-f:#eaeef2;--pre-s:#6e7781;--dra-f:#fff1c2;--dra-s:#9a6700;--act-f:#dbe9ff;--act-s:#0969da;
--ver-f:#ece1ff;--ver-s:#8250df;--rej-f:#d3f4f1;--rej-s:#0f766e;--soa-f:#dcf5e0;--soa-s:#1a7f37;
--rol-f:#ffe0d6;--rol-s:#bc4c00}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9198a1;--edge:#3d444d;
--soft:#161b22;--good:#3fb950;--bad:#ff7b72;--warn:#d29922;--p50:#58a6ff;--p95:#bc8cff;
--loss:#ff7b72;--add:#12361f;--del:#4b1113;
--pre-f:#30363d;--pre-s:#8b949e;--dra-f:#3d2e00;--dra-s:#d29922;--act-f:#0c2d6b;--act-s:#58a6ff;
--ver-f:#3c1e70;--ver-s:#bc8cff;--rej-f:#0b3b38;--rej-s:#2dd4bf;--soa-f:#0f3d1e;--soa-s:#3fb950;
--rol-f:#5a1e02;--rol-s:#f0883e}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:66rem;padding:1.5rem 1rem 4rem;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem}
h2{font-size:1.15rem;margin:2.2rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--edge)}
h3{font-size:1rem;margin:1.2rem 0 .4rem}
a{color:var(--p50)}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;margin:.8rem 0 0;padding:0}
.badge{display:inline-block;border:2px solid;border-radius:.4rem;padding:.1rem .6rem;
font-weight:600;margin-right:.5rem}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.dim{color:var(--dim)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.8rem 0}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;margin:.5rem 0;font-size:.87rem}
caption{text-align:left;color:var(--dim);padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;
border-bottom:1px solid var(--edge);overflow-wrap:anywhere}
th{color:var(--dim);font-weight:600;white-space:nowrap}
td{font-variant-numeric:tabular-nums}
td:first-child{overflow-wrap:break-word}
td.at,td .at{white-space:nowrap}
figure{margin:1rem 0;break-inside:avoid}
figcaption{font-weight:600;margin-bottom:.3rem}
.wide{overflow-x:auto}
svg{display:block;width:100%;min-width:40rem;height:auto;background:var(--soft);
border:1px solid var(--edge);border-radius:.4rem}
details{margin:.4rem 0}summary{cursor:pointer;color:var(--dim)}
pre{background:var(--soft);border:1px solid var(--edge);border-radius:.4rem;padding:.6rem;
overflow-x:auto;font:13px/1.45 ui-monospace,monospace;margin:.5rem 0}
pre .add{background:var(--add);display:block}pre .del{background:var(--del);display:block}
pre .ctx{display:block}
text{font:12px system-ui,sans-serif;fill:var(--fg)}
text.tick{fill:var(--dim);text-anchor:middle;font-size:11px}
text.row{text-anchor:end}text.axis{fill:var(--dim);text-anchor:end;font-size:11px}
text.in{font-size:11px;pointer-events:none}text.note{fill:var(--dim);font-size:11px}
text.end{text-anchor:end}
.grid{stroke:var(--edge);stroke-width:1}
.bar{stroke-width:1.5}
.pre{fill:var(--pre-f);stroke:var(--pre-s)}.dra{fill:var(--dra-f);stroke:var(--dra-s)}
.act{fill:var(--act-f);stroke:var(--act-s)}.ver{fill:var(--ver-f);stroke:var(--ver-s)}
.rej{fill:var(--rej-f);stroke:var(--rej-s)}.soa{fill:var(--soa-f);stroke:var(--soa-s)}
.rol{fill:var(--rol-f);stroke:var(--rol-s)}
.mark{fill:var(--loss);stroke:var(--bg);stroke-width:1}
.p50{fill:none;stroke:var(--p50);stroke-width:2}
.p95{fill:none;stroke:var(--p95);stroke-width:2;stroke-dasharray:5 3}
.curve{fill:none;stroke:var(--p50);stroke-width:2}
.dot{fill:var(--p50)}
.deadline{stroke:var(--loss);stroke-width:2;stroke-dasharray:6 4}
.edge{stroke:var(--dim);stroke-width:1.5;stroke-dasharray:2 3}
.lossbar{fill:var(--loss)}
@media print{body{max-width:none;padding:0;font-size:10pt}nav,figure summary{display:none}
svg{min-width:0;max-height:24cm}
h2{break-after:avoid}tr{break-inside:avoid}
@page{margin:15mm}}
)css";

}  // namespace hitless::report
