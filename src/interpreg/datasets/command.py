"""``python -m interpreg data``: the content of a data set, in numbers and in a picture."""

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from interpreg._extras import optional_import
from interpreg._files import as_path, atomic_write
from interpreg.datasets.named import GENERATED, NAMES, named
from interpreg.datasets.readers import ABOUT, READERS
from interpreg.datasets.samples import Samples
from interpreg.plots import image_sheet
from interpreg.plots._canvas import save_png


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("name", choices=NAMES, help="of the data set: %(choices)s", metavar="NAME")
    parser.add_argument(
        "--path", type=Path, help="where its official files are: a folder, an archive or an .npz file"
    )
    parser.add_argument("--split", help="train, test, ... (the data set's first)")
    parser.add_argument(
        "--no-checksum", action="store_true", help="read files that differ from the official ones, too"
    )
    parser.add_argument("--n", type=count, default=64, help="images to draw (%(default)s)")
    parser.add_argument("--out", type=Path, help="picture to write (data-NAME.png)")
    parser.add_argument("--seed", type=int, default=0, help="of the random images (%(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Read or generate the images, describe them, and draw some of them.

    Raises:
        ImportError: an optional dependency is missing.
        OSError: a file is missing or cannot be written.
        ValueError: a file is malformed, or an option does not apply.
    """
    optional_import("matplotlib", "plot", "drawing images")
    generator = torch.Generator().manual_seed(arguments.seed)
    options: dict[str, Any] = {"checksum": False} if arguments.no_checksum and arguments.name in READERS else {}
    if arguments.name in GENERATED:
        options = {"n": arguments.n, "generator": generator}
    images = named(arguments.name, arguments.path, arguments.split, **options)
    print(description(images))
    if len(images) == 0:
        return
    if arguments.name not in GENERATED:
        images = images[torch.randperm(len(images), generator=generator)[: arguments.n]]
    out = as_path("--out", arguments.out or f"data-{arguments.name}.png")
    with atomic_write(out) as partial:
        save_png(image_sheet(images.images), partial)
    print(f"Picture: {out}, {len(images)} images")


def description(images: Samples) -> str:
    """Count, shape, range, labels and parameters, a line each.

    >>> print(description(Samples(torch.zeros(3, 1, 2, 2), labels=torch.tensor([0, 7, 7]), name="dots")))
    dots: 3 images of 1 x 2 x 2 pixels (channels, height, width), torch.float32
    values: 0 to 0
    labels: 2, with numbers of images: 0: 1, 7: 2
    """
    channels, height, width = images.images.shape[1:]
    text = [
        f"{images.name}: {len(images)} images of {channels} x {height} x {width} pixels (channels, height, width), "
        f"{images.images.dtype}"
    ]
    if images.images.numel():
        text.append(f"values: {images.images.min().item():.4g} to {images.images.max().item():.4g}")
    if images.labels is not None:
        text.append(_label_counts(images.labels, ABOUT[images.name].classes if images.name in ABOUT else ()))
    if images.parameters is not None and len(images):
        for unit, period, column in zip(images.units, images.period, images.parameters.unbind(1), strict=True):
            cycle = "" if period is None else f", period {period:.4g}"
            text.append(f"{unit}: {column.min().item():.4g} to {column.max().item():.4g}{cycle}")
    return "\n".join(text)


def _label_counts(labels: Tensor, classes: tuple[str, ...]) -> str:
    """The labels, with their names if they have any, and the number of images of each."""
    values, counts = labels.unique(return_counts=True)
    names = [f"{v} {classes[v]}" if classes and classes[v] != str(v) else str(v) for v in values.tolist()]
    if len(counts.unique()) == 1:
        listing = ", ".join(names) if len(names) <= 10 else f"{names[0]} to {names[-1]}"
        return f"labels: {len(values)}, {counts[0]} images each: {listing}"
    each = ", ".join(f"{name}: {c}" for name, c in zip(names, counts.tolist(), strict=True))
    return f"labels: {len(values)}, with numbers of images: {each}"


def count(text: str) -> int:
    """A whole number of at least 1 from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)
