"""1-D signals: AEAI on pulses, and the distance of interpolants from single pulses.

    python examples/signals.py

A cross-fade of two pulses is two half pulses. A good interpolation moves one pulse.
"""

import torch
from torch import Tensor, nn

from interpreg import AEAIRegularizer, Interpolator, Reconstruction, Regularizer

LENGTH, FIRST_CENTRE, LAST_CENTRE = 64, 8.0, 56.0


def pulses(centres: Tensor) -> Tensor:
    """Signals ``[n, 1, 64]`` in [-1, 1], each with one pulse."""
    time = torch.arange(float(LENGTH))
    return (2 * torch.exp(-0.5 * ((time - centres[:, None]) / 2.5) ** 2) - 1)[:, None]


def random_pulses(n: int) -> Tensor:
    """Pulses at random centres."""
    return pulses(FIRST_CENTRE + (LAST_CENTRE - FIRST_CENTRE) * torch.rand(n))


def autoencoder() -> tuple[nn.Module, nn.Module]:
    """Signals to codes of 16 numbers, and back."""
    encoder = nn.Sequential(
        nn.Conv1d(1, 16, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Conv1d(16, 32, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Conv1d(32, 32, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(256, 16),
    )
    decoder = nn.Sequential(
        nn.Linear(16, 256),
        nn.Unflatten(1, (32, 8)),
        nn.ConvTranspose1d(32, 32, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose1d(32, 16, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose1d(16, 1, 4, 2, 1),
    )
    return encoder, decoder


def distance(signals: Tensor) -> float:
    """The mean squared difference from the nearest pulse."""
    references = pulses(torch.linspace(FIRST_CENTRE, LAST_CENTRE, 481))
    return (torch.cdist(signals.flatten(1), references.flatten(1)).amin(1).square() / LENGTH).mean().item()


def main(steps: int = 1500) -> dict[str, dict[str, float]]:
    """Train plain and with AEAI; distances of interpolants from the nearest pulse, and errors of reconstructions."""
    torch.manual_seed(1)
    start, end = random_pulses(256), random_pulses(256)
    results = {
        "cross-fade": {"distance": distance(torch.cat([torch.lerp(start, end, t / 10) for t in range(1, 10)]))}
    }
    print("cross-fade", results["cross-fade"])
    for method in ("plain", "AEAI"):
        torch.manual_seed(0)
        encoder, decoder = autoencoder()
        reg: Regularizer = Reconstruction(encoder, decoder)
        if method == "AEAI":
            reg = AEAIRegularizer(encoder, decoder, smoothness_weight=1e-2)
        optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters(), *reg.parameters()], lr=2e-3)
        for _ in range(steps):
            optimizer.zero_grad()
            sum(reg(random_pulses(64)).values()).backward()
            optimizer.step()
        with torch.no_grad():
            between = Interpolator(encoder, decoder).path(start, end, steps=11)[:, 1:-1].flatten(0, 1)
            error = (decoder(encoder(start)) - start).square().mean().item()
        results[method] = {"distance": distance(between), "reconstruction error": error}
        print(method, {name: round(value, 4) for name, value in results[method].items()})
    return results


if __name__ == "__main__":
    main()
