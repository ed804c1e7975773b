"""`segstudy export`: a trained network for use in other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from segstudy.cli.completion import trained
from segstudy.cli.progress_bar import progress_bar
from segstudy.core.terminal_text import say


def export(
    cell: Annotated[str, typer.Argument(help="A trained cell, as for `segstudy predict`.", autocompletion=trained)],
    out: Annotated[
        Path, typer.Option(help="Folder for the exported files, preprocessing.json and the model card README.md.")
    ],
    format: Annotated[
        Literal["onnx", "torch", "all"], typer.Option(help="ONNX, a torch.export program (.pt2), or both.")
    ] = "all",
    check: Annotated[
        list[Path] | None,
        typer.Option(help="Image to check the exported network on; may be repeated. Default: images of the study."),
    ] = None,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Import your own module that the model file names. This runs its code."),
    ] = False,
) -> None:
    """Export a trained network as ONNX and torch.export, checked against the original, with a model card."""
    from segstudy.deploy.export import export_cell
    from segstudy.deploy.trained_cell import open_cell

    formats = ["onnx", "torch"] if format == "all" else [format]
    with progress_bar("export"):
        done = export_cell(open_cell(cell), out, formats, check or [], trust)
    for one in done:
        say(f"{one.path}: {one.sizes.words}; largest difference of a probability {one.difference:.1e}")
    say(f"{out / 'README.md'}: the model card, with how to use it")
