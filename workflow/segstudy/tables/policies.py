"""Threshold policies: their names, the score of every row at each of them, and whether they order the rows alike."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from segstudy.config.evaluation import FIXED, Evaluation
from segstudy.evaluation.aggregate import ARGMAX, ORACLE
from segstudy.evaluation.metrics import METRICS
from segstudy.tables.content import Missing, best_of, name_columns, row_names, short_name, undefined_notes
from segstudy.tables.counts import KEYS, headline, image_scores
from segstudy.tables.render import Entry, Line, Panel
from segstudy.tables.variants import Variant

# In a sentence after "at", and as the head of a column; a fixed threshold is its number.
NAMES = {
    "validation": "thresholds tuned on validation images",
    "training": "thresholds tuned on training images",
    "otsu": "Otsu's thresholds",
}
HEADS = {"validation": "tuned on validation", "training": "tuned on training", "otsu": "Otsu"}
ROW = ["model", "loss", "recipe"]
ORDERED = 6  # rows of an order that a sentence names
SCORES = [*KEYS, "class", "policy", "threshold_low", "threshold_high", "mean", "sd", "images", "undefined", "gain"]


def policy_name(policy: str, threshold: float) -> str:
    """Return a policy as a sentence names it after "at"; '' where there is no threshold (several classes)."""
    return NAMES.get(policy) or ("" if math.isnan(threshold) else f"threshold {threshold:g}")


def headline_name(evaluation: Evaluation) -> str:
    """Return the name of the policy of the tables."""
    return policy_name(evaluation.headline, evaluation.fixed[FIXED])


def policy_names(counts: pd.DataFrame) -> dict[str, str]:
    """Return the name of each policy of the networks, see `policy_name`.

    Args:
        counts: see `segstudy.tables.counts`.
    """
    networks = counts[counts["row"] == "cell"].drop_duplicates("policy")
    return {row["policy"]: policy_name(row["policy"], row["threshold"]) for row in networks.to_dict("records")}


def policy_scores(
    counts: pd.DataFrame, regions: Mapping[str, str], metric: str, variants: Sequence[Variant] = ()
) -> pd.DataFrame:
    """Return the test score of every network of one foreground class at every policy; the oracle is no policy.

    Args:
        counts: at all policies, see `segstudy.tables.counts.read_counts`.
        regions: data set -> region, see `segstudy.tables.counts.headline`.
        metric: a name of METRICS; `mean` and `sd` are over seeds of the mean over images.
        variants: the rows among them that need no training; their `gain` is 1.

    Returns:
        SCORES, one row per KEYS and policy, policies in the order in which they were measured. `threshold_low` and
        `threshold_high` are the least and the largest over seeds; `undefined` images have no value, summed over seeds.
    """
    tested = counts[counts["row"].eq("cell") & counts["subset"].eq("test") & ~counts["policy"].isin([ARGMAX, ORACLE])]
    parts = []
    for policy in tested["policy"].unique():
        shown = headline(tested[tested["policy"] == policy], str(policy), regions)
        images = image_scores(shown)
        images = images.assign(undefined=images[metric].isna(), images=1)
        seeds = images.groupby([*KEYS, "class", "seed"], sort=False)
        of_row = seeds[[metric]].mean().groupby([*KEYS, "class"], sort=False)[metric]
        table = seeds[["images", "undefined"]].sum().groupby([*KEYS, "class"], sort=False).sum()
        table = table.assign(mean=of_row.mean(), sd=of_row.std())
        thresholds = shown.groupby([*KEYS, "class"], sort=False)["threshold"]
        table = table.assign(threshold_low=thresholds.min(), threshold_high=thresholds.max(), policy=policy)
        parts.append(table.reset_index())
    if not parts:
        return pd.DataFrame(columns=SCORES)
    extra = {(variant.cell.dataset, *variant.key) for variant in variants}
    scores = pd.concat(parts, ignore_index=True)
    keys = scores[KEYS].itertuples(index=False, name=None)
    return scores.assign(gain=[int(key in extra) for key in keys])[SCORES]


def scores_of(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return what `order_sentences` needs of them from a `tables/<experiment>.thresholds.csv`."""
    kept = ["dataset", *ROW, "policy", "threshold_low", "gain"]
    return table[["row", *kept, f"test_{metric}_mean"]].rename(columns={f"test_{metric}_mean": "mean"})


def policy_panels(
    scores: pd.DataFrame, metric: str, headline_policy: str, phantoms: Collection[str] = ()
) -> list[Panel]:
    """Return a panel with a column for every policy, and below it what the policies change; none for one policy alone.

    Args:
        scores: see `policy_scores`.
        metric: of the scores.
        headline_policy: that of the other panels.
        phantoms: the data sets that are drawn.
    """
    policies = list(scores["policy"].unique())
    if len(policies) < 2:
        return []
    label, names = METRICS[metric].label, name_columns(scores)
    groups = scores.groupby(["dataset", "policy"])["mean"]
    best = {i for _, values in groups for i in best_of(values, METRICS[metric].direction)}
    tuned = [policy for policy in policies if policy in NAMES]
    lines, missing = [], []
    for _, rows in scores.groupby([*KEYS, "class"], sort=False):
        of_policy = {row["policy"]: row for row in rows.assign(best=rows.index.isin(best)).to_dict("records")}
        first = rows.iloc[0].to_dict()
        entries = [_entry(of_policy.get(policy)) for policy in policies]
        entries += [_between(of_policy.get(policy)) for policy in tuned]
        lines.append(Line(first["dataset"], row_names(first, names), False, tuple(entries)))
        missing += [_missing(row, metric, names) for row in of_policy.values()]
    heads = [_head(policy, label, scores) for policy in policies] + [f"Threshold, {HEADS[policy]}" for policy in tuned]
    said = list(order_sentences(scores, metric, headline_policy, phantoms).values())
    title = f"Test images: {label} by threshold"
    return [Panel("test:thresholds", title, tuple(heads), lines, undefined_notes(missing), said)]


def order_sentences(
    scores: pd.DataFrame, metric: str, headline_policy: str, phantoms: Collection[str] = ()
) -> dict[str, str]:
    """Return, for each data set whose policies order its trained rows differently, the sentence that says so.

    Two rows change places where the sign of their difference, of means as printed, is another one than at the
    headline's policy. Rows that need no training are left out.

    Args:
        scores: see `policy_scores`.
        metric: of the scores.
        headline_policy: that of the other sentences.
        phantoms: the data sets that are drawn.
    """
    sentences = {}
    networks = scores[scores["gain"] == 0]
    for dataset, rows in networks.groupby("dataset", sort=False):
        differ = [name for name in ROW if rows[name].nunique() > 1]
        means = rows.assign(name=["/".join(values) for values in rows[differ].to_numpy(dtype=str)])
        table = means.pivot(index="name", columns="policy", values="mean").round(3)
        if headline_policy not in table:
            continue
        changed = {policy: _swapped(table[headline_policy], table[policy]) for policy in means["policy"].unique()}
        changed = {policy: pairs for policy, pairs in changed.items() if pairs}
        if changed:
            words = policy_names(means.rename(columns={"threshold_low": "threshold"}))
            lists = [_ordered(table[policy], words[policy], metric, changed.get(policy, 0), len(table))
                     for policy in (headline_policy, *changed)]  # fmt: skip
            drawn = " (PHANTOM)" if dataset in phantoms else ""
            label = METRICS[metric].label
            sentences[str(dataset)] = (
                f"On {dataset}{drawn}, the order of the rows by {label} depends on the threshold: {'; '.join(lists)}."
            )
    return sentences


def _swapped(first: pd.Series, second: pd.Series) -> int:
    """Return how many pairs of rows two policies order differently; a tie is no order."""
    return sum((first[a] - first[b]) * (second[a] - second[b]) < 0 for a, b in combinations(first.index, 2))


def _ordered(means: pd.Series, name: str, metric: str, swapped: int, rows: int) -> str:
    order = means.dropna().sort_values(ascending=METRICS[metric].direction == "lower", kind="stable")
    texts = [f"{row} {mean:.3f}" for row, mean in order.head(ORDERED).items()]
    more = [f"{len(order) - ORDERED} more"] if len(order) > ORDERED else []
    pairs = rows * (rows - 1) // 2
    places = f" ({swapped} of {pairs} pair{'s' if pairs > 1 else ''} the other way round)" if swapped else ""
    return f"at {name} {', '.join([*texts, *more])}{places}"


def _head(policy: str, label: str, scores: pd.DataFrame) -> str:
    value = scores.loc[scores["policy"] == policy, "threshold_low"].iloc[0]
    return f"{label}, {HEADS[policy]}" if policy in HEADS else f"{label} at {value:g}"


def _entry(row: Mapping[Any, Any] | None) -> Entry:
    return Entry(row["mean"], row["sd"], bool(row["best"]), int(row["undefined"])) if row else Entry()


def _between(row: Mapping[Any, Any] | None) -> Entry:
    if row is None:
        return Entry()
    low, high = f"{row['threshold_low']:.3f}", f"{row['threshold_high']:.3f}"
    return Entry(text=low if low == high else f"{low} to {high}")


def _missing(row: Mapping[Any, Any], metric: str, names: Sequence[str]) -> Missing:
    where = f"{short_name(row, names)} on {row['dataset']}"
    return Missing(metric, where, int(row["undefined"]), int(row["images"]), pd.isna(row["mean"]))
