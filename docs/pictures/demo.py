"""The pictures of docs/tutorial.md and of the README: `python -m docs.pictures.demo results/demo docs/images`.

They are parts of what `make run` has made; the report is photographed with the tests' headless Chromium.
"""

from __future__ import annotations

import argparse
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image

# By its name, since the tests have no types.
Browser: Any = import_module("tests.helpers.browser").Browser
WIDTH = 900  # pixels of a page's column, and of most pictures
SAMPLES = (0, 0, 1, 0.285)  # of the sheet of training samples: left, top, right, bottom; the first row
CELL = "drive/unet/bce/default/seed0"
CHOOSE = "(() => {{ const s = document.querySelector('{}'); s.value = '{}'; s.dispatchEvent(new Event('change')); }})()"


def main() -> None:
    """Make every picture anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results of the demo study")
    parser.add_argument("out", type=Path, help="folder of the pictures")
    given = parser.parse_args()
    results, out = given.results, given.out
    figures = results / "figures"
    save(scaled(opened(results / "data/ph2/examples.png"), WIDTH), out / "demo_card.webp")
    save(scaled(opened(figures / "networks/ph2/unet.png"), WIDTH), out / "demo_sketch.webp")
    for name in ("curves", "ranking"):
        save(scaled(opened(figures / f"architectures/{name}.png"), WIDTH), out / f"demo_{name}.webp")
    samples = opened(figures / "augmented/drive/default/seed0.png")
    edges = [round(share * side) for share, side in zip(SAMPLES, 2 * samples.size, strict=True)]
    save(scaled(samples.crop(tuple(edges)), WIDTH), out / "demo_augmented.webp")  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        table = report_pictures(results, Path(folder), out)
    save(result(table, results), out / "result.png")


def report_pictures(results: Path, folder: Path, out: Path) -> Image.Image:
    """Photograph gallery and an enlarged image of the report; return the head of the table's page."""
    page = Browser(folder)
    try:
        page.size(1000, 700)
        page.open(results / "report.html")
        page.run(CHOOSE.format("#g-order", "worst"))
        page.run("document.querySelector('input[name=view][value=errors]').click()")
        page.wait("document.querySelector('#g-cards[data-drawn^=errors]')")
        page.run("document.querySelector('#g-cards').closest('section').scrollIntoView({behavior: 'instant'})")
        save(photographed(page, folder), out / "demo_gallery.webp")
        page.run("document.querySelector('#g-cards button').click()")
        page.wait("document.getElementById('g-dialog').open && document.getElementById('g-title').textContent")
        save(scaled(photographed(page, folder), WIDTH), out / "demo_enlarged.webp")
        page.size(1500, 1000)
        page.call("Page.navigate", url=(results / "tables/architectures.html").resolve().as_uri())
        page.wait("document.readyState === 'complete' && document.querySelector('table')")
        return photographed(page, folder)
    finally:
        page.close()


def result(table: Image.Image, results: Path) -> Image.Image:
    """Return the README's picture: a table above a gallery and a figure."""
    below = [scaled(opened(results / f"figures/gallery/{CELL}.jpg"), 740)]
    below.append(scaled(opened(results / "figures/architectures/ranking.png"), 740))
    height = table.height + max(picture.height for picture in below)
    whole = Image.new("RGB", (table.width, height), "white")
    whole.paste(table, (0, 0))
    for place, picture in enumerate(below):
        whole.paste(picture, (750 * place, table.height))
    return whole.quantize(128, dither=Image.Dither.NONE)


def photographed(page: Browser, folder: Path) -> Image.Image:
    """Return what the browser's window shows."""
    page.picture(folder / "page.png")
    return opened(folder / "page.png")


def opened(path: Path) -> Image.Image:
    """Return a picture in colours, without transparency."""
    with Image.open(path) as picture:
        return picture.convert("RGB")


def scaled(picture: Image.Image, width: int) -> Image.Image:
    """Return a picture at another width."""
    return picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture small: WebP, or PNG of few colours."""
    picture.save(path, **({"quality": 80} if path.suffix == ".webp" else {"optimize": True}))


if __name__ == "__main__":
    main()
