r"""The tables and figures of a study for a LaTeX document: copied together, with a file that \inputs them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from segstudy.core.files import atomic_folder
from segstudy.tables.render import escape_latex

HEAD = r"""% Every table and figure of study {study}. In the preamble:
%   \usepackage{{booktabs,adjustbox,graphicx,rotating}}
% and, if this folder does not lie beside the document, \newcommand{{\paper}}{{path/to/paper}} before:
%   \input{{path/to/paper/report.tex}}
\providecommand{{\paper}}{{.}}
"""
WORDS = {
    "ranking": "Every network and control with its 95 % interval, and how often each is first when images and seeds "
    "are drawn anew",
    "ablation": "Metrics by loss and network, with control rows",
    "threshold_curves": "Mean Dice over the threshold, with the thresholds that were chosen",
    "label_efficiency": "Dice over the share of the training labels, with intervals",
    "curves": "Loss and validation Dice by epoch",
    "failures": "Dice by size of the object and by threshold, calibration, ROC and precision-recall",
    "strips": "Test images from worst to best, with the errors of every row side by side",
}


def gather(
    study: str,
    questions: Mapping[str, str],
    tables: Sequence[str | Path],
    figures: Sequence[str | Path],
    phantoms: Sequence[str],
    folder: str | Path,
) -> None:
    r"""Copy tables and figures, and write `report.tex` with one line or one figure for each.

    Args:
        study: its name.
        questions: experiment -> what it asks, in the order of the document.
        tables: `tables/<experiment>[.<kind>].tex`.
        figures: `figures/<experiment>/<kind>.png`.
        phantoms: experiments of which some data set is drawn: their captions say so.
        folder: where everything goes; it is replaced.
    """
    with atomic_folder(folder) as temporary:
        (temporary / "tables").mkdir()
        (temporary / "figures").mkdir()
        parts = [HEAD.format(study=study)]
        for experiment, question in questions.items():
            parts.append(f"\\section*{{{escape_latex(experiment)}}}\n\\emph{{{escape_latex(question)}}}\n")
            for path in map(Path, tables):
                if path.name.partition(".")[0] == experiment:
                    shutil.copyfile(path, temporary / "tables" / path.name)
                    parts.append(f"\\input{{\\paper/tables/{path.name}}}")
            for path in map(Path, figures):
                if path.parent.name == experiment:
                    name = f"{experiment}-{path.name}"
                    shutil.copyfile(path, temporary / "figures" / name)
                    parts.append(_figure(experiment, path.stem, name, experiment in phantoms))
            parts.append("\\clearpage\n")  # tables and figures stay with their experiment
        (temporary / "report.tex").write_text("\n".join(parts) + "\n", encoding="utf-8")


def _figure(experiment: str, kind: str, name: str, phantom: bool) -> str:
    caption = (
        f"{'PHANTOM data. ' if phantom else ''}{WORDS.get(kind, kind.replace('_', ' '))}: experiment {experiment}."
    )
    return "\n".join(
        [
            r"\begin{figure}[tbp]",
            r"\centering",
            rf"\includegraphics[width=\linewidth, height=0.8\textheight, keepaspectratio]{{\paper/figures/{name}}}",
            rf"\caption{{{escape_latex(caption)}}}",
            rf"\label{{fig:{experiment}:{kind}}}",
            r"\end{figure}",
        ]
    )
