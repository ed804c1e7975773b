"""Captions of all tables: how each data set was used, and how values were computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import pandas as pd

from segstudy.config.cell import Cell
from segstudy.config.datasets import DatasetConfig, Prediction, Size
from segstudy.config.dependencies import share_of, sources
from segstudy.core.files import read_json
from segstudy.data.split import split_words
from segstudy.evaluation.aggregate import ARGMAX

if TYPE_CHECKING:
    from segstudy.config.study import Study

SUBSET_WORDS = {"test": "test", "val": "validation", "train": "training"}
REGION_WORDS = {"roi": "inside the field of view", "full": "over the full frame"}
BOLD = "Bold: best network of its data set, as printed; controls (in italics) do not compete."
MEAN_OF_IMAGE = "Several classes: of each image, the mean over those that its truth or prediction shows."
NETWORK = ["model", "loss", "recipe", "class"]


class Protocol(TypedDict):
    """How the images of one data set were used, in words that stand in every caption."""

    split: str  # such as "official test set; 20 % of the rest for validation, drawn anew for each seed"
    size: str  # such as "networks see the original pixels", and in which tiles they predict them
    phantom: bool  # drawn stand-ins instead of real images
    void: NotRequired[str]  # values of the masks whose pixels count for nothing, where there are any
    truth: NotRequired[str]  # how the masks of several annotators are joined, where they are
    sources: NotRequired[str]  # what cells were made of beside its training images: weights, labels of a teacher


def dataset_words(dataset: str, counts: pd.DataFrame, protocol: Protocol) -> str:
    """Return the sentence on a data set: split, number of images, size, region that is measured, what is void."""
    counts = counts[counts["dataset"] == dataset]
    networks = counts[counts["row"] == "cell"]
    per_seed = networks.groupby(["subset", *NETWORK, "seed"])["sample"].nunique()
    images = per_seed.groupby(["subset", *NETWORK]).mean().groupby("subset").max()
    numbers = [f"{count(images[subset])} {SUBSET_WORDS[subset]}" for subset in SUBSET_WORDS if subset in images]
    seeds = networks.groupby(NETWORK)["seed"].nunique().max()
    repeats = f"{seeds} seeds" if seeds > 1 else "1 seed"
    region = REGION_WORDS[counts["region"].iloc[0]]
    number = counts["class"].nunique()
    among = ", the background among them" if "background" in set(counts["class"]) else ""
    classes = f"{number} classes{among}; " if number > 1 else ""
    full = counts.loc[counts["region"] != counts["own_region"], "sample"].nunique()
    if full:
        region += f" ({full} image{'s' if full > 1 else ''} without one count{'' if full > 1 else 's'} in full)"
    if void := protocol.get("void"):
        region += f" without void ({void} in the masks)"
    if truth := protocol.get("truth"):
        region += f"; truth: the masks of several annotators, joined by {truth}, where several have drawn"
    made = f" {protocol['sources'].rstrip('.')}." if protocol.get("sources") else ""
    return (
        f"{dataset}: {'PHANTOM, drawn stand-ins and no real images; ' if protocol['phantom'] else ''}"
        f"{protocol['split'].rstrip('.')}; {', '.join(numbers)} images per seed, {repeats}; {classes}"
        f"{protocol['size'].rstrip('.')}; measured at the original resolution of the masks, {region}.{made}"
    )


def threshold_words(counts: pd.DataFrame) -> str:
    """Return the sentence on the thresholds of the networks' masks."""
    networks = counts[counts["row"] == "cell"]
    one = networks[networks["policy"] != ARGMAX]
    largest = "with several classes, a pixel has the one of the largest probability"
    if one.empty:
        return f"No threshold: {largest}."
    low, high = one["threshold"].min(), one["threshold"].max()
    between = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    how = {
        "fixed": f"{between}, fixed beforehand",
        "otsu": f"chosen by Otsu's method on the probabilities of each cell's validation images, {between}",
        "training": f"chosen on each cell's training images, {between}",
        "validation": f"chosen on each cell's validation images, {between}",
    }[one["policy"].iloc[0]]
    return f"Threshold of the networks' probabilities: {how}{'' if len(one) == len(networks) else f'; {largest}'}."


def measure_words(metrics: Sequence[str], tolerance: float) -> list[str]:
    """Return the sentences on measures with a unit, a tolerance or a ranking rule."""
    words = []
    if "surface_dice" in metrics:
        words.append(f"Surface Dice forgives up to {tolerance:g} pixels between outlines.")
    if {"hd95", "assd"} & set(metrics):
        words.append(
            "Distances are in pixels. An image where one of the masks is empty has none: it is left out of the mean, "
            "but counts with the diagonal of the image when the best network is chosen."
        )
    return words


def average_words(counts: pd.DataFrame, images: str = "images") -> str:
    """Return the beginning of the sentence on how values are averaged."""
    seeds = ", then over seeds ± standard deviation over seeds" if several_seeds(counts) else ""
    return f"Values are means over {images}{seeds}"


def several_seeds(counts: pd.DataFrame) -> bool:
    """Return whether any data set was trained on with more than one seed."""
    networks = counts[counts["row"] == "cell"]
    return bool(networks.groupby("dataset")["seed"].nunique().max() > 1)


def count(number: float) -> str:
    """Return a number of images; where seeds differ it is a mean."""
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"


CHECK_FOLDERS = ("data", "chains")  # folders of checks: of data sets and splits, of chains
WRITTEN_OUT = 3  # accepted findings of one kind and reason that a caption writes out


def protocol(options: DatasetConfig, checks: Sequence[str | Path], sources: str = "") -> Protocol:
    """Return the protocol of a data set.

    Args:
        options: its config.
        checks: the json files of its image check, of the check of each of its splits, and of those of its chains.
        sources: what its cells were made of, see `chain_words`.
    """
    records = [read_json(path) for path in checks]
    of_splits = [item for item in records if "split" in item]
    splits = [item["split"] for item in of_splits]
    official, official_val = (bool(splits) and splits[0]["rule"].get(name) == "official" for name in ("test", "val"))
    leak = "" if options.split.grouped or not splits else _leak_words(splits)
    accepted = _accepted([item for record in records for item in record["accepted"]])
    exceptions = f"; declared exceptions: {'; '.join(accepted)}" if accepted else ""
    words = Protocol(
        split=split_words(options.split, official, official_val) + leak + _copy_words(of_splits) + exceptions,
        size=_size_words(options.size) + _tile_words(options.prediction),
        phantom=options.phantom is not None,
        sources=sources,
        void=next((record["void"]["values"] for record in records if "void" in record), ""),
    )
    if options.truth != "first":
        words["truth"] = options.truth
    return words


def protocols(
    datasets: Mapping[str, DatasetConfig], checks: Sequence[str | Path], sources: Mapping[str, str] | None = None
) -> dict[str, Protocol]:
    """Return the protocol of each data set; the paths of its checks have its name below one of `CHECK_FOLDERS`."""

    def checks_of(name: str) -> list[str | Path]:
        return [
            path for path in checks if any(f"/{folder}/{name}/" in Path(path).as_posix() for folder in CHECK_FOLDERS)
        ]

    return {
        name: protocol(options, checks_of(name), (sources or {}).get(name, "")) for name, options in datasets.items()
    }


def _accepted(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each finding, once; of many findings of one kind and reason the first and their number."""
    texts: dict[tuple[str, str], dict[str, None]] = {}
    for item in items:
        texts.setdefault((item["kind"], item["reason"]), {})[item["text"]] = None
    words = []
    for (kind, reason), sentences in texts.items():
        if len(sentences) > WRITTEN_OUT:
            words.append(f"{next(iter(sentences))}, and {len(sentences) - 1} more of kind {kind} (accepted: {reason})")
        else:
            words += [f"{text} (accepted: {reason})" for text in sentences]
    return words


def _leak_words(splits: Sequence[Mapping[str, Any]]) -> str:
    """Return how many test images share a group with training images, over all seeds."""
    shared = sum(split["test_in_training"] for split in splits)
    tested = sum(split["subsets"]["test"] for split in splits)
    return f"; groups are IGNORED: {shared / tested:.0%} of the test images belong to groups that are trained on"


def _copy_words(checks: Sequence[Mapping[str, Any]]) -> str:
    """Return how many pairs the checks of the splits compared and how many copies they found, for the worst seed."""
    if not checks:
        return ""
    pairs, near, moved, groups, grouped = (
        max(check[name] for check in checks)
        for name in ("pairs_compared", "near_duplicates", "moved_copies", "groups", "grouped_images")
    )
    each = " in each split" if len(checks) > 1 else ""
    most = "up to " if len({check["near_duplicates"] for check in checks}) > 1 else ""
    met = f"{most}{near:,} near-duplicates ({moved:,} moved copies)" if near else "no near-duplicate"
    kept = f"{groups:,} groups of several images hold {grouped:,}" if groups else "no groups of several images"
    return f"; copies sought among {pairs:,} pairs across subsets{each}: {met}; {kept}"


def _size_words(size: Size | str) -> str:
    if isinstance(size, str):
        return "networks see the original pixels"
    if size.long_side is not None:
        return f"networks see images resized to a long side of {size.long_side} pixels"
    return f"networks see images fitted into {size.height}x{size.width} pixels"


def _tile_words(prediction: Prediction) -> str:
    if prediction.tile is None:
        return ""
    height, width = prediction.tile
    how = "stand side by side" if prediction.overlap is None else f"overlap by {prediction.overlap:.0%}"
    return f", and predict them in tiles of {height}x{width} that {how}"


def chain_words(study: Study, cells: Sequence[Cell]) -> dict[str, str]:
    """Return, by data set, the sentence on weights and labels that its cells got from others; '' without any."""
    words = {}
    for dataset in dict.fromkeys(cell.dataset for cell in cells):
        of_dataset = [cell for cell in cells if cell.dataset == dataset]
        models = dict.fromkeys(cell.model for cell in of_dataset)
        sentences = [f"{model}: {text}" for model in models if (text := _encoder(study, model))]
        sentences += dict.fromkeys(text for cell in of_dataset if (text := _sources(study, cell)))
        shares = sorted({share for cell in of_dataset if (share := share_of(study, cell)[1]) < 1})
        if shares:
            percentages = ", ".join(f"{share:.3g}" for share in shares)
            sentences.append(
                f"recipes that end in _labels use that percentage of the training labels ({percentages}), the same "
                "images in every row and for every teacher"
            )
        words[dataset] = "; ".join(sentences)
    return words


def _encoder(study: Study, model: str) -> str:
    encoder = study.encoder(model)
    return f"starts from an encoder learned on ImageNet ({encoder})" if encoder else ""


def _sources(study: Study, cell: Cell) -> str:
    """Return the weights and labels that a recipe gets from other cells, at any share of the labels."""
    recipe, builds_on = study.recipe(cell.dataset, cell.recipe), sources(study, cell)
    parts = []
    if recipe.start_from:
        what = "the weights on the way down" if recipe.start_from.take == "encoder" else "the weights"
        noise = study.recipes[builds_on["start"].recipe].denoising
        parts.append(
            f"starts from {what} of {_named(study, builds_on['start'])}" + ", which removes noise" * bool(noise)
        )
    if recipe.transfer.freeze:
        parts.append(f"what it starts from stands still for {recipe.transfer.freeze} epochs")
    if recipe.transfer.rate != 1:
        parts.append(f"what it starts from learns at {recipe.transfer.rate:g} of the rate")
    if recipe.pseudo_labels:
        pseudo = recipe.pseudo_labels
        mixed = f", {pseudo.real:.0%} of the crops with real labels" if pseudo.real else ""
        teacher = _named(study, builds_on["teacher"])
        parts.append(f"learns from {pseudo.unlabelled} too, labelled by {teacher} ({pseudo.targets} targets{mixed})")
    if recipe.consistency:
        parts.append(f"mean teacher on images of {recipe.consistency.unlabelled} without masks")
    return f"{share_of(study, cell)[0]}: {', '.join(parts)}" if parts else ""


def _named(study: Study, cell: Cell) -> str:
    return f"{cell.dataset}/{cell.model}/{cell.loss}/{share_of(study, cell)[0]}"
