"""The page of a report: one file, nothing from elsewhere, everything visible in a real browser."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from browser import seen, visit
from PIL import Image
from torch import nn

from interpreg.datasets import pole
from interpreg.report import Report, interpolation_report


class Page(HTMLParser):
    """Tags in order, closed as they were opened, and what they point to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report() -> Report:
    """Of networks that were never trained, on the light turning around a pole: rings of views."""
    torch.manual_seed(0)
    data = pole.paper_set(16)[::4]
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(256, 8))
    decoder = nn.Sequential(nn.Linear(8, 256), nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))
    history = [{"step": step, "reconstruction": 1 / step} for step in range(1, 20)]
    options = {"history": history, "prior": "normal", "name": "<script>alert(1)</script> & co", "pairs": 8}
    return interpolation_report(encoder, decoder, data, train=data, **options)


def test_the_page_is_one_sound_file(report: Report) -> None:
    text = report.html()
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags
    assert all(link.startswith("data:") for link in page.links)
    assert not re.search(r"url\(|@import|https?://", text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co" in text


def test_every_picture_is_inside(report: Report) -> None:
    found = re.findall(r'<img alt="([^"]+)" src="data:image/png;base64,([^"]+)">', report.html())
    titles = [title for title, _ in found]
    assert titles == [
        "Interpolations", "Reconstructions", "Between four samples", "Samples", "Codes", "Error by coefficient",
        "Error by length of the interval", "Retrieved coefficient", "Distance to both ends", "Training",
    ]  # fmt: skip
    for _, data in found:
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert image.format == "PNG"
            assert np.asarray(image.convert("L")).std() > 5  # not blank


def test_a_browser_shows_it(report: Report, tmp_path) -> None:
    """From disk: no line in the console, every picture loaded and, in the screenshot, there."""
    path = report.save_html(tmp_path / "report.html")
    boxes, (width, height), console = seen(path, tmp_path)
    assert (console, len(boxes)) == ("", 10)
    assert width <= 1100
    shot = tmp_path / "shot.png"
    _, console = visit(path, tmp_path, f"--window-size=1100,{height}", f"--screenshot={shot}")
    assert console == ""
    with Image.open(shot) as image:
        pixels = np.asarray(image.convert("L"))
    for loaded, x, y, wide, high in boxes:
        assert loaded
        assert wide > 200
        part = pixels[round(y) : round(y + high), round(x) : round(x + wide)]
        assert part.shape[0] > 100
        assert part.std() > 5


def test_the_browser_test_notices(tmp_path) -> None:
    """A page whose picture is broken and whose script fails."""
    page = tmp_path / "bad.html"
    page.write_text(
        '<html><head><link rel="icon" href="data:,"></head><body><img src="data:image/png;base64,AAAA">'
        "<script>console.error('oh'); missing();</script></body></html>"
    )
    boxes, _, console = seen(page, tmp_path)
    assert boxes[0][0] == 0
    assert "oh" in console
    assert "missing" in console


def test_a_narrow_window_needs_no_sideways_scrolling(report: Report, tmp_path) -> None:
    path = report.save_html(tmp_path / "report.html")
    boxes, (width, _), _ = seen(path, tmp_path, width=500)
    assert width <= 500
    assert all(x + wide <= 500 for _, x, _, wide, _ in boxes)
