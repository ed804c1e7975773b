"""Training images of each stratum before and after balancing: figure 1 of the EBHI-SEG report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from segstudy.config.recipes import Recipe
from segstudy.core.errors import StudyError
from segstudy.figures import style

BEFORE = "training images of the split"
AFTER = {False: "seen in an epoch: images repeated", True: "after augmented copies were added"}


def stratum_sizes(split: pd.DataFrame, index: pd.DataFrame) -> pd.Series:
    """Return the number of labelled training images of each stratum, by its name.

    Args:
        split: CSV with sample, subset.
        index: CSV with sample, mask, stratum.

    Raises:
        StudyError: there is none, or one has no stratum.
    """
    labelled = index.loc[index["mask"].fillna("").ne(""), ["sample", "stratum"]].astype({"sample": str})
    train = split.loc[split["subset"].eq("train"), ["sample"]].astype({"sample": str})
    found = train.merge(labelled, on="sample")["stratum"].fillna("")
    if not len(found) or found.eq("").any():
        raise StudyError(
            f"{int(found.eq('').sum())} of {len(found)} labelled training images have no stratum to balance by",
            allowed="strata come with the data set (a diagnosis, a class): column stratum of its index",
            remedy="set balance: none in the recipe, or for this data set alone under its 'training:' in the config",
        )
    return found.value_counts().sort_index()


def draw_class_balance(
    split: pd.DataFrame,
    index: pd.DataFrame,
    recipe: Mapping[str, Any],
    outputs: Mapping[str, str | Path],
    title: str,
    phantom: bool = False,
) -> None:
    """Draw two bars for each stratum: its training images, and what a balanced epoch has of it.

    Args:
        split: of one seed.
        index: of the data set.
        recipe: as the data set is trained with it; its `balance` is one.
        outputs: `svg` and `png`.
        title: stands above.
        phantom: whether the images are drawn stand-ins.
    """
    import seaborn
    from matplotlib import pyplot

    style.use_style()
    before, after = stratum_sizes(split, index), AFTER[Recipe.model_validate(recipe).adds_copies]
    parts = {BEFORE: before, after: before.clip(lower=before.max())}
    rows = pd.DataFrame(
        [{"stratum": name, "images": n, "what": what} for what, part in parts.items() for name, n in part.items()]
    )
    figure, axes = pyplot.subplots(figsize=(style.WIDTH, 1.2 + 0.5 * len(before)), layout="constrained")
    colours = dict(zip(parts, style.PALETTE, strict=False))
    seaborn.barplot(rows, x="images", y="stratum", hue="what", palette=colours, saturation=1, legend=False, ax=axes)
    for bars in axes.containers:
        axes.bar_label(bars, padding=3, fontsize=8)  # type: ignore[arg-type]
    axes.set(xlabel="images", ylabel="", xlim=(0, 1.08 * before.max()))
    axes.grid(False, axis="y")
    style.bare(axes)
    keys = [style.key(what, color=colour, marker="s", ls="", ms=8) for what, colour in colours.items()]
    style.finish(figure, title, keys, outputs, phantom)
