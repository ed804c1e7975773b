"""Training images of each stratum before and after balancing: figure 1 of the EBHI-SEG report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from segstudy.config.recipes import Recipe
from segstudy.data.balancing import AFTER, BEFORE, balanced_sizes, stratum_sizes
from segstudy.figures import style


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
        recipe: as the data set is trained with it; its `balance` is one.
        outputs: `svg` and `png`.
    """
    import seaborn
    from matplotlib import pyplot

    style.use_style()
    before, after = stratum_sizes(split, index), AFTER[Recipe.model_validate(recipe).adds_copies]
    parts = {BEFORE: before, after: balanced_sizes(before)}
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
