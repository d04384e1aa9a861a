"""The colours are told apart by all eyes: Okabe and Ito's, and as the colour-blind see them (Machado 2009)."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from interpreg.plots._canvas import DASHES, MARKERS, PALETTE

OKABE_ITO = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
EYES = {  # what becomes of linear RGB in eyes that lack a kind of cone
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}


def lab(colour: str, eyes: str) -> np.ndarray:
    """CIELAB of a colour as it is seen."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = (np.array(EYES[eyes]) @ linear).clip(0, 1)
    xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]] @ seen
    f = np.cbrt(xyz / [0.9505, 1, 1.089])
    f = np.where(f**3 > 0.008856, f, 7.787 * f**3 + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_colours_are_okabe_and_itos() -> None:
    assert set(PALETTE) >= OKABE_ITO
    assert set(PALETTE[:7]) <= OKABE_ITO
    assert len(set(PALETTE)) == len(set(MARKERS)) == 10
    assert len(set(DASHES)) == 8


@pytest.mark.parametrize("eyes", EYES)
def test_all_eyes_tell_them_apart(eyes: str) -> None:
    """At least 15 units of CIELAB's difference between any two; 2.3 are just noticeable."""
    seen = [lab(colour, eyes) for colour in PALETTE]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 15
