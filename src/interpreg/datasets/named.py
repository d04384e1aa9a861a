"""Every data set by its name, for the command line and for configuration files."""

import os
from typing import Any

import torch

from interpreg import _checks
from interpreg.datasets import digits, lines, pole, stripes
from interpreg.datasets.images import Images
from interpreg.datasets.readers import READERS, read

DRAWN = {"lines": lines.labelled, "stripes": stripes.labelled, "pole": pole.labelled}
GENERATED = tuple(DRAWN)
NAMES = (*GENERATED, "digits", *READERS)
LINES = 10_000  # drawn where nobody says how many; the other two have sets of their papers


def named(
    name: str,
    path: str | os.PathLike[str] | None = None,
    split: str | None = None,
    *,
    n: int | None = None,
    generator: torch.Generator | None = None,
    **options: Any,
) -> Images:
    """A data set by its name.

    Args:
        name: one of ``NAMES``.
        path: of a read one, where its official files are.
        split: of a read one or of "digits": such as "train", which is also what None means.
        n: of a generated one, how many images to draw; None makes the paper's set of "stripes" and "pole", and 10,000
            lines.
        generator: where drawn ones come from.
        options: further arguments of the reader or the generator, such as ``size``.

    Raises:
        ValueError: an unknown name, or an argument that the data set has no use for; and its reader's own errors.

    >>> named("pole", size=16).images.shape
    torch.Size([576, 1, 16, 16])
    """
    _checks.check_one_of("name", name, NAMES)
    if name in READERS:
        if path is None:
            raise ValueError(f"path: expected the place of {name}'s official files, got None")
        return read(name, path, split, **options)
    if path is not None:
        raise ValueError(f"path: expected None, {name} needs no files, got {str(path)!r}")
    if name == "digits":
        return _digits(split)
    if split is not None:
        raise ValueError(f"split: expected None, {name} has no splits, got {split!r}")
    if n is None and name == "stripes":
        return stripes.paper_set(**options)
    if n is None and name == "pole":
        return pole.paper_set(**options)
    return DRAWN[name](LINES if n is None else n, generator=generator, **options)


def _digits(split: str | None) -> Images:
    _checks.check_one_of("split", split, ("train", "test", None))
    both = digits.load()
    if split == "test":
        return Images(both.test, both.test_labels, name="digits")
    return Images(both.train, both.train_labels, name="digits")
