"""Encoders that run their bottleneck more often than once a batch, in chunks or frames, recomputed or copied."""

from collections.abc import Callable

import pytest
import torch
from processes import spawn
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from interpreg import Commitment, GaussianBottleneck, KLPrior, Reconstruction, VectorQuantizer

DECODER = nn.Linear(3, 5)


def nats(network: nn.Module, x: Tensor) -> Tensor:
    """Of a network of means and log variances, written out."""
    mean, log_variance = network(x.reshape(-1, x.shape[-1])).chunk(2, 1)
    return kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(()), 1.0)).sum() / x.numel()


class Encoder(nn.Module):
    """A network of means and log variances in a bottleneck, and a way of calling it."""

    def __init__(self, way: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.network = nn.Linear(5, 6)
        self.bottleneck = GaussianBottleneck(self.network)
        self.norm = nn.LayerNorm(3)
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        return self.way(self, x)


def chunked(self: nn.Module, x: Tensor) -> Tensor:
    return torch.cat([self.bottleneck(part) for part in x.split((3, 3, 1))])


def recomputed(self: nn.Module, x: Tensor) -> Tensor:
    return checkpoint(self.bottleneck, x, use_reentrant=False)


def recomputed_inside(self: nn.Module, x: Tensor) -> Tensor:
    inner = GaussianBottleneck(lambda x: checkpoint(self.network, x, use_reentrant=True))
    inner._slot = self.bottleneck._slot
    return inner(x.clone().requires_grad_())


WAYS: dict[str, tuple[Callable[[nn.Module, Tensor], Tensor], tuple[int, ...]]] = {
    "once": (lambda self, x: self.bottleneck(x), (7, 5)),
    "in chunks": (chunked, (7, 5)),
    "in chunks, and another layer": (lambda self, x: self.norm(chunked(self, x)), (7, 5)),
    "frame by frame": (lambda self, x: torch.stack([self.bottleneck(f) for f in x.unbind(1)], 1), (7, 2, 5)),
    "frames in the batch": (lambda self, x: self.bottleneck(x.flatten(0, 1)).unflatten(0, x.shape[:2]), (7, 2, 5)),
    "and flattened": (lambda self, x: self.bottleneck(x.flatten(0, 1)).reshape(len(x), -1), (7, 2, 5)),
    "and normalized": (lambda self, x: self.norm(self.bottleneck(x)), (7, 5)),
    "and twice as long": (lambda self, x: torch.cat([z := self.bottleneck(x), z], 1), (7, 5)),
    "recomputed": (recomputed, (7, 5)),
    "recomputed inside": (recomputed_inside, (7, 5)),
}  # fmt: skip


@pytest.mark.fault(
    "Bottlenecks",
    "An encoder runs its bottleneck in chunks, frame by frame or under `checkpoint`.",
    now="the KL of all of them, with its gradient",
)
@pytest.mark.parametrize("way", WAYS)
def test_the_posterior_is_that_of_all_calls_of_a_batch(way: str) -> None:
    call, shape = WAYS[way]
    encoder, x = Encoder(call), torch.randn(shape)
    expected = nats(encoder.network, x)
    parameters = list(encoder.network.parameters())
    gradients = torch.autograd.grad(expected, parameters)
    reg = KLPrior(encoder, DECODER)
    for _ in range(3):  # a recomputation leaves nothing for the next batch
        loss = reg(x)["kl"]
        torch.testing.assert_close(loss, expected)
        encoder.zero_grad()
        loss.backward()
        torch.testing.assert_close(tuple(p.grad for p in parameters), gradients)
    with torch.no_grad():
        torch.testing.assert_close(reg(x)["kl"], expected)


@pytest.mark.parametrize("way", ["once", "and flattened", "and normalized", "and twice as long", "recomputed"])
def test_the_codes_of_the_loop_may_be_computed_from_those_of_the_bottleneck(way: str) -> None:
    call, shape = WAYS[way]
    encoder, x = Encoder(call), torch.randn(shape)
    reg = KLPrior(encoder, DECODER)
    for copied in (lambda z: z, torch.clone, lambda z: z.double().float(), lambda z: z.tanh()):
        encoder.zero_grad()
        loss = reg(x, z=copied(encoder(x)))["kl"]
        torch.testing.assert_close(loss, nats(encoder.network, x))
        loss.backward()
        assert encoder.network.weight.grad.norm() > 0


def strange(self: nn.Module, x: Tensor) -> Tensor:
    return (self.bottleneck(x) + self.bottleneck(x)) / 2


@pytest.mark.parametrize(("given", "make"), [
    ("chunks", lambda e, x: torch.cat([e(x[:3]), e(x[3:])])),
    ("of two calls", lambda e, x: (e(x) + e(x)) / 2),
    ("a part", lambda e, x: e(torch.cat([x, x]))[:7]),
    ("of an earlier call", lambda e, x: [e(x), e(x)][0]),
    ("of an earlier call, and copied", lambda e, x: [e(x).clone(), e(x)][0]),
    ("of another encoder", lambda e, x: Encoder(WAYS["once"][0])(x)),
    ("not from an encoder", lambda e, x: e(x) is None or torch.zeros(7, 3)),
])  # fmt: skip
@pytest.mark.fault(
    "Bottlenecks",
    "A loop hands over codes of which the bottleneck's latest call made none, or only some.",
    now="`ValueError`, before anything is computed",
)
def test_other_codes_of_the_loop_are_refused(given: str, make: Callable[[nn.Module, Tensor], Tensor]) -> None:
    encoder, x = Encoder(WAYS["once"][0]), torch.randn(7, 5)
    with pytest.raises(ValueError, match="leave z to"):
        KLPrior(encoder, DECODER)(x, z=make(encoder, x))


@pytest.mark.parametrize(("call", "message"), [
    (strange, "to make the codes of 7 samples, got 2 calls with 14 samples in all"),
    (lambda self, x: self.network(x)[:, :3], "to call its GaussianBottleneck for each batch, got no call"),
    (lambda self, x: torch.cat([self.bottleneck(x[:3]), torch.zeros(4, 3)]), "got 1 calls with 3 samples in all"),
    (lambda self, x: checkpoint(self.bottleneck, x.requires_grad_(), use_reentrant=True),
     r"expected its GaussianBottleneck to run with gradients enabled.*use_reentrant=False"),
])  # fmt: skip
@pytest.mark.fault(
    "Bottlenecks",
    "The posterior of some samples is missing, counted twice or without a gradient, as under re-entrant checkpointing.",
    now="`ValueError`",
)
def test_a_posterior_of_other_samples_or_without_a_gradient_is_refused(call, message: str) -> None:
    encoder = Encoder(call)
    for given in ({}, {"z": True}):
        x = torch.randn(7, 5)
        with pytest.raises(ValueError, match=message if not given else "leave z to|gradients enabled"):
            KLPrior(encoder, DECODER)(x, **({"z": encoder(x)} if given else {}))


def test_calls_before_and_in_between_do_not_count() -> None:
    encoder, x = Encoder(chunked), torch.randn(7, 5)
    reg = KLPrior(encoder, DECODER) + Reconstruction(encoder, DECODER)
    for _ in range(2):
        encoder(torch.randn(7, 5))
        with torch.no_grad():
            encoder(torch.randn(7, 5))
        torch.testing.assert_close(reg(x)["kl"], nats(encoder.network, x))


def test_an_encoder_that_fails_leaves_nothing() -> None:
    def fails_once(self: nn.Module, x: Tensor) -> Tensor:
        z = self.bottleneck(x)
        if len(x) == 2:
            raise RuntimeError("two")
        return z

    encoder, x = Encoder(fails_once), torch.randn(7, 5)
    reg = KLPrior(encoder, DECODER)
    with pytest.raises(RuntimeError, match="two"):
        reg(x[:2])
    torch.testing.assert_close(reg(x)["kl"], nats(encoder.network, x))
    with pytest.raises(RuntimeError, match="two"):
        reg(x[:2])
    torch.testing.assert_close(reg(x, z=encoder(x))["kl"], nats(encoder.network, x))


def test_the_commitment_of_chunks_is_that_of_the_batch() -> None:
    class Chunked(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            masks = [None, None] if mask is None else mask.split((4, 2))
            return torch.cat([self.inner(*pair) for pair in zip(x.split((4, 2)), masks, strict=True)])

    class Steps(nn.Linear):
        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            return super().forward(x)

    inner = VectorQuantizer(Steps(5, 4), dim=4, codebook_size=8, axis=-1).eval()  # whose codebook stays
    x, mask = torch.randn(6, 3, 5), torch.arange(3) < torch.tensor([[3], [1], [2], [1], [3], [3]])
    for given in (None, mask):
        with torch.no_grad():
            z, e = inner.network(x), inner(x, given)
        expected = (z - e).square().mean() if given is None else (z - e)[mask].square().mean()
        loss = Commitment(Chunked(inner), DECODER, weight=1.0).eval()(x, mask=given)["commitment"]
        torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("way", ["once", "in chunks", "and normalized", "frame by frame"])
def test_compiled_encoders_have_the_same_posterior(way: str) -> None:
    call, shape = WAYS[way]
    encoder, x = Encoder(call), torch.randn(shape)
    compiled = torch.compile(encoder, backend="aot_eager", fullgraph=True)
    reg = KLPrior(compiled, DECODER)
    with torch._dynamo.config.patch(error_on_recompile=False):
        for _ in range(2):
            loss = reg(x)["kl"]
            torch.testing.assert_close(loss, nats(encoder.network, x))
            assert torch.autograd.grad(loss, encoder.network.weight)[0].norm() > 0
        if way == "once":
            torch.testing.assert_close(reg(x, z=compiled(x))["kl"], nats(encoder.network, x))
        else:
            with pytest.raises(ValueError, match="leave z to"):
                reg(x, z=compiled(x))


def test_replicas_of_data_parallel_are_refused() -> None:
    encoder = Encoder(WAYS["once"][0])
    replica = encoder.bottleneck._replicate_for_data_parallel()
    replica.network = encoder.network
    with pytest.raises(TypeError, match=r"expected no DataParallel around a GaussianBottleneck, .*DistributedD"):
        replica(torch.randn(7, 5))


@pytest.mark.fault(
    "Bottlenecks",
    "DistributedDataParallel (`find_unused_parameters`, `static_graph`) returns clones of the codes to the loop.",
    now="the KL and its gradient, the same in all processes",
)
def test_ddp_may_clone_the_codes() -> None:
    spawn(_clones, 2)


def _clones(rank: int, world: int) -> None:
    for options in ({"find_unused_parameters": True}, {"static_graph": True}, {}):
        torch.manual_seed(0)
        encoder = Encoder(WAYS["once"][0])
        encoder.norm = nn.Identity()
        both = torch.randn(world, 7, 5)
        expected = torch.autograd.grad(sum(nats(encoder.network, x) for x in both) / world, encoder.network.weight)
        wrapped = DistributedDataParallel(encoder, **options)
        # torch synchronises static graphs only where a loss depends on the output
        reg = KLPrior(wrapped, DECODER) + Reconstruction(wrapped, DECODER, weight=1e-9)
        for loops in (True, False):
            encoder.zero_grad()
            sum(reg(both[rank], **({"z": wrapped(both[rank])} if loops else {})).values()).backward()
            torch.testing.assert_close(encoder.network.weight.grad, expected[0])


def test_a_bottleneck_that_two_encoders_share_serves_each_in_turn() -> None:
    shared = Encoder(WAYS["once"][0]).bottleneck
    encoders = [nn.Sequential(nn.Linear(5, 5), shared) for _ in range(2)]
    regs, x = [KLPrior(encoder, DECODER) for encoder in encoders], torch.randn(7, 5)
    for _ in range(2):
        for encoder, reg in zip(encoders, regs, strict=True):
            expected = nats(shared.network, encoder[0](x))
            torch.testing.assert_close(reg(x)["kl"], expected)
            torch.testing.assert_close(reg(x, z=encoder(x))["kl"], expected)
    first, second = (encoder(x) for encoder in encoders)
    with pytest.raises(ValueError, match="leave z to"):
        regs[0](x, z=first)
    torch.testing.assert_close(regs[1](x, z=second)["kl"], nats(shared.network, encoders[1][0](x)))


def test_a_bottleneck_is_found_behind_functions_and_methods() -> None:
    encoder, x = Encoder(WAYS["in chunks"][0]), torch.randn(7, 5)
    for callable_ in (encoder.forward, lambda x: encoder(x), torch.compile(encoder, backend="eager")):
        torch.testing.assert_close(KLPrior(callable_, DECODER)(x)["kl"], nats(encoder.network, x))
