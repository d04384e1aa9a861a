"""A pair of networks and its data, with codes, reconstructions and paths, each computed once."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._networks import parameters_of
from interpreg._types import Network
from interpreg.datasets import Samples
from interpreg.functional import path
from interpreg.metrics import _codes, _paths
from interpreg.metrics._evaluation import check_output, device_of
from interpreg.report.data import Rings, rings

ROUNDING_TOLERANCE = 1e-6  # of a relative difference
EQUAL_CODES = "all codes are equal: the model has collapsed"
EQUAL_IMAGES = "all samples are decoded alike: the model has collapsed"


@dataclass(frozen=True)
class Settings:
    """The arguments of the same names of :func:`interpreg.interpolation_report`."""

    pairs: int = 256
    steps: int = 16
    kind: Literal["linear", "spherical"] = "linear"
    restarts: int = 100
    batch_size: int = 256
    seed: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        for name, low in (("pairs", 1), ("steps", 3), ("restarts", 1), ("batch_size", 1)):
            _checks.as_count(name, getattr(self, name), low=low)
        _checks.as_count("seed", self.seed)
        _checks.check_one_of("kind", self.kind, ("linear", "spherical"))


class Subject:
    """A pair of networks, held-out ``data``, and ``train`` for probes and as neighbours."""

    def __init__(
        self, encoder: Network, decoder: Network, data: Samples, train: Samples, settings: Settings
    ) -> None:
        self.encoder, self.decoder = encoder, decoder
        self.data, self.train, self.settings = data, train, settings
        self.device = device_of(encoder, device_of(decoder, data.images.device))
        if len(data) < 2:
            raise ValueError(
                f"data: expected at least two held-out samples to interpolate between, got {len(data)}"
            )

    @property
    def has_images(self) -> bool:
        """Whether the samples are grey or colour images, which can be drawn."""
        return self.data.images.ndim == 4 and self.data.images.shape[1] in (1, 3)

    @cached_property
    def codes(self) -> Tensor:
        """Codes of the held-out samples."""
        return self._output("encoder", self.encoder, self.data.images)

    @cached_property
    def train_codes(self) -> Tensor:
        """Codes of the training samples."""
        return self.codes if self.train is self.data else self._output("encoder", self.encoder, self.train.images)

    @cached_property
    def x_hat(self) -> Tensor:
        """Reconstructions of the held-out samples."""
        images = self._output("decoder", self.decoder, self.codes)
        _checks.check_shape("decoder", images, self.data.images.shape, "the data")
        return images

    def run_networks(self) -> None:
        """Encode, reconstruct and interpolate now; errors of the networks are raised here."""
        _ = self.x_hat, self.paths

    @cached_property
    def equal_codes(self) -> bool:
        """Whether all codes are equal up to rounding."""
        return _equal(self.codes)

    @cached_property
    def collapse(self) -> str:
        """The kind of collapse, or ""."""
        if self.equal_codes:
            return EQUAL_CODES
        return EQUAL_IMAGES if _equal(self.x_hat) else ""

    @cached_property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """Indices of the ends of the paths: random, every sample in at most one pair."""
        generator = torch.Generator().manual_seed(self.settings.seed)
        count = min(self.settings.pairs, len(self.data) // 2)
        order = torch.randperm(len(self.data), generator=generator)
        return order[:count], order[count : 2 * count]

    @property
    def start(self) -> Tensor:
        """The samples at the start of the paths."""
        return self.data.images[self.pairs[0]]

    @property
    def end(self) -> Tensor:
        """The samples at the end of the paths."""
        return self.data.images[self.pairs[1]]

    @cached_property
    def paths(self) -> Tensor:
        """The networks' interpolations of the pairs, ``[pairs, steps, ...]``."""
        start, end = (self.codes[indices] for indices in self.pairs)
        return self.decoded_path(start, end, self.settings.steps)

    @cached_property
    def baseline_paths(self) -> Tensor:
        """Cross-fades of the same pairs in the data itself, ``[pairs, steps, ...]``."""
        return path(self.start, self.end, self.settings.steps)

    @cached_property
    def rings(self) -> Rings | None:
        """Evenly spaced views among training and held-out samples together."""
        return rings(self.everything) if self.parametrised else None

    @property
    def parametrised(self) -> bool:
        """Whether all samples have parameters."""
        return self.train.parameters is not None and self.data.parameters is not None

    @cached_property
    def everything(self) -> Samples:
        """Training and held-out samples."""
        if self.train is self.data:
            return self.data
        joined: dict[str, Any] = {}
        for name in ("images", "labels", "parameters"):
            both = getattr(self.train, name), getattr(self.data, name)
            joined[name] = None if any(each is None for each in both) else torch.cat(both)
        return replace(self.data, **joined)

    @cached_property
    def all_codes(self) -> Tensor:
        """Codes of :attr:`everything`."""
        return self.codes if self.train is self.data else torch.cat([self.train_codes, self.codes])

    def decoded_path(self, start: Tensor, end: Tensor, steps: int) -> Tensor:
        """Decoded paths between codes."""
        settings = self.settings
        return _paths.decode_paths(
            self.on_device("decoder", self.decoder), start, end, steps,
            kind=settings.kind, batch_size=settings.batch_size, progress=settings.progress,
        )  # fmt: skip

    def on_device(self, name: str, network: Network) -> Network:
        """The network with its inputs moved to its device and its outputs, which are checked, to that of the data."""
        device, home = device_of(network, self.device), self.data.images.device
        own = next((p.dtype for p in parameters_of(network) if p.is_floating_point()), None)

        def moved(value: Tensor) -> Tensor:
            try:
                output = network(value.to(device))
            except RuntimeError as error:
                if own is not None and own != value.dtype:
                    error.add_note(
                        f"interpreg called the {name}, of {own}, with {value.dtype}; give data.to({own})"
                    )
                raise
            check_output(name, output)
            return output.to(home)

        return moved

    def _output(self, name: str, network: Network, values: Tensor) -> Tensor:
        return _paths.run_in_batches(
            name, self.on_device(name, network), values, self.settings.batch_size, self.settings.progress
        )


def _equal(values: Tensor) -> bool:
    """Whether all samples are equal up to rounding."""
    flat = values.reshape(len(values), -1)
    first = flat[0].double()
    norms = [(b.double().norm(dim=1).max(), (b.double() - first).norm(dim=1).max()) for b in _codes.blocks(flat)]
    largest, farthest = (torch.stack(each).max() for each in zip(*norms, strict=True))
    return bool(farthest <= ROUNDING_TOLERANCE * largest)
