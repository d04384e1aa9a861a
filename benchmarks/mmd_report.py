"""From raw rows to a table and a picture: ``python benchmarks/mmd_report.py``. Nothing is measured here."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from ledger import ROOT, Key, Row, key_of, read, row_of
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from mmd_grid import LONG, MAIN
from mmd_peers import PEERS

NONE = "-"
OURS, CLOSED, REFERENCE = "interpreg", "interpreg closed form", "interpreg reference"
BLUE, SKY, ORANGE, RED, GREEN, PURPLE = (  # Okabe and Ito's, for colour-blind readers
    "#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#009E73", "#CC79A7",
)  # fmt: skip
LOOKS = {
    OURS: {"color": BLUE, "marker": "o", "linewidth": 2.5},
    CLOSED: {"color": SKY, "marker": "s", "linewidth": 2.5},
    "torch.compile ladder": {"color": RED, "marker": "^"},
    "torch.compile": {"color": RED, "marker": "v", "linestyle": ":"},
    "torch ladder": {"color": ORANGE, "marker": "^"},
    "torch": {"color": ORANGE, "marker": "v", "linestyle": ":"},
    "geomloss": {"color": PURPLE, "marker": "D"},
    "geomloss KeOps": {"color": GREEN, "marker": "P"},
    "roofline": {"color": "black", "linestyle": "--"},
}
Rows = dict[Key, Row]


def fastest_peer(rows: Rows, key: Key) -> tuple[str, float] | None:
    """Its name and seconds, if one ran."""
    times = {name: value for name in PEERS if (value := number(rows, key, contestant=name)) is not None}
    return min(times.items(), key=lambda item: item[1]) if times else None


def number(rows: Rows, key: Key, **other: object) -> float | None:
    row = rows.get(key._replace(**other))
    return None if row is None else row.value


def ratio(theirs: float | None, ours: float | None) -> str:
    """Their time over ours; bold where we are slower."""
    if theirs is None or ours is None:
        return NONE
    shown = f"{theirs / ours:.3g}"
    return f"**{shown}**" if theirs < ours else shown


def main_table(rows: Rows, threads: int) -> Iterator[str]:
    """d and bandwidths of the main grid, a training step, against the fastest peer at every n."""
    yield "| n | fastest peer | ms | interpreg, ms | times faster | closed form, ms | times faster "
    yield "| extra MB: peer | interpreg | closed form |\n|--:|:--|--:|--:|--:|--:|--:|--:|--:|--:|\n"
    memory_threads = max((key.threads for key in rows if key.mode == "memory"), default=threads)
    for key in _keys(rows, "train", *MAIN, threads):
        name, theirs = fastest_peer(rows, key) or ("none ran", None)
        mine, closed = number(rows, key), number(rows, key, contestant=CLOSED)
        held = key._replace(mode="memory", threads=memory_threads)
        memory = [number(rows, held, contestant=each) for each in (name, OURS, CLOSED)]
        columns = [
            str(key.n), name, _shown(theirs, 1e3), _shown(mine, 1e3), ratio(theirs, mine), _shown(closed, 1e3),
            ratio(theirs, closed), *(_shown(each, 1e-6) for each in memory),
        ]  # fmt: skip
        yield f"| {' | '.join(columns)} |\n"


def other_table(rows: Rows) -> Iterator[str]:
    """All other cells, with two ratios each."""
    places = {(k.d, k.bandwidths, k.mode, k.threads) for k in rows if k.contestant == OURS and k.mode != "memory"}
    others = sorted(place for place in places if place[:3] != (*MAIN, "train"))
    sizes = sorted({key.n for key in rows if (key.d, key.bandwidths, key.mode, key.threads) in others})
    yield f"| d | bandwidths | mode | threads | {' | '.join(f'n = {n}' for n in sizes)} |\n"
    yield "|--:|:--|:--|--:|" + "--:|" * len(sizes) + "\n"
    for d, bandwidths, mode, threads in others:
        cells = []
        for n in sizes:
            key = Key(OURS, threads, n, d, bandwidths, mode)
            peer, mine = fastest_peer(rows, key), number(rows, key)
            reference = number(rows, key, contestant=REFERENCE)
            cells.append(f"{ratio(peer and peer[1], mine)} / {ratio(reference, mine)}")
        shown = " | ".join("" if cell == f"{NONE} / {NONE}" else cell for cell in cells)
        yield f"| {d} | {bandwidths} | {mode} | {threads} | {shown} |\n"


def losses(rows: Rows) -> str:
    """Where a peer is faster, in a sentence."""
    keys = [key for key in rows if key.contestant == OURS and key.mode != "memory" and number(rows, key)]
    met = [(key, peer) for key in keys if (peer := fastest_peer(rows, key))]
    lost = [
        f"{peer[0]} at n = {key.n}, d = {key.d}, {key.bandwidths}, {key.mode}, {key.threads} threads"
        for key, peer in met
        if peer[1] < (number(rows, key) or 0.0)
    ]
    where = f": {'; '.join(lost)}" if lost else ""
    return f"In {len(lost)} of {len(met)} cells a peer is faster than interpreg{where}.\n"


def absences(rows: Rows) -> Iterator[str]:
    """Which peers did not run in a training step of the main grid, and why."""
    for key, row in sorted(rows.items()):
        if row.note.startswith("skipped") and key.mode == "train" and (key.d, key.bandwidths) == MAIN:
            yield f"- {key.contestant}, n = {key.n}, {key.threads} threads: {row.note.removeprefix('skipped: ')}\n"


def markdown(rows: Rows, facts: dict[str, str]) -> str:
    """The whole page."""
    d, bandwidths = MAIN
    parts = [
        f"Measured on {facts['device']}, torch {facts['torch']}, commit `{facts['commit']}`, {facts['date']} UTC; "
        "medians, fp32. Times faster: the fastest peer's time over ours, **bold where we lose**. A training step "
        f"is the value and its gradient in x; beyond n = {LONG} it is one call in a process of its own.\n\n"
    ]
    for threads in sorted({key.threads for key in _keys(rows, "train", d, bandwidths)}):
        parts += [f"A training step, d = {d}, {bandwidths} bandwidths, threads: {threads}\n\n"]
        parts += [*main_table(rows, threads), "\n"]
    parts += ["Elsewhere: times faster than the fastest peer / than our dense reference\n\n", *other_table(rows)]
    parts += ["\n", losses(rows)]
    if absent := list(absences(rows)):
        parts += ["\nNot run, in a training step of the first table:\n\n", *absent]
    return "".join(parts)


def picture(rows: Rows, facts: dict[str, str]) -> Figure:
    """Time and memory of a training step against n, on as many threads as were measured."""
    d, bandwidths = MAIN
    figure = Figure(figsize=(9, 4.9), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, mode, unit in zip(panels, ("train", "memory"), ("s", "B"), strict=True):
        threads = max((key.threads for key in rows if key.mode == mode), default=1)
        for name, look in LOOKS.items():
            keys = _keys(rows, mode, d, bandwidths, threads, name)
            points = [(key.n, value) for key in keys if (value := number(rows, key))]
            if points:
                axes.plot(*zip(*points, strict=True), label=name, **({"markersize": 5, "linewidth": 1.5} | look))
        axes.set(xscale="log", yscale="log", xlabel="n codes and n samples of the prior")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.yaxis.set_major_formatter(EngFormatter(unit))
        axes.grid(which="major", color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
        what = {"train": "Time of a training step", "memory": "Extra peak memory"}[mode]
        axes.set_title(f"{what}, {threads} thread{'s' * (threads > 1)}", loc="left", fontsize=10.5)
    figure.suptitle(f"MMD², d = {d}, {bandwidths} bandwidths, {facts['device']}, fp32", fontsize=10, color="0.3")
    handles, labels = panels[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def _keys(
    rows: Rows, mode: str, d: int, bandwidths: str, threads: int | None = None, contestant: str = OURS
) -> list[Key]:
    """Of one contestant, by n."""
    return sorted(
        key
        for key in rows
        if key[:1] + key[3:] == (contestant, d, bandwidths, mode) and threads in (None, key.threads)
    )


def _shown(value: float | None, scale: float) -> str:
    return NONE if value is None else f"{value * scale:.3g}" if value * scale < 1000 else f"{value * scale:.0f}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--csv", type=Path, default=ROOT / "benchmarks" / "results" / "mmd-cpu.csv")
    parser.add_argument("--table", type=Path, default=ROOT / "docs" / "_generated" / "mmd-table.md")
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "_static" / "mmd-speed.png")
    args = parser.parse_args(argv)
    raw = read(args.csv)
    if not raw:
        parser.error(f"no rows in {args.csv.name}; benchmarks/mmd_grid.py measures them")
    facts = raw[-1]  # the last run's; rows of other machines and commits do not mix with it
    rows = {key_of(r): row_of(r) for r in raw if (r["device"], r["commit"]) == (facts["device"], facts["commit"])}
    args.table.parent.mkdir(parents=True, exist_ok=True)
    args.table.write_text(markdown(rows, facts))
    args.plot.parent.mkdir(parents=True, exist_ok=True)
    picture(rows, facts).savefig(args.plot, dpi=200)


if __name__ == "__main__":
    main()
