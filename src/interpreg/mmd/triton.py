"""The GPU backend: Triton kernels, imported when first asked for."""

from interpreg.mmd.request import Request, Swept


def supports(request: Request) -> str:
    """Why the request cannot be served, or an empty string."""
    return "not there yet"


def sweep(request: Request, want_x: bool, want_y: bool) -> Swept:
    """The sums and the gradient of their combination."""
    raise NotImplementedError
