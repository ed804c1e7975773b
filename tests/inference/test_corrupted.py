"""Counts on corrupted test images, of a network whose answers are known."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.data.ground_truth import LabelledImages
from segstudy.data.images.corrupt import corrupted
from segstudy.data.images.label_map import binary
from segstudy.inference.corrupted import measure_corrupted
from segstudy.inference.external import seen_as
from segstudy.models import model_file
from tests.helpers.known_probability import META, Oracle, write_images

OWN = {"size": "native", "colour": "rgb", "prediction": {}, "scale": None, "external_scale": None}
LEVELS = [("brightness", 0.5), ("gaussian_noise", 0.2)]


def measured(folder, monkeypatch, subsets=("train", "test", "test"), levels=LEVELS, threshold=150 / 255):
    index, split = write_images(folder, subsets)
    monkeypatch.setattr(model_file, "load_model", lambda path, device, **_: (Oracle(), META))
    images = LabelledImages(index, split, folder / "raw", binary("cell"))
    return measure_corrupted(folder / "m", images, seen_as(index, OWN), levels, "fixed", threshold)


def test_the_counts_are_those_of_the_corrupted_image_at_the_cells_threshold(tmp_path, monkeypatch):
    counts = measured(tmp_path, monkeypatch)
    assert set(counts["sample"]) == {"1", "2"} and set(counts["subset"]) == {"test"}
    for (sample, kind, strength, region), rows in counts.groupby(["sample", "corruption", "strength", "region"]):
        image, mask, roi = (
            np.asarray(Image.open(tmp_path / f"raw/{sample}{suffix}.png")) for suffix in ("", "_mask", "_roi")
        )
        found = (corrupted(image, kind, strength, sample)[..., 0] >= 150) & (roi > 0)
        inside = np.ones_like(found) if region == "full" else roi > 0
        expected = [
            (found & (mask > 0) & inside).sum(), (found & (mask == 0) & inside).sum(),
            (~found & (mask > 0) & inside).sum(), (~found & (mask == 0) & inside).sum(),
        ]  # fmt: skip
        assert rows[["tp", "fp", "fn", "tn"]].iloc[0].tolist() == expected
    assert len(counts) == 2 * 2 * 2


def test_a_split_without_test_images_has_nothing_to_corrupt(tmp_path, monkeypatch):
    with pytest.raises(StudyError, match="no test image with a mask, so there is nothing to corrupt"):
        measured(tmp_path, monkeypatch, subsets=("train", "val"))


def test_counts_keep_their_columns(tmp_path, monkeypatch):
    counts = measured(tmp_path, monkeypatch, levels=[("jpeg", 30.0)])
    assert list(counts) == [
        *("corruption", "strength", "sample", "subset", "class", "region", "policy", "threshold"),
        *("tp", "fp", "fn", "tn"),
    ]
    assert isinstance(counts, pd.DataFrame) and set(counts["strength"]) == {30.0}
