"""The images of an external test set that are measured; of none is learned."""

from __future__ import annotations

from pathlib import Path
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
    index, params = read_csv(snakemake.input.index), snakemake.params
    split = external_split(index, snakemake.input.get("measured"))
    return LabelledImages(index, split, Path(params.root), labels_of(params.reader, **params.labels))
