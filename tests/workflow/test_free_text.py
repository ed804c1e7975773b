"""A study whose file names, strata, groups, question and reasons are full of markup: it is shown, and nothing acts."""

import csv
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from segstudy.core.files import read_csv
from tests.helpers.browser import CHROMIUM, DESKTOP, Browser
from tests.helpers.study_copies import new_copy

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (apt install chromium)")
HOSTILE = (
    *("<script>window.pwned=1</script>", "<img src=x onerror=window.pwned=1>", '"><svg onload=window.pwned=1>'),
    *("[link](javascript:window.pwned=1)", "{{7*7}}", "</script><script>window.pwned=1</script>", "a|b`c`**d**"),
    *(r"\input{/etc/passwd}", r"\write18{x} $_^%#&~", "[bold]loud[/bold]", "[/nothing]", "=1+1", "@a", "'=2", "<!--"),
)
QUESTION = " ".join(HOSTILE) + " \x1b[2J\u202e"
NAMES = [text.replace("/", "!").replace("\\", "!") for text in HOSTILE]  # no file has a name with a slash in it
STRATA = [" ".join(HOSTILE[:7]), " ".join(HOSTILE[7:]), "=cmd|x", "plain"]
REASON = "known: " + " ".join(HOSTILE)


def images(root):
    """Write 24 small images with masks under hostile names, two of them alike, and a table of strata and groups."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    lines = ["image,stratum,group"]
    names = [*NAMES, *(f"x{number}" for number in range(24 - len(NAMES)))]
    for number, name in enumerate(names):
        mask = np.zeros((32, 32), np.uint8)
        mask[4 : 12 + number % 8, 6:20] = 255
        picture = rng.integers(0, 90, (32, 32), dtype=np.uint8) + mask // 3
        if number == len(names) - 1:
            shutil.copyfile(root / f"images/{names[-2]}.png", root / f"images/{name}.png")
        else:
            Image.fromarray(picture).save(root / f"images/{name}.png")
        Image.fromarray(mask).save(root / f"masks/{name}.png")
        cells = (f"{name}.png", STRATA[number % 4], f"group {number} {HOSTILE[number % len(HOSTILE)]}")
        lines.append(",".join('"' + cell.replace('"', '""') + '"' for cell in cells))
    (root / "samples.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    copy = new_copy(tmp_path_factory.mktemp("hostile"))
    images(copy.folder / "raw")
    exceptions = [{"kind": kind, "reason": REASON} for kind in ("duplicate", "near_duplicate", "stratum_empty")]
    copy.study = {
        "study": "tiny",
        "datasets": {
            "mine": {
                "reader": "folder",
                "root": str(copy.folder / "raw"),
                "size": {"height": 32, "width": 32},
                "exceptions": exceptions,
            }
        },
        "models": {"unet": {"depth": 1, "width": 2}},
        "recipes": {"default": {"epochs": 1}},
        "experiments": {
            "losses": {
                "question": QUESTION,
                "datasets": ["mine"],
                "models": ["unet"],
                "losses": ["bce", "focal"],
                "seeds": 1,
            }
        },
    }
    outcome = copy.snakemake()
    assert outcome.code == 0, outcome.text
    assert "\x1b[2J" not in outcome.text
    return copy


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    browser.size(*DESKTOP)
    yield browser
    browser.close()


def shown(browser, path):
    """Open a page; nothing of it may have run, been fetched or been refused. Return its text."""
    browser.complaints.clear()
    browser.requests.clear()
    browser.call("Page.navigate", url=path.resolve().as_uri())
    browser.wait("document.readyState === 'complete'")
    if path.name == "report.html":
        browser.wait("document.querySelector('#g-cards[data-drawn]')")
    browser.run("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    assert browser.run("window.pwned === undefined"), path
    assert browser.complaints == [] and len(browser.requests) == 1, path
    for count in (
        "[onload], [onerror], [onclick]",
        "img:not([src^='data:'])",
        "a:not([href^='#'])",
        "base, iframe, form",
    ):
        assert browser.run(f"document.querySelectorAll({count!r}).length") == 0, (path, count)
    assert browser.run("[...document.images].every(i => i.loading === 'lazy' || i.naturalWidth > 0)"), path
    return " ".join(browser.run("document.body.textContent").split())


@needs_browser
def test_the_card_shows_strata_and_names_and_runs_nothing(hostile, browser):
    text = shown(browser, hostile.file("results/tiny/data/mine/card.html"))
    for stratum in STRATA:
        assert " ".join(stratum.replace("_", " ").split()) in text
    assert browser.run("document.scripts.length") == 0


@needs_browser
def test_tables_show_the_question_and_strata_and_run_nothing(hostile, browser):
    for name in ("losses", "losses.strata", "losses.comparisons"):
        text = shown(browser, hostile.file(f"results/tiny/tables/{name}.html"))
        assert all(part in text for part in HOSTILE), name
        assert browser.run("document.scripts.length") == 0


@needs_browser
def test_the_report_shows_everything_and_runs_its_own_script_alone(hostile, browser):
    text = shown(browser, hostile.file("results/tiny/report.html"))
    assert " ".join(HOSTILE) in text and REASON in text
    for stratum in STRATA:
        assert " ".join(stratum.split()) in text
    assert browser.run("document.scripts.length") == 2
    names = browser.run("[...document.querySelectorAll('#g-cards .told')].map(e => e.textContent)")
    assert names and any(stratum in told for stratum in STRATA for told in names)
    # The page's policy holds for whatever would come into it all the same.
    browser.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.pwned=1\">')")
    browser.run("new Promise(done => setTimeout(done, 200))")
    assert browser.run("window.pwned === undefined")
    assert any("Content Security Policy" in complaint for complaint in browser.complaints)


def test_no_drawing_holds_a_script(hostile):
    drawings = list(hostile.file("results/tiny").rglob("*.svg"))
    assert drawings
    for path in drawings:
        text = re.sub("<!--.*?-->", "", path.read_text(), flags=re.DOTALL)
        assert not re.search(r"<script|<foreignObject|javascript:|<image [^>]*href=.(?!data:)|<[^>!]* on\w+=", text), (
            path
        )


def test_tables_are_whole_in_markdown_and_csv(hostile):
    tables = hostile.file("results/tiny/tables")
    for path in tables.glob("*.md"):
        rows = [line for line in path.read_text().splitlines() if line.startswith("|")]
        widths = [len(re.split(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows]
        heads = [width for row, width in zip(rows, widths, strict=True) if set(row) <= set("|-: ")]
        assert heads and set(widths) <= set(heads), path
    index = read_csv(hostile.file("results/tiny/data/mine/index.csv"))
    assert {f"images/{name}.png" for name in NAMES} <= set(index["image"]) and set(STRATA) == set(index["stratum"])
    for path in hostile.file("results/tiny").rglob("*.csv"):
        cells = [cell for line in csv.reader(path.open(encoding="utf-8", newline="")) for cell in line]
        assert not [cell for cell in cells if re.match(r"[=+@\t\r]|-(?![\d.]|inf)", cell)], path


def test_the_tables_of_the_paper_run_nothing(hostile):
    for path in hostile.file("results/tiny/paper").rglob("*.tex"):
        text = path.read_text()
        assert r"\input{/etc" not in text and r"\write18" not in text
        for question in re.findall(r"textbackslash\{\}write18.*", text):
            assert r"\textasciicircum{}\%\#\&\textasciitilde{}" in question


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex not installed: apt install texlive-latex-extra")
def test_the_paper_compiles(hostile, tmp_path):
    shutil.copytree(hostile.file("results/tiny/paper"), tmp_path / "paper")
    command = ["pdflatex", "-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(
        command, cwd=tmp_path / "paper", capture_output=True, text=True, errors="replace", check=False
    )
    if "adjustbox.sty' not found" in done.stdout:
        pytest.skip("adjustbox.sty not installed: apt install texlive-latex-extra")
    assert done.returncode == 0 and "(/etc/passwd" not in done.stdout, done.stdout[-2000:]


@pytest.mark.parametrize("command", ["check-config", "plan", "summary", "status", "describe"])
def test_commands_show_brackets_and_control_characters_as_text(hostile, command):
    arguments = ["mine"] if command == "describe" else []
    outcome = hostile.run("segstudy", command, *arguments, "study.yaml")
    assert outcome.code == 0 and "Traceback" not in outcome.text, outcome.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", outcome.text)
    if command in ("check-config", "summary"):
        words = "".join(outcome.text.split())
        assert "[bold]loud[/bold]" in words and "[/nothing]" in words and r"\x1b[2J\u202e" in words
