"""What to write where a value holds a tensor and is none: for error messages."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

AT_MOST = 4  # of the tensors in a value are named


def code_instead(output: object) -> str:
    """What to give as the encoder, after what it returns."""
    lambdas = _lambdas(output, "encoder", "x")
    if _is_posterior(output):
        return (
            f"; if it is a mean and a log variance, give GaussianBottleneck(encoder), see scale=; else {lambdas}"
        )
    return f"; give a function of the code alone, encoder={lambdas}"


def image_instead(output: object) -> str:
    """What to give as the decoder of a regularizer, after what it returns."""
    return (
        f"{output_instead(output, 'decoder')}, or where no other term reads images, a reconstruction= of your own"
    )


def output_instead(output: object, network: str) -> str:
    """What to give as another network, or as a decoder where nothing is trained, after what it returns."""
    return f"; give {network}={_lambdas(output, network, 'z' if network == 'decoder' else 'x')}"


def take_instead(batch: object, name: str = "batch") -> str:
    """What to take of a batch that is no tensor; or nothing where there is none in it."""
    if type(batch).__module__ == "numpy":
        return f"; give torch.from_numpy({name})"
    if _are_of_several_sizes(batch):
        return f"; crop or resize them to one size and give torch.stack({name})"
    names = list(_tensors(batch, name))[: 1 if isinstance(batch, (tuple, list)) else AT_MOST]
    return f"; take {' or '.join(names)}" if names else ""


def floats_instead(x: Tensor) -> str:
    """What to give as images where they are whole numbers."""
    deep = "2 * x.float() / top - 1, with top the largest value of the format: 65535 for 16 bits, 4095 for 12 bits"
    scaled = {torch.uint8: "x.float() / 127.5 - 1", torch.bool: "2 * x.float() - 1"}.get(x.dtype, deep)
    return f" (images are expected as floats in [-1, 1]: {scaled}; only a loss of your own may read others)"


def _are_of_several_sizes(batch: object) -> bool:
    """Whether it is a list of images that no batch can be made of, rather than samples and labels."""
    if not isinstance(batch, (tuple, list)) or not all(isinstance(each, Tensor) for each in batch):
        return False
    return (
        len({each.ndim for each in batch}) == 1 and batch[0].ndim > 2 and len({each.shape for each in batch}) > 1
    )


def _lambdas(output: object, network: str, argument: str) -> str:
    names = list(_tensors(output, f"{network}({argument})"))[:AT_MOST] or [f"{network}({argument})..."]
    return " or ".join(f"lambda {argument}: {name}" for name in names)


def _is_posterior(output: object) -> bool:
    """Whether it may be a mean and a spread: two floating point tensors of one shape, or a distribution."""
    if isinstance(output, (tuple, list)) and len(output) == 2:
        first, second = output
        if isinstance(first, Tensor) and isinstance(second, Tensor):
            return first.shape == second.shape and first.is_floating_point() and second.is_floating_point()
    return isinstance(output, Distribution)


def _tensors(value: object, expression: str) -> Iterator[str]:
    """The expressions of the tensors, and of samples of the distributions, that a value is or holds."""
    if _is_distribution(value):
        yield _sample_of(value, expression)
        return
    for part, held in _parts(value, expression):
        if isinstance(held, Tensor):
            yield part
        elif _is_distribution(held):
            yield _sample_of(held, part)


def _is_distribution(value: object) -> bool:
    """Whether it is drawn from by a method, as torch's distributions and diffusers' are."""
    return callable(getattr(value, "sample", None)) and not isinstance(value, Mapping)


def _sample_of(distribution: object, expression: str) -> str:
    if not isinstance(distribution, Distribution):
        return f"{expression}.sample()"
    return f"{expression}.rsample()" if distribution.has_rsample else f"{expression}.mean"


def _parts(value: object, expression: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from ((f"{expression}.{name}", getattr(value, name)) for name in value._fields)
    elif isinstance(value, (tuple, list)):
        yield from ((f"{expression}[{i}]", held) for i, held in enumerate(value))
    elif is_dataclass(value):  # before mappings, because transformers' outputs are both
        yield from ((f"{expression}.{each.name}", getattr(value, each.name, None)) for each in fields(value))
    elif isinstance(value, Mapping):
        yield from ((f"{expression}[{key!r}]", held) for key, held in value.items())
    elif hasattr(value, "__dict__"):
        yield from ((f"{expression}.{name}", it) for name, it in vars(value).items() if not name.startswith("_"))
