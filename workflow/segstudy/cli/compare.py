"""`segstudy compare`: two cells, or two rows of a study's tables, image by image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segstudy.cli.completion import rows
from segstudy.cli.config_files import Files, check_name, open_study

HELP = "A cell (drive/unet/bce/default/seed0, or its folder), or a row with all its seeds (drive/unet/bce/default)."


def compare(
    first: Annotated[str, typer.Argument(help=HELP, autocompletion=rows, show_default=False)],
    second: Annotated[
        str, typer.Argument(help="The cell or row to compare it with.", autocompletion=rows, show_default=False)
    ],
    files: Files = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric to compare, such as iou. Default: evaluation.comparison of the config.")
    ] = None,
    images: Annotated[int, typer.Option(min=0, help="Images to list for each side: those on which it leads most.")] = 5,
    csv: Annotated[Path | None, typer.Option(help="Write the values of every image to this file.")] = None,
) -> None:
    """Compare two cells or table rows on the same test images: difference, interval, tests, most different images."""
    from segstudy.cli.console import console
    from segstudy.cli.pair_view import show
    from segstudy.core.files import write_csv
    from segstudy.evaluation.aggregate import METRICS
    from segstudy.tables.compare_two import compare as compared
    from segstudy.tables.compare_two import side

    study, results = open_study(files)
    chosen = metric or study.evaluation.comparison
    check_name("metric", chosen, METRICS)
    sides = (side(study, results, first), side(study, results, second))
    comparison = compared(study, *sides, chosen)
    show(study, results, sides, comparison, images, console())
    if csv:
        write_csv(csv, comparison.images, sealed=False)
