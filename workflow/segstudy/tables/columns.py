"""The columns of numbers of the readable comparison table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import pandas as pd

from segstudy.evaluation.aggregate import per_image
from segstudy.evaluation.metrics import METRICS

SEVEN = ("dice", "iou", "accuracy", "sensitivity", "specificity", "precision", "pixel_error")


class Column(NamedTuple):
    """A column of numbers: one metric in one way of averaging, or the interval of that."""

    head: str
    metric: str
    averaging: Literal["image", "pooled"] = "image"
    interval: bool = False

    def name(self, subset: str, statistic: str) -> str:
        """Return the column of the table's csv that holds `statistic`: mean, sd, low or high."""
        word = statistic if self.averaging == "image" else f"pooled_{statistic}".removesuffix("_mean")
        return f"{subset}_{self.metric}_{word}"


# Means over classes. Precision is left out: a class that is never predicted has none and would not count against
# a network. So is specificity, near 1 for every class that is small.
SEVERAL = (
    Column("Mean IoU", "iou", "pooled"),
    Column("Mean IoU 95 % interval", "iou", "pooled", interval=True),
    Column("IoU per image", "iou"),
    Column("Mean Dice", "dice", "pooled"),
    Column("Dice per image", "dice"),
    Column("Pixel accuracy", "accuracy", "pooled"),
    Column("Mean sensitivity", "sensitivity", "pooled"),
)


def one_class(metrics: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns where there is one foreground class: the first metric with interval, Dice pooled as well."""
    columns = [Column(METRICS[name].label, name) for name in metrics]
    columns.insert(1, Column(f"{columns[0].head} 95 % interval", metrics[0], interval=True))
    if "dice" in metrics:
        place = [column.metric for column in columns].index("dice") + 1 + (metrics[0] == "dice")
        columns.insert(place, Column("Dice pooled", "dice", "pooled"))
    return tuple(columns)


UPPER_BOUND = "Dice upper bound (threshold chosen on test images)"
UPPER_BOUND_WORDS = (
    "The upper bound is no result: it is the mean Dice at the threshold that is best on the very test images, chosen "
    "with their truth for each cell; it says how much another choice of the threshold could gain at most."
)


def upper_bounds(counts: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return `keys` and mean and sd over seeds (ddof 1) of the mean Dice over images, as columns of the table's csv.

    They are columns of their own, since they are no result.

    Args:
        counts: of test images at the policy ORACLE, in the headline's region.
        keys: columns that name a row of the table.
    """
    seeds = per_image(counts).groupby([*keys, "seed"])["dice"].mean().groupby(list(keys))
    names = {"test_dice_oracle_mean": seeds.mean(), "test_dice_oracle_sd": seeds.std(ddof=1)}
    return pd.DataFrame(names).reset_index()
