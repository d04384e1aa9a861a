"""An MMD autoencoder: codes drawn towards a normal prior, so that decoded prior samples are nearer to digits.

    python examples/codes_towards_a_prior.py

Needs the demo extra (scikit-learn includes the digits).
"""

import torch
from torch import nn

from interpreg import MMDPrior, Reconstruction
from interpreg.datasets import digits
from interpreg.functional import mmd2
from interpreg.metrics import nearest


def train(weight: float, steps: int) -> dict[str, float]:
    """Train with a weight of the prior; errors of reconstructions, codes and decoded prior samples."""
    torch.manual_seed(0)
    data, test = digits.load("train"), digits.load("test").images
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 8))
    decoder = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 64), nn.Unflatten(1, (1, 8, 8)))
    reg = Reconstruction(encoder, decoder)
    if weight:
        reg = reg + MMDPrior(encoder, decoder, weight=weight)  # closed form: no prior samples, no prior noise
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
    for _ in range(steps):
        x = data.draw(128)
        optimizer.zero_grad()
        sum(reg(x).values()).backward()
        optimizer.step()
    with torch.no_grad():
        codes, prior = encoder(test), torch.randn(512, 8)
        return {
            "reconstruction": (decoder(codes) - test).square().mean().item(),
            "mmd": mmd2(codes, prior).item(),
            "distance of decoded prior samples to real digits": nearest(decoder(prior), data.images)
            .distances.mean()
            .item(),
        }


def main(steps: int = 1500) -> dict[str, dict[str, float]]:
    """Without and with the prior, side by side."""
    results = {"plain": train(0.0, steps), "with MMDPrior": train(0.1, steps)}
    for name, numbers in results.items():
        print(name, {key: round(value, 4) for key, value in numbers.items()})
    return results


if __name__ == "__main__":
    main()
