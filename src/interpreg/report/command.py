"""``python -m interpreg report``: a report on a checkpoint, for those who would rather not write code."""

import argparse
from pathlib import Path
from typing import Any

import torch

from interpreg import _checks
from interpreg.datasets import digits, lines
from interpreg.datasets.images import Images
from interpreg.demo import networks
from interpreg.demo.tasks import LINES_SIZE
from interpreg.metrics.lines import grid
from interpreg.report import config
from interpreg.report.report import Report, interpolation_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "checkpoint", type=Path, help="what torch.save wrote; only tensors and plain values are read"
    )
    parser.add_argument("--config", type=Path, help="a TOML file naming encoder, decoder and data (see the docs); the "
                        "checkpoints of the demo need none")  # fmt: skip
    parser.add_argument("--out", type=Path, help="folder for report.html and report.json (beside the checkpoint)")
    parser.add_argument("--device", default=None, help="to run the networks on (cuda if there is one, else cpu)")


def run(arguments: argparse.Namespace) -> Report:
    """Measure, print the table, write the page and the numbers.

    Raises:
        ImportError: an optional dependency or the networks' code is missing.
        OSError: a file is missing or cannot be written.
        ValueError: a file is not what it should be.
    """
    try:
        device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise ValueError(f"--device: expected a device such as cpu or cuda:0, got {arguments.device!r}") from error
    state = config.checkpoint(arguments.checkpoint)
    folder = arguments.out or arguments.checkpoint.parent / f"{arguments.checkpoint.stem}-report"
    if arguments.config is not None:
        report = _configured(arguments.config, arguments.checkpoint, state, device)
    elif isinstance(state, dict) and "settings" in state and "encoder" in state:
        report = _demonstrated(arguments.checkpoint, state, device)
    else:
        known = sorted(map(str, state)) if isinstance(state, dict) else _checks.describe(state)
        raise ValueError(
            f"{arguments.checkpoint}: expected --config FILE, because only checkpoints of the demo say what networks "
            f"they are of; this one holds {known}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    print(report)
    print(
        f"\nPage: {report.save_html(folder / 'report.html')}\nNumbers: {report.save_json(folder / 'report.json')}"
    )
    return report


def _configured(path: Path, checkpoint: Path, state: Any, device: torch.device) -> Report:
    content = config.read(path)
    encoder, decoder = (
        config.network(name, content[name], state, path.parent).to(device) for name in ("encoder", "decoder")
    )
    data, labels = config.data("data", content["data"], path.parent)
    train, train_labels = config.data("train", content["train"], path.parent)
    assert data is not None
    return interpolation_report(
        encoder,
        decoder,
        data,
        train=train,
        references=_references(content["data"]),
        labels=labels,
        train_labels=train_labels,
        name=content.get("name", checkpoint.stem),
        **content["report"],
    )


def _demonstrated(path: Path, state: dict[str, Any], device: torch.device) -> Report:
    """A checkpoint of ``python -m interpreg demo``, on the data that it was held out from."""
    settings = state["settings"]
    shape = (1, settings["width"], settings["scales"], settings["code_channels"])
    pair = networks.encoder(*shape), networks.decoder(*shape)
    for network, key in zip(pair, ("encoder", "decoder"), strict=True):
        network.load_state_dict(state[key])
        network.to(device)
    title = f"{path.stem} on {settings['data']}"
    if settings["data"] == "lines":
        data = lines.labelled(2048, LINES_SIZE, generator=torch.Generator().manual_seed(2**31 + settings["seed"]))
        train = lines.labelled(4096, LINES_SIZE, generator=torch.Generator().manual_seed(settings["seed"]))
        return interpolation_report(
            *pair, data, train=train, references=grid(LINES_SIZE), history=state["history"], name=title
        )
    found = digits.load()
    data, train = Images(found.test, found.test_labels), Images(found.train, found.train_labels)
    return interpolation_report(*pair, data, train=train, history=state["history"], name=title)


def _references(table: dict[str, Any]) -> Images | None:
    """For lines, the published grid of 10,000 angles."""
    return grid(table.get("options", {}).get("size", 32)) if table.get("name") == "lines" else None
