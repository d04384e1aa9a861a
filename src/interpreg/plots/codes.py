"""Codes as points of a plane, in front of images decoded from that plane."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._types import Network
from interpreg.plots import _canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LATTICE_SIDE = 11  # decoded images along each side of the plane
LATTICE_OPACITY = 0.35  # their opacity, under the points
MAX_COLOURED_CLASSES = 10  # with a colour and a marker each
POINTS_AREA = 0.1  # of the axes' area, all points together
MARGIN = 0.08  # of the codes' range, around them


class _Plane(NamedTuple):
    """The plane that codes are drawn in: a point p is the code ``origin + p @ axes``."""

    points: Tensor  # [n, 2]
    origin: Tensor  # [d]
    axes: Tensor  # [2, d]
    labels: tuple[str, str]


def latent_scatter(
    codes: Tensor,
    values: Tensor | Sequence[float] | None = None,
    *,
    decoder: Network | None = None,
    period: float | None = None,
    names: Sequence[str] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw codes as points: as they are if they have two elements, else their first two principal components.

    With a decoder, images decoded from a lattice over the plane are drawn faintly behind the points, each centred at
    its code: the learned manifold, as in AEAI's figure 2 (arXiv 2008.01487).

    Args:
        codes: ``[n, ...]``, flattened for drawing. A code of one element lies on a line.
        values: one a code. Whole numbers (an integer tensor, ints) are classes: up to ten get a colour and a marker
            each and a legend, more a colour scale. Floats are drawn on a colour scale.
        decoder: codes in, images ``[m, C, H, W]`` out, C 1 or 3, in [-1, 1]; run in eval mode,
            without gradients, on 121 codes of the codes' shape, type and device.
        period: of the values, such as 360 for degrees; the colour scale is then periodic, too.
        names: of classes; class k is called ``names[k]``.
        ax: where to draw; a new figure when not given.

    Returns:
        The axes. Principal components are labelled with their share of the codes' variance. Codes that are all
        equal give one point and the title "all codes are equal".

    Raises:
        TypeError, ValueError: an argument of the wrong type or shape, codes or values that are not finite.
        ImportError: matplotlib is not installed.
    """
    _checks.check_tensor("codes", codes)
    if 0 in codes.shape:
        raise ValueError(f"codes: expected shape [n, ...], none of them 0, got {tuple(codes.shape)}")
    _canvas.check_finite("codes", codes)
    numbers = _checked_values(values, len(codes), period, names)
    if decoder is not None:
        _checks.check_network("decoder", decoder)
    plane = _plane(codes.detach().reshape(len(codes), -1).cpu().double())
    limits = _limits(plane.points)
    images = None if decoder is None else _decoded(decoder, plane, limits, codes)

    ax = _canvas.canvas(ax, "latent_scatter", 4.8, 4.0)
    if images is not None:
        _draw_lattice(ax, images, limits)
    if len(plane.points.unique(dim=0)) == 1:
        ax.set_title("all codes are equal", fontsize="medium")
    _scatter(ax, plane.points.numpy(), numbers, period, names)
    ax.set(xlim=limits[0], ylim=limits[1], xlabel=plane.labels[0], ylabel=plane.labels[1])
    if codes[0].numel() == 1:
        ax.set_yticks([])
    ax.spines[["top", "right"]].set_visible(images is not None)
    ax.spines["left"].set_visible(images is not None or codes[0].numel() > 1)
    return ax


def _checked_values(values: Any, n: int, period: float | None, names: Sequence[str] | None) -> Tensor | None:
    """The values as a vector, of whole numbers where they are classes."""
    if values is None:
        for name, other in (("period", period), ("names", names)):
            if other is not None:
                raise ValueError(f"{name}: expected None without values, got {_checks.describe(other)}")
        return None
    numbers = _canvas.as_tensor("values", values)
    if numbers.shape != (n,):
        raise ValueError(f"values: expected one for each of {n} codes, got shape {tuple(numbers.shape)}")
    _canvas.check_finite("values", numbers)
    if period is not None:
        _checks.as_positive("period", period)
    if numbers.is_floating_point() or period is not None:
        if names is not None:
            raise ValueError("names: expected None with values that are no classes, got names")
        return numbers.double()
    if names is not None and not (int(numbers.min()) >= 0 and int(numbers.max()) < len(names)):
        classes = f"{int(numbers.min())} to {int(numbers.max())}"
        raise ValueError(f"names: expected a name for every class, {classes}, got {len(names)}")
    return numbers.long()


def _plane(codes: Tensor) -> _Plane:
    """The codes' own plane, or that of their first two principal components."""
    d = codes.shape[1]
    if d <= 2:
        points = torch.nn.functional.pad(codes, (0, 2 - d))
        labels = ("code", "") if d == 1 else ("code, element 1", "code, element 2")
        return _Plane(points, codes.new_zeros(d), torch.eye(2, d, dtype=codes.dtype), labels)
    mean = codes.mean(dim=0)
    # a constant element is exactly 0, without the mean's rounding error
    centred = torch.where((codes == codes[0]).all(dim=0), 0.0, codes - mean)
    axes, shares = _components(centred)
    first, second = (f" ({100 * share:.0f} %)" if shares[0] else "" for share in shares.tolist())
    return _Plane(
        centred @ axes.T, mean, axes, (f"principal component 1{first}", f"principal component 2{second}")
    )


def _components(centred: Tensor) -> tuple[Tensor, Tensor]:
    """The directions ``[2, d]`` of the largest variance and its shares ``[2]``; zeros where there is none."""
    scaled = centred / centred.abs().max().clamp(min=1e-300)
    # of two matrices with the same eigenvalues the smaller one
    few = len(scaled) < scaled.shape[1]
    values, vectors = torch.linalg.eigh(scaled @ scaled.T if few else scaled.T @ scaled)
    top = vectors[:, -2:].flip(1)
    axes = torch.nn.functional.normalize(scaled.T @ top if few else top, dim=0).T
    shares = values[-2:].flip(0).clamp(min=0) / scaled.square().sum().clamp(min=1e-300)
    shares = torch.where(shares > 1e-14, shares, 0.0)
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    # the sign is arbitrary; this one is the same on every machine
    axes = axes * largest.sign() * shares.sign()[:, None]
    missing = 2 - len(axes)
    return torch.nn.functional.pad(axes, (0, 0, 0, missing)), torch.nn.functional.pad(shares, (0, missing))


def _limits(points: Tensor) -> list[tuple[float, float]]:
    """The range of the points and a margin, along each axis; at least 1 to both sides where all points are equal."""
    limits = []
    for low, high in zip(points.amin(dim=0).tolist(), points.amax(dim=0).tolist(), strict=True):
        around = MARGIN * (high - low) or max(1.0, abs(low) * 0.1)
        limits.append((low - around, high + around))
    return limits


def _decoded(decoder: Network, plane: _Plane, limits: list[tuple[float, float]], like: Tensor) -> Tensor:
    """Images decoded from the centres of the cells, ``[rows, columns, 3, H, W]``, the first row at the bottom."""
    middles = (torch.arange(LATTICE_SIDE, dtype=torch.float64) + 0.5) / LATTICE_SIDE
    x, y = (low + middles * (high - low) for low, high in limits)
    points = torch.stack([x.expand(LATTICE_SIDE, -1), y[:, None].expand(-1, LATTICE_SIDE)], dim=-1).flatten(0, 1)
    codes = (plane.origin + points @ plane.axes).to(like).view(-1, *like.shape[1:])
    images = _canvas.decoded(decoder, codes, len(points))
    return _canvas.as_rgb(images).reshape(LATTICE_SIDE, LATTICE_SIDE, 3, *images.shape[2:])


def _draw_lattice(ax: "Axes", images: Tensor, limits: list[tuple[float, float]]) -> None:
    height, width = images.shape[-2:]
    rimmed = torch.nn.functional.pad(images.flip(0), (1, 1, 1, 1), value=torch.nan)
    picture = _canvas.as_rgba(_canvas.sheet(rimmed, 0))
    extent = (*limits[0], *limits[1])
    ax.imshow(picture, extent=extent, alpha=LATTICE_OPACITY, aspect="auto", zorder=0)
    ax.set_box_aspect(height / width)  # so each cell has the proportions of an image


def _scatter(ax: "Axes", points: Any, values: Tensor | None, period: float | None, names: Any) -> None:
    x, y = points.T
    area = math.prod(_canvas.points_wide(ax))
    size = min(30.0, max(5.0, POINTS_AREA * area / len(points)))
    point: dict[str, Any] = {"edgecolors": "white", "linewidths": 0.08 * math.sqrt(size)}
    classes = [] if values is None or values.is_floating_point() else values.unique().tolist()
    if values is None:
        ax.scatter(x, y, s=size, color=_canvas.PALETTE[0], **point)
    elif classes and len(classes) <= MAX_COLOURED_CLASSES:
        for k, colour, marker in zip(classes, _canvas.PALETTE, _canvas.MARKERS, strict=False):
            members = (values == k).numpy()
            label = names[k] if names is not None else str(k)
            # of one size, discs and squares cover more area than the others
            area_ratio = 1.0 if marker in "os" else 1.5
            if colour == _canvas.PALETTE[-1]:  # yellow
                point["edgecolors"] = "0.4"
            ax.scatter(
                x[members], y[members], s=area_ratio * size, color=colour, marker=marker, **point, label=label
            )
        _canvas.legend(ax, "upper right", handlelength=1.0, markerscale=math.sqrt(30 / size))
    elif period is None:
        _colour_bar(ax, ax.scatter(x, y, s=size, c=values.numpy(), cmap="viridis", **point))
    else:
        phases = (values % period).numpy()
        point["edgecolors"] = "0.3"  # not white, which is in the colour scale
        dots = ax.scatter(x, y, s=size, c=phases, cmap="twilight_shifted", vmin=0, vmax=period, **point)
        _colour_bar(ax, dots, [period * i / 4 for i in range(5)])


def _colour_bar(ax: "Axes", dots: Any, ticks: Sequence[float] | None = None) -> None:
    """A colour bar as high as the axes, beside them, or where the figure has no layout engine, at their expense."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    if figure.get_layout_engine() is None:
        bar = figure.colorbar(dots, ax=ax, ticks=ticks)
    else:
        bar = figure.colorbar(dots, cax=ax.inset_axes((1.04, 0, 0.05, 1)), ticks=ticks)
    bar.outline.set_visible(False)
