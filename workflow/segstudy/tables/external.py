"""Networks on external test sets: the value on each, the drop against the own test images, and the order of networks.

A pair "drive → chase" is the networks trained on drive, measured on chase.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from segstudy.config.cell import Cell
from segstudy.config.datasets import DatasetConfig
from segstudy.core.errors import StudyError
from segstudy.core.files import read_json
from segstudy.evaluation.bootstrap import bootstrap_difference, bootstrap_interval
from segstudy.evaluation.metrics import METRICS
from segstudy.evaluation.paired_tests import over_seeds
from segstudy.tables.inputs import ExperimentInputs, table_inputs
from segstudy.tables.pairwise import NAMES, Scores, score_tables
from segstudy.tables.ranking import stability
from segstudy.tables.variants import Variant, variant_of

ARROW = " → "
COLUMNS = ["trained_on", "tested_on", "pair", "own", "phantom", "row", *NAMES, "class", "region", "policy", "metric"]
COLUMNS += ["mean", "low", "high", "drop", "drop_low", "drop_high", "rank", "first", "tau", "images", "seeds"]


class External(NamedTuple):
    """An external test set and the networks that are measured on it."""

    cell: Cell
    name: str  # of the test set

    @property
    def pair(self) -> str:
        """The row of tables, such as 'drive → chase'."""
        return f"{self.cell.dataset}{ARROW}{self.name}"

    @property
    def as_cell(self) -> Cell:
        """The cell, with the pair in the place of its data set."""
        return self.cell._replace(dataset=self.pair)

    @property
    def as_row(self) -> Cell:
        """The cell as a row of the test set: 'drive: unet' on it."""
        return self.cell._replace(dataset=self.name, model=f"{self.cell.dataset}: {self.cell.model}")


def external_inputs(snakemake: Any) -> tuple[ExperimentInputs, list[External], dict[str, DatasetConfig]]:
    """Return what the tables across data sets share, from the `snakemake` of a script.

    Returns:
        The inputs of the experiment, its external cells among the others; the external test sets; and the config of
        every data set that is trained on or tested on.
    """
    params, base = snakemake.params, table_inputs(snakemake)
    external = [External(Cell(*cell), name) for cell, name in params.external]
    datasets = {name: DatasetConfig.model_validate(block) for name, block in params.settings.items()}
    cells = [(item.as_cell, path) for item, path in zip(external, snakemake.input.external, strict=True)]
    files = snakemake.input.external_variants
    variants = [
        (_on(variant_of(values), name), path)
        for (values, name), path in zip(params.external_variants, files, strict=True)
    ]
    files = snakemake.input.external_controls
    controls = [
        (f"{dataset}{ARROW}{name}", seed, path)
        for (dataset, name, seed), path in zip(params.external_pairs, files, strict=True)
    ]
    tested = {item.pair: item.name for item in external}
    drawn = [item.pair for item in external if datasets[item.cell.dataset].phantom or datasets[item.name].phantom]
    inputs = replace(
        base,
        cells=[*base.cells, *cells],
        variants=[*base.variants, *variants],
        controls=[*base.controls, *controls],
        regions={**base.regions, **{pair: datasets[name].region for pair, name in tested.items()}},
        phantoms=[*base.phantoms, *dict.fromkeys(drawn)],
    )
    return inputs, external, datasets


def _on(variant: Variant, name: str) -> Variant:
    """Return a variant on an external test set: the pair in the place of its data set."""
    return variant._replace(cell=External(variant.cell, name).as_cell)


def external_rows(inputs: ExperimentInputs, external: Sequence[External], metric: str) -> pd.DataFrame:
    """Return every network, variant and control on its own test images and on every external test set.

    - `row`: `cell` of a network, `gain` of what needs no training (mirrored views, an ensemble), `control`.

    - `mean`, `low`, `high`: as in the experiment's table, over images and seeds.
    - `drop`: how much worse than on the own test images, positive where it is worse, with the 95 % interval of
      `bootstrap_difference`: the images are different ones, the seeds are the same networks.
    - `rank` among the networks of one data set on one test set, 1 the best, and `first`, the share of bootstrap
      resamples in which it is the best.
    - `tau`: Kendall's tau-b (1945, doi:10.1093/biomet/33.3.239) of the order of the networks there and on the own test
      images: 1 the same order, -1 the reverse; NaN with one network. Of networks alone, as are ranks.

    Args:
        inputs: of the experiment, with its external cells, see `external_inputs`.
        external: the external test sets.
        metric: a name of METRICS.

    Returns:
        COLUMNS; the own test images of each data set first.

    Raises:
        StudyError: as `ExperimentInputs.headline`; a data set has no test image of its own.
    """
    variants = [variant for variant, _ in inputs.variants]
    tables = {scores.dataset: scores for scores in score_tables(inputs.headline(), metric, variants)}
    rows: list[dict[str, Any]] = []
    with_external = {item.cell.dataset for item in external}
    for trained_on in dict.fromkeys(cell.dataset for cell, _ in inputs.cells if cell.dataset in with_external):
        own = tables.get(trained_on)
        if own is None or not own.networks:
            raise StudyError(
                f"networks of {trained_on} have no test image of their own to be compared with",
                remedy=f"give the splits of {trained_on} a test set",
            )
        tested = dict.fromkeys(item.name for item in external if item.cell.dataset == trained_on)
        for name in (trained_on, *tested):
            scores = own if name == trained_on else tables[f"{trained_on}{ARROW}{name}"]
            fixed: dict[str, Any] = {"trained_on": trained_on, "tested_on": name, "pair": f"{trained_on}{ARROW}{name}"}
            fixed |= {"own": int(name == trained_on), "phantom": int(scores.dataset in inputs.phantoms)}
            rows += [fixed | row for row in _rows(own, scores, METRICS[metric].direction)]
    return pd.DataFrame(rows).assign(metric=metric)[COLUMNS]


def _rows(own: Scores, scores: Scores, direction: str) -> list[dict[str, Any]]:
    """Return a row for each network, variant and control on one test set."""
    sign = 1 if direction == "higher" else -1
    networks = own.networks
    ranks = stability(sign * np.stack([scores.rows[key] for key in networks]))
    means = {key: over_seeds(values) for key, values in scores.rows.items()}
    tau = kendall([over_seeds(own.rows[key]) for key in networks], [means[key] for key in networks])
    of_network = {
        key: {"rank": rank["rank"], "first": rank["first"], "tau": np.nan if scores is own else tau}
        for key, rank in zip(networks, ranks, strict=True)
    }
    rows = []
    # The networks, then what needs no training.
    for key in sorted(scores.rows, key=lambda key: (key not in of_network, key[0] != "cell")):
        low, high = bootstrap_interval(scores.rows[key])
        drop, ends = np.nan, (np.nan, np.nan)
        if scores is not own and key in own.rows:
            drop = sign * (over_seeds(own.rows[key]) - means[key])
            ends = bootstrap_difference(sign * own.rows[key], sign * scores.rows[key])
        measured = scores.measured[key]
        rows.append(
            {"row": "gain" if key in scores.variants else key[0]}
            | dict(zip(NAMES, key[1:], strict=True))
            | {"class": scores.class_name, "region": scores.region, "policy": scores.policy}
            | {"mean": means[key], "low": low, "high": high, "drop": drop, "drop_low": ends[0], "drop_high": ends[1]}
            | of_network.get(key, {"rank": np.nan, "first": np.nan, "tau": np.nan})
            | {"images": int(measured.any(axis=0).sum()), "seeds": int(measured.any(axis=1).sum())}
        )
    return rows


def kendall(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Kendall's tau-b of two lists of values of the same networks; NaN with fewer than two or where all tie."""
    from scipy import stats

    known = ~np.isnan(first) & ~np.isnan(second)
    if known.sum() < 2:
        return float("nan")
    return float(stats.kendalltau(np.asarray(first)[known], np.asarray(second)[known], variant="b").statistic)


def leak_words(checks: Sequence[str | Path]) -> dict[str, str]:
    """Return, by test set, how many pairs its checks compared, and what was accepted.

    Args:
        checks: `checks/external/<test set>/...json`, see `paths.EXTERNAL_CHECK`.
    """
    words: dict[str, str] = {}
    by_set: dict[str, list[Any]] = {}
    for path in checks:
        by_set.setdefault(Path(path).parts[Path(path).parts.index("external") + 1], []).append(read_json(path))
    for name, records in by_set.items():
        pairs = sum(record["pairs_compared"] for record in records)
        reasons = dict.fromkeys(item["reason"] for record in records for item in record["accepted"])
        known = f"copies that are known and accepted ({'; '.join(reasons)})" if reasons else "none"
        words[name] = f"copies sought among {pairs:,} pairs with images that the networks have seen: {known}"
    return words
