"""The needs of all terms as one plan, made once and used for every batch."""

from collections.abc import Callable, Iterable

from interpreg import _checks
from interpreg.bottlenecks.base import Bottleneck
from interpreg.interpolator import Interpolator
from interpreg.needs import DEFAULT, AtLeast, CodeMixer, Decode, Derivative, Need, Plan


def plan_of(needs: Iterable[Need], added: Interpolator | None = None) -> Plan:
    """The plan of a batch.

    A term that names no mixer follows the interpolator ``added`` to the sum, or else the one that the others name, or
    else ACAI's.

    Args:
        needs: of all terms, in order.
        added: the interpolator that was added to a sum; it also replaces ``DEFAULT``.

    Raises:
        TypeError: something is no need.
        ValueError: one mixer's interpolants are to be differentiated in two ways, or have no path to go along; a critic
            would regress coefficients that reach 1; at the first batch, a term names no mixer and the others name
            several that mix in different ways.
    """
    needs = as_needs(needs)
    default = added or DEFAULT
    decodes = [need for need in needs if isinstance(need, Decode)]
    named = [default if need.mixer is DEFAULT else need.mixer for need in decodes]
    followed = added or next((mixer for mixer in named if isinstance(mixer, Interpolator)), DEFAULT)
    mixers: list[CodeMixer] = [followed if mixer is None else mixer for mixer in named]
    for mixer, need in zip(mixers, decodes, strict=True):
        if need.regressed:
            check_regressed(mixer)
    requests = [(m, d.derivative) for m, d in zip(mixers, decodes, strict=True) if d.derivative is not None]
    checks: list[Callable[[int], None]] = [mixer.check_batch for mixer in mixers]
    if added is None and None in named:
        checks += _several(named)
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


def check_regressed(mixer: object) -> None:
    """Raise ``ValueError`` if coefficients reach 1: such a mix is a reconstruction, of which a critic learns 0."""
    if isinstance(mixer, Interpolator) and mixer.alpha_range[1] == 1.0:
        raise ValueError(
            f"interpolator: expected an alpha_range below 1 with loss='regression', got {mixer.alpha_range}: at 1 a "
            "mix is a reconstruction, of which the critic learns 0 and 1; use (0.0, 0.5), or loss='bce'"
        )


def _several(named: list[CodeMixer | None]) -> list[Callable[[int], None]]:
    """A check of every batch that raises ``ValueError``, where a part that names no interpolator could follow several.

    It is not raised when a sum is made, because an interpolator may yet be added to it.
    """
    laws: dict[object, Interpolator] = {}
    for mixer in named:
        if isinstance(mixer, Interpolator):
            laws.setdefault(mixer.law, mixer)
    if len(laws) < 2:
        return []
    one, other, *_ = laws.values()

    def refuse(size: int) -> None:
        raise ValueError(
            f"interpolator: expected one that all other parts use, for a part that names none, got {one} and {other}; "
            "give that part interpolator=, or add one to the sum"
        )

    return [refuse]


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
