"""What a diagnosis says of codes that differ too little, and of posteriors that say nothing."""

import pytest
import torch
from zoo import images, vector_pair

from interpreg import GaussianBottleneck, Reconstruction, VAERegularizer, diagnose
from interpreg.diagnosis import Finding


def the_finding(change, size: int = 16) -> Finding:
    encoder, decoder, x = vector_pair(size)
    (finding,) = diagnose(Reconstruction(lambda x: change(encoder(x)), decoder), x)
    return finding


@pytest.mark.fault(
    "Bottlenecks", "The codes of different samples take two values, or lie on a line.",
    now="`diagnose`: `collapsed_codes`, and how they lie",
)  # fmt: skip
def test_codes_in_two_points_and_on_a_line() -> None:
    two = the_finding(lambda z: (z[:, :1] > z[:, :1].median()).float().expand_as(z) + 0 * z)
    assert (two.kind, two.severity) == ("collapsed_codes", "warning")
    assert "16 samples have 2 codes between them" in two.message
    line = the_finding(lambda z: z[:, :1] * torch.tensor([1.0, 2.0, -1.0, 0.5]) + 1)
    assert line.kind == "collapsed_codes"
    assert "all 4 elements depend on one number" in line.message


@pytest.mark.parametrize("change", [
    lambda z: z, lambda z: z.sign() + z - z.detach(), lambda z: z[:, :2] @ torch.eye(2, 4) + 0 * z + z.square(),
    lambda z: torch.softmax(z, 1), lambda z: 1 + 1e-3 * z,
])  # fmt: skip
def test_other_codes_are_left_alone(change) -> None:
    encoder, decoder, x = vector_pair(64)
    reg = Reconstruction(lambda x: change(encoder(x) - encoder(x).mean(0)), decoder)
    assert diagnose(reg, x).kinds == ()


@pytest.mark.fault(
    "Bottlenecks", "Posterior collapse: the posterior of every sample is the prior.",
    now="`diagnose`: `posterior_collapse`, and how many nats are left",
)  # fmt: skip
@pytest.mark.parametrize("scale", [0.0, 1e-3])
def test_posteriors_that_are_the_prior(network, decoder, scale: float) -> None:
    vae = GaussianBottleneck.dense(network, (4,))
    x = images(32, 1, 8, 8)
    assert diagnose(VAERegularizer(vae, decoder), x).kinds == ()
    with torch.no_grad():
        for p in vae.parameters():
            p *= scale
    (finding,) = (f for f in diagnose(VAERegularizer(vae, decoder), x) if f.kind != "dwarfed_term")
    assert finding.kind == "posterior_collapse"
