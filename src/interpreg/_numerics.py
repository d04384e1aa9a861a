"""Precision and randomness: conversion to fp32 at least, a context without autocast, random draws."""

from contextlib import nullcontext

import torch
from torch import Tensor

_WIDE = (torch.float32, torch.float64)


def wide_dtype(*tensors: Tensor) -> torch.dtype:
    """The widest dtype of all tensors, fp32 at least."""
    if len(tensors) == 1 and tensors[0].dtype in _WIDE:
        return tensors[0].dtype
    dtype = torch.float32
    for each in tensors:
        dtype = torch.promote_types(dtype, each.dtype)
    return dtype


def widen(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All tensors in the widest of their dtypes, fp32 at least."""
    dtype = wide_dtype(*tensors)
    return tuple(each if each.dtype == dtype else each.to(dtype) for each in tensors)


def as_wide(value: Tensor) -> Tensor:
    """``value`` in fp32 at least."""
    return value if value.dtype in _WIDE else value.to(torch.promote_types(value.dtype, torch.float32))


def full_precision(x: Tensor) -> "torch.autocast | nullcontext[None]":
    """A context without autocast: distances in half precision have no correct digits."""
    device = x.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draws from U(0, 1), in fp32 at least, on the device of ``like``."""
    # torch.compile traces no `generator=None` beside a symbolic shape
    if generator is None:
        return torch.rand(shape, dtype=wide_dtype(like), device=like.device)
    return torch.rand(shape, dtype=wide_dtype(like), device=like.device, generator=generator)


def normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draws from N(0, 1), in fp32 at least, on the device of ``like``."""
    if generator is None:
        return torch.randn(shape, dtype=wide_dtype(like), device=like.device)
    return torch.randn(shape, dtype=wide_dtype(like), device=like.device, generator=generator)


def has_memory(value: Tensor) -> bool:
    """Whether a tensor is backed by memory, as subclasses that only carry metadata are, and fake ones are not."""
    return type(value).__torch_dispatch__ is Tensor.__torch_dispatch__
