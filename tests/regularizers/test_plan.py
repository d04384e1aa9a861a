"""The needs of terms, worked out once: whose interpolants are followed, and needs that contradict each other."""

import pytest
from torch import nn

from interpreg import AlphaSmoothness, Interpolator
from interpreg.batch import DEFAULT, AtLeast, Decode
from interpreg.regularizers.gaia_mixes import DirichletMix
from interpreg.regularizers.plan import plan_of


def test_terms_without_a_mixer_follow_the_one_that_was_added_or_the_first_that_is_named() -> None:
    named, added = Interpolator(), Interpolator()
    assert plan_of([Decode(None), Decode(named)]).followed is named
    assert plan_of([Decode(None), Decode(named)], added).followed is added
    assert plan_of([Decode(None)]).followed is DEFAULT
    assert plan_of([Decode(DEFAULT), Decode(None)], added).default is added


def test_needs_are_checked_once_each() -> None:
    mixer = Interpolator()
    checks = plan_of([Decode(mixer), Decode(mixer), AtLeast(3, "to have distances")]).checks
    assert len(checks) == 2
    with pytest.raises(ValueError, match="x: expected at least 3 samples to have distances, got a batch of 2"):
        checks[1](2)


def test_what_is_no_need_or_has_no_path_is_refused() -> None:
    with pytest.raises(TypeError, match=r"needs: expected Decode, AtLeast or a bottleneck .*, got 'interpolants'"):
        plan_of(["interpolants"])
    along = AlphaSmoothness(nn.Identity(), nn.Linear(2, 2)).needs()[0].derivative
    with pytest.raises(
        TypeError, match="needs: expected an Interpolator to differentiate along, got a DirichletMix"
    ):
        plan_of([Decode(DirichletMix(), derivative=along)])


def test_two_methods_for_one_interpolators_images_contradict_each_other() -> None:
    encoder, decoder, mixer = nn.Linear(3, 2), nn.Linear(2, 3), Interpolator()
    parts = [AlphaSmoothness(encoder, decoder, interpolator=mixer, method=m) for m in ("forward", "finite")]
    with pytest.raises(
        ValueError, match=r"needs: expected one derivative .* method='forward' and method='finite'"
    ):
        parts[0] + parts[1]
    own = AlphaSmoothness(encoder, decoder, interpolator=Interpolator(), method="finite")
    assert len((parts[0] + own).plan().derivatives) == 2
