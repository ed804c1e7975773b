"""The images that a job measures, unpacked from Snakemake: of its own data set, or of an external test set."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from segstudy.core.files import read_csv
from segstudy.data.ground_truth import LabelledImages
from segstudy.data.readers.registry import labels_of


def external_split(index: pd.DataFrame, own: str | None = None) -> pd.DataFrame:
    """Return a split (sample, subset): what is measured is `test`, everything else `unlabelled`.

    Args:
        index: index.csv of the external data set.
        own: path of its own split, of which the test images are measured; None: all images that have a mask.
    """
    measured = index["mask"] != ""
    if own:
        subsets = read_csv(own).set_index("sample")["subset"]
        measured &= index["sample"].map(subsets) == "test"
    return pd.DataFrame({"sample": index["sample"], "subset": np.where(measured, "test", "unlabelled")})


def external_images(snakemake: Any) -> LabelledImages:
    """Return the images of an external test set from the `snakemake` of a script."""
    index = read_csv(snakemake.input.index)
    return _images(index, external_split(index, snakemake.input.get("measured")), snakemake.params)


def own_images(snakemake: Any) -> LabelledImages:
    """Return the images of a cell's data set from the `snakemake` of a script."""
    return _images(read_csv(snakemake.input.index), read_csv(snakemake.input.split), snakemake.params)


def learned_images(snakemake: Any) -> LabelledImages:
    """Return the images that controls learn from, where they are measured on others."""
    inputs = snakemake.input
    return _images(read_csv(inputs.own_index), read_csv(inputs.own_split), SimpleNamespace(**snakemake.params.own))


def _images(index: pd.DataFrame, split: pd.DataFrame, block: Any) -> LabelledImages:
    return LabelledImages(index, split, Path(block.root), labels_of(block.reader, **block.labels))
