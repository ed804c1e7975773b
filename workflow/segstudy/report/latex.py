r"""A study in LaTeX: tables and figures copied together, `report.tex` that compiles, `content.tex` to \input."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from segstudy.config import paths
from segstudy.core.files import atomic_folder, read_csv, read_json
from segstudy.data.images.decode import opened
from segstudy.report.latex_tables import dataset_table, layer_table, metric_table, split_table
from segstudy.tables.render import escape_latex

DOCUMENT = r"""\documentclass[11pt,a4paper]{{article}}
\usepackage[margin=25mm]{{geometry}}
\usepackage{{booktabs,adjustbox,graphicx,rotating}}
\title{{Study {study}}}
\date{{}}
\begin{{document}}
\maketitle
\input{{content.tex}}
\end{{document}}
"""
HEAD = r"""% Every table and figure of study {study}; report.tex compiles them. In a document of your own, preamble:
%   \usepackage{{booktabs,adjustbox,graphicx,rotating}}
% and, if this folder does not lie beside the document, \newcommand{{\paper}}{{path/to/paper}} before:
%   \input{{path/to/paper/content.tex}}
\providecommand{{\paper}}{{.}}
"""
TALLEST = 1.3  # height of a picture of rows over its width, above which it takes several pages
# What `tables.render.latex` writes below a table: head, sentences (one a line), end.
SUPPORTS = r"(What Table~\\ref\{[^}]*\} supports:\n\\begin\{itemize\}[^\n]*\n)(.*?)(\n\\end\{itemize\}\n*)"
WORDS = {
    "ranking": "Every network and control with its 95 % interval, and how often each is first when images and seeds "
    "are drawn anew",
    "matrix": "Networks on every test set, trained on in rows and tested on in columns, with 95 % intervals; the own "
    "test images have a frame",
    "robustness": "Test images corrupted at several strengths: one curve for each network, with 95 % intervals; each "
    "curve holds the clean images",
    "external_strips": "Images of the external test sets from worst to best, with the errors of every network",
    "ablation": "Metrics by loss and network, with control rows",
    "threshold_curves": "Mean Dice over the threshold, with the thresholds that were chosen",
    "label_efficiency": "Dice over the share of the training labels, with intervals",
    "curves": "Loss and validation Dice by epoch",
    "failures": "Dice by size of the object and by threshold, calibration, ROC and precision-recall",
    "strips": "Test images from worst to best, with the errors of every row side by side",
}
# Folders of pictures below the figures, in the order of the document: section, caption.
PICTURES = {
    "balance": ("Balanced strata", "Training images of each stratum, before and after balancing"),
    "augmented": ("Training samples", "Training samples as the network gets them, masks drawn over"),
    "pseudo": ("Pseudo-labels", "Accepted and rejected pseudo-labels"),
    "denoising": ("Denoising", "Noisy and denoised images"),
    "gallery": ("Predictions", "Best, median and worst test images"),
}


class Figure(NamedTuple):
    """A picture of the document: its file, a name without folder and suffix, its caption as plain text."""

    path: Path
    name: str
    caption: str
    rows: bool = False  # it is rows of images, which may stand on several pages


class Section(NamedTuple):
    """A part of the document: a heading, a sentence below it, LaTeX tables by file name, files of tables, figures."""

    title: str
    sentence: str = ""
    tables: Mapping[str, str] = {}
    files: Sequence[Path] = ()
    figures: Sequence[Figure] = ()


def gather(study: str, sections: Sequence[Section], folder: str | Path) -> None:
    r"""Copy tables and figures into `folder`, which is replaced, and write `report.tex` and `content.tex`.

    Args:
        sections: in the order of the document; those without tables and figures are left out.
        folder: `tables/`, `figures/` and the two files go there.
    """
    with atomic_folder(folder) as temporary:
        (temporary / "tables").mkdir()
        (temporary / "figures").mkdir()
        parts = [HEAD.format(study=study)]
        for section in sections:
            if not (section.tables or section.files or section.figures):
                continue
            parts.append(f"\\section*{{{escape_latex(section.title)}}}\n\\emph{{{escape_latex(section.sentence)}}}\n")
            for name, text in section.tables.items():
                (temporary / "tables" / name).write_text(text + "\n", encoding="utf-8")
            said: set[str] = set()
            for path in section.files:
                text = _said_once(path.read_text(encoding="utf-8"), said)
                (temporary / "tables" / path.name).write_text(text, encoding="utf-8")
            names = [*section.tables, *(path.name for path in section.files)]
            parts += [f"\\input{{\\paper/tables/{name}}}" for name in names]
            for figure in section.figures:
                parts += map(_figure, _put(figure, temporary / "figures"))
            parts.append("\\clearpage\n")  # tables and figures stay with their section
        (temporary / "content.tex").write_text("\n".join(parts) + "\n", encoding="utf-8")
        (temporary / "report.tex").write_text(DOCUMENT.format(study=escape_latex(study)), encoding="utf-8")


def _put(figure: Figure, folder: Path) -> list[Figure]:
    """Copy a picture into `folder`, rows of images in several pieces where a page is too short; return the figures."""
    suffix = figure.path.suffix
    with opened(figure.path, drawn=True) as image:
        rows = cuts(image) if figure.rows else [0, image.height]
        count = len(rows) - 1
        if count == 1:
            shutil.copyfile(figure.path, folder / f"{figure.name}{suffix}")
            return [figure]
        pieces = []
        for number, (top, bottom) in enumerate(itertools.pairwise(rows), start=1):
            path = folder / f"{figure.name}-{number}{suffix}"
            image.crop((0, top, image.width, bottom)).save(path)
            caption = f"{figure.caption.rstrip('.')} (part {number} of {count})."
            pieces.append(Figure(path, f"{figure.name}-{number}", caption))
        return pieces


def cuts(image: Image.Image) -> list[int]:
    """Return the rows at which a picture is cut into pieces that fit on a page, the first and the last included.

    It is cut in the tallest gap that is all background, or nearly, of the lower half of each page.
    """
    if image.height <= TALLEST * image.width:
        return [0, image.height]
    grey = np.asarray(image.convert("L"))
    empty = (grey != grey[0, 0]).mean(axis=1) < 0.01
    rows, most = [0], int(TALLEST * image.width)
    while image.height - rows[-1] > most:
        start, end = rows[-1] + most // 2, rows[-1] + most
        edges = np.flatnonzero(np.diff(np.concatenate([[0], empty[start:end], [0]])))
        gaps = list(zip(edges[::2], edges[1::2], strict=True))
        top, bottom = max(gaps, key=lambda gap: int(gap[1] - gap[0]), default=(end - start, end - start))
        rows.append(start + int(top + bottom) // 2)
    return [*rows, image.height]


def _said_once(text: str, said: set[str]) -> str:
    r"""Return the LaTeX of a table without the sentences that are in `said`, to which the others are added."""

    def kept(block: re.Match[str]) -> str:
        items = [item for item in block[2].splitlines() if item not in said]
        said.update(items)
        return f"{block[1]}{chr(10).join(items)}{block[3]}" if items else ""

    return re.sub(SUPPORTS, kept, text, flags=re.DOTALL)


def data_section(
    cards: Sequence[str], splits: Sequence[str], metrics: Sequence[str], datasets: Sequence[str]
) -> list[Section]:
    """Return the sections on data sets, with their splits and example images, and on metrics.

    Args:
        cards: `data/<data set>/card.json`; `examples.png` lies beside it.
        splits: `data/<data set>/splits/seed<seed>.csv`.
        metrics: names, of `evaluation.metrics`.
        datasets: names of the data sets, in the order of `cards`.
    """
    read = {name: read_json(path) for name, path in zip(datasets, cards, strict=True)}
    seeds = {_split_name(Path(path)): read_csv(path) for path in splits}
    tables = {"datasets.tex": dataset_table(read), "splits.tex": split_table(seeds)}
    examples = [
        Figure(
            Path(path).with_name("examples.png"),
            f"examples-{name}",
            f"{_drawn(read[name]['phantom'])}Images of {name} with the outline of their masks",
        )
        for name, path in zip(datasets, cards, strict=True)
    ]
    return [
        Section("Data", "Images, labels and subsets.", tables, figures=examples),
        Section(
            "Metrics", "What each metric rewards, and what it does not see.", {"metrics.tex": metric_table(metrics)}
        ),
    ]


def network_section(layers: Sequence[str], sketches: Sequence[str]) -> Section:
    """Return the section on networks: `layers` are `<data set>/<model>.csv`, `sketches` the same as PNG."""
    named = [(Path(path).parent.name, Path(path).stem, path) for path in layers]
    tables = {
        f"layers-{dataset}-{model}.tex": layer_table(dataset, model, read_csv(path)) for dataset, model, path in named
    }
    figures = [
        Figure(
            path, f"sketch-{path.parent.name}-{path.stem}", f"{path.stem}, with its feature maps on {path.parent.name}"
        )
        for path in map(Path, sketches)
    ]
    return Section("Networks", "Feature maps and layers of every network.", tables, figures=figures)


def experiment_sections(
    questions: Mapping[str, str], tables: Sequence[str], figures: Sequence[str], phantoms: Sequence[str]
) -> list[Section]:
    """Return a section for each experiment.

    Args:
        questions: experiment -> what it asks, in the order of the document.
        tables: `tables/<experiment>[.<kind>].tex`.
        figures: `figures/<experiment>/<kind>.png`.
        phantoms: experiments of which some data set is drawn: their captions say so.
    """
    return [
        Section(
            name,
            question,
            files=[path for path in map(Path, tables) if path.name.partition(".")[0] == name],
            figures=[
                Figure(
                    path,
                    f"{name}-{path.stem}",
                    _drawn(name in phantoms)
                    + WORDS.get(path.stem, path.stem.replace("_", " "))
                    + f": experiment {name}.",
                    rows=path.stem in ("strips", "external_strips"),
                )
                for path in map(Path, figures)
                if path.parent.name == name
            ],
        )
        for name, question in questions.items()
    ]


def picture_sections(pictures: Sequence[str], phantoms: Sequence[str]) -> list[Section]:
    """Return sections of pictures, `figures/<kind>/<data set>/...`; captions name data set, model, loss, ...

    `phantoms` are the data sets that are drawn.
    """
    by_kind: dict[str, list[Figure]] = {kind: [] for kind in PICTURES}
    for path in map(Path, pictures):
        kind, *names = path.with_suffix("").parts[path.parts.index(paths.FIGURES) + 1 :]
        caption = f"{_drawn(names[0] in phantoms)}{PICTURES[kind][1]}: {', '.join(names)}."
        by_kind[kind].append(Figure(path, "-".join([kind, *names]), caption))
    return [Section(PICTURES[kind][0], figures=figures) for kind, figures in by_kind.items()]


def _split_name(path: Path) -> tuple[str, int]:
    """Return data set and seed of `data/<data set>/splits/seed<seed>.csv`."""
    return path.parents[1].name, int(path.stem.removeprefix("seed"))


def _drawn(phantom: bool) -> str:
    return "PHANTOM data. " if phantom else ""


def _figure(figure: Figure) -> str:
    file = f"\\paper/figures/{figure.name}{figure.path.suffix}"
    return "\n".join(
        [
            r"\begin{figure}[!htbp]",  # a large one below its heading, not alone on the next page
            r"\centering",
            rf"\includegraphics[width=\linewidth, height=0.8\textheight, keepaspectratio]{{{file}}}",
            rf"\caption{{{escape_latex(figure.caption)}}}",
            rf"\label{{fig:{figure.name}}}",
            r"\end{figure}",
        ]
    )
