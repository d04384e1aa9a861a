"""The needs of all terms as one plan, made once and used for every batch."""

from collections.abc import Iterable

from interpreg import _checks
from interpreg.batch import DEFAULT, AtLeast, CodeMixer, Decode, Derivative, Need, Plan
from interpreg.bottlenecks.base import Bottleneck
from interpreg.interpolator import Interpolator


def plan_of(needs: Iterable[Need], added: Interpolator | None = None) -> Plan:
    """The plan of a batch.

    A term that names no mixer follows the interpolator ``added`` to the sum, or else the first one that another term
    names, or else ACAI's.

    Args:
        needs: of all terms, in order.
        added: the interpolator that was added to a sum; it also replaces ``DEFAULT``.

    Raises:
        TypeError: something is no need.
        ValueError: one mixer's interpolants are to be differentiated in two ways, or have no path to go along.
    """
    needs = as_needs(needs)
    default = added or DEFAULT
    decodes = [need for need in needs if isinstance(need, Decode)]
    named = [default if need.mixer is DEFAULT else need.mixer for need in decodes]
    followed = added or next((mixer for mixer in named if isinstance(mixer, Interpolator)), DEFAULT)
    mixers: list[CodeMixer] = [followed if mixer is None else mixer for mixer in named]
    requests = [(m, d.derivative) for m, d in zip(mixers, decodes, strict=True) if d.derivative is not None]
    checks = [mixer.check_batch for mixer in mixers]
    checks += [need.check_batch for need in needs if isinstance(need, AtLeast)]
    return Plan(
        followed,
        default,
        _derivatives(requests),
        tuple(dict.fromkeys(need for need in needs if isinstance(need, Bottleneck))),
        tuple(dict.fromkeys(checks)),
    )


def as_needs(needs: object) -> list[Need]:
    """The needs that a regularizer returns; ``TypeError`` unless they are a list or a tuple of needs."""
    if not isinstance(needs, (list, tuple)) or isinstance(needs, (Decode, AtLeast)):
        raise TypeError(f"needs: expected a list of needs, got {_checks.describe(needs)}")
    for need in needs:
        if not isinstance(need, (Decode, AtLeast, Bottleneck)):
            raise TypeError(
                f"needs: expected Decode, AtLeast or a bottleneck of the encoder, got {_checks.describe(need)}"
            )
        if isinstance(need, AtLeast):
            _checks.as_count("samples", need.samples)
        if isinstance(need, Decode):
            for method in ("mixed", "check_batch"):
                if need.mixer is not None and not hasattr(need.mixer, method):
                    raise TypeError(f"mixer: expected a method {method!r}, got {_checks.describe(need.mixer)}")
            if need.derivative is not None and not (
                callable(need.derivative) and hasattr(need.derivative, "method")
            ):
                raise TypeError(
                    "derivative: expected a callable with an attribute 'method', its name, got "
                    f"{_checks.describe(need.derivative)}"
                )
    return list(needs)


def _derivatives(requests: list[tuple[CodeMixer, Derivative]]) -> tuple[tuple[CodeMixer, Derivative], ...]:
    """The first derivative asked of each mixer."""
    chosen: list[tuple[CodeMixer, Derivative]] = []
    for mixer, derivative in requests:
        if not isinstance(mixer, Interpolator):
            raise TypeError(
                f"needs: expected an Interpolator to differentiate along, got {_checks.describe(mixer)}"
            )
        mixer.check_path()
        before = next((earlier for other, earlier in chosen if other is mixer), None)
        if before is None:
            chosen.append((mixer, derivative))
        elif before.method != derivative.method:
            raise ValueError(
                f"needs: expected one derivative of an interpolator's images, got method={before.method!r} and "
                f"method={derivative.method!r}; give the two terms one method, or an interpolator each"
            )
    return tuple(chosen)
