"""Scattered codes: points, axes, colours and the decoded plane are the given ones."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.colors import to_hex
from pictures import degrees, spiral, tilted, turning_decoder
from sklearn.decomposition import PCA

from interpreg.plots import latent_scatter


def offsets(ax) -> np.ndarray:
    return np.concatenate([dots.get_offsets() for dots in ax.collections])


def test_one_or_two_elements_are_drawn_as_they_are() -> None:
    ax = latent_scatter(spiral())
    np.testing.assert_allclose(offsets(ax), spiral(), atol=1e-6)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("code, element 1", "code, element 2")
    ax = latent_scatter(spiral()[:, 0])  # on a line
    np.testing.assert_allclose(offsets(ax)[:, 0], spiral()[:, 0], atol=1e-6)
    assert (offsets(ax)[:, 1] == 0).all()


def test_more_are_drawn_by_their_principal_components() -> None:
    """Against scikit-learn, up to the signs, which are arbitrary."""
    ax = latent_scatter(tilted())
    pca = PCA(2).fit(tilted().flatten(1).double())
    expected = pca.transform(tilted().flatten(1).double())
    found = offsets(ax)
    np.testing.assert_allclose(found * np.sign(found[:1] * expected[:1]), expected, atol=1e-5)
    shares = [round(100 * share) for share in pca.explained_variance_ratio_]
    assert ax.get_xlabel() == f"principal component 1 ({shares[0]} %)"
    assert ax.get_ylabel() == f"principal component 2 ({shares[1]} %)"


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize(("n", "d"), [(2, 3), (4, 9), (9, 4), (40, 40)])
def test_components_of_any_number_of_codes_of_any_size(scale: float, n: int, d: int) -> None:
    codes = scale * torch.randn(n, d, dtype=torch.float64)
    found, expected = offsets(latent_scatter(codes)) / scale, PCA(2).fit_transform(codes / scale)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-6)


def test_codes_on_a_line_have_a_second_component_of_nothing() -> None:
    ax = latent_scatter(torch.arange(5.0)[:, None] * torch.ones(4))
    assert (offsets(ax)[:, 1] == 0).all()
    assert (np.ptp(offsets(ax)[:, 0]), ax.get_ylabel()) == (pytest.approx(8), "principal component 2 (0 %)")


@pytest.mark.parametrize("shape", [(5, 1), (5, 2), (5, 3), (1, 2), (1, 7), (5, 4, 2)])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
def test_equal_codes_are_one_point_and_a_note(shape: tuple[int, ...], value: float) -> None:
    ax = latent_scatter(torch.full(shape, value), decoder=lambda z: torch.zeros(len(z), 1, 4, 4))
    assert ax.get_title() == "all codes are equal"
    assert np.isfinite(offsets(ax)).all()
    assert len(np.unique(offsets(ax), axis=0)) == 1
    low, high = ax.get_xlim()
    assert low < offsets(ax)[0, 0] < high
    ax.figure.draw_without_rendering()


@pytest.mark.parametrize("names", [None, ["zero", "one", "two", "three"]])
def test_classes_have_a_colour_a_marker_and_a_name_each(names: list[str] | None) -> None:
    classes = torch.tensor([3, 1, 0, 1, 3, 0])
    codes = torch.arange(12.0).view(6, 2)
    ax = latent_scatter(codes, classes, names=names)
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == (["zero", "one", "three"] if names else ["0", "1", "3"])
    for k, dots in zip((0, 1, 3), ax.collections, strict=True):
        np.testing.assert_allclose(dots.get_offsets(), codes[classes == k])
    assert len({to_hex(dots.get_facecolor()[0]) for dots in ax.collections}) == 3
    assert len({dots.get_paths()[0].vertices.tobytes() for dots in ax.collections}) == 3


def test_ten_classes_are_all_told_apart_and_eleven_are_a_scale() -> None:
    ax = latent_scatter(spiral(), torch.arange(120) % 10)
    assert len({to_hex(dots.get_facecolor()[0]) for dots in ax.collections}) == 10
    assert len({dots.get_paths()[0].vertices.tobytes() for dots in ax.collections}) == 10
    ax = latent_scatter(spiral(), torch.arange(120) % 11)
    assert ax.get_legend() is None
    assert ax.collections[0].get_cmap().name == "viridis"


def test_floats_are_a_scale_and_periodic_ones_come_round() -> None:
    ax = latent_scatter(spiral(), degrees() / 7)
    np.testing.assert_allclose(ax.collections[0].get_array(), degrees() / 7, rtol=1e-6)
    ax = latent_scatter(spiral(), (degrees() + 720).int(), period=360)
    dots = ax.collections[0]
    np.testing.assert_allclose(dots.get_array(), degrees().int())
    assert (dots.get_cmap().name, dots.get_clim()) == ("twilight_shifted", (0, 360))
    np.testing.assert_allclose(dots.cmap(dots.norm(0.0)), dots.cmap(dots.norm(360.0)), atol=0.02)


@pytest.mark.parametrize("codes", [spiral(), tilted(), tilted().half()], ids=["plain", "components", "half"])
def test_decoded_images_lie_where_their_codes_do(codes: torch.Tensor) -> None:
    """The middle of each cell, mapped back to a code by hand, is a code that was decoded into that cell."""
    seen = []

    def decoder(z: torch.Tensor) -> torch.Tensor:
        seen.append(z)
        return torch.linspace(-1, 1, 121).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)

    ax = latent_scatter(codes, decoder=decoder)
    (z,) = seen
    assert (z.shape, z.dtype) == ((121, *codes.shape[1:]), codes.dtype)
    left, right, bottom, top = ax.images[0].get_extent()
    assert (left, right) == ax.get_xlim()
    assert (bottom, top) == ax.get_ylim()
    assert left < offsets(ax)[:, 0].min() < offsets(ax)[:, 0].max() < right
    flat = codes.flatten(1).double()
    points = torch.from_numpy(offsets(ax))
    back = torch.linalg.lstsq(torch.cat([points, torch.ones(len(points), 1)], 1), flat).solution  # [3, d]
    picture = ax.images[0].get_array()
    assert picture.shape == (66, 66, 4)  # 11 images of 4 pixels and a rim of 1 around each
    for i, code in enumerate(z.flatten(1).double()):
        row, column = divmod(i, 11)
        x, y = left + (column + 0.5) / 11 * (right - left), bottom + (row + 0.5) / 11 * (top - bottom)
        digits = 2e-2 if codes.dtype == torch.half else 1e-4
        np.testing.assert_allclose(code, torch.tensor([x, y, 1]).double() @ back, atol=digits)
        np.testing.assert_allclose(picture[65 - (row * 6 + 3), column * 6 + 3, 0], i / 120, atol=1e-6)


@pytest.mark.parametrize("layout", [None, "constrained"])
@pytest.mark.parametrize("values", [None, degrees(), (degrees() // 90).long()], ids=["none", "floats", "classes"])
def test_draws_where_it_is_told_to(layout: str | None, values: torch.Tensor | None) -> None:
    figure, ax = pyplot.subplots(layout=layout)
    assert latent_scatter(spiral(), values, decoder=turning_decoder, ax=ax) is ax
    figure.draw_without_rendering()
    assert pyplot.get_fignums() == [figure.number]


@pytest.mark.parametrize(("codes", "others", "message"), [
    (torch.zeros(0, 2), {}, r"codes: expected shape \[n, ...\]"),
    (torch.tensor([[0.0, torch.nan]]), {}, "codes: expected finite numbers, got 1 of 2 that are not finite"),
    (torch.zeros(3, 2), {"values": [1, 2]}, r"values: expected one for each of 3 codes, got shape \(2,\)"),
    (torch.zeros(3, 2), {"values": "abc"}, "values: expected a tensor, got 'abc'"),
    (torch.zeros(2, 2), {"values": [1.0, torch.nan]}, "values: expected finite numbers, got 1 of 2"),
    (torch.zeros(2, 2), {"values": [1.0, 2.0], "period": 0}, "period: expected a positive number"),
    (torch.zeros(2, 2), {"period": 360}, "period: expected None without values"),
    (torch.zeros(2, 2), {"names": ["a"]}, "names: expected None without values"),
    (torch.zeros(2, 2), {"values": [1.0, 2.0], "names": ["a"]}, "names: expected None with values that"),
    (torch.zeros(2, 2), {"values": [0, 2], "names": ["a", "b"]}, "names: expected a name for every class, 0 to 2"),
    (torch.zeros(2, 2), {"decoder": lambda z: torch.zeros(5, 1, 4, 4)}, "decoder: expected a batch of 121"),
    (torch.zeros(2, 2), {"decoder": "no"}, "decoder: expected a module"),
    (torch.zeros(2, 2), {"decoder": torch.nn.Identity()}, r"decoder: expected shape \[121, 1 or 3, H, W\]"),
])  # fmt: skip
def test_bad_input_is_named_before_anything_is_drawn(codes, others, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        latent_scatter(codes, **others)
    assert pyplot.get_fignums() == []
