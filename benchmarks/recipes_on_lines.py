"""Every recipe trained on small lines, the same networks from the same start on the same batches, and scored.

    python benchmarks/recipes_on_lines.py                 # all of them, about three quarters of an hour on two cores
    python benchmarks/recipes_on_lines.py ACAI MIDR-AE --seed 1
    python benchmarks/recipes_report.py                   # the table and the pictures of the documentation

Each run writes checkpoints, from which the same command resumes, and a row in
``benchmarks/results/recipes-lines.csv``. The networks are the ACAI paper's, at 16 x 16 pixels; codes have 64 elements.
"""

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from interpreg import (
    AAERegularizer,
    ACAIRegularizer,
    AEAIRegularizer,
    AMRRegularizer,
    DenoisingRegularizer,
    DropoutRegularizer,
    GAIARegularizer,
    GaussianBottleneck,
    Interpolator,
    KLPrior,
    LRAERegularizer,
    MIAERegularizer,
    MIDRAERegularizer,
    Reconstruction,
    Regularizer,
    SparseRegularizer,
    VAERegularizer,
    VectorQuantizer,
    VQVAERegularizer,
    WAERegularizer,
)
from interpreg.datasets import lines
from interpreg.demo import networks
from interpreg.demo.training import Run, Settings, train
from interpreg.metrics import line_scores

SIZE, PAIRS, STEPS = 16, 256, 16
RESULTS = Path(__file__).parent / "results" / "recipes-lines.csv"
COLUMNS = (
    "method", "seed", "steps", "seconds", "reconstruction", "mean_distance_x1000", "smoothness", "smoothness_paper",
    "undefined", "detour", "torch",
)  # fmt: skip

Made = tuple[nn.Module, nn.Module, Regularizer]
Make = Callable[[nn.Module, nn.Module], Made]


def plainly(recipe: Callable[..., Regularizer], **options: object) -> Make:
    """A recipe around the plain pair."""
    return lambda encoder, decoder: (encoder, decoder, recipe(encoder, decoder, **options))


def variational(encoder: nn.Module) -> nn.Module:
    """The encoder with the published heads: two dense layers for the mean and the logarithm of the variance."""
    return GaussianBottleneck.dense(encoder, (16, 2, 2))


def acai_on_a_vae(encoder: nn.Module, decoder: nn.Module) -> Made:
    """The composition that the paper's authors and reviewers left as future work."""
    vae = variational(encoder)
    return vae, decoder, ACAIRegularizer(vae, decoder) + KLPrior(vae, decoder, weight=BETA)


def vae(encoder: nn.Module, decoder: nn.Module) -> Made:
    wrapped = variational(encoder)
    return wrapped, decoder, VAERegularizer(wrapped, decoder, weight=BETA)


def vq_vae(encoder: nn.Module, decoder: nn.Module) -> Made:
    wrapped = VectorQuantizer(encoder, dim=16, codebook_size=256)
    return wrapped, decoder, VQVAERegularizer(wrapped, decoder)


BETA = 0.1  # lines are a few bright pixels: at 1, with a variance of 1/2, most of the code is ignored
FAITHFUL = {
    "reconstruction": "mse",
    "reconstruction_weight": 50.0,
}  # with L1 the background alone is an optimum, because it is nine tenths of an image
METHODS: dict[str, Make] = {
    "plain": plainly(Reconstruction),
    "ACAI": plainly(ACAIRegularizer),
    "MI-AE": plainly(MIAERegularizer),
    "LR-AE": plainly(LRAERegularizer, mmd_weight=0.1),
    "MIDR-AE": plainly(MIDRAERegularizer, mmd_weight=0.1, noise_weight=0.1, prior_weight=0.05),
    "AEAI": plainly(AEAIRegularizer),
    "AEAI, less smooth": plainly(AEAIRegularizer, smoothness_weight=0.01),
    "AMR": plainly(AMRRegularizer, **FAITHFUL),
    "AMR Bernoulli": plainly(AMRRegularizer, kind="bernoulli", **FAITHFUL),
    "AMR 3-way": plainly(AMRRegularizer, ways=3, **FAITHFUL),
    "GAIA": plainly(GAIARegularizer),
    "AAE": plainly(AAERegularizer, code_shape=(16, 2, 2), weight=0.1),
    "WAE": plainly(WAERegularizer),
    "WAE Sinkhorn": plainly(WAERegularizer, divergence="sinkhorn", weight=0.001),
    "VAE": vae,
    "ACAI on a VAE": acai_on_a_vae,
    "VQ-VAE": vq_vae,
    "denoising": plainly(DenoisingRegularizer),
    "dropout": plainly(DropoutRegularizer),
    "sparse": plainly(SparseRegularizer),
}


def start(method: str, seed: int, steps: int) -> Run:
    """A run at step 0: for one seed the same networks and batches, whatever the method."""
    settings = Settings(f"lines: {method}", seed, steps, 1e-3, width=8, scales=3, code_channels=16)
    torch.manual_seed(seed)
    encoder, decoder = (make(1, 8, 3, 16) for make in (networks.encoder, networks.decoder))
    for network in (encoder, decoder):
        network.to(memory_format=torch.channels_last)
    encoder, decoder, regularizer = METHODS[method](encoder, decoder)
    trained = [*encoder.parameters(), *decoder.parameters(), *regularizer.parameters()]
    optimizer = torch.optim.Adam(trained, lr=settings.learning_rate, fused=True)
    generators = (torch.Generator().manual_seed(seed) for _ in range(2))
    return Run(method, settings, encoder, decoder, regularizer, optimizer, *generators)


def draw(n: int, generator: torch.Generator) -> Tensor:
    return lines.sample(n, SIZE, generator=generator).images


def ends(seed: int) -> tuple[Tensor, Tensor]:
    """Held-out lines, as the ends of paths."""
    generator = torch.Generator().manual_seed(2**31 + seed)
    return draw(PAIRS, generator), draw(PAIRS, generator)


def paths(run: Run) -> Tensor:
    """Interpolations between held-out lines, ``[256, 16, 1, 16, 16]``."""
    with torch.no_grad():
        run.encoder.eval(), run.decoder.eval()
        return Interpolator(run.encoder, run.decoder).path(*ends(run.settings.seed), STEPS)


def scores(run: Run) -> dict[str, float]:
    found = line_scores(paths(run))
    images = torch.cat(ends(run.settings.seed))
    with torch.no_grad():
        error = (run.decoder(run.encoder(images)) - images).square().mean().item()
    return {
        "reconstruction": error, "mean_distance_x1000": 1000 * found.mean_distance, "smoothness": found.smoothness,
        "smoothness_paper": found.smoothness_paper, "undefined": found.undefined, "detour": found.detour,
    }  # fmt: skip


def record(row: dict[str, object], path: Path) -> None:
    """Add a row, in place of an earlier one of the same method, seed and number of steps."""
    key = ("method", "seed", "steps")
    rows = []
    if path.exists():
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    rows = [old for old in rows if [old[k] for k in key] != [str(row[k]) for k in key]]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows([*rows, row])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", help=f"of {', '.join(METHODS)}; all when not given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument(
        "--out", type=Path, default=Path("recipes-out"), help="folder of checkpoints (%(default)s)"
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    unknown = [name for name in options.methods if name not in METHODS]
    if unknown:
        parser.error(f"methods: expected some of {', '.join(METHODS)}, got {unknown[0]!r}")
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    for method in options.methods or METHODS:
        run = start(method, options.seed, options.steps)
        began = time.monotonic()
        train(run, draw, checkpoint(options.out, method, options.seed, options.steps))
        seconds = round(time.monotonic() - began)
        row = {"method": method, "seed": options.seed, "steps": options.steps, "seconds": seconds}
        found = {name: round(value, 5) for name, value in scores(run).items()}
        record(row | found | {"torch": torch.__version__}, options.results)
        print(method, found, flush=True)


def checkpoint(folder: Path, method: str, seed: int, steps: int) -> Path:
    return folder / f"{method.lower().replace(' ', '-')}-seed{seed}-{steps}.pt"


if __name__ == "__main__":
    main()
