"""The overhead of the package: calls of small networks, whose arithmetic takes little time.

    python benchmarks/overhead.py [--rounds 40]

One run on one thread, the variants in turn: ``reg(x)`` of ACAI against the same losses written by hand, MIDR-AE and
AEAI, the frozen pass of a deep critic against its plain pass, and the Python calls of one batch inside the package with
the moves between its files. With another checkout's ``src`` first in PYTHONPATH it measures that one.
"""

import argparse
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from types import FrameType

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

import interpreg
from interpreg import ACAIRegularizer, AEAIRegularizer, Critic, MIDRAERegularizer, fresh_copy

BATCH, SIZE, HIDDEN, CODE = 32, 16, 32, 4
CALLS = 40
BLOCKS = 60


def networks() -> tuple[nn.Module, nn.Module]:
    """An encoder and a decoder of two linear layers each."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(SIZE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CODE))
    return encoder, nn.Sequential(nn.Linear(CODE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, SIZE))


def by_hand(encoder: nn.Module, decoder: nn.Module, critic: nn.Module) -> Callable[[Tensor], dict[str, Tensor]]:
    """ACAI written by hand: one backward, the critic frozen in the pass of the autoencoder's loss."""

    def step(x: Tensor) -> dict[str, Tensor]:
        alpha = 0.5 - (torch.rand(len(x), 1) - 0.5).abs()
        z = encoder(x)
        x_hat, x_mix = decoder(z), decoder(torch.lerp(z.flip(0), z, alpha))
        critic.requires_grad_(False)
        judgement = critic(x_mix).mean(1)
        critic.requires_grad_(True)
        return {
            "reconstruction": mse_loss(x_hat, x),
            "interpolation": 0.5 * judgement.square().mean(),
            "critic/interpolation": (critic(x_mix.detach()).mean(1) - alpha[:, 0]).square().mean(),
            "critic/real": critic(torch.lerp(x_hat, x, 0.2).detach()).mean(1).square().mean(),
        }

    return step


def seconds(steps: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median CPU time of a call, the variants measured in turn."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.process_time()
            for _ in range(CALLS):
                step()
            times[name].append((time.process_time() - start) / CALLS)
    return {name: median(each[rounds // 4 :]) for name, each in times.items()}


def calls_and_moves(step: Callable[[], object]) -> tuple[int, int]:
    """Python calls inside the package during one step, and the number of successive calls in different files."""
    package = str(Path(interpreg.__file__).parent)
    files: list[str] = []

    def trace(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(package):
            files.append(frame.f_code.co_filename)

    sys.setprofile(trace)
    try:
        step()
    finally:
        sys.setprofile(None)
    return len(files), sum(a != b for a, b in pairwise(files))


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    encoder, decoder = networks()
    x = torch.randn(BATCH, SIZE)
    recipes = {"ACAI": ACAIRegularizer, "MIDR-AE": MIDRAERegularizer, "AEAI": AEAIRegularizer}
    made = {name: recipe(encoder, decoder) for name, recipe in recipes.items()}
    hand = by_hand(encoder, decoder, fresh_copy(encoder))
    steps: dict[str, Callable[[], object]] = {"by hand": lambda: hand(x)}
    steps |= {name: lambda reg=reg: reg(x) for name, reg in made.items()}
    took = seconds(steps, rounds)
    for name, each in took.items():
        print(f"{name:<10} {1e6 * each:8.0f} us   {each / took['by hand']:5.2f} x ACAI by hand")
    for name in recipes:
        print("{:<10} {} calls, {} moves between files".format(name, *calls_and_moves(steps[name])))

    deep = nn.Sequential(*(nn.Sequential(nn.Linear(SIZE, SIZE), nn.ReLU()) for _ in range(BLOCKS)))
    game = Critic(encoder, decoder, deep)
    passes = seconds({"plain": lambda: deep(x), "frozen": lambda: game.call_frozen(x)}, rounds)
    print(f"frozen pass of {BLOCKS} blocks: {passes['frozen'] / passes['plain']:.2f} x plain")


if __name__ == "__main__":
    main()
