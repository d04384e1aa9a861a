"""Every data set by its name, for the command line and for configuration files."""

from typing import Any

import torch

from interpreg import _checks
from interpreg.datasets import digits, lines, pole, stripes
from interpreg.datasets.readers import READERS, read
from interpreg.datasets.readers.about import StrPath
from interpreg.datasets.samples import Samples

GENERATORS = {"lines": lines.sample, "stripes": stripes.sample, "pole": pole.sample}
GENERATED = tuple(GENERATORS)
NAMES = (*GENERATED, "digits", *READERS)
DEFAULT_COUNT = 10_000  # generated images, as in the papers of lines and stripes


def named(
    name: str,
    path: StrPath | None = None,
    split: str | None = None,
    *,
    n: int | None = None,
    generator: torch.Generator | None = None,
    **options: Any,
) -> Samples:
    """A data set by its name.

    Args:
        name: one of ``NAMES``.
        path: of the official files, for a set that is read.
        split: of "digits" and of a set that is read: such as "train", which is also the default.
        n: number of generated images; None: the 576 of "pole" in the paper, 10,000 of the others.
        generator: of the random numbers of a generated set.
        options: further arguments of the reader or the generator, such as ``size``.

    Raises:
        ValueError: an unknown name, or an argument that does not apply to the data set; and its reader's own errors.

    >>> named("pole", size=16).images.shape
    torch.Size([576, 1, 16, 16])
    """
    _checks.check_one_of("name", name, NAMES)
    if name not in GENERATED:
        for argument, value in (("n", n), ("generator", generator)):
            if value is not None:
                raise ValueError(
                    f"{argument}: expected None, {name} is not generated, got {_checks.describe(value)}"
                )
    if name in READERS:
        if path is None:
            raise ValueError(f"path: expected the place of {name}'s official files, got None")
        return read(name, path, split, **options)
    if path is not None:
        raise ValueError(f"path: expected None, {name} needs no files, got {str(path)!r}")
    if name == "digits":
        _checks.check_one_of("split", split, ("train", "test", None))
        return digits.load("test" if split == "test" else "train", **options)
    if split is not None:
        raise ValueError(f"split: expected None, {name} has no splits, got {split!r}")
    if n is None and name == "pole":
        if generator is not None:
            raise ValueError(
                "generator: expected None, the paper's set of pole is not random; give n for a random one"
            )
        return pole.paper_set(**options)
    return GENERATORS[name](DEFAULT_COUNT if n is None else n, generator=generator, **options)
