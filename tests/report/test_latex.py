"""The tables and figures of a study in a real LaTeX document."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.config.load import load_study, merged, read_config
from segstudy.evaluation.metrics import METRICS
from segstudy.report import latex as paper
from segstudy.report.latex_tables import BLIND_TO, dataset_table, layer_table, metric_table, split_table
from segstudy.study import targets
from segstudy.tables.render import LONG, WIDE, Entry, Line, Panel, Table, latex

ROOT = Path(__file__).parents[2]
NEEDED = ("booktabs.sty", "adjustbox.sty", "rotating.sty")
CARD = {
    **{"phantom": True, "images": 1200, "labelled": 40, "sizes": {"565x584": 40}, "groups": 20, "classes": ["vessel"]},
    **{"official_subsets": {"train": {"images": 20}}, "strata": {"left_eye & more": {"images": 3}}},
    "foreground": {"mean": 0.1, "minimum": 0.05, "maximum": 0.2},
    "foreground_roi": None,
}
LAYERS = pd.DataFrame(
    [("encoder.0.0", "conv", "3×3 convolution", 8, 64, 96, 224, ""), ("head", "output", "1×1", 1, 64, 96, 9, "")],
    columns=["name", "kind", "operation", "channels", "height", "width", "parameters", "source"],
)
DOCUMENT = r"""\documentclass[11pt,a4paper]{article}
\usepackage{booktabs,adjustbox,graphicx,rotating}
\newcommand{\paper}{paper}
\begin{document}
\input{paper/content.tex}
\end{document}
"""


def missing():
    """What stands in the way of compiling a document here; nothing where it can be done."""
    tools = [tool for tool in ("pdflatex", "kpsewhich") if shutil.which(tool) is None]
    if tools:
        return f"{' and '.join(tools)} not installed: apt install texlive-latex-extra"
    found = subprocess.run(["kpsewhich", *NEEDED], stdout=subprocess.PIPE, text=True, check=False).stdout
    lacking = [name for name in NEEDED if name not in found]
    return f"{', '.join(lacking)} not installed: apt install texlive-latex-extra" if lacking else ""


def lines(dataset, rows, columns):
    entry = Entry(0.8234, 0.0123, bold=True, undefined=1)
    networks = [Line(dataset, (f"unet_smoothed{i}", "weighted_bce"), False, (entry,) * columns) for i in range(rows)]
    return [*networks, Line(dataset, ("all background", "control"), True, (Entry(),) * columns)]


def table(label, columns, rows, sentences=()):
    protocol = [
        "ph2: test 20 % of all & no near-duplicate; p < 0.05, ± over seeds × images, 95 % – of {all} #1 ~ ^"
    ] * 9
    heads = tuple(f"Measure {i}" for i in range(columns))
    panels = [
        Panel(key, f"{key} images", heads, [*lines("ph2", rows, columns), *lines("drive", rows, columns)], ["† note"],
              sentences)
        for key in ("test", "val")
    ]  # fmt: skip
    return latex(Table(label, f"Experiment {label}", "Which_one?", ("drive",), protocol, ("Model", "Loss"), panels))


@pytest.mark.parametrize(("text", "turned"), [("0.823", False), ("0.823 (0.812 to 0.834)", True)])
def test_a_table_of_few_columns_is_turned_where_they_are_wide(text, turned):
    wide = [Line("drive", ("unet", "bce"), False, (Entry(text=text),) * 7)]
    panel = Panel("area", "Area", tuple("abcdefg"), wide, [])
    said = latex(Table("a", "Experiment a", "", (), [], ("Model", "Loss"), [panel]))
    assert ("sidewaystable" in said) == turned


@pytest.mark.skipif(bool(missing()), reason=missing() or "installed")
def test_a_document_takes_everything_in_without_anything_sticking_out(tmp_path):
    said = [
        f"unet_smoothed{i}/weighted_bce/default is better than encdec/focal/default by 0.1 (p < 0.001)."
        for i in range(12)
    ]
    # Wide and narrow, short and long, with sentences; 16 columns and 30 rows of each data set are the worst there is.
    (tmp_path / "a.tex").write_text(table("a", WIDE - 3, 6))
    (tmp_path / "a.strata.tex").write_text(table("a:strata", 16, 30))
    (tmp_path / "a.comparisons.tex").write_text(table("a:comparisons", 11, LONG, said))
    pictures = {"curves": (1600, 4200), "strips": (2600, 900), "ranking": (1600, 1400)}
    (tmp_path / "a").mkdir()
    for name, size in pictures.items():
        Image.new("RGB", size, "grey").save(tmp_path / f"a/{name}.png")
    tables = [tmp_path / name for name in ("a.tex", "a.strata.tex", "a.comparisons.tex")]
    figures = [tmp_path / f"a/{name}.png" for name in pictures]
    (tmp_path / "figures/gallery/ph2/unet_x").mkdir(parents=True)
    Image.new("RGB", (800, 600)).save(tmp_path / "figures/gallery/ph2/unet_x/seed0.jpg")
    splits = {("ph2", 0): pd.DataFrame({"subset": ["train", "train", "test"]})}
    of_data = {
        "datasets.tex": dataset_table({"ph2": CARD, "drive_2": CARD}),
        "splits.tex": split_table(splits),
        "layers.tex": layer_table("ph2", "unet_x", pd.concat([LAYERS] * 30)),
        "metrics.tex": metric_table(list(METRICS)),
    }
    sections = [
        paper.Section("Data_& more", "100 % of it", of_data),
        *paper.experiment_sections({"a": "Is 5 % of {all} enough?"}, tables, figures, ["a"]),
        *paper.picture_sections([str(tmp_path / "figures/gallery/ph2/unet_x/seed0.jpg")], ["ph2"]),
    ]
    paper.gather("s_1", sections, tmp_path / "paper")
    (tmp_path / "document.tex").write_text(DOCUMENT)
    # The study's own document once; one that takes the content in twice, then references are known.
    for folder, name in ((tmp_path / "paper", "report.tex"), (tmp_path, "document.tex"), (tmp_path, "document.tex")):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", name],
            check=False,
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "document.pdf").stat().st_size > 10_000
    log = (tmp_path / "document.log").read_text(errors="replace")
    assert not re.findall(r"Float too large.*|.*undefined.*|.*multiply defined.*", log)
    assert not [width for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(width) > 5]


def test_a_sentence_stands_once_in_the_document_of_an_experiment(tmp_path):
    order, other = "On ph2, the order of the rows depends on the threshold.", "bce is better than focal."
    for name, sentences in {"e": [order], "e.thresholds": [order], "e.comparisons": [order, other]}.items():
        (tmp_path / f"{name}.tex").write_text(table(name.replace(".", "-"), 3, 1, sentences))
    files = [str(tmp_path / f"{name}.tex") for name in ("e", "e.thresholds", "e.comparisons")]
    paper.gather("s", paper.experiment_sections({"e": "Which?"}, files, [], []), tmp_path / "paper")
    texts = [(tmp_path / "paper/tables" / Path(file).name).read_text() for file in files]
    assert [text.count(order) for text in texts] == [1, 0, 0] and [text.count(other) for text in texts] == [0, 0, 1]
    assert [text.count(r"\begin{itemize}") for text in texts] == [text.count(r"\end{itemize}") for text in texts]
    assert "supports" not in texts[1] and texts[1].count(r"\begin{tabular}") == 2


def test_a_picture_taller_than_a_page_is_cut_between_its_rows(tmp_path):
    tall = np.full((700, 200, 3), 255, np.uint8)
    for top in range(10, 700, 100):  # seven rows of 60 pixels, below each a gap of 40, and one of 10 within
        tall[top : top + 60] = 90
        tall[top + 20 : top + 30] = 255
    (tmp_path / "figures").mkdir()
    path = tmp_path / "figures/strips.png"
    Image.fromarray(tall).save(path)
    paper.gather(
        "s", [paper.Section("Rows", figures=[paper.Figure(path, "strips", "Rows.", rows=True)])], tmp_path / "paper"
    )
    pieces = sorted((tmp_path / "paper/figures").iterdir())
    arrays = [np.asarray(Image.open(piece)) for piece in pieces]
    assert np.array_equal(np.concatenate(arrays), tall) and len(arrays) > 2
    assert all(len(array) <= 260 and (array[0] == 255).all() and (array[-1] == 255).all() for array in arrays)
    assert all((array[:5] == 255).all() for array in arrays), "not within a row"
    text = (tmp_path / "paper/content.tex").read_text()
    plot = paper.Figure(path, "plot", "Axes have labels below them.")
    paper.gather("s", [paper.Section("Plots", figures=[plot])], tmp_path / "whole")
    assert [piece.name for piece in (tmp_path / "whole/figures").iterdir()] == ["plot.png"]
    assert f"Rows (part 1 of {len(arrays)})." in text and text.count("includegraphics") == len(arrays)


@pytest.mark.parametrize("name", ["ebhi", "hrf_few_labels", "phc"])
def test_every_picture_of_a_study_has_words(name):
    files = [ROOT / "config.yaml", ROOT / f"studies/{name}.yaml"]
    study = load_study(merged(read_config(*files), {}), files)
    figures = targets.first_pictures(study)
    sections = paper.picture_sections(figures, [])
    assert sum(len(section.figures) for section in sections) == len(figures) > 0
    balanced = [figure for section in sections if section.title == "Balanced strata" for figure in section.figures]
    assert len(balanced) == len(targets.balanced(study))


def test_tables_of_what_a_study_uses():
    text = dataset_table({"drive": CARD | {"foreground_roi": CARD["foreground"], "phantom": False}})
    assert r"images & 1,200 \\" in text and r"left eye \& more 3" in text and "PHANTOM" not in text
    assert r"foreground & 10.0\% (5.0\% to 20.0\%) in the field of view" in text
    split = pd.DataFrame({"subset": ["train", "train", "test"]})
    assert r"ph2 & 1 & 2 & 0 & 1 & 0 \\" in split_table({("ph2", 1): split})
    layers = layer_table("ph2", "unet", LAYERS)
    assert r"encoder.0.0 & 3$\times$3 convolution & 8 & 64 $\times$ 96 & 224 \\" in layers and "233 weights" in layers
    assert "missing the whole object" in metric_table(["specificity"])


def test_every_metric_says_what_it_is_blind_to():
    assert set(BLIND_TO) == set(METRICS)
    page = Path("docs/metrics.md").read_text(encoding="utf-8")
    for name in ("dice", "sensitivity", "specificity", "precision"):
        assert f"| {BLIND_TO[name]} |" in page


def test_sections_without_anything_are_left_out(tmp_path):
    paper.gather("s", paper.picture_sections([], []), tmp_path / "paper")
    assert "section" not in (tmp_path / "paper/content.tex").read_text()
