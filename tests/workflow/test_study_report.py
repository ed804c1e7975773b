"""The report of the finished study, opened from disk in a browser that has no network."""

import importlib.util
import re
from pathlib import Path

import pytest
from PIL import Image

from segstudy.core.files import read_csv
from tests.helpers.browser import CHROMIUM, DESKTOP, PHONE, Browser

REPORT = "results/tiny/report.html"
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
RULES = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']"


@pytest.fixture(scope="module")
def page(finished, tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    browser.size(*DESKTOP)
    browser.media("light")
    browser.open(finished.file(REPORT))
    yield browser
    browser.close()


def chosen(page, name, value):
    """Choose an entry of a list as a reader does: the page is told."""
    page.run(
        f"(e => {{ e.value = {value!r}; e.dispatchEvent(new Event('change')); }})(document.querySelector({name!r}))"
    )


def drawn(page, view, threshold):
    page.wait(f"document.getElementById('g-cards').dataset.drawn === '{view} {threshold:.2f}'")


def slid(page, threshold):
    script = "(e => {{ e.value = {}; e.dispatchEvent(new Event('input')); }})(document.getElementById('g-threshold'))"
    page.run(script.format(threshold))


def column(page, number):
    rows = "[...document.querySelectorAll('#table-losses-one tbody tr:not([hidden])')]"
    return page.run(f"{rows}.map(row => row.cells[{number}].textContent)")


def test_the_report_is_there_with_its_paper(finished):
    text = finished.file(REPORT).read_text()
    assert len(text) < 25_000_000
    assert "PHANTOM data: the images of ph2, drive are drawn" in text
    paper = finished.file("results/tiny/paper")
    latex = (paper / "content.tex").read_text()
    taken = re.findall(r"\{\\paper/([^}]*)\}", latex)
    assert {"tables/losses.tex", "tables/losses.comparisons.tex", "figures/losses-ranking.png"} <= set(taken)
    assert {"tables/datasets.tex", "tables/splits.tex", "tables/metrics.tex"} <= set(taken)
    kinds = {Path(path).name.partition("-")[0] for path in taken}
    assert {"examples", "sketch", "layers", "augmented", "gallery"} <= kinds
    assert all((paper / path).stat().st_size for path in taken)


def test_nothing_has_to_be_done_for_the_report_twice_but_when_its_templates_change(changed):
    assert not changed.plan(REPORT).jobs
    changed.append("workflow/segstudy/report/templates/style.css", "/* wider */\n")
    assert changed.plan().jobs == {"study_report": 1, "all": 1}


@needs_browser
def test_it_opens_without_a_network_and_without_complaint(page):
    assert [url.partition(":")[0] for url in page.requests] == ["file"]
    assert page.complaints == []
    assert page.run("[...document.images].every(image => image.loading === 'lazy' || image.naturalWidth > 0)")


@needs_browser
def test_tables_are_sorted_and_filtered(page, finished):
    head = "[...document.querySelectorAll('#table-losses-one thead th')]"
    heads = page.run(f"{head}.map(head => head.textContent)")
    dice = heads.index("Dice")
    chosen(page, "#table-losses-one select[data-filter='0']", "ph2")
    assert {name.split()[0] for name in column(page, 0)} == {"ph2"}
    page.run(f"{head}[{dice}].querySelector('button').click()")
    assert page.run(f"{head}[{dice}].getAttribute('aria-sort')") == "descending"
    values = [float(text.split()[0]) for text in column(page, dice)]
    assert values == sorted(values, reverse=True) and len(set(values)) > 1
    table = read_csv(finished.file("results/tiny/tables/losses.csv")).query("dataset == 'ph2'")
    assert values == [round(value, 3) for value in sorted(table["test_dice_mean"], reverse=True)]
    # By the keyboard the other way round: values that are not defined stay last.
    precision = heads.index("Precision")
    page.run(f"{head}[{precision}].querySelector('button').focus()")
    page.key("Enter", 13, "\r")
    page.key("Enter", 13, "\r")
    assert page.run(f"{head}[{precision}].getAttribute('aria-sort')") == "ascending"
    shown = [text.split()[0] for text in column(page, precision)]
    known = [float(text) for text in shown if text != "–"]
    assert known == sorted(known) and shown == [f"{value:.3f}" for value in known] + ["–"] * shown.count("–")
    page.run(
        "(e => { e.value = 'focal'; e.dispatchEvent(new Event('input')); })"
        "(document.querySelector('#table-losses-one input'))"
    )
    assert len(column(page, 0)) == 1 and column(page, 2) == ["focal"]
    assert page.run("document.querySelector('#table-losses-one .count').textContent").startswith("1 of ")


@needs_browser
def test_the_slider_gives_mask_and_dice_anew(page, finished):
    chosen(page, "#g-dataset", "ph2")
    chosen(page, "#g-order", "best")
    drawn(page, "errors", 0.5)
    told = page.run("document.querySelector('#g-cards .told').textContent")
    dice, here = re.search(r"Dice ([\d.]+), here ([\d.]+)", told).groups()
    sample = re.match(r"PHANTOM: ([\w.-]+)", told)[1]
    # The images are smaller than what the page holds: nothing is lost but the 8 bits.
    counts = read_csv(finished.file("results/tiny/cells/ph2/unet/bce/default/seed0/counts.csv"))
    row = counts[counts["sample"] == sample].query("policy == 'fixed' and region == 'full'").iloc[0]
    assert float(dice) == pytest.approx(2 * row["tp"] / (2 * row["tp"] + row["fp"] + row["fn"]), abs=6e-4)
    assert float(here) == pytest.approx(float(dice), abs=0.01)
    page.run("document.querySelector('input[name=view][value=prediction]').click()")
    drawn(page, "prediction", 0.5)
    pixels = "Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    white = (
        f"(c => {pixels}.filter(v => v === 255).length / c.width / c.height)(document.querySelector('#g-cards canvas'))"
    )
    some = page.run(white)
    slid(page, 0)
    drawn(page, "prediction", 0)
    assert page.run(white) == 4.0  # every channel of every pixel
    share = (row["tp"] + row["fn"]) / row[["tp", "fp", "fn", "tn"]].sum()
    told = page.run("document.querySelector('#g-cards .told').textContent")
    assert float(told.rpartition(" ")[2]) == pytest.approx(2 * share / (1 + share), abs=6e-4)
    slid(page, 1)
    drawn(page, "prediction", 1)
    assert page.run(white) <= some
    page.run("document.getElementById('g-reset').click()")
    drawn(page, "prediction", 0.5)
    assert page.run(white) == some


@needs_browser
def test_the_gallery_is_ordered_and_enlarges(page):
    chosen(page, "#g-order", "best")
    page.run("document.querySelector('input[name=view][value=errors]').click()")
    drawn(page, "errors", 0.5)
    told = page.run("[...document.querySelectorAll('#g-cards .told')].map(e => e.textContent)")
    values = [float(re.search(r"Dice ([\d.]+)", text)[1]) for text in told]
    assert len(values) > 1 and values == sorted(values, reverse=True)
    page.run("document.querySelector('#g-cards button').focus()")
    page.key("Enter", 13, "\r")
    page.wait("document.getElementById('g-dialog').open && document.getElementById('g-title').textContent")
    first = page.run("document.getElementById('g-title').textContent")
    page.run("document.getElementById('g-next').focus()")
    page.key("ArrowRight", 39)
    page.wait(f"document.getElementById('g-title').textContent !== {first!r}")
    page.key("Escape", 27)
    page.wait("!document.getElementById('g-dialog').open")
    chosen(page, "#g-subset", "val")
    page.wait("/^[123] images/.test(document.getElementById('g-status').textContent)")
    assert "val" in page.run("document.getElementById('g-subset').value")
    chosen(page, "#g-subset", "test")
    drawn(page, "errors", 0.5)
    assert page.complaints == []


@needs_browser
def test_the_theme_is_the_systems_until_it_is_chosen(page):
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.run(background)
    page.media("dark")
    dark = page.run(background)
    assert light != dark
    button = "document.getElementById('theme')"
    page.run(f"{button}.click()")
    assert page.run(f"{button}.textContent") == "Theme: light" and page.run(background) == light
    page.run(f"{button}.click()")
    page.media("light")
    assert page.run(background) == dark
    page.media("light", "print")  # paper is white
    assert page.run(background) == light
    page.media("light")
    page.run(f"{button}.click()")
    assert page.run(f"{button}.textContent") == "Theme: auto" and page.run(background) == light


@needs_browser
@pytest.mark.parametrize(("size", "name"), [(DESKTOP, "desktop"), (PHONE, "phone")])
def test_it_fits_the_window(page, tmp_path, size, name):
    page.size(*size)
    assert page.run("document.documentElement.scrollWidth") <= size[0]
    page.picture(tmp_path / f"{name}.png")
    with Image.open(tmp_path / f"{name}.png") as shot:
        assert shot.size == size and len(shot.convert("RGB").getcolors(1 << 24)) > 50
    page.size(*DESKTOP)


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page, scheme):
    found = importlib.util.find_spec("axe_core_python")
    if found is None:
        pytest.skip("axe-core-python is not installed")
    page.media(scheme)
    page.run("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    page.run((Path(found.origin).parent / "axe.min.js").read_text() + "; 0")
    script = f"axe.run(document, {{runOnly: {RULES}}}).then(r => r.violations.map(v => [v.id, v.nodes[0].html]))"
    assert page.run(script) == []
    page.media("light")


@needs_browser
def test_it_prints(page):
    page.media("light", "print")
    assert page.run("getComputedStyle(document.querySelector('.tools')).display") == "none"
    assert page.run("getComputedStyle(document.querySelector('.scroll')).overflow") == "visible"
    content = page.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"]
    assert len(content) > 100_000
    page.media("light")
