"""Which rows of an experiment differ: every pair compared image by image, on the test images alone.

Two networks share their test images, and images differ far more than networks do. Overlapping intervals of two rows
therefore say nothing; the interval of their differences does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from segstudy.config.cell import Cell
from segstudy.config.evaluation import Policy
from segstudy.core.errors import StudyError
from segstudy.core.files import write_csv, write_text
from segstudy.core.progress import track
from segstudy.evaluation.aggregate import METRICS
from segstudy.evaluation.paired_tests import holm, over_seeds, paired, verdict
from segstudy.tables.captions import Protocol
from segstudy.tables.counts import KEYS, headline, image_scores, read_counts
from segstudy.tables.pairwise_text import content, sentence
from segstudy.tables.render import FORMATS
from segstudy.tables.variants import Gain

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
    seed did not measure an image, or the value is not defined. `measured` says the first of the two apart.
    What several seeds predicted together stands there for each of them.
    """

    dataset: str
    kind: str  # the class, of several their mean
    region: str
    policy: str  # of the networks
    rows: dict[Row, np.ndarray]
    measured: dict[Row, np.ndarray]
    gains: dict[Row, Gain]  # those of `rows` that cost no training


def compare_pairs(
    cells: Sequence[tuple[Cell, str | Path]],
    controls: Sequence[tuple[str, int, str | Path]],
    *,
    experiment: str,
    question: str,
    policy: Policy,
    metric: str,
    regions: Mapping[str, str],
    protocols: Mapping[str, Protocol],
    outputs: Mapping[str, str | Path],
    gains: Sequence[tuple[Gain, str | Path]] = (),
) -> None:
    """Compare every two networks (losses, recipes) of an experiment on the test images they share.

    A row that cost no training is compared with the row of its networks alone: the difference is what it gains.

    Args:
        cells: each cell with the path of its `counts.csv`, in the order of the config.
        controls: (data set, seed, path of the controls' counts); they are read for the captions and not compared.
        experiment: its name.
        question: what it is to answer; stands above the tables.
        policy: threshold policy.
        metric: what is compared, a name of METRICS.
        regions: data set -> `roi` or `full`.
        protocols: data set -> what its captions say.
        outputs: paths of `csv` (COLUMNS, unrounded, one row per pair), `md`, `tex` and `html` (a table for each data
            set, and below it in words what the data support).
        gains: rows that cost no training, each with the path of its counts.

    Raises:
        StudyError: as `segstudy.tables.counts.read_counts` and `headline`, and if there are no two rows with test
            images.
    """
    shown = headline(read_counts(cells_and(cells, gains), controls), policy, regions)
    parts = []
    for scores in score_tables(shown, metric, [gain for gain, _ in gains]):
        phantom = protocols[scores.dataset]["phantom"]
        direction = METRICS[metric].direction
        fixed = {"dataset": scores.dataset, "class": scores.kind, "region": scores.region, "policy": scores.policy}
        for gain, pairs in enumerate((all_pairs(scores, direction), all_gains(scores, direction))):
            parts += [pairs.assign(**fixed, metric=metric, gain=gain, phantom=int(phantom))] if len(pairs) else []
    pairs = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if pairs.empty:
        raise StudyError(
            f"experiment '{experiment}' has no two rows with test images to compare",
            remedy="give it a second network, loss or recipe, and its splits a test set",
        )
    pairs["sentence"] = [sentence(row) for row in pairs.to_dict("records")]
    write_csv(outputs["csv"], pairs[COLUMNS])
    table = content(pairs, shown, experiment, question, protocols)
    for name, spell in FORMATS.items():
        write_text(outputs[name], spell(table))


def cells_and(
    cells: Sequence[tuple[Cell, str | Path]], gains: Sequence[tuple[Gain, str | Path]]
) -> list[tuple[Cell, str | Path]]:
    """Return the cells with the rows that cost no training behind them, as `read_counts` takes them."""
    return [*cells, *((gain.cell, path) for gain, path in gains)]


def score_tables(shown: pd.DataFrame, metric: str, gains: Sequence[Gain] = ()) -> list[Scores]:
    """Return the values of every test image of each data set, controls included.

    Args:
        shown: counts, see `segstudy.tables.counts.headline`.
        metric: a name of METRICS.
        gains: the rows among them that cost no training.
    """
    images = image_scores(shown[shown["subset"] == "test"])
    found = []
    for (dataset, kind), own in images.groupby(["dataset", "class"], sort=False):
        seed, seeds = pd.factorize(own["seed"])
        sample, samples = pd.factorize(own["sample"])
        place = pd.Series(range(len(own)), index=own.index)
        rows: dict[Row, np.ndarray] = {}
        measured: dict[Row, np.ndarray] = {}
        for names, part in own.groupby(KEYS[1:], sort=False, dropna=False):
            key: Row = tuple(map(str, names))
            at = place[part.index].to_numpy()
            values, known = np.full((len(seeds), len(samples)), math.nan), np.zeros((len(seeds), len(samples)), bool)
            values[seed[at], sample[at]] = part[metric]
            known[seed[at], sample[at]] = True
            rows[key], measured[key] = values, known
        known_gains = {gain.key: gain for gain in gains if gain.cell.dataset == dataset and gain.key in rows}
        for key, gain in known_gains.items():
            if len(gain.seeds) > 1:
                own_seed = list(seeds).index(gain.cell.seed)
                rows[key] = np.repeat(rows[key][[own_seed]], len(seeds), axis=0)
                measured[key] = np.repeat(measured[key][[own_seed]], len(seeds), axis=0)
        policies = own.loc[own["row"] == "cell", "policy"]
        policy = "" if policies.empty else str(policies.iloc[0])
        found.append(Scores(str(dataset), str(kind), str(own["region"].iloc[0]), policy, rows, measured, known_gains))
    return found


def all_pairs(scores: Scores, direction: str) -> pd.DataFrame:
    """Compare every two networks of one data set; return the pairs that are shown, see `shown_pairs`.

    Every pair is tested, and Holm's correction is over all of them, shown or not: which pairs are shown depends on the
    data.
    """
    names = [key for key in scores.rows if key[0] == "cell" and key not in scores.gains]
    chosen, best = shown_pairs(names, {name: over_seeds(scores.rows[name]) for name in names}, direction)
    return _compared(scores, list(combinations(names, 2)), direction, chosen, best)


def all_gains(scores: Scores, direction: str) -> pd.DataFrame:
    """Compare every row that cost no training with that of its networks; these pairs have a correction of their own."""
    pairs = [(key, gain.base) for key, gain in scores.gains.items()]
    return _compared(scores, pairs, direction, pairs)


def _compared(
    scores: Scores, pairs: Sequence[tuple], direction: str, chosen: Sequence[tuple], best: tuple | None = None
) -> pd.DataFrame:
    """Test all `pairs`, which are one family; return those that are `chosen`, with their intervals."""
    tested = {}
    for pair in track(pairs, f"pairs of {scores.dataset}", total=len(pairs)):
        known = scores.measured[pair[0]] & scores.measured[pair[1]]
        tested[pair] = paired(scores.rows[pair[0]], scores.rows[pair[1]], known)
    claims = np.array([max(tested[pair].p, tested[pair].p_seeds) for pair in pairs])
    corrected = dict(zip(pairs, holm(claims), strict=True))
    family = int((~np.isnan(claims)).sum())
    rows: list[dict[str, Any]] = []
    for first, second in chosen:
        found, p_holm = tested[first, second], corrected[first, second]
        sides = {f"{name}_{side}": value for side, key in (("a", first), ("b", second))
                 for name, value in zip(NAMES, key[1:], strict=True)}  # fmt: skip
        rows.append(
            sides
            | found._asdict()
            | {"p_holm": p_holm, "family": family, "with_best": int(best in (first, second))}
            | {"verdict": verdict(found.low, found.high, p_holm, direction)}
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
