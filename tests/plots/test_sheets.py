"""Sheets of images: every image, frame and label where it belongs."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.colors import to_hex
from torch import Tensor, nn

from interpreg.plots import (
    corner_grid,
    corner_grid_of,
    image_sheet,
    interpolation_rows,
    latent_scatter,
    prior_samples,
)
from interpreg.priors import Normal

HEIGHT, WIDTH = 10, 14


def greys(*lead: int, colours: int = 1) -> Tensor:
    """Images of one grey each, all different."""
    levels = torch.linspace(-1, 0.8, int(np.prod(lead))).view(*lead, 1, 1, 1)
    return levels.expand(*lead, colours, HEIGHT, WIDTH)


def levels(ax) -> np.ndarray:
    """The distinct opaque greys of a picture, in reading order, rows of the same images once."""
    sheet = np.asarray(ax.images[0].get_array())
    rows = [tuple(round(float(v), 4) for v, a in row[:, [0, 3]] if a == 1) for row in sheet]
    found = [list(dict.fromkeys(row)) for row in dict.fromkeys(rows) if row]
    return np.concatenate(found)


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("columns", [None, 1, 3, 99])
def test_images_lie_in_reading_order(colours: int, labels: bool, columns: int | None) -> None:
    n = 7
    ax = image_sheet(greys(n, colours=colours), columns, labels=[f"no {i}" for i in range(n)] if labels else None)
    sheet = ax.images[0].get_array()
    across = min(n, columns or 3)  # 3 columns of 14 and 3 rows of 10 are nearest to a square
    below = 3 if labels else 0
    assert sheet.shape[1] == across * (WIDTH + 1) - 1
    for i, grey in enumerate(((greys(n)[:, 0, 0, 0] + 1) / 2).tolist()):
        row, column = divmod(i, across)
        top, left = row * (HEIGHT + 1 + below), column * (WIDTH + 1)
        np.testing.assert_allclose(sheet[top : top + HEIGHT, left : left + WIDTH, :3], grey, atol=1e-6)
        assert (sheet[top : top + HEIGHT, left : left + WIDTH, 3] == 1).all()
        if labels:
            text = ax.texts[i]
            assert text.get_text() == f"no {i}"
            x, y = text.get_position()
            assert x == left + (WIDTH - 1) / 2
            assert top + HEIGHT - 0.5 <= y <= top + HEIGHT + below
    assert (sheet[..., 3] == 1).sum() == n * HEIGHT * WIDTH


def test_bytes_and_floats_look_alike() -> None:
    whole = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).view(2, 3, 4, 5)
    first, second = (image_sheet(images).images[0].get_array() for images in (whole, whole / 127.5 - 1))
    np.testing.assert_allclose(first, second, atol=1e-6)
    np.testing.assert_allclose(first[:4, :5, :3], whole[0].permute(1, 2, 0) / 255, atol=1e-6)


def test_what_lies_outside_is_drawn_as_the_nearest_end() -> None:
    images = torch.tensor([-1.5, 1.5]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    assert levels(image_sheet(images)).tolist() == [0, 1]


@pytest.mark.parametrize("size", [(1.2, 1.2), (3, 1), (6, 6)])
def test_labels_fit_under_their_images_in_any_axes(size: tuple[float, float]) -> None:
    figure, ax = pyplot.subplots(figsize=size, dpi=300)
    image_sheet(greys(6), labels=["a rather long label"] * 6, ax=ax)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


@pytest.mark.parametrize("names", [None, ["ACAI"], ["a", "b", "c"], ["a", "b", "c", "d", "e"]])
def test_blocks_lie_side_by_side_under_their_names(names: list[str] | None) -> None:
    rows, columns = 3, 4
    blocks = greys(len(names or [""]), rows, columns)
    ax = corner_grid(blocks[0] if names is None else dict(zip(names, blocks, strict=True)))
    sheet = ax.images[0].get_array()
    assert [text.get_text() for text in ax.texts] == (names or [])
    across = len(blocks) if len(blocks) <= 3 else 3
    tall, wide, gap = rows * (HEIGHT + 1) - 1, columns * (WIDTH + 1) - 1, 5
    title = 0 if names is None else 5
    for i, block in enumerate(blocks):
        top, left = i // across * (title + tall + gap) + title, i % across * (wide + gap)
        for row in range(rows):
            for column in range(columns):
                found = sheet[top + row * (HEIGHT + 1) + 5, left + column * (WIDTH + 1) + 7]
                expected = (block[row, column, 0, 0, 0].item() + 1) / 2
                np.testing.assert_allclose(found, [expected] * 3 + [1], atol=1e-6)
        if names is not None:
            x, y = ax.texts[i].get_position()
            assert left < x < left + wide
            assert top - title <= y <= top
    assert (sheet[..., 3] == 1).sum() == len(blocks) * rows * columns * HEIGHT * WIDTH


def test_the_four_corners_are_framed_and_nothing_else() -> None:
    ax = corner_grid({"a": greys(3, 4), "b": greys(3, 4)})
    frames = {(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines}
    lefts, tops = (0, 3 * (WIDTH + 1)), (5, 5 + 2 * (HEIGHT + 1))
    block = 4 * (WIDTH + 1) - 1 + 5
    assert frames == {(b * block + x - 0.5, y - 0.5) for b in range(2) for x in lefts for y in tops}
    for line in ax.lines:
        assert (np.ptp(line.get_xdata()), np.ptp(line.get_ydata())) == (WIDTH, HEIGHT)
        assert to_hex(line.get_color()).upper() == "#E69F00"


def test_corners_are_encoded_mixed_and_decoded() -> None:
    """Networks that do nothing: the picture shows the four images and their bilinear mixes."""
    corners = greys(4)
    ax = corner_grid_of(nn.Identity(), nn.Identity(), corners, steps=3)
    a, b, c, d = ((corners[:, 0, 0, 0] + 1) / 2).tolist()
    expected = [a, (a + b) / 2, b, (a + c) / 2, (a + b + c + d) / 4, (b + d) / 2, c, (c + d) / 2, d]
    np.testing.assert_allclose(levels(ax), expected, atol=1e-4)


def test_prior_samples_are_the_priors_and_take_no_gradients() -> None:
    seen = []

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones((), dtype=torch.float64))

        def forward(self, codes: Tensor) -> Tensor:
            seen.append(self.weight * codes)
            return seen[-1][:, :1, :, None].expand(-1, 3, 2, 4)

    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    decoder = Decoder().train()
    prior_samples(decoder, (5, 2), prior=Normal(2.0, 0.1), n=9, generator=generators[0])
    expected = Normal(2.0, 0.1).sample(9, torch.zeros(1, 10, dtype=torch.float64), generators[1])
    assert torch.equal(seen[0], expected.view(9, 5, 2))
    assert not seen[0].requires_grad
    assert decoder.training
    ax = prior_samples(decoder, (5, 2), prior=lambda n: torch.zeros(n, 10), n=6, device="cpu")
    assert levels(ax).tolist() == [0.5]


@pytest.mark.parametrize("draw", [
    lambda ax: image_sheet(greys(3), ax=ax),
    lambda ax: corner_grid(greys(2, 2), ax=ax),
    lambda ax: corner_grid_of(nn.Identity(), nn.Identity(), greys(4), ax=ax),
    lambda ax: prior_samples(lambda z: z[..., None, None].tanh(), (1,), n=3, ax=ax),
])  # fmt: skip
def test_draws_where_it_is_told_to(draw, axes) -> None:
    current = pyplot.gcf()
    assert draw(axes) is axes
    assert pyplot.get_fignums() == [current.number]
    assert draw(None).figure is not current
    with pytest.raises(TypeError, match="ax: expected matplotlib axes, got 'here'"):
        draw("here")


def broken(images: Tensor, count: int = 2) -> Tensor:
    images = images.clone()
    images.view(-1)[:count] = torch.tensor([torch.nan, torch.inf])[:count]
    return images


@pytest.mark.parametrize(("draw", "message"), [
    (lambda: image_sheet([[1.0]]), "images: expected a tensor, got a list"),
    (lambda: image_sheet(greys(2).int()), "images: expected a floating point or uint8 tensor"),
    (lambda: image_sheet(greys(2, 2)), r"images: expected shape \[n, 1 or 3, H, W\], got \(2, 2, 1, 10, 14\)"),
    (lambda: image_sheet(greys(2)[:0]), "images: expected shape"),
    (lambda: image_sheet(broken(greys(2))), "images: expected finite numbers, got 2 of 280 that are not finite"),
    (lambda: image_sheet(greys(2), 0), "columns: expected an int of at least 1"),
    (lambda: image_sheet(greys(2), labels=["a"]), "labels: expected one for each of 2 images, got 1"),
    (lambda: image_sheet(greys(2), labels="ab"), "labels: expected a text for each image, got 'ab'"),
    (lambda: corner_grid({}), "grids: expected at least one method"),
    (lambda: corner_grid(greys(4)), r"grids: expected shape \[rows, columns, 1 or 3, H, W\]"),
    (lambda: corner_grid({"a": broken(greys(2, 2), 1)}), r"grids\['a'\]: expected finite numbers, got 1 of 560"),
    (lambda: corner_grid({"a": greys(2, 2), "b": greys(2, 3)}),
     r"grids\['b'\]: expected the shape of the other methods, \(2, 2, 1, 10, 14\)"),
    (lambda: corner_grid_of(nn.Identity(), nn.Identity(), greys(3)), "corners: expected a batch of 4"),
    (lambda: corner_grid_of(nn.Identity(), nn.Identity(), greys(4), 1), "rows: expected an int of at least 2"),
    (lambda: corner_grid_of(nn.Flatten(), nn.Identity(), greys(4)), "decoder: expected shape"),
    (lambda: prior_samples(lambda z: greys(5), (2,)), "decoder: expected a batch of 64 samples"),
    (lambda: prior_samples(None, (2,)), "decoder: expected a module"),
    (lambda: prior_samples(nn.Identity(), 2), "shape: expected a code's shape without the batch, got 2"),
    (lambda: prior_samples(nn.Identity(), (2, 0)), r"shape\[1\]: expected an int of at least 1"),
    (lambda: prior_samples(nn.Identity(), (2,), n=0), "n: expected an int of at least 1"),
    (lambda: prior_samples(nn.Identity(), (2,), prior="uniform"), "prior: expected one of 'ball'"),
    (lambda: prior_samples(nn.Identity(), (2,)), r"decoder: expected shape \[64, 1 or 3, H, W\], got \(64, 2\)"),
])  # fmt: skip
def test_bad_input_is_named_before_anything_is_drawn(draw, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        draw()
    assert pyplot.get_fignums() == []


@pytest.mark.fault(
    "Data",
    "Floats of 0 to 255 or bytes of 0 and 1 are drawn: all white, or all black.",
    now="a warning with the line that mends it",
)
@pytest.mark.parametrize("draw", [
    image_sheet,
    lambda images: corner_grid(images.view(2, 2, 1, 4, 4)),
    lambda images: interpolation_rows(images.float().view(1, 4, 1, 4, 4)),
])  # fmt: skip
def test_pixels_of_another_range_are_said(draw) -> None:
    bits = (torch.arange(4 * 16).view(4, 1, 4, 4) % 2).to(torch.uint8)
    with pytest.warns(
        UserWarning, match=r"expected pixels in \[-1, 1\], got values up to 255, .*; give x / 127.5 - 1"
    ):
        draw(255.0 * bits)
    draw(3 * bits.float() - 1.5)  # an overshoot is cut off


def test_bytes_of_zeros_and_ones_are_said() -> None:
    with pytest.warns(
        UserWarning, match=r"expected pixels of 0 to 255, got values up to 1, drawn black; give 255 \* x"
    ):
        image_sheet(torch.eye(4).to(torch.uint8).view(1, 1, 4, 4))


@pytest.mark.fault(
    "Reports and files",
    "A picture of a decoder in training mode moved its batch statistics.",
    now="it is drawn in eval mode; modes and statistics are as before",
)
@pytest.mark.parametrize("through", [lambda m: m, lambda m: m.forward, lambda m: lambda z: m(z)])
def test_pictures_are_of_networks_in_eval_mode(through) -> None:
    torch.manual_seed(0)
    decoder = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Unflatten(1, (1, 4, 4)))
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.BatchNorm1d(3))
    before = [b.clone() for m in (encoder, decoder) for b in m.buffers()]
    corners = greys(4)[..., :4, :4].contiguous()
    draws = {
        "corners": lambda: corner_grid_of(through(encoder), through(decoder), corners),
        "samples": lambda: prior_samples(through(decoder), (3,), n=4, generator=torch.Generator().manual_seed(0)),
        "codes": lambda: latent_scatter(torch.linspace(-1, 1, 15).view(5, 3).sin(), decoder=through(decoder)),
    }
    for name, draw in draws.items():
        encoder.eval()
        decoder.eval()
        expected = np.asarray(draw().images[0].get_array())
        encoder.train()
        decoder.train()
        assert np.array_equal(np.asarray(draw().images[0].get_array()), expected, equal_nan=True), name
        assert all(m.training for m in [*encoder.modules(), *decoder.modules()])
    after = [b for m in (encoder, decoder) for b in m.buffers()]
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_a_seed_is_no_generator_and_a_tuple_no_image() -> None:
    with pytest.raises(TypeError, match=r"generator: expected a torch.Generator or None, got 42"):
        prior_samples(lambda z: z[..., None, None].tanh(), (1,), generator=42)
    with pytest.raises(
        TypeError, match=r"decoder: expected a tensor, got a tuple .* decoder=lambda z: decoder\(z\)\[0\]"
    ):
        prior_samples(lambda z: (z[..., None, None], z), (1,))
    with pytest.raises(TypeError, match=r"encoder: expected a tensor, got a tuple"):
        corner_grid_of(lambda x: (x, x), nn.Identity(), greys(4))
