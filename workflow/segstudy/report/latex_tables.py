r"""LaTeX tables of what a study uses: data sets, splits, layers of networks, metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from segstudy.evaluation.metrics import METRICS
from segstudy.tables.render import escape_latex

SUBSETS = ("train", "val", "test", "unlabelled")
SMALL_FROM = 23  # rows of a layer table, from which on its letters are small
# What may be wrong while the value of a metric is good.
BLIND_TO = {
    **dict.fromkeys(("dice", "iou"), "the size of the background; the place of the errors"),
    **dict.fromkeys(("accuracy", "pixel_error", "brier"), "a small object altogether"),
    "sensitivity": "any amount of false foreground",
    "specificity": "missing the whole object",
    "precision": "missing most of the object",
    "balanced_accuracy": "false foreground of the size of a thin object",
    "mcc": "the place of the errors",
    "surface_dice": "what lies inside the outline; errors within the tolerance",
    **dict.fromkeys(("hd95", "hd95_ranked"), "the worst twentieth of the outline; the width of thin objects"),
    **dict.fromkeys(("assd", "assd_ranked"), "a few places that are far off"),
    "cldice": "the width of vessels",
    **dict.fromkeys(("object_error", "betti0_error"), "a missed object beside an invented one"),
    "betti1_error": "a closed loop beside an opened one",
    "object_f1": "how well a matched object is outlined",
    **dict.fromkeys(("object_f1_mean", "panoptic_quality"), "the size of objects: a speck weighs as much as a cell"),
    **dict.fromkeys(("splits", "merges"), "objects that are missed altogether"),
    "roc_auc": "the size of the background; calibration",
    "average_precision": "calibration",
    "ece": "the order of the probabilities",
}


def dataset_table(cards: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of data sets: images, labels, sizes, groups, official subsets, classes, share of foreground.

    Args:
        cards: name of the data set -> its card.json.
    """
    facts = {
        "images": lambda card: f"{card['images']:,}",
        "labelled": lambda card: f"{card['labelled']:,}",
        "classes": lambda card: ", ".join(card["classes"]),
        "size (pixels)": lambda card: _sizes(card["sizes"]),
        "groups": lambda card: f"{card['groups']:,}" if card["groups"] else "none",
        "official subsets": lambda card: _images_by_name(card["official_subsets"]),
        "strata": lambda card: _images_by_name(card["strata"]),
        "foreground": _foreground,
    }
    rows = [(head, *(say(card) for card in cards.values())) for head, say in facts.items()]
    heads = ("", *(f"{name} (PHANTOM)" if card["phantom"] else name for name, card in cards.items()))
    caption = (
        "Data sets. Groups (patients, slides) stay in one subset. Foreground: mean share of the pixels of a mask, "
        "from the least to the most."
    )
    width = f"p{{{0.8 / max(1, min(4, len(cards))):.2f}\\linewidth}}"
    return table("datasets", caption, heads, rows, "l" + width * len(cards))


def split_table(splits: Mapping[tuple[str, int], pd.DataFrame]) -> str:
    """Return a table of the images in each subset.

    Args:
        splits: (data set, seed) -> its split, with the column `subset`.
    """
    rows = []
    for (dataset, seed), split in splits.items():
        counts = Counter(split["subset"])
        rows.append((dataset, str(seed), *(str(counts[subset]) for subset in SUBSETS)))
    heads = ("data set", "seed", "training", "validation", "test", "unlabelled")
    return table("splits", "Images of each subset, by seed.", heads, rows, "lrrrrr")


def layer_table(dataset: str, model: str, layers: pd.DataFrame) -> str:
    """Return the layer table of a network: `layers` has the columns of `models.blocks.Stage`."""
    rows = [
        (str(row.name), str(row.operation), f"{row.channels}", f"{row.height} × {row.width}", f"{row.parameters:,}")
        for row in layers.itertuples(index=False, name="Row")
    ]
    total = f"{int(layers['parameters'].sum()):,}"
    caption = f"Layers of {model} for an image of {dataset}: {total} weights."
    heads = ("layer", "operation", "channels", "height × width", "weights")
    return table(f"layers:{dataset}:{model}", caption, heads, rows, "llrrr", small=len(rows) >= SMALL_FROM)


def metric_table(names: Sequence[str]) -> str:
    """Return a table of metrics: formula, direction, what each rewards, what it is blind to."""
    rows = [
        # A space between brackets: a long product may be broken there.
        (metric.label, metric.formula.replace(")(", ") ("), metric.direction, metric.meaning, BLIND_TO[name])
        for name in names
        for metric in [METRICS[name]]
    ]
    heads = ("metric", "formula", "better", "rewards", "blind to")
    caption = "Metrics: TP, FP, FN and TN count pixels, the object being the foreground."
    columns = "lp{0.25\\linewidth}lp{0.22\\linewidth}p{0.25\\linewidth}"
    return table("metrics", caption, heads, rows, columns)


def table(
    label: str, caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], columns: str, small: bool = False
) -> str:
    r"""Return a floating table that is never wider than the line nor higher than the page; all text is escaped.

    Args:
        label: without `tab:`.
        rows: cells as plain text.
        columns: LaTeX's column types.
        small: whether the letters are small ones.
    """

    def line(cells: Sequence[str]) -> str:
        return " & ".join(map(escape_latex, cells)) + r" \\"

    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            r"\scriptsize" if small else r"\footnotesize",
            r"\begin{adjustbox}{max width=\linewidth, max totalheight=0.85\textheight}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            line(heads),
            r"\midrule",
            *map(line, rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{adjustbox}",
            rf"\caption{{{escape_latex(caption)}}}",
            rf"\label{{tab:{label}}}",
            r"\end{table}",
        ]
    )


def _images_by_name(parts: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {facts['images']}" for name, facts in parts.items()) or "none"


def _sizes(sizes: Mapping[str, int]) -> str:
    if len(sizes) <= 2:
        return ", ".join(size.replace("x", " × ") for size in sizes)
    pairs = sorted((tuple(map(int, size.split("x"))) for size in sizes), key=lambda pair: pair[0] * pair[1])
    return " to ".join(f"{width} × {height}" for width, height in (pairs[0], pairs[-1]))


def _foreground(card: Mapping[str, Any]) -> str:
    share = card.get("foreground_roi") or card.get("foreground")
    if not share:
        return "–"
    where = " in the field of view" if card.get("foreground_roi") else ""
    return f"{share['mean']:.1%} ({share['minimum']:.1%} to {share['maximum']:.1%}){where}"
