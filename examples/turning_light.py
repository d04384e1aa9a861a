"""A pole under a moving light, plain and with ACAI: interpolants compared with the real images in between.

    python examples/turning_light.py

The light's elevation and azimuth determine every image, so the images between two others are known: this is the
evaluation of AEAI (section 4.3) on its kind of data. Writes a report on each model, and the curves of both in one
picture, after four minutes on two cores.
"""

import argparse
from pathlib import Path

import torch
from matplotlib import pyplot
from torch import nn
from tqdm import tqdm

from interpreg import ACAIRegularizer, Reconstruction, Regularizer, interpolation_report, plots
from interpreg.datasets import pole
from interpreg.report import Report

SIZE = 32


def networks() -> tuple[nn.Module, nn.Module]:
    """Convolutions down to 4 x 4 and back; codes of 32 numbers."""

    def down(a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]

    def up(a: int, b: int) -> list[nn.Module]:
        return [nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, padding=1), nn.LeakyReLU(0.2)]

    encoder = nn.Sequential(*down(1, 16), *down(16, 32), *down(32, 64), nn.Flatten(), nn.Linear(1024, 32))
    decoder = nn.Sequential(
        nn.Linear(32, 1024), nn.Unflatten(1, (64, 4, 4)), *up(64, 32), *up(32, 16), *up(16, 16),
        nn.Conv2d(16, 1, 3, padding=1),
    )  # fmt: skip
    return encoder, decoder


def train(method: str, steps: int) -> tuple[nn.Module, nn.Module, list[dict[str, float]]]:
    """Networks of the same initial weights, trained on light from random directions."""
    torch.manual_seed(0)
    encoder, decoder = networks()
    kind: type[Regularizer] = {"plain": Reconstruction, "ACAI": ACAIRegularizer}[method]
    reg = kind(encoder, decoder)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters(), *reg.parameters()], lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    history = []
    for step in tqdm(range(1, steps + 1), desc=method, mininterval=1, disable=None):
        losses = reg(pole.sample(64, SIZE, generator=generator).images)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        if step % 20 == 0 or step == steps:
            history.append({"step": step} | {name: loss.item() for name, loss in losses.items()})
    return encoder, decoder, history


def main(steps: int = 1500, out: Path = Path("turning-light")) -> dict[str, Report]:
    """Train, measure, draw."""
    out.mkdir(parents=True, exist_ok=True)
    data = pole.paper_set(SIZE)  # 8 elevations of 72 azimuths
    reports: dict[str, Report] = {}
    for method in ("plain", "ACAI"):
        encoder, decoder, history = train(method, steps)
        reports[method] = interpolation_report(
            encoder, decoder, data, train=data, history=history, name=method, pairs=len(data)
        )  # as many pairs as there are intervals: all of them
        reports[method].save_html(out / f"{method}.html")
        reports[method].save_json(out / f"{method}.json")
        print(reports[method], "\n")
    draw(reports, out / "curves.png")
    return reports


def draw(reports: dict[str, Report], path: Path) -> None:
    """Both models and cross-fades of the images, in the same four pictures."""
    pictures = (
        ("by_alpha", plots.error_by_alpha),
        ("by_interval", plots.error_by_interval),
        ("retrieved", plots.retrieved_alpha),
        ("retrieved", plots.parameter_distance),
    )
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 8), layout="constrained")
    for (name, picture), ax in zip(pictures, axes.flat, strict=True):
        curves = [getattr(report.curves, name) for report in reports.values()]
        picture(
            {"cross-fade": curves[0]["cross-fade"]} | {m: c[m] for m, c in zip(reports, curves, strict=True)}, ax
        )
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500, help="training steps of each model (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("turning-light"), help="folder to write to (%(default)s)")
    arguments = parser.parse_args()
    main(arguments.steps, arguments.out)
