"""The tables and figures of a study in a real LaTeX document."""

import re
import shutil
import subprocess

import pytest
from PIL import Image

from segstudy.report.latex import gather
from segstudy.tables.render import LONG, WIDE, Entry, Line, Panel, Table, latex

NEEDED = ("booktabs.sty", "adjustbox.sty", "rotating.sty")
DOCUMENT = r"""\documentclass[11pt,a4paper]{article}
\usepackage{booktabs,adjustbox,graphicx,rotating}
\newcommand{\paper}{paper}
\begin{document}
\input{paper/report.tex}
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
    gather("s", {"a": "Is 5 % of {all} enough?"}, tables, figures, ["a"], tmp_path / "paper")
    (tmp_path / "document.tex").write_text(DOCUMENT)
    for _ in range(2):  # the second time references are known
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"],
            check=False,
            cwd=tmp_path,
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
