"""Terms composed by hand, two optimizers, warm-up: a hinge critic with spectral normalisation on real digits.

    python examples/compose.py

Needs the demo extra (scikit-learn includes the digits).
"""

import torch
from torch import nn

from interpreg import Critic, Interpolator, Ramp, Reconstruction, spectral_norm
from interpreg.datasets import digits


def main(steps: int = 600) -> tuple[list[str], list[float]]:
    """Train for some steps; the names of the losses, and the adversarial weight at each step."""
    torch.manual_seed(0)
    data = digits.load("train")
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 16))
    decoder = nn.Sequential(nn.Linear(16, 128), nn.ReLU(), nn.Linear(128, 64), nn.Unflatten(1, (1, 8, 8)))
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1))

    strategy = Interpolator(alpha_range=(0.0, 1.0), pairing="permutation")
    game = Critic(
        encoder,
        decoder,
        spectral_norm(network),
        loss="hinge",
        judge="logit",
        gamma=1.0,  # real images are the data, without a blend with reconstructions
        # the critic is trained first; then its weight in the autoencoder's loss grows
        weight=Ramp(0.02, start=steps // 4, over=steps // 4),
    )
    reg = Reconstruction(encoder, decoder) + strategy + game

    of_autoencoder = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    of_critic = torch.optim.Adam(reg.parameters(), lr=2e-3, betas=(0.5, 0.9))
    reg.check_optimizers(of_autoencoder, of_critic)  # raises if they lack a parameter of the critic
    names, weights = [], []
    for step in range(steps):
        x = data.draw(64)
        losses = reg(x)
        players = reg.split(losses)
        of_autoencoder.zero_grad()
        of_critic.zero_grad()
        players.autoencoder.backward()
        players.critic.backward()
        of_autoencoder.step()
        of_critic.step()
        names = list(losses)
        weights.append(float(reg.weights["interpolation"]))
        if step % 100 == 0:
            print(step, {name: round(value.item(), 3) for name, value in reg.unweighted.items()})
    return names, weights


if __name__ == "__main__":
    main()
