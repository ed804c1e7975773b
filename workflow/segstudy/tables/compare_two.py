"""Two cells or two rows of a study compared on the test images that they share, by the statistics of its tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.config.study import Study
from segstudy.core.errors import StudyError, nearest
from segstudy.evaluation.aggregate import METRICS
from segstudy.evaluation.metrics import measured
from segstudy.evaluation.paired_tests import holm, largest_difference, paired, verdict
from segstudy.tables.counts import headline, image_scores, read_counts
from segstudy.tables.pairwise_text import sentence
from segstudy.tables.policies import headline_name
from segstudy.tables.variants import Variant, variants_of

SEED = re.compile(r"seed\d+")


class Side(NamedTuple):
    """One of the two: its name as in the study, and the counts behind it."""

    name: str
    counts: dict[int, tuple[Cell, Path]]  # by seed; of seeds together one, by the first
    single_run: bool = False
    variant: bool = False  # it needs no training
    together: bool = False  # one prediction of several seeds

    @property
    def cell(self) -> Cell:
        """Its first cell."""
        return next(iter(self.counts.values()))[0]


class Compared(NamedTuple):
    """Two sides compared."""

    pair: dict[str, Any]  # a row of the study's table of comparisons, see `segstudy.tables.pairwise`
    text: str  # what the data support
    images: pd.DataFrame  # sample, first, second, difference: means over seeds, the largest difference first
    left_out: list[int]  # seeds that only one side has


def sides(study: Study, results: Path) -> dict[str, Side]:
    """Return everything of the study that can be compared, by name: rows, variants and cells."""
    rows: dict[str, Side] = {}

    def put(name: str, cell: Cell, path: Path, **flags: bool) -> None:
        rows.setdefault(name, Side(name, {}, **flags)).counts[cell.seed] = (cell, path)

    for cell in study.cells:
        put(_row(cell), cell, paths.cell(results, cell) / "counts.csv")
    evaluation = study.evaluation
    for experiment in study.experiments.values():
        for variant in variants_of(experiment.cells, evaluation.tta == "flips", evaluation.ensemble):
            together = len(variant.seeds) > 1
            put(_row(variant.cell), variant.cell, _counts_of(variant, results), variant=True, together=together)
    for cell in study.cells:
        put(cell.path, cell, paths.cell(results, cell) / "counts.csv", single_run=True)
    return rows


def _row(cell: Cell) -> str:
    return "/".join(cell[:4])


def _counts_of(variant: Variant, results: Path) -> Path:
    networks = variant.cell._replace(recipe=variant.recipe)
    several = len(variant.seeds) > 1
    folder = paths.ensemble(results, networks, variant.seeds) if several else paths.cell(results, networks)
    return (folder / paths.FLIPS if variant.flips else folder) / "counts.csv"


def side(study: Study, results: Path, typed: str) -> Side:
    """Return the row or cell of a name, or of the path of a cell's folder or a file in it.

    Raises:
        StudyError: it is of another study, or nothing of this one has the name.
    """
    name = typed.rstrip("/")
    cells = f"/{paths.CELLS}/"
    if cells in name:
        above, _, name = name.partition(cells)
        if Path(above).name != results.name:
            raise StudyError(
                f"'{typed}' is of study '{Path(above).name}', and the config is that of study '{study.study}'",
                remedy="name the config file of that study behind the two names",
            )
        while "/" in name and SEED.search(name) and not SEED.fullmatch(name.rpartition("/")[2]):
            name = name.rpartition("/")[0]  # a file of the cell
    known = sides(study, results)
    if name not in known:
        alike = [other for other in known if bool(SEED.search(other)) == bool(SEED.search(name))]
        raise StudyError(
            f"nothing of study '{study.study}' is called '{name}'.{nearest(name, alike)}",
            allowed="a cell, as dataset/model/loss/recipe/seed0, or a row of its tables, as dataset/model/loss/recipe",
            remedy="list the cells: segstudy status --all",
        )
    return known[name]


def compare(study: Study, first: Side, second: Side, metric: str) -> Compared:
    """Compare two sides on the test images that they share, seed by seed and then over seeds.

    Args:
        study: whose config says which threshold and region count.
        first: see `side`.
        second: the same.
        metric: a name of `segstudy.evaluation.aggregate.METRICS`.

    Raises:
        StudyError: the two are the same or of different data sets, one is not measured, or their test images differ.
    """
    if first.name == second.name:
        raise StudyError(f"'{first.name}' is compared with itself", remedy="name two different cells or rows")
    if first.cell.dataset != second.cell.dataset:
        raise StudyError(
            f"{first.cell.dataset} and {second.cell.dataset} are different data sets: they share no image",
            where=f"{first.name} and {second.name}",
            remedy="compare two cells or rows of one data set",
        )
    slots, left_out = _slots(first, second)
    (first_table, region), (second_table, _) = (_scores(study, side, metric) for side in (first, second))
    tables = (first_table, second_table)
    values: list[list[pd.Series]] = [[], []]
    for seeds in slots:
        pair_of_seeds = [
            table.xs(seed) if seed in table.index else table.droplevel(0)[:0]
            for table, seed in zip(tables, seeds, strict=True)
        ]
        _check_images(first, second, *(set(series.index) for series in pair_of_seeds))
        for side_values, series in zip(values, pair_of_seeds, strict=True):
            side_values.append(series)
    frames = [pd.DataFrame(series).reset_index(drop=True) for series in values]
    known = np.array([frames[0].columns.isin(series.index) for series in values[0]])
    a, b = frames[0].to_numpy(), frames[1][frames[0].columns].to_numpy()
    test = paired(a, b, known, largest_difference(metric))
    p_holm = float(holm(np.array([max(test.p, test.p_seeds)]))[0])
    direction = METRICS[metric].direction
    names = {f"{name}_{letter}": value for letter, side in (("a", first), ("b", second))
             for name, value in zip(("model", "loss", "recipe"), _names(side, slots), strict=True)}  # fmt: skip
    pair = names | test._asdict() | {"p_holm": p_holm, "family": 1, "metric": metric, "dataset": first.cell.dataset}
    pair |= {"region": region, "phantom": study.datasets[first.cell.dataset].phantom is not None}
    pair |= {"gain": first.variant or second.variant, "verdict": verdict(test.low, test.high, p_holm, direction)}
    pair |= {"at": "" if study.datasets[first.cell.dataset].several else headline_name(study.evaluation)}
    both = frames[0].notna() & frames[1].notna()
    means = {name: frame.where(both).mean() for name, frame in zip(("first", "second"), frames, strict=True)}
    images = pd.DataFrame(means).rename_axis("sample").reset_index()
    images["difference"] = images["first"] - images["second"]
    images = images.sort_values("difference", ascending=False, kind="stable", ignore_index=True)
    return Compared(pair, sentence(pair).replace("Holm p", "p"), images, left_out)


def _slots(first: Side, second: Side) -> tuple[list[tuple[int, int]], list[int]]:
    """Return which seed of either side is compared with which, and the seeds that only one side has.

    Two single trainings are compared whatever their seeds; a prediction of several seeds with each of the others.
    """
    a, b = list(first.counts), list(second.counts)
    if len(a) == len(b) == 1 and first.single_run == second.single_run:
        return [(a[0], b[0])], []
    if first.together or second.together:
        return [(one, other) for one in a for other in b], []
    both = [seed for seed in a if seed in b]
    if not both:
        raise StudyError(
            f"'{first.name}' and '{second.name}' have no seed in common",
            remedy="compare two rows, or two cells",
        )
    return [(seed, seed) for seed in both], sorted(set(a) ^ set(b))


def _scores(study: Study, side: Side, metric: str) -> tuple[pd.Series, str]:
    """Return the metric of every test image, by seed and sample, and the region that was counted: `roi` or `full`."""
    for cell, path in side.counts.values():
        if not path.exists():
            raise StudyError(
                f"{cell.path} is not measured yet", where=path, remedy=f"see segstudy status, or run: snakemake {path}"
            )
    dataset = side.cell.dataset
    regions = {dataset: study.datasets[dataset].region}
    counts = read_counts(list(side.counts.values()), [])
    if metric not in (known := measured(counts)):
        raise StudyError(f"'{metric}' was not measured of {dataset}.{nearest(metric, known)}", allowed=", ".join(known))
    images = image_scores(headline(counts, study.evaluation.headline, regions))
    images = images[images["subset"] == "test"]
    return images.set_index(["seed", "sample"])[metric], "roi" if images["region"].eq("roi").any() else "full"


def _check_images(first: Side, second: Side, of_first: set[str], of_second: set[str]) -> None:
    if of_first == of_second and of_first:
        return
    if not of_first | of_second:
        raise StudyError(f"there are no test images to compare '{first.name}' and '{second.name}' on")
    only = [f"{len(samples)} of {name} alone" for name, samples in
            ((first.name, of_first - of_second), (second.name, of_second - of_first)) if samples]  # fmt: skip
    raise StudyError(
        f"the test images of '{first.name}' and '{second.name}' are not the same: {', '.join(only)}",
        remedy="compare cells of one seed, or rows: every seed has its own split here",
    )


def _names(side: Side, slots: Sequence[tuple[int, int]]) -> tuple[str, str, str]:
    """Return network, loss and recipe of a side; of single trainings with different seeds, the seed too."""
    _, model, loss, recipe, seed = side.cell
    return model, loss, f"{recipe}/seed{seed}" if side.single_run and slots[0][0] != slots[0][1] else recipe
