"""What the captions of all tables say: how each data set was used, and how values came about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pandas as pd

from segstudy.metrics import ARGMAX

SUBSET_WORDS = {"test": "test", "val": "validation", "train": "training"}
REGION_WORDS = {"roi": "inside the field of view", "full": "over the full frame"}
BOLD = "Bold: best network of its data set, as printed; controls (in italics) do not compete."
NETWORK = ["model", "loss", "recipe", "class"]


class Protocol(TypedDict):
    """How the images of one data set were used, in words that stand in every caption."""

    split: str  # such as "official test set; 20 % of the rest for validation, drawn anew for each seed"
    size: str  # such as "networks see the original pixels", and in which tiles they predict them
    phantom: bool  # drawn stand-ins instead of real images
    sources: NotRequired[str]  # what cells were made of beside its training images: weights, labels of a teacher


def dataset_words(dataset: str, shown: pd.DataFrame, protocol: Protocol) -> str:
    """Return what a caption says of a data set: how it was split, how large it is, what was measured."""
    counts = shown[shown["dataset"] == dataset]
    networks = counts[counts["row"] == "cell"]
    per_seed = networks.groupby(["subset", *NETWORK, "seed"])["sample"].nunique()
    images = per_seed.groupby(["subset", *NETWORK]).mean().groupby("subset").max()
    numbers = [f"{count(images[subset])} {SUBSET_WORDS[subset]}" for subset in SUBSET_WORDS if subset in images]
    seeds = networks.groupby(NETWORK)["seed"].nunique().max()
    repeats = f"{seeds} seeds" if seeds > 1 else "1 seed"
    region = REGION_WORDS[counts["region"].iloc[0]]
    kinds = counts["class"].nunique()
    classes = f"{kinds} classes, the background among them; " if kinds > 1 else ""
    full = counts.loc[counts["region"] != counts["own_region"], "sample"].nunique()
    if full:
        region += f" ({full} image{'s' if full > 1 else ''} without one count{'' if full > 1 else 's'} in full)"
    made = f" {protocol['sources'].rstrip('.')}." if protocol.get("sources") else ""
    return (
        f"{dataset}: {'PHANTOM, drawn stand-ins and no real images; ' if protocol['phantom'] else ''}"
        f"{protocol['split'].rstrip('.')}; {', '.join(numbers)} images per seed, {repeats}; {classes}"
        f"{protocol['size'].rstrip('.')}; measured at the original resolution of the masks, {region}.{made}"
    )


def threshold_words(shown: pd.DataFrame) -> str:
    """Return what a caption says of the thresholds behind the networks' masks."""
    networks = shown[shown["row"] == "cell"]
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
    """Return what a caption says of measures that have a unit, a tolerance or a rule of their own for ranking."""
    words = []
    if "surface_dice" in metrics:
        words.append(f"Surface Dice forgives up to {tolerance:g} pixels between outlines.")
    if {"hd95", "assd"} & set(metrics):
        words.append(
            "Distances are in pixels. An image where one of the masks is empty has none: it is left out of the mean, "
            "but counts with the diagonal of the image when the best network is chosen."
        )
    return words


def average_words(shown: pd.DataFrame, images: str = "images") -> str:
    """Return the beginning of the sentence on how values are averaged."""
    seeds = ", then over seeds ± standard deviation over seeds" if several_seeds(shown) else ""
    return f"Values are means over {images}{seeds}"


def several_seeds(shown: pd.DataFrame) -> bool:
    """Return whether any data set was trained on with more than one seed."""
    networks = shown[shown["row"] == "cell"]
    return bool(networks.groupby("dataset")["seed"].nunique().max() > 1)


def count(number: float) -> str:
    """Return a number of images; where seeds differ it is a mean."""
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"
