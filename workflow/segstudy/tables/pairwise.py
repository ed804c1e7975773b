"""Paired comparisons: every two rows of an experiment, image by image, on the test images alone.

Two networks share their test images, and images differ far more than networks do. Overlapping intervals of two rows
therefore say nothing; the interval of their differences does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from segstudy.core.errors import StudyError
from segstudy.core.files import write_csv
from segstudy.core.progress import track
from segstudy.evaluation.aggregate import METRICS
from segstudy.evaluation.paired_tests import holm, largest_difference, over_seeds, paired, verdict
from segstudy.tables.counts import KEYS, headline, image_scores
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.pairwise_text import content, sentence
from segstudy.tables.policies import order_sentences, policy_names, policy_scores
from segstudy.tables.render import write_formats
from segstudy.tables.variants import Variant

Row: TypeAlias = tuple[str, ...]  # row, model, loss, recipe
PAIRS = 45  # shown for one data set: all pairs of ten rows
NAMES = ["model", "loss", "recipe"]
COLUMNS = ["dataset", "phantom", "class", "region", "policy", "metric", "gain"]
COLUMNS += [*(f"{name}_a" for name in NAMES), *(f"{name}_b" for name in NAMES)]
COLUMNS += ["mean_a", "mean_b", "difference", "low", "high", "p", "p_seeds", "p_holm", "family", "rank_biserial", "dz"]
COLUMNS += ["images", "seeds", "seeds_agree", "undefined", "with_best", "verdict", "sentence"]


class Scores(NamedTuple):
    """One metric on the test images of one data set.

    `rows` maps each row to an array (seeds, images), the same seeds and images for all; NaN where a
    seed did not measure an image (`measured` is False), or the value is not defined. The prediction of an ensemble
    stands there for each of its seeds.
    """

    dataset: str
    class_name: str  # of several their mean
    region: str
    policy: str  # of the networks
    rows: dict[Row, np.ndarray]
    measured: dict[Row, np.ndarray]
    variants: dict[Row, Variant]  # those of `rows` that need no training

    @property
    def networks(self) -> list[Row]:
        """The rows that were trained."""
        return [key for key in self.rows if key[0] == "cell" and key not in self.variants]


def compare_pairs(inputs: ExperimentInputs, metric: str) -> None:
    """Compare every two networks (losses, recipes) of an experiment on the test images they share.

    A variant is compared with the row of its networks alone: the difference is what it gains.

    Args:
        inputs: of the experiment; its controls are read for the captions and not compared. Outputs are `csv` (COLUMNS,
            unrounded, one row per pair), `md`, `tex` and `html` (a table for each data set, and below it in words what
            the data support).
        metric: what is compared, a name of METRICS.

    Raises:
        StudyError: as `segstudy.tables.counts.read_counts` and `headline`, and if there are no two rows with test
            images.
    """
    everything = inputs.counts()
    counts = headline(everything, inputs.policy, inputs.regions)
    variants = [row for row, _ in inputs.variants]
    parts = []
    for scores in score_tables(counts, metric, variants):
        fixed = {"dataset": scores.dataset, "class": scores.class_name, "region": scores.region}
        fixed |= {"policy": scores.policy, "metric": metric}
        phantom = int(scores.dataset in inputs.phantoms)
        for gain, pairs in enumerate((all_pairs(scores, metric), variant_pairs(scores, metric))):
            parts += [pairs.assign(**fixed, gain=gain, phantom=phantom)] if len(pairs) else []
    pairs = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if pairs.empty:
        raise StudyError(
            f"experiment '{inputs.experiment}' has no two rows with test images to compare",
            remedy="give it a second network, loss or recipe, and its splits a test set",
        )
    pairs["at"] = pairs["policy"].map(policy_names(counts))
    pairs["sentence"] = [sentence(row) for row in pairs.to_dict("records")]
    write_csv(inputs.outputs["csv"], pairs[COLUMNS])
    at_policies = policy_scores(everything, inputs.regions, metric, variants)
    orders = order_sentences(at_policies, metric, inputs.policy, inputs.phantoms)
    write_formats(content(inputs, pairs, counts, orders), inputs.outputs)


def score_tables(counts: pd.DataFrame, metric: str, variants: Sequence[Variant] = ()) -> list[Scores]:
    """Return the values of every test image of each data set, controls included.

    Args:
        counts: see `segstudy.tables.counts.headline`.
        metric: a name of METRICS.
        variants: the rows among them that need no training.
    """
    images = image_scores(counts[counts["subset"] == "test"])
    tables = []
    for (dataset, class_name), part in images.groupby(["dataset", "class"], sort=False):
        seed, seeds = pd.factorize(part["seed"])
        sample, samples = pd.factorize(part["sample"])
        position = pd.Series(range(len(part)), index=part.index)
        shape = (len(seeds), len(samples))
        rows: dict[Row, np.ndarray] = {}
        measured: dict[Row, np.ndarray] = {}
        for names, images_of_row in part.groupby(KEYS[1:], sort=False, dropna=False):
            key: Row = tuple(map(str, names))
            at = position[images_of_row.index].to_numpy()
            rows[key], measured[key] = np.full(shape, math.nan), np.zeros(shape, bool)
            rows[key][seed[at], sample[at]] = images_of_row[metric]
            measured[key][seed[at], sample[at]] = True
        of_part = {row.key: row for row in variants if row.cell.dataset == dataset and row.key in rows}
        for key, variant in of_part.items():
            if len(variant.seeds) > 1:
                counted_seed = list(seeds).index(variant.cell.seed)
                for table in (rows, measured):
                    table[key] = np.repeat(table[key][[counted_seed]], len(seeds), axis=0)
        policies = part.loc[part["row"] == "cell", "policy"]
        policy = "" if policies.empty else str(policies.iloc[0])
        region = str(part["region"].iloc[0])
        tables.append(Scores(str(dataset), str(class_name), region, policy, rows, measured, of_part))
    return tables


def all_pairs(scores: Scores, metric: str) -> pd.DataFrame:
    """Compare every two networks of one data set; return the pairs that are shown, see `shown_pairs`.

    Every pair is tested, and Holm's correction is over all of them, shown or not: which pairs are shown depends on the
    data.
    """
    names, direction = scores.networks, METRICS[metric].direction
    chosen, best = shown_pairs(names, {name: over_seeds(scores.rows[name]) for name in names}, direction)
    return _compared(scores, list(combinations(names, 2)), metric, chosen, best)


def variant_pairs(scores: Scores, metric: str) -> pd.DataFrame:
    """Compare every variant with the row of its networks; these pairs have a correction of their own."""
    pairs = [(key, variant.base) for key, variant in scores.variants.items()]
    return _compared(scores, pairs, metric, pairs)


def _compared(
    scores: Scores, pairs: Sequence[tuple], metric: str, chosen: Sequence[tuple], best: tuple | None = None
) -> pd.DataFrame:
    """Test all `pairs`, which are one family; return those that are `chosen`, with their intervals."""
    tested = {}
    for pair in track(pairs, f"pairs of {scores.dataset}", total=len(pairs)):
        known = scores.measured[pair[0]] & scores.measured[pair[1]]
        tested[pair] = paired(scores.rows[pair[0]], scores.rows[pair[1]], known, largest_difference(metric))
    claims = np.array([max(tested[pair].p, tested[pair].p_seeds) for pair in pairs])
    corrected = dict(zip(pairs, holm(claims), strict=True))
    family = int((~np.isnan(claims)).sum())
    rows: list[dict[str, Any]] = []
    for first, second in chosen:
        test, p_holm = tested[first, second], corrected[first, second]
        sides = {f"{name}_{side}": value for side, key in (("a", first), ("b", second))
                 for name, value in zip(NAMES, key[1:], strict=True)}  # fmt: skip
        rows.append(
            sides
            | test._asdict()
            | {"p_holm": p_holm, "family": family, "with_best": int(best in (first, second))}
            | {"verdict": verdict(test.low, test.high, p_holm, METRICS[metric].direction)}
        )
    return pd.DataFrame(rows)


def shown_pairs(
    names: Sequence[tuple], means: Mapping[tuple, float], direction: str, most: int = PAIRS
) -> tuple[list[tuple], tuple | None]:
    """Return the pairs that a table shows, and the best row.

    They are all pairs; where these are more than `most`, the pairs with the best row and those with the first one,
    which is the first of the config and as a rule the baseline.
    """
    defined = [name for name in names if not math.isnan(means[name])]
    if not defined:
        return list(combinations(names, 2))[:most], None
    best = (max if direction == "higher" else min)(defined, key=lambda name: means[name])
    pairs = list(combinations(names, 2))
    return (pairs if len(pairs) <= most else [pair for pair in pairs if best in pair or names[0] in pair]), best
