"""ACAI in an existing training loop: AdamW, mixed precision, gradient accumulation.

    python examples/existing_loop.py

Only the lines marked (1) and (2) are added, and the optimizer holds the critic's parameters too.
"""

import torch
from torch import nn

from interpreg import ACAIRegularizer
from interpreg.datasets import lines

ACCUMULATION_STEPS = 2


class Autoencoder(nn.Module):
    """An existing model, unchanged."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 4, 2, 1), nn.SiLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.SiLU(), nn.Conv2d(32, 8, 3, 1, 1)
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(8, 32, 4, 2, 1),
            nn.SiLU(),
            nn.ConvTranspose2d(32, 16, 4, 2, 1),
            nn.Conv2d(16, 1, 3, 1, 1),
        )


def main(steps: int = 400) -> list[dict[str, float]]:
    """Train for some steps; the losses of each."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = Autoencoder().to(device)
    reg = ACAIRegularizer(model.encoder, model.decoder, reconstruction=None)  # (1)
    optimizer = torch.optim.AdamW([*model.parameters(), *reg.parameters()], lr=1e-3)
    scaler = torch.amp.GradScaler(device)
    history = []
    for step in range(steps):
        x = lines.sample(64, 16, device=device).images
        with torch.autocast(device, torch.bfloat16):
            z = model.encoder(x)
            x_hat = model.decoder(z)
            loss = nn.functional.mse_loss(x_hat, x)
            history.append({"reconstruction": loss.item()})
            loss = loss + sum(reg(x, z=z, x_hat=x_hat).values())  # (2)
        history[-1] |= {name: value.item() for name, value in reg.unweighted.items()}
        scaler.scale(loss / ACCUMULATION_STEPS).backward()
        if step % ACCUMULATION_STEPS == ACCUMULATION_STEPS - 1:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    return history


if __name__ == "__main__":
    for number, losses in enumerate(main()):
        if number % 50 == 0:
            print(number, {name: round(value, 4) for name, value in losses.items()})
