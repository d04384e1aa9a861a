"""Saving, loading and copying of regularizers, whose networks are copied with them."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn
from typing_extensions import override

from interpreg._networks import parameters_of
from interpreg._references import Reference, Referring
from interpreg._warnings import warn
from interpreg.regularizers.states import STEP, check_state


class Saved(Referring):
    """A module that refers to an encoder and a decoder, and may count steps."""

    step: Tensor | None
    encoder = Reference()
    decoder = Reference()

    def __init__(self) -> None:
        super().__init__()
        self._has_trained = False
        self._copied: StaleCopyCheck | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._has_trained, self._copied = False, None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        is_alone = not memo
        twin = memo[id(self)] = self.__new__(type(self))
        twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))  # type: ignore[no-untyped-call]
        if is_alone:
            networks = [*parameters_of(twin.encoder), *parameters_of(twin.decoder)]
            twin._copied = StaleCopyCheck([*twin.parameters(), *twin.buffers()], networks)
        return twin

    def _check_copy(self) -> None:
        """Warn, once, if this is a copy whose networks were forgotten. For calls that do not train."""
        if self._copied is None or self._has_trained or torch.compiler.is_compiling():
            return
        if self._copied.is_stale():
            self._copied = None
            warn(
                f"this copy of {type(self).__name__} has an encoder and a decoder of its own, as they were when it was "
                "copied, while its other tensors were updated since: copy or average all together, as in "
                "AveragedModel(nn.ModuleList([encoder, decoder, reg]))"
            )

    @override
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As of ``nn.Module``. For the state of a part, or of a sum around it, the error names the line that loads it.

        Steps that nothing counts any more, because a ramp was removed, are left out.
        """
        if strict and isinstance(state_dict, Mapping):
            parts = {path: m for path, m in self.named_modules() if isinstance(m, Saved) and m is not self}
            check_state(self, parts, state_dict)
        return super().load_state_dict(state_dict, strict, assign)

    @override
    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        if self.step is None:
            state_dict.pop(prefix + STEP, None)
        super()._load_from_state_dict(state_dict, prefix, *rest)


class StaleCopyCheck:
    """Whether a copy's own tensors were updated, as an average's are, and the networks copied with it were not.

    Args:
        own: the tensors of the copy.
        networks: the tensors of its encoder and decoder, which nobody else may refer to.
    """

    def __init__(self, own: Iterable[Tensor], networks: Iterable[Tensor]) -> None:
        self._own, self._networks = list(own), list(networks)
        self._before = _versions(self._own), _versions(self._networks)

    def is_stale(self) -> bool:
        """Whether they were. It waits for no device."""
        own, networks = self._before
        return bool(networks) and own != _versions(self._own) and networks == _versions(self._networks)


def _versions(tensors: list[Tensor]) -> list[int]:
    """How often each was changed in place."""
    lazy = nn.parameter.UninitializedParameter
    return [0 if isinstance(t, lazy) or t.is_inference() else t._version for t in tensors]
