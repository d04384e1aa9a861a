"""Needs of terms: who mixes, who differentiates, and what is refused when a regularizer is made."""

import pytest
import torch
from calls import calls
from zoo import Zoo, vector_pair

from interpreg import AtLeast, Decode, Interpolator, Term
from interpreg.needs import DEFAULT
from interpreg.recipes import ACAIRegularizer
from interpreg.regularizers import AlphaSmoothness, Critic, CycleConsistency, Reconstruction, Regularizer
from interpreg.regularizers.gaia_mixes import DirichletMix
from interpreg.regularizers.plan import plan_of


class Speed(Regularizer):
    """The mean derivative along the path, by central differences that are exact for a linear decoder."""

    name = "speed"

    def __init__(self, encoder, decoder, interpolator, derivative=None) -> None:
        super().__init__(encoder, decoder)
        self.mixer, self.derivative = interpolator, derivative

    def needs(self):
        return [Decode(self.mixer, self.derivative), AtLeast(3, "to have a speed")]

    def terms(self, batch):
        return {"speed": Term(batch.derivative(self.mixer).mean(), 1.0)}


class Difference:
    """A derivative of one name."""

    method = "difference"

    def __call__(self, decode, z, direction, mask):
        return decode(z), (decode(z + direction) - decode(z - direction)) / 2


class Other(Difference):
    """The same by another name."""

    method = "other"


@pytest.mark.parametrize("follower", [CycleConsistency, AlphaSmoothness])
@pytest.mark.parametrize("order", [1, -1])
def test_a_term_without_an_interpolator_follows_the_first_named_one(follower, order: int, pair: Zoo) -> None:
    """Whichever comes first in the sum; one decoding serves both."""
    strategy = Interpolator(kind="spherical", alpha_range=(0.0, 0.9), pairing="permutation")
    parts = [Critic(pair.encoder, pair.decoder, interpolator=strategy), follower(pair.encoder, pair.decoder)]
    reg = sum(parts[::order])
    reg(pair.x)  # the first call tries methods of differentiation
    decoded = calls(pair.decoder)
    reg(pair.x)
    assert len(decoded) == 2  # reconstructions of the critic's real images, and interpolants
    assert reg.plan().followed is strategy


def test_an_added_interpolator_mixes_for_all_that_name_none(pair: Zoo) -> None:
    own, added = Interpolator(kind="spherical"), Interpolator(kind="bernoulli")
    game = Critic(pair.encoder, pair.decoder, gamma=1.0)
    other = Critic(pair.encoder, pair.decoder, gamma=1.0, interpolator=own)
    plan = (other + game + CycleConsistency(pair.encoder, pair.decoder) + added).plan()
    assert plan.followed is plan.default is added


@pytest.mark.fault(
    "Critics",
    "A critic without an interpolator mixes by the law of another part of the sum, so that its equations change.",
    now="only an interpolator that was added to the sum, or the same default, is shared",
)
def test_a_critic_without_an_interpolator_keeps_acais_beside_another(encoder, decoder, x) -> None:
    """The law of another part does not become its own."""
    permuting = Interpolator(alpha_range=(0.0, 1.0), pairing="permutation")
    total = CycleConsistency(encoder, decoder, interpolator=permuting) + Critic(encoder, decoder, gamma=1.0)
    decoded = calls(decoder)
    total(x)
    assert len(decoded) == 2  # each mixes its own way
    assert total.plan().default is not permuting


def test_a_derivative_of_ones_own_is_that_of_the_shared_interpolants(encoder, x) -> None:
    """For a linear decoder the derivative along the path is the decoded difference of the two codes."""
    linear = torch.nn.Sequential(torch.nn.Linear(4, 64, bias=False), torch.nn.Unflatten(1, (1, 8, 8)))
    strategy = Interpolator()
    reg = Critic(encoder, linear, interpolator=strategy) + Speed(encoder, linear, None, Difference())
    decoded = calls(linear)
    losses = reg(x)
    assert len(decoded) == 4  # the reconstruction; the interpolants, and the two ends of the difference
    z = encoder(x)
    torch.testing.assert_close(losses["speed"], linear(z - z.flip(0)).mean(), atol=1e-6, rtol=1e-4)


def test_two_derivatives_of_one_interpolator_are_refused(pair: Zoo) -> None:
    strategy = Interpolator()
    one = Speed(pair.encoder, pair.decoder, strategy, Difference())
    same = Speed(pair.encoder, pair.decoder, strategy, Difference())
    assert len((one + same).plan().derivatives) == 1
    with pytest.raises(ValueError, match=r"needs: .* one derivative .* method='difference' and method='other'"):
        one + Speed(pair.encoder, pair.decoder, strategy, Other())
    apart = one + Speed(pair.encoder, pair.decoder, Interpolator(), Other())
    assert len(apart.plan().derivatives) == 2
    with pytest.raises(ValueError, match=r"got method='double-backward' and method='finite'"):
        AlphaSmoothness(pair.encoder, pair.decoder, method="double-backward") + AlphaSmoothness(
            pair.encoder, pair.decoder, method="finite"
        )


@pytest.mark.parametrize("need", ["interpolants", Interpolator(), 3, None])
def test_what_is_no_need_is_refused_when_the_sum_is_made(need: object, pair: Zoo) -> None:
    class Odd(Regularizer):
        name = "odd"

        def needs(self):
            return [need]

        def terms(self, batch):
            return {"odd": Term(batch.z.mean(), 1.0)}

    odd = Odd(pair.encoder, pair.decoder)
    with pytest.raises(TypeError, match=r"needs: expected Decode, AtLeast or a bottleneck of the encoder, got"):
        Reconstruction(pair.encoder, pair.decoder) + odd
    encoded = calls(pair.encoder)
    with pytest.raises(TypeError, match=r"needs: expected Decode"):
        odd(pair.x)
    assert not encoded


def test_needs_are_checked_before_any_network_is_called(pair: Zoo) -> None:
    reg = ACAIRegularizer(pair.encoder, pair.decoder) + Speed(pair.encoder, pair.decoder, None, Difference())
    encoded = calls(pair.encoder)
    with pytest.raises(ValueError, match=r"x: expected at least 3 samples to have a speed, got a batch of 2"):
        reg(pair.x[:2])
    assert not encoded
    assert reg["acai"].game.step == 0


def test_needs_are_read_once() -> None:
    read = []

    class Counted(Speed):
        def needs(self):
            read.append(1)
            return super().needs()

    encoder, decoder, x = vector_pair()
    reg = Counted(encoder, decoder, None, Difference())
    for _ in range(3):
        reg(x)
    assert len(read) == 1


def test_terms_without_a_mixer_follow_the_one_that_was_added_or_the_first_that_is_named() -> None:
    named, added = Interpolator(), Interpolator()
    assert plan_of([Decode(None), Decode(named)]).followed is named
    assert plan_of([Decode(None), Decode(named)], added).followed is added
    assert plan_of([Decode(None)]).followed is DEFAULT
    assert plan_of([Decode(DEFAULT), Decode(None)], added).default is added
    assert len(plan_of([Decode(named), Decode(named), AtLeast(3, "to have distances")]).checks) == 2  # once each


def test_only_interpolators_are_differentiated_along() -> None:
    with pytest.raises(TypeError, match=r"needs: .* an Interpolator to differentiate along, got a DirichletMix"):
        plan_of([Decode(DirichletMix(), derivative=Difference())])


@pytest.mark.parametrize(("needs", "message"), [
    (Decode(), r"needs: expected a list of needs, got a Decode|got a tuple"),
    (None, r"needs: expected a list of needs, got None"),
    ("interpolants", r"needs: expected a list of needs, got 'interpolants'"),
    ([Decode("x")], r"mixer: expected a method 'mixed', got 'x'"),
    ([Decode(Interpolator(), torch.sin)], r"derivative: expected a callable with an attribute 'method'"),
    ([AtLeast("2", "to mix")], r"samples: expected an int, got '2'"),
])  # fmt: skip
def test_needs_that_are_none_are_named_when_the_sum_is_made(needs: object, message: str, pair: Zoo) -> None:
    class Odd(Reconstruction):
        def needs(self):
            return needs

    with pytest.raises(TypeError, match=message):
        Odd(pair.encoder, pair.decoder) + Reconstruction(pair.encoder, pair.decoder)


def test_a_derivative_of_another_shape_is_refused(pair: Zoo) -> None:
    class Wrong(Difference):
        def __call__(self, decode, z, direction, mask):
            return decode(z), direction

    with pytest.raises(ValueError, match=r"derivative: expected the shape of the interpolants"):
        Speed(pair.encoder, pair.decoder, None, Wrong())(pair.x)
