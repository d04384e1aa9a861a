"""What every regularizer is: a name, terms, an objective for each player."""

import math

import pytest
import torch
from calls import calls
from zoo import Zoo, vector_pair

from interpreg import ACAIRegularizer, Batch, Critic, Ramp, Reconstruction, Regularizer, Term


def test_the_smallest_extension_is_one_method(pair: Zoo) -> None:
    class Sparse(Regularizer):
        name = "sparse"

        def terms(self, batch: Batch) -> dict[str, Term]:
            return {"sparse": Term(batch.z.abs().mean(), 0.1)}

    total = Sparse(pair.encoder, pair.decoder) + ACAIRegularizer(pair.encoder, pair.decoder)
    losses = total(pair.x)
    assert losses["sparse"].item() == pytest.approx(0.1 * pair.encoder(pair.x).abs().mean().item())


def term(value: object, weight: object = 1.0) -> type[Regularizer]:
    """A regularizer whose one term is what is given."""

    class Odd(Regularizer):
        name = "odd"

        def terms(self, batch: Batch) -> dict[str, Term]:
            made = value(batch) if callable(value) else value
            return {"odd": made if isinstance(made, tuple) and not isinstance(made, Term) else Term(made, weight)}

    return Odd


def test_a_value_that_is_a_function_is_computed_only_where_it_counts(pair: Zoo) -> None:
    made: list[int] = []

    def value() -> torch.Tensor:
        made.append(1)
        return torch.ones(())

    kind = term(lambda batch: value, 0.0)
    losses = kind(pair.encoder, pair.decoder)(pair.x)
    assert (losses["odd"].item(), losses["odd"].requires_grad, made) == (0, False, [])
    assert term(lambda batch: value, 2.0)(pair.encoder, pair.decoder)(pair.x)["odd"].item() == 2
    assert len(made) == 1


@pytest.mark.parametrize("name", [None, 3])
def test_a_term_without_a_name_is_refused_when_it_is_made(name: object, pair: Zoo) -> None:
    class Nameless(Regularizer):
        def terms(self, batch: Batch) -> dict[str, Term]:
            return {}

    if name is not None:
        Nameless.name = name
    with pytest.raises(TypeError, match=rf"name: expected a class attribute of Nameless, a str, got {name}"):
        Nameless(pair.encoder, pair.decoder)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (
            torch.ones(3),
            ValueError,
            r"terms: expected a 0-dim tensor as the value of 'odd', got a torch.float32 te",
        ),
        (1.0, ValueError, r"terms: expected a 0-dim tensor as the value of 'odd', got 1.0"),
        (None, ValueError, r"terms: expected a 0-dim tensor as the value of 'odd', got None"),
        (lambda batch: lambda: batch.z.mean(1), ValueError, r"0-dim tensor as the value of 'odd'"),
        ((torch.ones(()), 1.0), TypeError, r"terms: expected a Term for 'odd', got a tuple of length 2"),
    ],
)
@pytest.mark.parametrize("summed", [False, True])
def test_what_is_no_loss_is_named(value: object, error: type, message: str, summed: bool) -> None:
    encoder, decoder, x = vector_pair()
    reg = term(value)(encoder, decoder)
    acai = ACAIRegularizer(encoder, decoder)
    with pytest.raises(error, match=message):
        (acai + reg if summed else reg)(x)
    assert acai.game.step == 0  # nothing was counted


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
def test_a_weight_that_is_not_finite_is_refused(bad: float, pair: Zoo) -> None:
    encoded = calls(pair.encoder)
    with pytest.raises(ValueError, match=r"weight: expected a finite number of at least 0"):
        Reconstruction(pair.encoder, pair.decoder, weight=bad)
    with pytest.raises(ValueError, match=r"weight: expected a finite number of at least 0"):
        ACAIRegularizer(pair.encoder, pair.decoder, weight=bad)
    with pytest.raises(ValueError, match=r"value: expected a finite number of at least 0"):
        Ramp(bad)
    with pytest.raises(ValueError, match=r"weight of 'odd': expected a finite number of at least 0"):
        term(torch.ones(()), bad)(pair.encoder, pair.decoder)(pair.x)
    assert not encoded


@pytest.mark.parametrize("field", ["start", "over"])
def test_a_ramp_of_negative_length_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=rf"{field}: expected an int of at least 0, got -1"):
        Ramp(1.0, **{field: -1})
    with pytest.raises(TypeError, match=rf"{field}: expected an int, got 1.5"):
        Ramp(1.0, **{field: 1.5})


def test_optimizers_that_lack_a_critic_are_told_how_much_and_whole_ones_are_not(pair: Zoo) -> None:
    critic = Critic(pair.encoder, pair.decoder)
    own, theirs = (torch.optim.SGD(each.parameters(), lr=0.1) for each in (critic, pair.encoder))
    with pytest.raises(
        ValueError, match=r"optimizers: expected every parameter of Critic, but 4 are in none .*reg.p"
    ):
        critic.check_optimizers(theirs)
    critic.check_optimizers(theirs, own)
