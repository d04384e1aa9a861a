"""``python -m interpreg report``: a report on a checkpoint, from the command line."""

import argparse
from pathlib import Path

import torch

from interpreg._files import as_path
from interpreg.metrics.lines import grid
from interpreg.report import checkpoint, config
from interpreg.report.report import interpolation_report
from interpreg.report.result import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "checkpoint", type=Path, help="a file of torch.save or safetensors; only tensors and plain values are read"
    )
    parser.add_argument("--config", type=Path, help="a TOML file naming encoder, decoder and data (see the docs); the "
                        "checkpoints of the demo need none")  # fmt: skip
    parser.add_argument("--out", type=Path, help="folder for report.html and report.json (beside the checkpoint)")
    parser.add_argument("--device", default=None, help="to run the networks on (cuda if there is one, else cpu)")


def run(arguments: argparse.Namespace) -> Report:
    """Print the table, write the page and the numbers.

    Raises:
        ImportError: an optional dependency or the networks' code is missing.
        OSError: a file is missing or cannot be written.
        ValueError: a file is malformed.
    """
    try:
        device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise ValueError(f"--device: expected a device such as cpu or cuda:0, got {arguments.device!r}") from error
    path = as_path("checkpoint", arguments.checkpoint)
    report = checkpoint_report(path, arguments.config, device=device)
    folder = as_path("--out", arguments.out or path.parent / f"{path.stem}-report")
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{report}\n")
    print(f"Page: {report.save_html(folder / 'report.html')}")
    print(f"Numbers: {report.save_json(folder / 'report.json')}")
    return report


def checkpoint_report(
    path: Path, configuration: Path | None = None, *, device: torch.device | str = "cpu", draw: bool = True
) -> Report:
    """The report on the networks in a checkpoint.

    Args:
        path: a file of ``torch.save``.
        configuration: a TOML file; None: the configuration in the checkpoint itself.
        device: of the networks.
        draw: whether to draw pictures.

    Raises:
        ImportError, OSError, ValueError: as :func:`run`.
    """
    path = as_path("checkpoint", path)
    configuration = None if configuration is None else as_path("--config", configuration)
    state = checkpoint.load(path)
    if configuration is None:
        content, folder, history = config.embedded(path, state), path.parent, state.get("history")
    else:
        content, folder, history = config.read(configuration), configuration.parent, None
    encoder, decoder = (
        config.network(name, content[name], state, folder).to(device) for name in ("encoder", "decoder")
    )
    data = config.data("data", content["data"], folder)
    assert data is not None
    options = dict(content["report"])
    if not draw:
        history, _ = None, options.pop("prior", None)
    is_lines = content["data"].get("name") == "lines"
    return interpolation_report(
        encoder,
        decoder,
        data,
        train=config.data("train", content["train"], folder),
        references=grid(data.images.shape[-1]) if is_lines else None,  # as published, 10,000 angles
        history=history,
        name=content.get("name", path.stem),
        draw=draw,
        **options,
    )
