"""What captions say of cells that build on others: what they started from, who labelled for them, how many labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segstudy.config.cells import Cell
from segstudy.config.chains import share_of, sources

if TYPE_CHECKING:
    from segstudy.config.study import Study


def chain_words(study: Study, cells: Sequence[Cell]) -> dict[str, str]:
    """Return for each data set of the cells what its caption says of their sources; '' where all stand alone."""
    words = {}
    for dataset in dict.fromkeys(cell.dataset for cell in cells):
        own = [cell for cell in cells if cell.dataset == dataset]
        models = dict.fromkeys(cell.model for cell in own)
        sentences = [f"{model}: {text}" for model in models if (text := _encoder(study, model))]
        sentences += dict.fromkeys(text for cell in own if (text := _sources(study, cell)))
        shares = sorted({share for cell in own if (share := share_of(study, cell)[1]) < 1})
        if shares:
            told = ", ".join(f"{share:.3g}" for share in shares)
            sentences.append(
                f"recipes that end in _labels use that percentage of the training labels ({told}), the same images in "
                "every row and for every teacher"
            )
        words[dataset] = "; ".join(sentences)
    return words


def _encoder(study: Study, model: str) -> str:
    encoder = study.encoder(model)
    return f"starts from an encoder learned on ImageNet ({encoder})" if encoder else ""


def _sources(study: Study, cell: Cell) -> str:
    """Return what a recipe, whatever its share of the labels, takes from others."""
    recipe, found = study.recipe(cell.dataset, cell.recipe), sources(study, cell)
    parts = []
    if recipe.start_from:
        what = "the weights on the way down" if recipe.start_from.take == "encoder" else "the weights"
        noise = study.recipes[found["start"].recipe].denoising
        parts.append(f"starts from {what} of {_named(study, found['start'])}" + ", which removes noise" * bool(noise))
    if recipe.transfer.freeze:
        parts.append(f"what it starts from stands still for {recipe.transfer.freeze} epochs")
    if recipe.transfer.rate != 1:
        parts.append(f"what it starts from learns at {recipe.transfer.rate:g} of the rate")
    if recipe.pseudo_labels:
        pseudo = recipe.pseudo_labels
        mixed = f", {pseudo.real:.0%} of the crops with real labels" if pseudo.real else ""
        teacher = _named(study, found["teacher"])
        parts.append(f"learns from {pseudo.unlabelled} too, labelled by {teacher} ({pseudo.targets} targets{mixed})")
    if recipe.consistency:
        parts.append(f"mean teacher on images of {recipe.consistency.unlabelled} without masks")
    return f"{share_of(study, cell)[0]}: {', '.join(parts)}" if parts else ""


def _named(study: Study, cell: Cell) -> str:
    return f"{cell.dataset}/{cell.model}/{cell.loss}/{share_of(study, cell)[0]}"
