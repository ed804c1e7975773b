"""What the jobs that measure an external test set share: thresholds that were chosen elsewhere, and the counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segstudy.core.arrays import write_arrays
from segstudy.core.files import write_csv
from segstudy.data.ground_truth import LabelledImages
from segstudy.evaluation.measure import measure
from segstudy.evaluation.shape_metrics import Measures
from segstudy.evaluation.threshold_files import read_thresholds


def chosen_thresholds(snakemake: Any, several: bool) -> tuple[dict[str, float | None], float | None]:
    """Return policy -> threshold, as the images of the networks' own data set gave them, and that of the headline.

    Of several classes there is none.
    """
    headline = "" if several else snakemake.params.headline
    thresholds = read_thresholds(snakemake.input.thresholds, headline)
    return thresholds, thresholds.get(headline)


def folders(snakemake: Any) -> tuple[Path, Path]:
    """Return the folders of the probabilities and of the masks."""
    return Path(snakemake.output.probabilities), Path(snakemake.output.masks)


def write_counts(snakemake: Any, images: LabelledImages, thresholds: dict[str, float | None]) -> None:
    """Count what the predictions in `folders` get right and wrong, and write counts.csv and histograms.npz."""
    names, tolerance = snakemake.params.measures
    counts, histograms = measure(
        *folders(snakemake),
        thresholds,
        images,
        measures=Measures(tuple(names), tolerance),
        threads=snakemake.threads,
        oracle=snakemake.params.oracle,
    )
    write_csv(snakemake.output.counts, counts)
    write_arrays(snakemake.output.histograms, histograms)
