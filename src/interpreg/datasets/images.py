"""Images held in memory, with what is known about them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from interpreg import _checks


@dataclass(frozen=True)
class Images:
    """Images with labels, or with the parameters that they were made from.

    Attributes:
        images: ``[n, C, H, W]``, uint8 in 0..255 as in the files, or floating point in [-1, 1].
        labels: ``[n]``, whole numbers; None where there are none.
        parameters: ``[n, k]``, floating point: the factors that an image was made from, such as angles; None where
            nobody knows them.
        period: for each of the k parameters after how much it comes back to where it was, None where it does not.
        units: the parameters' names and units, such as ``("elevation (degrees)", "azimuth (degrees)")``.
        name: of the data set.

    Raises:
        TypeError, ValueError: tensors of the wrong type, or of different length.
    """

    images: Tensor
    labels: Tensor | None = None
    parameters: Tensor | None = None
    period: tuple[float | None, ...] = ()
    units: tuple[str, ...] = ()
    name: str = "images"

    def __post_init__(self) -> None:
        images = self.images
        if not isinstance(images, Tensor) or not (images.dtype == torch.uint8 or images.is_floating_point()):
            raise TypeError(f"images: expected a uint8 or floating point tensor, got {_checks.describe(images)}")
        if images.ndim != 4:
            raise ValueError(f"images: expected shape [n, C, H, W], got {_checks.describe(images)}")
        if self.labels is not None:
            whole = isinstance(self.labels, Tensor) and not self.labels.is_floating_point()
            if not whole or self.labels.shape != images.shape[:1]:
                raise ValueError(
                    f"labels: expected whole numbers of shape [{len(images)}], one for each image, "
                    f"got {_checks.describe(self.labels)}"
                )
        if self.parameters is not None:
            _checks.check_tensor("parameters", self.parameters)
            if self.parameters.ndim != 2 or len(self.parameters) != len(images):
                raise ValueError(
                    f"parameters: expected shape [{len(images)}, k], one row for each image, "
                    f"got {_checks.describe(self.parameters)}"
                )
            for name, given in (("period", self.period), ("units", self.units)):
                if len(given) != self.parameters.shape[1]:
                    raise ValueError(
                        f"{name}: expected one for each of {self.parameters.shape[1]} parameters, "
                        f"got {_checks.describe(given)}"
                    )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, chosen: Tensor | slice | Sequence[int]) -> "Images":
        """The images that a mask, a slice or indices choose, with their labels and parameters."""
        if isinstance(chosen, Sequence):
            chosen = torch.as_tensor(chosen)
        labels, parameters = (None if t is None else t[chosen] for t in (self.labels, self.parameters))
        return replace(self, images=self.images[chosen], labels=labels, parameters=parameters)

    def scaled(self, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None) -> Tensor:
        """All images in [-1, 1], as the papers' weights assume: ``2 x / 255 - 1`` if they are uint8."""
        images = self.images.to(device)
        return images.to(dtype) if images.is_floating_point() else images.to(dtype).mul_(2 / 255).sub_(1)

    def draw(
        self, n: int, generator: torch.Generator | None = None, device: torch.device | str | None = None
    ) -> Tensor:
        """``n`` images drawn uniformly with replacement, in [-1, 1]: a batch to train on."""
        _checks.as_count("n", n, low=1)
        source = "cpu" if generator is None else generator.device
        indices = torch.randint(len(self), (n,), generator=generator, device=source)
        return self[indices.to(self.images.device)].scaled(device=device)
