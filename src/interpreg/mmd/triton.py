"""The GPU backend, in Triton. The kernels are in ``triton_kernels.py``, imported at first use."""

import math
import os
from contextlib import nullcontext
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from interpreg.kernels import Spec
from interpreg.kernels.radial import ladder
from interpreg.mmd.request import Request, Swept
from interpreg.mmd.tiled import potential_terms

KINDS = ("rbf", "imq", "rq", "laplacian", "energy")
MAX_BANDWIDTHS = 64  # the loop over them is unrolled
MIN_CUDA_CAPABILITY = (7, 0)
MAX_ROWS_OF_SMALL_BLOCKS = 2048
# beyond, the registers of a row spill, and the tiled backend's products by cuBLAS are faster
MAX_DIMENSION = 256


class Numbers(NamedTuple):
    """A kernel as numbers on the device."""

    table: Tensor
    """[2 size + 1] fp32: factors of distances, factors of slopes, and an exponent."""
    size: int
    squarings: int
    """Two bits a rung of the ladder: how often the exponential before is squared."""


class Blocks(NamedTuple):
    """The size of a program's block and its warps."""

    rows: int
    columns: int
    warps: int


@torch.no_grad()
def sweep(request: Request, want_x: bool, want_y: bool) -> Swept:
    """Raw sums and the gradient of their combination, without a host sync."""
    x, y, u, v, coefs, kernel, (xx, yy, xy), prior = request
    spec, closed = kernel.spec(), request.closed
    assert spec is not None  # by refuses()
    (n, d), m = x.shape, 0 if y is None else len(y)
    want_y, yy, xy = want_y and y is not None, yy and y is not None, xy and y is not None
    # the programs of y sum xy where those of x need not visit it
    by_y = xy and want_y and not want_x
    block = blocks(max(n, m), d, want_x or want_y)
    width = max(16, 1 << (d - 1).bit_length())  # a power of two
    blocks_x = _needed(n, block.rows, xx or want_x or (xy and not by_y) or closed is not None)
    blocks_y = _needed(m, block.rows, yy or want_y)
    grad_x = torch.empty_like(x) if want_x else None
    grad_y = torch.empty_like(y) if want_y and y is not None else None
    if blocks_x + blocks_y == 0:
        return Swept(torch.zeros_like(coefs), grad_x, grad_y)
    numbers = _numbers(spec, x.device)
    terms = None if closed is None else potential_terms(closed.potential, x.device, torch.float64)
    partial = torch.empty(blocks_x + blocks_y, 4, dtype=torch.float64, device=x.device)
    with torch.cuda.device(x.device) if x.is_cuda else nullcontext():
        _kernels().sweep[(blocks_x + blocks_y,)](
            x, y, u, v, x.mean(0), None if y is None else y.mean(0), coefs, numbers.table, terms,
            0.0 if prior is None else prior.mean, 0 if terms is None else terms.shape[1], grad_x, grad_y, partial,
            n, m, blocks_x,
            D=d, WIDTH=width, KIND=spec.kind, COUNT=numbers.size, SQUARINGS=numbers.squarings,
            RELATIVE=closed is not None and closed.potential.relative, XX=xx, YY=yy, XY=xy and not by_y,
            YX=xy and want_y, SUM_YX=by_y, BLOCK_M=block.rows, BLOCK_N=block.columns, num_warps=block.warps,
            num_stages=2, enable_fp_fusion=True,
        )  # fmt: skip
    return Swept(partial.sum(0), grad_x, grad_y)


def refuses(request: Request) -> str:
    """Why the request cannot be served, or an empty string."""
    x, spec = request.x, request.kernel.spec()
    if not (x.is_cuda or (x.device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1")):
        return f"the tensors are on {x.device}"
    if x.dtype != torch.float32:
        return f"the tensors are {x.dtype}; it computes in float32"
    if spec is None or spec.kind not in KINDS or len(spec.numbers) > MAX_BANDWIDTHS:
        return "it does not have the kernel"
    if x.shape[1] > MAX_DIMENSION:
        return f"it takes up to {MAX_DIMENSION} coordinates, got {x.shape[1]}; 'tiled' computes such products by cuBLAS"
    return why_not(x.device)


@lru_cache(maxsize=16)
def why_not(device: torch.device) -> str:
    """Why Triton is not available for this device, or an empty string."""
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < MIN_CUDA_CAPABILITY:
        return f"{torch.cuda.get_device_name(device)} is older than Triton's compiler supports"
    try:
        _kernels()
    except ImportError as error:
        return f"Triton cannot be imported ({error}): pip install 'interpreg[triton]'"
    return ""


def blocks(n: int, d: int, wanted: bool) -> Blocks:
    """The largest blocks that spill no registers; for few rows small ones, to occupy every multiprocessor."""
    if n <= MAX_ROWS_OF_SMALL_BLOCKS:
        return Blocks(16, 32, 8 if d > 128 else 4)
    if not wanted:
        return Blocks(64, 64, 8)
    return Blocks(64 if d <= 64 else 32 if d <= 128 else 16, 32, 8)


@lru_cache(maxsize=1)
def _kernels() -> Any:
    from interpreg.mmd import triton_kernels

    return triton_kernels


def _needed(count: int, block: int, wanted: bool) -> int:
    return -(-count // block) if wanted else 0


@lru_cache(maxsize=64)
def _numbers(spec: Spec, device: torch.device) -> Numbers:
    """Cached, because copying numbers to a device synchronizes with it."""
    numbers, exponent, squarings = spec.numbers, 0.0, 0
    if spec.kind == "rbf":
        rungs = ladder(numbers)
        inner = [-rung.rate / math.log(2) for rung in rungs]
        outer = [-rung.rate for rung in rungs]
        squarings = sum(rung.squarings << (2 * i) for i, rung in enumerate(rungs))
    elif spec.kind == "imq":
        inner = [1 / (2 * width**2) for width in numbers]
        outer = [-each for each in inner]
    elif spec.kind == "rq":
        exponent = -numbers[0]
        inner = [1 / (2 * numbers[0] * width**2) for width in numbers[1:]]
        outer = [exponent * each for each in inner]
    else:  # laplacian; energy has no numbers
        inner = [-1 / (width * math.log(2)) for width in numbers]
        outer = [-1 / (2 * width) for width in numbers]
    table = torch.tensor([*inner, *outer, exponent], dtype=torch.float32, device=device)
    return Numbers(table, len(inner), squarings)
