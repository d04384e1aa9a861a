"""The pictures of a report, drawn along with it, because the networks may change later."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from interpreg import plots
from interpreg._extras import optional_import
from interpreg.functional import bilinear
from interpreg.report.subject import Subject
from interpreg.report.truth import BASELINE, Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = 6  # pairs in the rows of interpolations
GRIDS = 7  # images along a side of the four-corner grids
POINTS = 2000  # codes in the scatter
DPI = 110


@dataclass(frozen=True)
class Picture:
    """A picture as PNG bytes, with a title and a sentence on how to read it."""

    key: str
    title: str
    caption: str
    png: bytes


def pictures(
    subject: Subject, curves: Curves | None, name: str, history: Any = None, prior: Any = None
) -> list[Picture]:
    """All pictures that the data allow."""
    return [_picture(*entry) for entry in _entries(subject, curves, name, history, prior)]


Entry = tuple[str, str, str, Callable[[], "Axes"]]


def _entries(subject: Subject, curves: Curves | None, name: str, history: Any, prior: Any) -> Iterator[Entry]:
    if subject.has_images:
        yield from _images(subject, name)
        if prior is not None:
            yield "prior", "Samples", "Decoded from draws of the prior.", lambda: _samples(subject, prior)
    yield "codes", "Codes", _codes_caption(subject), lambda: _codes(subject)
    if curves is not None:
        yield from _curves(curves)
    if history:
        caption = "Losses along the training, as they were logged, unweighted."
        yield "training", "Training", caption, lambda: plots.training_curves(history)


def _images(subject: Subject, name: str) -> Iterator[Entry]:
    first, last = subject.start[:ROWS], subject.end[:ROWS]
    rows = {BASELINE: subject.baseline_paths[:ROWS], name: subject.paths[:ROWS]}
    caption = (
        "Between held-out samples, which stand at both sides. Above, the samples themselves faded into each other; "
        "below, decoded from mixed codes. The images next to the samples are their reconstructions."
    )
    yield "rows", "Interpolations", caption, lambda: plots.interpolation_rows(rows, (first, last))
    count = min(64, len(subject.data))
    chosen = torch.stack([subject.data.images[: count // 2 * 2], subject.x_hat[: count // 2 * 2]], dim=1).flatten(
        0, 1
    )
    yield (
        "reconstructions", "Reconstructions", "Each sample and, to its right, its reconstruction.",
        lambda: plots.image_sheet(chosen[:64], 16),
    )  # fmt: skip
    if len(subject.data) >= 4:
        grid = _grid(subject)
        yield (
            "corners", "Between four samples",
            "Decoded from bilinear mixes of the four codes at the corners (AEAI, Figs 9 to 13).",
            lambda: plots.corner_grid({name: grid}),
        )  # fmt: skip


def _samples(subject: Subject, prior: Any) -> "Axes":
    generator = torch.Generator(subject.codes.device).manual_seed(subject.settings.seed)
    return plots.prior_samples(
        subject.on_device(subject.decoder),
        subject.codes.shape[1:],
        prior=prior,
        generator=generator,
        device=subject.codes.device,
    )


@torch.no_grad()
def _grid(subject: Subject) -> Tensor:
    corners = torch.cat([subject.pairs[0], subject.pairs[1]])[:4]
    codes = bilinear(subject.codes[corners], GRIDS, GRIDS)
    images = subject.on_device(subject.decoder)(codes.flatten(0, 1))
    return images.view(GRIDS, GRIDS, *images.shape[1:])


def _codes_caption(subject: Subject) -> str:
    values = "the label" if subject.data.labels is not None else "a parameter"
    what = f", coloured by {values}" if _values(subject)[0] is not None else ""
    behind = ", over what the plane of the picture decodes to" if subject.has_images else ""
    return f"Codes of held-out samples in the plane of their two largest principal components{what}{behind}."


def _values(subject: Subject) -> tuple[Tensor | None, float | None]:
    """What colours the codes: labels of more than one class, else the parameter that turns."""
    data = subject.data[:POINTS]
    if data.labels is not None and len(data.labels.unique()) > 1:
        return data.labels, None
    if data.parameters is not None:
        return data.parameters[:, -1], data.period[-1] if data.period else None
    return None, None


def _codes(subject: Subject) -> "Axes":
    values, period = _values(subject)
    decoder = subject.on_device(subject.decoder) if subject.has_images else None
    return plots.latent_scatter(subject.codes[:POINTS], values, decoder=decoder, period=period)


def _curves(curves: Curves) -> Iterator[Entry]:
    entries: Sequence[tuple[str, str, str, Callable[[Any], Axes], Mapping[str, Any]]] = (
        ("error_by_alpha", "Error by coefficient",
         "Against the real image in between, mean and standard deviation over the intervals (AEAI, Fig. 6).",
         plots.error_by_alpha, curves.by_alpha),
        ("error_by_interval", "Error by length of the interval", "The same, for shorter and longer ways.",
         plots.error_by_interval, curves.by_interval),
        ("retrieved_alpha", "Retrieved coefficient",
         "Where the nearest real image lies between the ends, median and quartiles (AEAI, Fig. 7).",
         plots.retrieved_alpha, curves.retrieved),
        ("parameter_distance", "Distance to both ends",
         "In the space of the parameters, of the nearest real image (AEAI, Fig. 8).",
         plots.parameter_distance, curves.distance),
    )  # fmt: skip
    for key, title, caption, draw, results in entries:
        yield key, title, caption, lambda draw=draw, results=results: draw(results)  # type: ignore[misc]  # defaults of a lambda


def _picture(key: str, title: str, caption: str, draw: Callable[[], "Axes"]) -> Picture:
    pyplot = optional_import("matplotlib.pyplot", "plot", "the report's pictures")
    with pyplot.ioff():
        figure = draw().get_figure(root=True)
        assert figure is not None
        buffer = io.BytesIO()
        try:
            figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
        finally:
            pyplot.close(figure)
    return Picture(key, title, caption, buffer.getvalue())
