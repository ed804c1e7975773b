"""`segstudy predict`: a trained network on images of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segstudy.cli.completion import trained
from segstudy.cli.progress_bar import shown
from segstudy.core.errors import StudyError
from segstudy.core.terminal_text import say


def predict(
    cell: Annotated[
        str,
        typer.Argument(
            help="A trained cell: its folder, its model.safetensors, or its path below cells/ of a study in results/.",
            autocompletion=trained,
        ),
    ],
    images: Annotated[list[Path], typer.Argument(help="Image files, and folders with all that is in them.")],
    out: Annotated[Path, typer.Option(help="Folder of masks, probabilities, overlays and predictions.csv.")],
    threshold: Annotated[
        str | None,
        typer.Option(help="A number, or a policy of the study such as validation; by default that of its masks."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<number>.")] = "auto",
    roi: Annotated[
        Path | None, typer.Option(help="Folder of masks of the field of view, named like the images (or <name>_mask).")
    ] = None,
    overlays: Annotated[bool, typer.Option(help="Draw what was found on the pictures.")] = True,
    as_stored: Annotated[
        bool, typer.Option("--as-stored", help="Ignore the orientation that files note (EXIF).")
    ] = False,
    max_megapixels: Annotated[
        float, typer.Option(min=0.001, help="Largest picture that is read; told before it is decoded.")
    ] = 200.0,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Import the module of one's own that the model file names, which runs its code."),
    ] = False,
) -> None:
    """Masks of new images by a trained network, as its study makes them."""
    from segstudy.core.pixel_limit import allowing
    from segstudy.deploy.predict import predict_images
    from segstudy.deploy.trained_cell import open_cell

    opened = open_cell(cell)
    with shown("images"), allowing(max_megapixels, "--max-megapixels"):
        table = predict_images(
            opened,
            images,
            out,
            threshold=threshold,
            device=device,
            roi=roi,
            overlays=overlays,
            as_stored=as_stored,
            trust=trust,
        )
    problems = table[table["problem"] != ""]
    unlike = table.loc[table["warnings"] != "", "file"].nunique()
    say(f"{table['file'].nunique() - len(problems)} images predicted: {out / 'predictions.csv'}")
    if unlike:
        say(f"{unlike} of them unlike the training images: see the column 'warnings'")
    if len(problems):
        raise StudyError(
            f"{len(problems)} of {table['file'].nunique()} images could not be predicted, first: "
            f"{problems['problem'].iloc[0]}",
            where=problems["file"].iloc[0],
            remedy=f"see the column 'problem' of {out / 'predictions.csv'}; the other images are done",
        )
