"""`segstudy predict`: a trained network on new images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segstudy.cli.completion import trained
from segstudy.cli.progress_bar import progress_bar
from segstudy.core.errors import StudyError
from segstudy.core.terminal_text import say


def predict(
    cell: Annotated[
        str,
        typer.Argument(
            help="A trained cell: its folder, its model.safetensors, or its path below results/STUDY/cells/.",
            autocompletion=trained,
        ),
    ],
    images: Annotated[
        list[Path], typer.Argument(help="Image files, or folders, which are searched with their subfolders.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for masks, probabilities, overlays and predictions.csv.")],
    threshold: Annotated[
        str | None,
        typer.Option(
            help="A number, or a threshold policy of the study, such as validation. Default: that of the study's masks."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:NUMBER.")] = "auto",
    roi: Annotated[
        Path | None, typer.Option(help="Folder of field-of-view masks, one per image, called IMAGE or IMAGE_mask.")
    ] = None,
    overlays: Annotated[bool, typer.Option(help="Also draw the predicted outlines on the images.")] = True,
    as_stored: Annotated[
        bool, typer.Option("--as-stored", help="Ignore the orientation that image files note (EXIF).")
    ] = False,
    max_megapixels: Annotated[
        float, typer.Option(min=0.001, help="Largest image that is read; checked before it is decoded.")
    ] = 200.0,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Import your own module that the model file names. This runs its code."),
    ] = False,
) -> None:
    """Predict masks of new images with a trained network, in the same way as its study does."""
    from segstudy.core.pixel_limit import allowing
    from segstudy.deploy.predict import predict_images
    from segstudy.deploy.trained_cell import open_cell

    opened = open_cell(cell)
    with progress_bar("images"), allowing(max_megapixels, "--max-megapixels"):
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
    images_given = table["file"].nunique()
    problems = table[table["problem"] != ""]
    unlike = table.loc[table["warnings"] != "", "file"].nunique()
    say(f"{images_given - len(problems)} images predicted: {out / 'predictions.csv'}")
    if unlike:
        say(f"{unlike} of them unlike the training images: see the column 'warnings'")
    if len(problems):
        others = "; the other images are done" if len(problems) < images_given else ""
        raise StudyError(
            f"{len(problems)} of {images_given} images could not be predicted, first: {problems['problem'].iloc[0]}",
            where=problems["file"].iloc[0],
            remedy=f"see the column 'problem' of {out / 'predictions.csv'}{others}",
        )
