"""The shared forward pass: everything once, and what is announced together."""

import pytest
import torch
from test_recipes import calls
from zoo import Zoo, batch_norm_pair, vector_pair

from interpreg import Batch, Interpolator
from interpreg.priors import Normal


def test_everything_is_computed_once_and_when_asked_for() -> None:
    encoder, decoder, x = vector_pair()
    encoded, decoded = calls(encoder), calls(decoder)
    batch = Batch(x, encoder, decoder)
    assert (len(encoded), len(decoded)) == (0, 0)
    strategy = Interpolator(pairing="permutation")
    for _ in range(2):
        batch.z, batch.x_hat, batch.interpolants(), batch.interpolants(strategy), batch.recoded(strategy)
    assert (len(encoded), len(decoded)) == (2, 3)


def test_what_is_announced_together_is_decoded_together_with_reconstructions() -> None:
    encoder, decoder, x = vector_pair()
    decoded = calls(decoder)
    batch = Batch(x, encoder, decoder)
    one, other = Interpolator(grid=3), Interpolator(pairing="permutation")
    batch.expect(one, together=True)
    batch.expect(other, together=True)
    x_hat = batch.x_hat
    assert [len(batch.interpolants(each).x_mix) for each in (one, other)] == [18, 6]
    assert len(decoded) == 1
    torch.testing.assert_close(x_hat, decoder(batch.z))
    for each in (one, other):
        mixed = batch.interpolants(each)
        torch.testing.assert_close(mixed.x_mix, decoder(mixed.z_mix))


def test_given_reconstructions_are_not_decoded_again() -> None:
    encoder, decoder, x = vector_pair()
    z = encoder(x)
    x_hat = decoder(z)
    decoded = calls(decoder)
    batch = Batch(x, encoder, decoder, z=z, x_hat=x_hat)
    strategy = Interpolator()
    batch.expect(strategy, together=True)
    batch.interpolants(strategy)
    assert batch.x_hat is x_hat
    assert len(decoded) == 1


def test_batch_statistics_are_not_mixed() -> None:
    encoder, decoder, x = batch_norm_pair()
    batch = Batch(x, encoder, decoder)
    strategies = [Interpolator(), Interpolator()]
    for each in strategies:
        batch.expect(each, together=True)
    decoded = calls(decoder)
    x_hat = batch.x_hat
    assert len(decoded) == 3
    torch.testing.assert_close(x_hat, decoder(batch.z))


def test_a_prior_is_sampled_once_for_all_who_ask_with_the_same_generator() -> None:
    encoder, decoder, x = vector_pair()
    batch, prior = Batch(x, encoder, decoder), Normal()
    first = batch.prior_samples(prior)
    assert first.shape == (6, 4)
    assert batch.prior_samples(prior) is first
    assert batch.prior_samples(Normal(0.0, 1.0)) is not first  # another prior, though its twin
    assert batch.prior_samples(prior, torch.Generator()) is not first


@pytest.mark.parametrize("size", [5, 7])
def test_a_decoder_that_loses_samples_is_named(size: int) -> None:
    encoder, decoder, x = vector_pair()
    batch = Batch(x, encoder, lambda z: decoder(z)[:1].expand(size, -1, -1, -1))
    with pytest.raises(ValueError, match=r"decoder: expected the shape of x, \(6, 1, 8, 8\), got"):
        batch.x_hat  # noqa: B018


def test_interpolants_are_checked_too(pair: Zoo) -> None:
    batch = Batch(pair.x, pair.encoder, lambda z: pair.decoder(z)[..., :-1])
    with pytest.raises(ValueError, match=r"decoder: expected the shape of x"):
        batch.interpolants()
