"""A real browser, without a screen: what it makes of a page, and what it complains of."""

import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--force-device-scale-factor=1",
]  # fmt: skip
WATCH = """<script>
window.onerror = (message) => document.body.setAttribute("data-error", message);
window.onload = () => {
  const boxes = [...document.images].map((image) => {
    const box = image.getBoundingClientRect();
    return [image.complete && image.naturalWidth > 0, box.x, box.y, box.width, box.height].map(Number).join(",");
  });
  document.body.setAttribute("data-images", boxes.join(" "));
  document.body.setAttribute("data-size", document.documentElement.scrollWidth + " " +
    document.documentElement.scrollHeight);
};
</script></body>"""


def browser() -> str:
    """The browser's path; the test is skipped where there is none, or fails where one is required."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        reason = f"none of {', '.join(NAMES)} is installed"
        if os.environ.get("INTERPREG_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def visit(page: Path, folder: Path, *what: str) -> tuple[str, str]:
    """Open a file in the browser: what it prints, and the lines of its console."""
    profile = folder / "profile"
    command = [browser(), *FLAGS, f"--user-data-dir={profile}", "--enable-logging=stderr", *what, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def seen(page: Path, folder: Path, width: int = 1100) -> tuple[list[list[float]], list[int], str]:
    """Of every picture whether it loaded and its box; the page's size; the console. Of a watched copy of the page."""
    watched = folder / "watched.html"
    text = page.read_text()
    assert text.count("</body>") == 1
    watched.write_text(text.replace("</body>", WATCH))
    dom, console = visit(watched, folder, f"--window-size={width},900", "--dump-dom")
    assert "data-error" not in dom.replace(unescape(WATCH), "").partition("<script>")[0]
    boxes = re.search(r'data-images="([^"]*)"', dom)
    size = re.search(r'data-size="(\d+) (\d+)"', dom)
    assert boxes
    assert size
    parsed = [[float(n) for n in box.split(",")] for box in boxes[1].split()]
    return parsed, [int(n) for n in size.groups()], console
