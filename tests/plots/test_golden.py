"""What the pictures look like, against pictures that somebody has looked at.

``INTERPREG_DRAW_GOLDEN=1 python -m pytest tests/plots/test_golden.py`` draws them anew, and fails to say so; then look
at every one before it is committed.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pytest
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.testing.compare import compare_images
from pictures import (
    bars,
    degrees,
    distances,
    errors,
    grid,
    history,
    interval_errors,
    paths,
    retrieved,
    spiral,
    tilted,
    turning_decoder,
)
from PIL import Image

from interpreg import plots

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = 1.0  # root mean square, of 255
SIX = ("AEAI", "ACAI", "AAE", "VAE", "AMR", "GAIA")
RC = {"backend": "agg", "font.family": "DejaVu Sans", "figure.dpi": 60, "savefig.dpi": 60, "text.hinting": "none"}


def with_a_gap():
    result = errors(1.5)
    result.mean = result.mean.index_fill(0, torch.tensor([5]), torch.nan)
    return result


def small_axes() -> Axes:
    """All curves at once, in axes as small as a paper's."""
    _, axes = pyplot.subplots(2, 2, figsize=(6.5, 4.6), layout="constrained")
    plots.error_by_alpha({"AEAI": errors(1), "ACAI": errors(2)}, ax=axes[0, 0])
    plots.corner_grid({"AEAI": grid(4, 4), "ACAI": grid(4, 4, 0.5)}, ax=axes[0, 1])
    plots.latent_scatter(spiral(), degrees(), period=360, decoder=turning_decoder, ax=axes[1, 0])
    plots.image_sheet(bars(8), labels=[f"{i}/8 turn" for i in range(8)], ax=axes[1, 1])
    return axes[0, 0]


PICTURES: dict[str, Callable[[], Axes]] = {
    "rows": lambda: plots.interpolation_rows({"plain": paths(2, 5), "ACAI": paths(2, 5, -0.5)}),
    "rows_ends": lambda: plots.interpolation_rows(paths(2, 5), (bars(2), bars(2))),
    "sheet": lambda: plots.image_sheet(bars(23)),
    "sheet_labels": lambda: plots.image_sheet(bars(6, 3), columns=3, labels=[f"{30 * i}°" for i in range(6)]),
    "corners": lambda: plots.corner_grid(grid(5, 7)),
    "corners_six": lambda: plots.corner_grid({name: grid(4, 4, 1 - i / 8) for i, name in enumerate(SIX)}),
    "corners_of": lambda: plots.corner_grid_of(
        lambda x: spiral(4) + 0 * x.flatten(1)[:, :2], turning_decoder, bars(4), steps=5
    ),
    "prior": lambda: plots.prior_samples(turning_decoder, (2,), prior=lambda n: spiral(n), n=36),
    "codes": lambda: plots.latent_scatter(spiral()),
    "codes_classes": lambda: plots.latent_scatter(spiral(), (degrees() // 36).long()),
    "codes_cyclic": lambda: plots.latent_scatter(tilted(), degrees(), period=360),
    "codes_values": lambda: plots.latent_scatter(spiral(), spiral()[:, 0], decoder=turning_decoder),
    "codes_names": lambda: plots.latent_scatter(
        tilted(), (degrees() // 120).long(), names=["cat", "dog", "owl"]
    ),
    "codes_equal": lambda: plots.latent_scatter(torch.ones(5, 3)),
    "codes_line": lambda: plots.latent_scatter(spiral()[:, :1], degrees()),
    "error_six": lambda: plots.error_by_alpha({name: errors(1 + 0.4 * i) for i, name in enumerate(SIX)}),
    "error_gap": lambda: plots.error_by_alpha(with_a_gap()),
    "interval": lambda: plots.error_by_interval({"AEAI": interval_errors(1), "ACAI": interval_errors(2)}),
    "retrieved": lambda: plots.retrieved_alpha(retrieved(0.08)),
    "retrieved_three": lambda: plots.retrieved_alpha(
        {"AEAI": retrieved(0.02), "ACAI": retrieved(0.1), "AMR": retrieved(-0.1)}
    ),
    "distance": lambda: plots.parameter_distance(distances(0.05)),
    "distance_two": lambda: plots.parameter_distance({"AEAI": distances(0.02), "ACAI": distances(0.1)}),
    "training": lambda: plots.training_curves(history()),
    "training_runs": lambda: plots.training_curves({"plain": history(), "ACAI": history(0.5)}, smooth=1),
    "training_signs": lambda: plots.training_curves([{"step": i, "a": (i / 3) ** 2 - 20} for i in range(30)]),
    "small": small_axes,
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_looks_as_it_did(name: str, tmp_path: Path) -> None:
    golden = GOLDEN / f"{name}.png"
    with matplotlib.style.context("default"), matplotlib.rc_context(RC):
        figure = PICTURES[name]().get_figure(root=True)
        drawn = golden if os.environ.get("INTERPREG_DRAW_GOLDEN") == "1" else tmp_path / golden.name
        drawn.parent.mkdir(exist_ok=True)
        figure.savefig(drawn, dpi=60, metadata={"Software": None})
    if drawn == golden:
        Image.open(drawn).convert("RGB").save(drawn, optimize=True)  # smaller, and the same picture
        pytest.fail(f"drew {golden} anew; look at it, then run without INTERPREG_DRAW_GOLDEN")
    assert golden.exists(), f"{golden} is missing; INTERPREG_DRAW_GOLDEN=1 draws it"
    difference = compare_images(str(golden), str(drawn), tol=TOLERANCE)
    assert difference is None, f"{difference}\nif the new picture is meant, INTERPREG_DRAW_GOLDEN=1 draws it"


def test_no_picture_is_left_over_and_all_are_small() -> None:
    files = list(GOLDEN.glob("*.png"))
    assert {file.stem for file in files} == set(PICTURES)
    assert sum(file.stat().st_size for file in files) < 400_000


@pytest.mark.parametrize("name", [name for name in PICTURES if name != "small"])
def test_without_matplotlib_every_function_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"needs matplotlib, .* pip install 'interpreg\[plot\]'"):
        PICTURES[name]()


def test_every_function_has_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    called = set()
    for function in plots.__all__:
        monkeypatch.setattr(plots, function, lambda *a, f=function, **k: called.add(f))
    for name, draw in PICTURES.items():
        if name != "small":
            draw()
    assert called == set(plots.__all__)
