"""Training one autoencoder with a progress bar and checkpoints; a resumed run gives the same result."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from interpreg._extras import optional_import
from interpreg._files import atomic_write
from interpreg.demo import networks
from interpreg.recipes import ACAIRegularizer
from interpreg.regularizers import Reconstruction, Regularizer

METHODS = ("plain", "ACAI")
STATEFUL = ("optimizer", "encoder", "decoder", "regularizer")  # parts of a run that have a state_dict
LOG_INTERVAL = 25  # steps; logging synchronises with the device
SAVE_INTERVAL = 250  # steps


@dataclass(frozen=True)
class Settings:
    """Everything that determines the result of a training run."""

    data: str
    seed: int
    steps: int
    learning_rate: float
    width: int
    scales: int
    code_channels: int
    batch_size: int = 64

    @property
    def shape(self) -> dict[str, int]:
        """The arguments of the networks."""
        return {"colours": 1} | {name: getattr(self, name) for name in ("width", "scales", "code_channels")}


@dataclass
class Run:
    """A method's networks and everything else that the next step depends on."""

    method: str
    settings: Settings
    encoder: nn.Module
    decoder: nn.Module
    regularizer: Regularizer
    optimizer: torch.optim.Optimizer
    batches: torch.Generator
    coefficients: torch.Generator
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """The content of a checkpoint."""
        return {
            "settings": asdict(self.settings),
            "step": self.step,
            "history": self.history,
            "batches": self.batches.get_state(),
            "coefficients": self.coefficients.get_state(),
            "others": torch.get_rng_state(),  # of dropout, of a posterior
        } | {name: getattr(self, name).state_dict() for name in STATEFUL}

    def load(self, state: dict[str, Any]) -> None:
        """Resume from a checkpoint of the same settings."""
        self.step, self.history = state["step"], state["history"]
        self.batches.set_state(state["batches"])
        self.coefficients.set_state(state["coefficients"])
        torch.set_rng_state(state["others"])
        for name in STATEFUL:
            getattr(self, name).load_state_dict(state[name])


def start(method: str, settings: Settings) -> Run:
    """A run at step 0; both methods have the same initial encoder and decoder and the same batches."""
    torch.manual_seed(settings.seed)
    encoder, decoder = networks.encoder(**settings.shape), networks.decoder(**settings.shape)
    for network in (encoder, decoder):  # the faster layout on CPUs
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's stubs
    batches = torch.Generator().manual_seed(settings.seed)
    coefficients = torch.Generator().manual_seed(settings.seed)
    regularizer: Regularizer
    if method == "plain":
        regularizer = Reconstruction(encoder, decoder)
    else:
        regularizer = ACAIRegularizer(encoder, decoder, generator=coefficients)
    parameters = [*encoder.parameters(), *decoder.parameters(), *regularizer.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=settings.learning_rate, fused=True)
    return Run(method, settings, encoder, decoder, regularizer, optimizer, batches, coefficients)


def train(
    run: Run,
    draw: Callable[[int, torch.Generator], Tensor],
    checkpoint: Path,
    tables: Mapping[str, Any] | None = None,
) -> None:
    """Train up to the settings' number of steps, from ``checkpoint`` on if it is of the same settings and data.

    Args:
        run: the start; changed in place.
        draw: a batch of images, of a batch size and a generator.
        checkpoint: written every few hundred steps, whole or not at all.
        tables: [data] and [train] of the configuration that the checkpoint carries, for ``python -m interpreg report``.
    """
    configuration = {} if tables is None else {"configuration": report_configuration(run, tables)}
    data = fingerprint(draw)
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if (state.get("settings"), state.get("data")) == (asdict(run.settings), data):
            run.load(state)
            print(f"{run.method}: resuming from step {run.step} of {run.settings.steps} in {checkpoint}")
        else:
            print(f"{run.method}: starting anew, because {checkpoint} is of other settings or data")
    tqdm = optional_import("tqdm", "demo", "the demo").tqdm
    bar = tqdm(total=run.settings.steps, initial=run.step, desc=f"{run.method:5}", unit="step", mininterval=0.5)
    try:
        while run.step < run.settings.steps:
            losses = _step(run, draw(run.settings.batch_size, run.batches))
            run.step += 1
            bar.update()
            if run.step % LOG_INTERVAL == 0:
                values = {name: loss.item() for name, loss in losses.items()}
                run.history.append({"step": run.step} | values)
                bar.set_postfix({name: f"{value:.4f}" for name, value in values.items()}, refresh=False)
            if run.step % SAVE_INTERVAL == 0 or run.step == run.settings.steps:
                with atomic_write(checkpoint) as partial:
                    torch.save(run.state() | {"data": data} | configuration, partial)
    finally:
        bar.close()


def report_configuration(run: Run, tables: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a report on the run: ``tables`` with the networks."""
    pair = {
        name: {"factory": f"{networks.__name__}:{name}", "arguments": run.settings.shape, "key": name}
        for name in ("encoder", "decoder")
    }
    return {"name": f"{run.method.lower()} on {run.settings.data}", **pair, **tables}


def fingerprint(draw: Callable[[int, torch.Generator], Tensor]) -> str:
    """A hash of one batch, which identifies the data."""
    return hashlib.sha256(draw(64, torch.Generator().manual_seed(0)).numpy().tobytes()).hexdigest()


def _step(run: Run, x: Tensor) -> dict[str, Tensor]:
    losses = run.regularizer(x.contiguous(memory_format=torch.channels_last))
    run.optimizer.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    run.optimizer.step()
    return run.regularizer.unweighted
