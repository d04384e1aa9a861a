"""The compiled backend: ``native.c`` and its header, built by the machine's C compiler at first use, and cached.

Compilation is for this processor and takes about a second. The library is in ``$XDG_CACHE_HOME/interpreg`` (by default
``~/.cache/interpreg``), named by a hash of source, compiler and processor. Without a compiler ``tiled`` is used.
``INTERPREG_NATIVE=0`` forbids compiling.
"""

import ctypes
import hashlib
import math
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from interpreg._files import atomic_write
from interpreg.kernels import Spec
from interpreg.kernels.radial import ladder
from interpreg.mmd.closed_form import Potential
from interpreg.mmd.request import Request, Swept
from interpreg.mmd.tiled import potential_with_slope

SOURCE = Path(__file__).with_name("native.c")
HEADER = Path(__file__).with_name("native_tile.h")
FLAGS = [
    "-O3", "-march=native", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC", "-fopenmp",
]  # fmt: skip
KINDS = ["rbf", "imq", "rq", "laplacian", "energy"]
MAX_BANDWIDTHS = 64
MIXTURE_PADDING = 16  # floats of the widest vector
WORK_PER_THREAD = 3e6  # multiplications and exponentials that outweigh starting a thread


class _Profile(ctypes.Structure):
    _fields_ = [
        ("kind", ctypes.c_int), ("count", ctypes.c_int), ("alpha", ctypes.c_float),
        ("base_two", ctypes.c_float * MAX_BANDWIDTHS), ("factors", ctypes.c_float * MAX_BANDWIDTHS),
        ("squarings", ctypes.c_int * MAX_BANDWIDTHS),
    ]  # fmt: skip


class _Sweep(ctypes.Structure):
    _fields_ = [
        ("x", ctypes.c_void_p), ("y", ctypes.c_void_p), ("u", ctypes.c_void_p), ("v", ctypes.c_void_p),
        ("n", ctypes.c_int64), ("m", ctypes.c_int64), ("d", ctypes.c_int64),
        ("coefs", ctypes.c_void_p), ("blocks", ctypes.c_int * 4), ("profile", ctypes.c_void_p),
        ("mix_a", ctypes.c_void_p), ("mix_b", ctypes.c_void_p), ("mix_count", ctypes.c_int),
        ("mix_mean", ctypes.c_float), ("sums", ctypes.c_void_p), ("gx", ctypes.c_void_p), ("gy", ctypes.c_void_p),
        ("threads", ctypes.c_int),
    ]  # fmt: skip


def sweep(request: Request, want_x: bool, want_y: bool) -> Swept:
    """Raw sums and the gradient of their combination, by one call of the library."""
    x, y, u, v, coefs, kernel, blocks, _ = request
    closed = request.closed
    potential = None if closed is None else closed.potential
    spec = kernel.spec()
    assert spec is not None  # by refuses()
    has_mixture = potential is not None and not potential.relative
    mix = _mixture(potential) if potential is not None and has_mixture else None
    sums = torch.empty(4, dtype=torch.float64, device=x.device)
    grad_x = torch.empty_like(x) if want_x else None
    grad_y = torch.empty_like(y) if want_y and y is not None else None
    profile = _profile(spec)
    call = _Sweep(
        _pointer(x), _pointer(y), _pointer(u), _pointer(v), x.shape[0], 0 if y is None else y.shape[0],
        x.shape[1],
        coefs.data_ptr(), (*map(int, blocks), int(has_mixture)), ctypes.addressof(profile),
        mix and mix[0].data_ptr(), mix and mix[1].data_ptr(), mix[0].numel() if mix else 0,
        potential.mean if potential is not None else 0.0, sums.data_ptr(), _pointer(grad_x), _pointer(grad_y),
        _threads(request, want_x or want_y),
    )  # fmt: skip
    routine = _routine()
    if isinstance(routine, OSError):
        raise routine
    if routine(ctypes.addressof(call)):
        raise MemoryError(f"mmd: no memory for a second copy of {len(x)} samples of {x.shape[1]} coordinates")
    if potential is not None and not has_mixture:
        sums[3] = potential_with_slope(x, u, potential, coefs[3].to(x.dtype), grad_x)
    return Swept(sums, grad_x, grad_y)


def refuses(request: Request) -> str:
    """Why the request cannot be served, or an empty string."""
    spec = request.kernel.spec()
    if request.x.device.type != "cpu":
        return f"the tensors are on {request.x.device}"
    if request.x.dtype != torch.float32:
        return f"the tensors are {request.x.dtype}; it computes in float32"
    if spec is None or len(spec.numbers) > MAX_BANDWIDTHS:
        return "it does not have the kernel"
    return why_not()


def why_not() -> str:
    """Why the backend is not available, or an empty string; the first call compiles."""
    routine = _routine()
    return str(routine) if isinstance(routine, OSError) else ""


@lru_cache(maxsize=1)
def _routine() -> "Callable[[int], int] | OSError":
    """The library's function, or the error of compiling it."""
    if os.environ.get("INTERPREG_NATIVE") == "0":
        return OSError("INTERPREG_NATIVE=0 forbids compiling")
    try:
        routine: Any = ctypes.CDLL(str(_built())).interpreg_sweep
    except OSError as error:
        return error
    routine.argtypes = [ctypes.c_void_p]
    return routine  # type: ignore[no-any-return]


def _built() -> Path:
    """The path of the library, compiled unless it is cached."""
    names = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    compiler = next(filter(None, map(shutil.which, names)), None)
    if compiler is None:
        raise OSError("no C compiler was found (cc, gcc, clang, or $CC)")
    parts = [SOURCE.read_text(), HEADER.read_text(), compiler, *FLAGS, _processor(), platform.libc_ver()[1]]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]
    for folder in _folders():
        target = folder / f"mmd-{key}.so"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not _is_ours(folder):
                continue
            if not target.exists():
                _compile(compiler, target)
        except PermissionError:
            continue
        return target
    raise OSError("no folder to keep the compiled library in could be written")


def _is_ours(folder: Path) -> bool:
    """Whether no other user can write to the folder."""
    status = folder.stat()
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


def _compile(compiler: str, target: Path) -> None:
    with atomic_write(target) as partial:
        # raises PermissionError for the folder before the compiler can fail
        partial.touch()
        try:
            command = [compiler, *FLAGS, "-o", str(partial), str(SOURCE)]
            run = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            raise OSError(f"{compiler} did not finish within two minutes") from None
        if run.returncode:
            raise OSError(f"{compiler} failed: {run.stderr.strip()[-300:]}")


def _processor() -> str:
    """The instructions that the processor has, or its kind where they are not listed."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())


def _folders() -> Sequence[Path]:
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interpreg"
    user = os.getuid() if hasattr(os, "getuid") else 0
    return own, Path(tempfile.gettempdir()) / f"interpreg-{user}"


@lru_cache(maxsize=64)
def _profile(spec: Spec) -> _Profile:
    numbers = spec.numbers
    profile = _Profile(kind=KINDS.index(spec.kind))
    if spec.kind == "rbf":
        rungs = ladder(numbers)
        factors, squarings = [-rung.rate for rung in rungs], [rung.squarings for rung in rungs]
    elif spec.kind == "rq":
        profile.alpha = numbers[0]
        factors, squarings = [1 / (2 * numbers[0] * width**2) for width in numbers[1:]], []
    elif spec.kind == "imq":
        factors, squarings = [1 / (2 * width**2) for width in numbers], []
    else:
        factors, squarings = [-1 / width for width in numbers], []
    profile.count = len(factors)
    profile.factors[: len(factors)] = factors
    profile.base_two[: len(factors)] = [factor / math.log(2) for factor in factors]
    profile.squarings[: len(squarings)] = squarings
    return profile


@lru_cache(maxsize=64)
def _mixture(potential: Potential) -> tuple[Tensor, Tensor]:
    """Amplitudes and rates, padded with zeros to whole vectors."""
    size = -(-len(potential.rates) // MIXTURE_PADDING) * MIXTURE_PADDING
    weights, shifts, rates = torch.tensor(
        [potential.weights, potential.shifts, potential.rates], dtype=torch.float64, device="cpu"
    )
    # torch aligns memory to 64 bytes
    terms = torch.zeros(2, size, dtype=torch.float32, device="cpu")
    terms[0, : len(rates)] = weights * shifts.exp()
    terms[1, : len(rates)] = rates
    return terms[0], terms[1]


def _threads(request: Request, wanted: bool) -> int:
    """The number of threads: torch's, fewer for small requests."""
    n, d = request.x.shape
    m = 0 if request.y is None else request.y.shape[0]
    xx, yy, xy = request.blocks
    pairs = n * n / 2 * xx + m * m / 2 * yy + n * m * xy
    work = pairs * (d * (3 if wanted else 1) + 40)
    return max(1, min(torch.get_num_threads(), int(work / WORK_PER_THREAD), n // 128))


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
