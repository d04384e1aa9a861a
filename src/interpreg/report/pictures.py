"""The pictures of a report, drawn along with it, because the networks may change later."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from interpreg import plots
from interpreg._extras import optional_import
from interpreg.functional import bilinear
from interpreg.plots._canvas import save_png
from interpreg.report.groups import failure
from interpreg.report.subject import Subject
from interpreg.report.truth import BASELINE, Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAIRS_SHOWN = 6
RECONSTRUCTIONS_SHOWN = 32
CORNER_GRID_SIZE = 7  # images along a side
MAX_POINTS = 2000  # codes in the scatter
MAX_POINT_NUMBERS = 2**24  # their elements
DPI = 110


@dataclass(frozen=True)
class Picture:
    """A picture as PNG bytes, with its title and caption."""

    key: str
    title: str
    caption: str
    png: bytes


def pictures(
    subject: Subject, curves: Curves | None, name: str, history: Any = None, prior: Any = None
) -> tuple[list[Picture], list[str]]:
    """All pictures that the data allow, and the reasons for those that fail."""
    found: list[Picture] = []
    reasons: list[str] = []
    pyplot = optional_import("matplotlib.pyplot", "plot", "the report's pictures")
    with pyplot.ioff(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*expected pixels in")  # the report says it once
        for title, make in _makers(subject, curves, name, history, prior):
            try:
                found += make()
            except Exception as error:
                reasons.append(f"Pictures, {title}: {failure(error)}")
    return found, reasons


def _makers(
    subject: Subject, curves: Curves | None, name: str, history: Any, prior: Any
) -> Iterator[tuple[str, Callable[[], Iterable[Picture]]]]:
    """Titles, and functions that draw."""
    if subject.has_images:
        yield "interpolations", lambda: _rows(subject, name)
        yield "reconstructions", lambda: _reconstructions(subject)
        if len(subject.data) >= 4:
            yield "corners", lambda: _corners(subject, name)
        if prior is not None:
            yield "prior", lambda: _samples(subject, prior)
    yield "codes", lambda: [_codes(subject)]
    if curves is not None:
        yield "curves", lambda: _curves(curves)
    if history:
        caption = "Losses along the training, as they were logged, unweighted."
        yield "training", lambda: [_picture("training", "Training", caption, plots.training_curves(history))]


def _rows(subject: Subject, name: str) -> Iterator[Picture]:
    ends = subject.start[:PAIRS_SHOWN], subject.end[:PAIRS_SHOWN]
    rows = {BASELINE: subject.baseline_paths[:PAIRS_SHOWN], name: subject.paths[:PAIRS_SHOWN]}
    caption = (
        "Between held-out samples, which stand at both sides. Above, cross-fades of the samples; "
        "below, decoded from mixed codes. The images next to the samples are their reconstructions."
    )
    yield _picture("rows", "Interpolations", caption, plots.interpolation_rows(rows, ends))


def _reconstructions(subject: Subject) -> Iterator[Picture]:
    both = (images[:RECONSTRUCTIONS_SHOWN] for images in (subject.data.images, subject.x_hat))
    side_by_side = torch.stack(list(both), dim=1).flatten(0, 1)
    caption = "Each sample and, to its right, its reconstruction."
    yield _picture("reconstructions", "Reconstructions", caption, plots.image_sheet(side_by_side, 16))


def _corners(subject: Subject, name: str) -> Iterator[Picture]:
    grid = plots.corner_grid({name: _corner_grid(subject)})
    caption = "Decoded from bilinear mixes of the four codes at the corners (AEAI, Figs 9 to 13)."
    yield _picture("corners", "Between four samples", caption, grid)


def _samples(subject: Subject, prior: Any) -> Iterator[Picture]:
    codes, decoder = subject.codes, subject.on_device("decoder", subject.decoder)
    generator = torch.Generator(codes.device).manual_seed(subject.settings.seed)
    ax = plots.prior_samples(decoder, codes.shape[1:], prior=prior, generator=generator, device=codes.device)
    yield _picture("prior", "Samples", "Decoded from draws of the prior.", ax)


@torch.no_grad()
def _corner_grid(subject: Subject) -> Tensor:
    corners = torch.cat(subject.pairs)[:4]
    codes = bilinear(subject.codes[corners], CORNER_GRID_SIZE, CORNER_GRID_SIZE)
    images = subject.on_device("decoder", subject.decoder)(codes.flatten(0, 1))
    return images.view(CORNER_GRID_SIZE, CORNER_GRID_SIZE, *images.shape[1:])


def _codes(subject: Subject) -> Picture:
    """A scatter, coloured by labels of more than one class, else by the parameter that turns."""
    count = max(4, min(MAX_POINTS, MAX_POINT_NUMBERS // subject.codes[0].numel()))
    data, values, period, colour = subject.data[:count], None, None, ""
    if data.labels is not None and len(data.labels.unique()) > 1:
        values, colour = data.labels, ", coloured by the label"
    elif data.parameters is not None:
        values, period, colour = data.parameters[:, -1], data.period[-1], ", coloured by a parameter"
    decoder = subject.on_device("decoder", subject.decoder) if subject.has_images else None
    behind = ", over the decoded plane of the picture" if subject.has_images else ""
    caption = f"Codes of held-out samples in the plane of their two largest principal components{colour}{behind}."
    ax = plots.latent_scatter(subject.codes[:count], values, decoder=decoder, period=period)
    return _picture("codes", "Codes", caption, ax)


def _curves(curves: Curves) -> Iterator[Picture]:
    yield _picture(
        "error_by_alpha", "Error by coefficient",
        "Against the real image in between, mean and standard deviation over the intervals (AEAI, Fig. 6).",
        plots.error_by_alpha(curves.by_alpha),
    )  # fmt: skip
    yield _picture(
        "error_by_interval", "Error by length of the interval", "The same, for shorter and longer intervals.",
        plots.error_by_interval(curves.by_interval),
    )  # fmt: skip
    yield _picture(
        "retrieved_alpha", "Retrieved coefficient",
        "The position of the nearest real image between the ends, median and quartiles (AEAI, Fig. 7).",
        plots.retrieved_alpha(curves.retrieved),
    )  # fmt: skip
    yield _picture(
        "parameter_distance", "Distance to both ends",
        "In the space of the parameters, of the nearest real image (AEAI, Fig. 8).",
        plots.parameter_distance(curves.retrieved),
    )  # fmt: skip


def _picture(key: str, title: str, caption: str, ax: "Axes") -> Picture:
    png = BytesIO()
    save_png(ax, png, DPI)
    return Picture(key, title, caption, png.getvalue())
