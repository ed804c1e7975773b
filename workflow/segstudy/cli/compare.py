"""Compare two cells, or two rows of a study's tables, image by image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segstudy.cli.completion import rows
from segstudy.cli.config_files import Files, opened, paper
from segstudy.core.errors import StudyError, nearest

HELP = "A cell (drive/unet/bce/default/seed0, or its folder) or a row: all seeds (drive/unet/bce/default)."


def compare(
    first: Annotated[str, typer.Argument(help=HELP, autocompletion=rows, show_default=False)],
    second: Annotated[str, typer.Argument(help="The other one.", autocompletion=rows, show_default=False)],
    files: Files = None,
    metric: Annotated[
        str | None, typer.Option(help="What is compared, such as iou; evaluation.comparison of the config.")
    ] = None,
    images: Annotated[int, typer.Option(min=0, help="Images to name on which either side leads most.")] = 5,
    csv: Annotated[Path | None, typer.Option(help="Write the values of every image into this file.")] = None,
) -> None:
    """Two cells or rows on the same test images: the difference, its interval and tests, and where they differ most."""
    from segstudy.cli.pair_view import show
    from segstudy.core.files import write_csv
    from segstudy.evaluation.aggregate import METRICS
    from segstudy.tables.compare_two import compare as compared
    from segstudy.tables.compare_two import side

    study, results = opened(files)
    chosen = metric or study.evaluation.comparison
    if chosen not in METRICS:
        raise StudyError(f"no metric is called '{chosen}'.{nearest(chosen, METRICS)}", allowed=", ".join(METRICS))
    sides = (side(study, results, first), side(study, results, second))
    found = compared(study, *sides, chosen)
    show(study, results, sides, found, images, paper())
    if csv:
        write_csv(csv, found.images, sealed=False)
