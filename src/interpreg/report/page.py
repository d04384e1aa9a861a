"""A report as one HTML page with styles and pictures inside, without scripts or external resources."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby

from interpreg.report.metric import Metric, number
from interpreg.report.pictures import Picture

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5f6368; --line: #dadce0; --paper: #ffffff; --tint: #f4f6f8;
  --warn: #8a4b00; --warn-tint: #fff3e0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a5abb3; --line: #3c4043; --paper: #17191c;
  --tint: #202327; --warn: #ffb95c; --warn-tint: #3a2a12; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 2rem 1.25rem 4rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
p { margin: .25rem 0 .75rem; }
.soft, figcaption, td.note { color: var(--soft); font-size: .9rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: baseline; }
table.metrics { table-layout: fixed; min-width: 46rem; }
table.metrics th:nth-child(1) { width: 17rem; }
table.metrics th:nth-child(2), table.metrics th:nth-child(4) { width: 7.5rem; }
table.metrics th:nth-child(3) { width: 4rem; }
thead th { font-size: .8rem; color: var(--soft); font-weight: 600; }
tbody th { font-weight: 500; }
td.number, th.number { text-align: right; white-space: nowrap; }
.undefined { color: var(--warn); background: var(--warn-tint); border-radius: .25rem; padding: .05rem .35rem; }
.warning { border-left: .25rem solid var(--warn); background: var(--warn-tint); padding: .6rem .9rem; margin: 1rem 0; }
.scroll { overflow-x: auto; }
figure { margin: 1.5rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line);
  border-radius: .25rem; padding: .5rem; }
figcaption { margin-top: .4rem; max-width: 46rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; font-size: .9rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; }
"""


def page(
    title: str,
    metrics: Sequence[Metric],
    pictures: Iterable[Picture],
    about: Mapping[str, str],
    warnings: Sequence[str] = (),
) -> str:
    """The whole page."""
    entries = list(pictures)
    rows, others = [p for p in entries if p.key == "rows"], [p for p in entries if p.key != "rows"]
    body = [
        f"<h1>{escape(title)}</h1>",
        '<p class="soft">How this autoencoder interpolates, by interpreg.</p>',
        *(f'<p class="warning">{escape(warning)}</p>' for warning in warnings),
        *map(_figure, rows),
        *(_table(group, list(lines)) for group, lines in groupby(metrics, key=lambda m: m.group)),
        *map(_figure, others),
        "<h2>How it was measured</h2>",
        "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in about.items()) + "</dl>",
    ]
    return "\n".join([
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<link rel="icon" href="data:,">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        *body,
        "</body>",
        "</html>",
        "",
    ])  # fmt: skip


def _table(group: str, metrics: list[Metric]) -> str:
    heads = '<th>metric</th><th class="number">value</th><th class="number">best</th>'
    heads += '<th class="number">cross-fade</th><th>definition</th>'
    rows = "\n".join(_row(metric) for metric in metrics)
    return (
        f'<h2>{escape(group)}</h2>\n<div class="scroll"><table class="metrics">\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


def _row(metric: Metric) -> str:
    value = escape(metric.shown())
    note = escape(metric.note)
    if metric.value is None:
        value = f'<span class="undefined">{value}</span>'
        note = f"<strong>{escape(metric.undefined)}</strong>. {note}"
    baseline = "" if metric.baseline is None else number(metric.baseline)
    return (
        f'<tr><th scope="row">{escape(metric.name)}</th><td class="number">{value}</td>'
        f'<td class="number">{escape(metric.best)}</td><td class="number">{baseline}</td>'
        f'<td class="note">{note}</td></tr>'
    )


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode("ascii")
    return (
        f'<figure id="{escape(picture.key)}">\n<h2>{escape(picture.title)}</h2>\n'
        f'<img alt="{escape(picture.title)}" src="data:image/png;base64,{data}">\n'
        f"<figcaption>{escape(picture.caption)}</figcaption>\n</figure>"
    )
