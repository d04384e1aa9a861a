"""Checks of the interpolators and mixers that terms and recipes are given."""

from typing import cast

import torch

from interpreg import _checks
from interpreg.interpolator import Interpolator
from interpreg.needs import CodeMixer


def as_interpolator(
    interpolator: object, generator: torch.Generator | None = None, kind: str | None = None
) -> Interpolator | None:
    """The interpolator of a term or recipe, or None.

    Raises:
        TypeError: neither an interpolator nor None; no generator.
        ValueError: an interpolator beside a generator; one of another kind than ``kind``.
    """
    _checks.as_generator(generator)
    if interpolator is None:
        return None
    if not isinstance(interpolator, Interpolator):
        raise TypeError(f"interpolator: expected an Interpolator, got {_checks.describe(interpolator)}")
    _refuse_generator(generator)
    if kind is not None and interpolator.kind != kind:
        raise ValueError(f"interpolator: expected one of kind={kind!r}, got {interpolator.kind!r}")
    return interpolator


def as_mixer(mixer: object, generator: torch.Generator | None = None) -> CodeMixer | None:
    """The mixer of a term or recipe that mixes and no more: an interpolator, or an object of the user's; or None.

    Raises:
        TypeError: neither has ``mixed`` and ``check_batch``.
        ValueError: one beside a generator.
    """
    methods = [getattr(mixer, method, None) for method in ("mixed", "check_batch")]
    if all(map(callable, methods)) and not isinstance(mixer, type):
        _refuse_generator(generator)
        return cast(CodeMixer, mixer)
    return as_interpolator(mixer, generator)


def _refuse_generator(generator: object) -> None:
    if generator is not None:
        raise ValueError("generator: expected None beside an interpolator, which has a generator of its own")
