"""The KL term: its closed form, its scale, its masks, who may have one."""

import copy

import pytest
import torch
from sequences import Tokens
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from wrapped import Scale, variational
from zoo import Zoo

from interpreg import GaussianBottleneck, KLPrior, VectorQuantizer
from interpreg.functional import kl_to_normal


def test_the_term_is_nats_per_element_of_x(zoo: Zoo) -> None:
    head = Scale()
    encoder = GaussianBottleneck(zoo.encoder.eval(), heads=(nn.Identity(), head))
    losses = KLPrior(encoder, zoo.decoder, weight=0.5)(zoo.x)
    mean = zoo.encoder(zoo.x)
    posterior = Normal(mean, (head(mean) / 2).exp())
    nats = kl_divergence(posterior, Normal(torch.zeros(()), torch.ones(()))).reshape(len(mean), -1).sum(1)
    torch.testing.assert_close(losses["kl"], 0.5 * nats.mean() / zoo.x[0].numel())


def test_padded_positions_do_not_count() -> None:
    encoder = GaussianBottleneck(Tokens(5, 8), axis=-1)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    x = torch.randn(2, 3, 5)
    reg = KLPrior(encoder, Tokens(4, 5))
    loss = reg(x, mask=mask)["kl"]
    mean, log_variance = encoder.network(x[mask]).chunk(2, -1)
    nats = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(()), 1.0)).sum()
    torch.testing.assert_close(loss, nats / (4 * 5))
    (full,) = torch.autograd.grad(loss, encoder.network.weight)
    again = reg(torch.where(mask[..., None], x, torch.full_like(x, 50.0)), mask=mask)["kl"]
    (other,) = torch.autograd.grad(again, encoder.network.weight)
    torch.testing.assert_close((again, other), (loss, full))
    none = reg(torch.randn(2, 3, 5), mask=torch.zeros_like(mask))["kl"]
    assert none == 0


def test_a_code_of_a_whole_sequence_is_summed_whole() -> None:
    class Whole(nn.Linear):
        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            return super().forward(x.flatten(1))

    encoder = GaussianBottleneck(Whole(15, 6))
    mask = torch.tensor([[True, True, True], [True, False, False]])
    x = torch.randn(2, 3, 5)
    loss = KLPrior(encoder, nn.Identity())(x, mask=mask)["kl"]
    nats = kl_to_normal(*encoder.network(x * mask[..., None]).chunk(2, 1)).sum()
    torch.testing.assert_close(loss, nats / (4 * 5))


def test_it_works_where_the_loop_encodes(network, decoder, x) -> None:
    encoder = variational(network)
    reg = KLPrior(encoder, decoder)
    z = encoder(x)
    given = reg(x, z=z)["kl"]
    torch.testing.assert_close(given, reg(x)["kl"])  # the posterior is the same, whatever was drawn
    given.backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_copies_of_the_regularizer_read_their_own_encoder(network, decoder, x) -> None:
    reg = KLPrior(variational(network), decoder)
    twin = copy.deepcopy(reg)
    twin.encoder.log_variance_head.offset.data += 1
    assert twin(x)["kl"] != reg(x)["kl"]
    assert not list(reg.parameters())
    assert not reg.state_dict()


def test_a_quantizer_has_no_posterior(network, decoder) -> None:
    with pytest.raises(TypeError, match="got a VectorQuantizer, which has no posterior; use VQVAERegularizer or"):
        KLPrior(VectorQuantizer(network, dim=4), decoder)
