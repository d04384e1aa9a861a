"""The term of cycle consistency."""

import torch
from calls import calls
from torch import nn
from wrapped import variational
from zoo import Zoo

from interpreg import Critic, CycleConsistency, Interpolator


def test_it_is_the_mean_square_of_what_the_encoder_does_not_find_again(zoo: Zoo) -> None:
    encoder, decoder, x = zoo
    encoder.eval(), decoder.eval()
    trained = [*encoder.parameters(), *decoder.parameters()]
    reg = CycleConsistency(encoder, decoder, interpolator=Interpolator(), weight=0.5)
    torch.manual_seed(7)
    z = encoder(x)
    alpha = (0.5 - (torch.rand(len(x)) - 0.5).abs()).reshape(-1, *[1] * (z.dim() - 1))
    z_mix = alpha * z + (1 - alpha) * z.flip(0)
    expected = ((z_mix - encoder(decoder(z_mix))) ** 2).mean()
    torch.manual_seed(7)
    losses = reg(x)
    assert list(losses) == ["cycle"]
    torch.testing.assert_close((losses["cycle"], reg.unweighted["cycle"]), (0.5 * expected, expected.detach()))
    ours = torch.autograd.grad(losses["cycle"], trained, allow_unused=True, materialize_grads=True)
    straight = torch.autograd.grad(0.5 * expected, trained, allow_unused=True, materialize_grads=True)
    torch.testing.assert_close(ours, straight)


def test_padding_has_no_say() -> None:
    encoder, decoder = (nn.Linear(3, 3).double() for _ in range(2))
    x, mask = torch.randn(4, 5, 3).double(), torch.arange(5) < torch.tensor([5, 2, 3, 4])[:, None]
    ends = Interpolator(grid=2, alpha_range=(0, 1))
    reg = CycleConsistency(lambda x, mask: encoder(x), lambda z, mask: decoder(z), interpolator=ends)
    z = encoder(x)
    either = mask | mask.flip(0)
    own = z.where(mask[..., None], z.flip(0))  # continued by the partner where it ends
    ends, valid = torch.cat([own.flip(0), own]), torch.cat([either] * 2)
    expected = ((ends - encoder(decoder(ends)))[valid] ** 2).mean()
    torch.testing.assert_close(reg(x, mask=mask)["cycle"], 0.01 * expected)


def test_interpolants_are_shared_and_encoded_once(encoder, decoder, x) -> None:
    reg = Critic(encoder, decoder) + CycleConsistency(encoder, decoder) + CycleConsistency(encoder, decoder)
    encoded, decoded = calls(encoder), calls(decoder)
    losses = reg(x)
    assert (len(encoded), len(decoded)) == (2, 2)
    torch.testing.assert_close(losses["cycle"], losses["cycle_2"])


def test_an_encoder_that_draws_its_codes_is_used_as_it_is(encoder, decoder, x) -> None:
    encoder = variational(encoder)
    reg = CycleConsistency(encoder, decoder)
    torch.manual_seed(3)
    ours = reg(x)["cycle"]
    torch.manual_seed(3)
    z = encoder(x)
    mixed = Interpolator().sample(z)
    torch.testing.assert_close(ours, 0.01 * ((mixed.z_mix - encoder(decoder(mixed.z_mix))) ** 2).mean())
