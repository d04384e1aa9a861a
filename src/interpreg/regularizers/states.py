"""States that were saved by another regularizer than the one that loads them: what to write instead."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

STEP = "step"


def check_state(module: nn.Module, parts: Mapping[str, nn.Module], state: Mapping[str, Any]) -> None:
    """Raise before anything is loaded, where it is known which line would load a state.

    Args:
        module: a regularizer.
        parts: the regularizers inside it, by the paths of their names, such as "parts.acai".
        state: to be loaded into it.

    Raises:
        RuntimeError: as ``load_state_dict`` does for other keys than its own.
    """
    own, given = set(module.state_dict()), set(state)
    if own <= given and not _weights(given - own):
        return
    line = _line(module, parts, own, given)
    if line is not None:
        saved, instead = line
        raise RuntimeError(f"state_dict: expected that of this {type(module).__name__}, got {saved}; {instead}")


def _line(
    module: nn.Module, parts: Mapping[str, nn.Module], own: set[str], given: set[str]
) -> tuple[str, str] | None:
    """Whose state it is, and the line that loads it; None where that is unknown."""
    if _weights(own) == _weights(given):
        lacking = ", ".join(sorted(own - given))
        return (
            f"one without {lacking}, saved where no ramp or schedule counted steps",
            "load_state_dict(state, strict=False) goes on from the present step",
        )
    for path, part in parts.items():
        if _weights(given) and _weights(part.state_dict()) == _weights(given):
            names = "".join(f'["{name}"]' for name in path.split(".")[1::2])
            return f"that of its part {path.split('.')[-1]!r}", f"reg{names}.load_state_dict(state)"
    prefix = _prefix(own, given)
    if prefix is not None:
        chosen = f'for k, v in state.items() if k.startswith("{prefix}")'
        return (
            f"one that holds it under {prefix!r}",
            f'reg.load_state_dict({{k.removeprefix("{prefix}"): v {chosen}}})',
        )
    if _unwrapped(own) == _unwrapped(given):
        if len("".join(given)) > len("".join(own)):
            unwrapped = '{k.replace("module.", "").replace("_orig_mod.", ""): v for k, v in state.items()}'
            return "that of a critic inside a wrapper", f"reg.load_state_dict({unwrapped})"
        return "that of a critic without its wrapper", "load it before the critic is wrapped"
    return None


def _weights(keys: Iterable[str]) -> set[str]:
    """The keys of all but the counters of steps."""
    return {key for key in keys if key.rpartition(".")[2] != STEP}


def _prefix(own: set[str], given: set[str]) -> str | None:
    """What stands before each of the own keys in a larger state."""
    first = min(own, default="")
    found = (key.removesuffix(first) for key in sorted(given) if first and key.endswith("." + first))
    return next((prefix for prefix in found if _weights(prefix + key for key in own) <= given), None)


def _unwrapped(keys: Iterable[str]) -> set[str]:
    return {".".join(name for name in key.split(".") if name not in ("module", "_orig_mod")) for key in keys}
