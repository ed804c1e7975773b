"""Read counts.csv of cells and controls, and select the rows that a table shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from segstudy.config.cell import Cell
from segstudy.core.errors import StudyError
from segstudy.evaluation.aggregate import (
    ARGMAX,
    headline_classes,
    per_image,
    with_means,
)
from segstudy.evaluation.metrics import COLUMNS, MEASURES
from segstudy.tables.counts_check import read_measured

KEYS = ["dataset", "row", "model", "loss", "recipe"]
MORE = [column for columns in MEASURES.values() for column in columns]  # that counts may have
NO_POLICY = "none"  # of controls: their masks need no threshold
IMAGE = [*KEYS, "seed", "sample", "subset", "region", "policy"]  # what tells the rows of one class apart


def read_counts(
    cells: Sequence[tuple[Cell, str | Path]], controls: Sequence[tuple[str, int, str | Path]]
) -> pd.DataFrame:
    """Return the counts of all cells and controls with KEYS and `seed` in front, in the order of the tables.

    Data sets, networks, losses and recipes stand in the order in which `cells` names them; the controls of a data set
    follow its networks. `model` of a control is its name, its `loss` and `recipe` are empty.

    Raises:
        StudyError: if there is no cell, or a file lacks columns or rows.
    """
    if not cells:
        raise StudyError("an experiment without cells has nothing to compare", remedy="give the experiment a cell")
    parts = []
    for cell, path in cells:
        names = {"dataset": cell.dataset, "row": "cell", "model": cell.model, "loss": cell.loss, "recipe": cell.recipe}
        parts.append(_read(path, COLUMNS).assign(**names, seed=cell.seed))
    for dataset, seed, path in controls:
        table = _read(path, ["control", *COLUMNS]).rename(columns={"control": "model"})
        parts.append(table.assign(dataset=dataset, row="control", loss="", recipe="", seed=seed))
    counts = pd.concat(parts, ignore_index=True)
    counts = counts[[*KEYS, "seed", *COLUMNS, *(column for column in MORE if column in counts)]]
    ranks = {
        name: counts[name].map({value: i for i, value in enumerate(counts[name].unique())})
        for name in ("dataset", "model", "loss", "recipe", "class")
    }
    place = counts[["row"]].assign(**ranks)
    order = place.sort_values(["dataset", "row", "model", "loss", "recipe", "class"], kind="stable").index
    return counts.loc[order].reset_index(drop=True)


def headline(counts: pd.DataFrame, policy: str, regions: Mapping[str, str]) -> pd.DataFrame:
    """Return the counts that the readable table shows: one row per image, class, network or control, and seed.

    They are those of `policy`, of `argmax` where there are several classes, and those of the controls.
    `region` then holds the region of the data set: `roi` if any of its images has one and `regions` asks for it. An
    image without a roi stays in with its full frame, so that no image leaves the table unseen.

    Raises:
        StudyError: if a cell has no count of this policy.
    """
    wanted = counts["policy"].isin([policy, ARGMAX]) | (counts["row"].eq("control") & counts["policy"].eq(NO_POLICY))
    chosen = counts[wanted]
    lost = [key for key, rows in wanted.groupby([counts[key] for key in KEYS], sort=False) if not rows.any()]
    if lost:
        raise StudyError(
            f"{len(lost)} rows of the table have no counts for threshold policy '{policy}'",
            where=f"first of them: {'/'.join(map(str, lost[0]))}",
            allowed=f"policies that were measured: {', '.join(sorted(counts['policy'].unique()))}",
            remedy="name one of them as evaluation.headline, or measure the cells again",
        )
    has_roi = chosen["region"].eq("roi").groupby([chosen["dataset"], chosen["sample"]]).transform("any")
    in_roi = chosen["dataset"].map(dict(regions)).eq("roi") & has_roi
    kept = chosen[chosen["region"].eq(in_roi.map({True: "roi", False: "full"}))]
    any_roi = kept["region"].eq("roi").groupby(kept["dataset"]).transform("any")
    return kept.assign(own_region=kept["region"], region=np.where(any_roi, "roi", "full")).reset_index(drop=True)


def image_scores(counts: pd.DataFrame) -> pd.DataFrame:
    """Return one row per image, network or control, and seed, with every metric: of several classes their mean."""
    return headline_classes(with_means(per_image(counts), IMAGE), IMAGE)


def _read(path: str | Path, columns: Sequence[str]) -> pd.DataFrame:
    counts = read_measured(path, columns)
    return counts[[*columns, *(column for column in MORE if column in counts)]]
