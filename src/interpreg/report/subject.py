"""What a report is about: a pair of networks and data, and what follows of both, each computed once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from interpreg import _checks
from interpreg._types import Network
from interpreg.functional import path
from interpreg.metrics import _paths
from interpreg.report.data import Rings, Samples, device_of, rings

ROUNDING = 1e-6  # of the values' size: a spread below it is none
EQUAL_CODES = "all codes are equal: the model has collapsed"
EQUAL_IMAGES = "all samples are decoded alike: the model has collapsed"


@dataclass(frozen=True)
class Settings:
    """How the measures are taken.

    Attributes:
        pairs: how many pairs of held-out samples, and how many intervals of views, are interpolated at most.
        steps: images in an interpolation, both ends included.
        kind: of the paths between codes.
        restarts: of k-means.
        batch_size: samples that a network is given at a time.
        seed: of the pairs, of k-means and of the path length's draws.
        progress: whether bars are shown.
    """

    pairs: int = 256
    steps: int = 16
    kind: Literal["linear", "spherical"] = "linear"
    restarts: int = 100
    batch_size: int = 256
    seed: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        _checks.as_count("pairs", self.pairs, low=1)
        _checks.as_count("steps", self.steps, low=3)
        _checks.check_one_of("kind", self.kind, ("linear", "spherical"))
        _checks.as_count("restarts", self.restarts, low=1)
        _checks.as_count("batch_size", self.batch_size, low=1)


class Subject:
    """A pair of networks on held-out ``data``, with ``train`` to fit probes on and to look for neighbours in."""

    def __init__(
        self, encoder: Network, decoder: Network, data: Samples, train: Samples, settings: Settings
    ) -> None:
        self.encoder, self.decoder = encoder, decoder
        self.data, self.train, self.settings = data, train, settings
        self.device = device_of((encoder, decoder), data.x.device)
        if len(data) < 2:
            raise ValueError(
                f"data: expected at least two held-out samples to interpolate between, got {len(data)}"
            )

    @cached_property
    def codes(self) -> Tensor:
        """Codes of the held-out samples."""
        return self._called("encoder", self.encoder, self.data.x)

    @cached_property
    def train_codes(self) -> Tensor:
        """Codes of the training samples."""
        return self.codes if self.train is self.data else self._called("encoder", self.encoder, self.train.x)

    @cached_property
    def x_hat(self) -> Tensor:
        """Reconstructions of the held-out samples."""
        found = self._called("decoder", self.decoder, self.codes)
        _checks.check_shape("decoder", found, self.data.x.shape, "the data")
        return found

    @cached_property
    def equal_codes(self) -> bool:
        """Whether all codes are equal, but for rounding."""
        return _equal(self.codes)

    @cached_property
    def collapse(self) -> str:
        """Why a path cannot lead anywhere, or ""."""
        if self.equal_codes:
            return EQUAL_CODES
        return EQUAL_IMAGES if _equal(self.x_hat) else ""

    @cached_property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """Indices of the samples that paths lead from and to: shuffled, no sample with itself."""
        generator = torch.Generator().manual_seed(self.settings.seed)
        count = min(self.settings.pairs, len(self.data) // 2)
        order = torch.randperm(len(self.data), generator=generator)
        return order[:count], order[count : 2 * count]

    @property
    def start(self) -> Tensor:
        """The samples that paths lead from."""
        return self.data.x[self.pairs[0]]

    @property
    def end(self) -> Tensor:
        """The samples that paths lead to."""
        return self.data.x[self.pairs[1]]

    @cached_property
    def paths(self) -> Tensor:
        """What the networks interpolate between the pairs, ``[pairs, steps, ...]``."""
        start, end = (self.codes[indices] for indices in self.pairs)
        return self.walk(start, end, self.settings.steps)

    @cached_property
    def fades(self) -> Tensor:
        """Cross-fades of the same pairs in the data itself: what an interpolation should be better than."""
        return path(self.start, self.end, self.settings.steps)

    @cached_property
    def rings(self) -> Rings | None:
        """Evenly spaced views among training and held-out samples together, for the errors against the truth."""
        return rings(self.everything) if self.parametrised else None

    @property
    def parametrised(self) -> bool:
        """Whether it is known what the samples were made from."""
        return self.train.parameters is not None and self.data.parameters is not None

    @cached_property
    def everything(self) -> Samples:
        """Training and held-out samples."""
        if self.train is self.data:
            return self.data
        both = [self.train, self.data]
        labels, parameters = _joined([s.labels for s in both]), _joined([s.parameters for s in both])
        return replace(self.data, x=torch.cat([s.x for s in both]), labels=labels, parameters=parameters)

    @cached_property
    def all_codes(self) -> Tensor:
        """Codes of :attr:`everything`."""
        return self.codes if self.train is self.data else torch.cat([self.train_codes, self.codes])

    def walk(self, start: Tensor, end: Tensor, steps: int) -> Tensor:
        """Paths between codes, decoded."""
        settings = self.settings
        return _paths.decode_paths(
            self.fed(self.decoder),
            start,
            end,
            steps,
            kind=settings.kind,
            batch_size=settings.batch_size,
            progress=settings.progress,
        )

    def fed(self, network: Network) -> Network:
        """A network that is fed on its device and read on the data's."""
        return lambda value: network(value.to(self.device)).to(self.data.x.device)

    def _called(self, name: str, network: Network, values: Tensor) -> Tensor:
        return _paths.run_in_batches(
            name, self.fed(network), values, self.settings.batch_size, self.settings.progress
        )


def _joined(parts: list[Tensor | None]) -> Tensor | None:
    """All of them one after the other, None if one is missing."""
    there = [part for part in parts if part is not None]
    return torch.cat(there) if len(there) == len(parts) else None


def _equal(values: Tensor) -> bool:
    """Whether all samples are equal, but for rounding."""
    flat = values.flatten(1).double()
    return bool((flat - flat[0]).norm(dim=1).max() <= ROUNDING * flat.norm(dim=1).max())


@contextmanager
def evaluating(*networks: object) -> Iterator[None]:
    """The networks in eval mode, each module back in its own mode afterwards."""
    modules = [m for n in networks if isinstance(n, nn.Module) for m in n.modules()]
    modes = [m.training for m in modules]
    try:
        for network in networks:
            if isinstance(network, nn.Module):
                network.eval()
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
