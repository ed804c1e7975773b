"""Facades of twelve classes, drawn, from the raw folder to tables and pictures, beside a data set of one class."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import jaccard_score

from segstudy.core.files import read_csv
from segstudy.data.images.label_map import known_ids
from segstudy.data.readers.registry import labels_of
from tests.helpers.phantoms import drawn
from tests.helpers.study_copies import new_copy

STUDY = {
    "study": "houses",
    "datasets": {
        "cmp": {
            "size": {"height": 32, "width": 48},
            "exceptions": [{"kind": "class_missing", "samples": ["deco"], "reason": "eight drawn houses"}],
        }
    },
    "models": {"unet": {"depth": 2, "width": 4}},
    "losses": {"weighted": {"loss": "cross_entropy", "class_weights": "inverse_frequency"}},
    "recipes": {"default": {"epochs": 2, "batch_size": 4}},
    "experiments": {
        "houses": {
            "question": "Which parts of a house?",
            "datasets": ["cmp"],
            "models": ["unet"],
            "losses": ["weighted"],
        }
    },
}
CELL = "results/houses/cells/cmp/unet/weighted/default/seed0"


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    copy = new_copy(tmp_path_factory.mktemp("houses"))
    copy.study = STUDY
    copy.study["datasets"]["cmp"] |= drawn("cmp", copy.file("raw"), images=8, height=48, width=64)
    outcome = copy.snakemake()
    assert outcome.code == 0, outcome.text
    return copy


def test_everything_is_there_and_a_second_call_has_nothing_to_do(houses):
    for path in (
        *(f"tables/houses.{name}" for name in ("md", "classes.csv", "classes.md", "classes.tex", "classes.html")),
        *(f"figures/{name}.png" for name in ("houses/ablation", "houses/curves", "augmented/cmp/default/seed0")),
        "figures/gallery/cmp/unet/weighted/default/seed0.jpg",
    ):
        assert houses.file(f"results/houses/{path}").stat().st_size > 0, path
    assert "Nothing to be done" in houses.snakemake().text


def test_the_headline_is_the_mean_iou_of_the_masks_on_disk(houses):
    labels = labels_of("cmp")
    index = read_csv(houses.file("results/houses/data/cmp/index.csv")).set_index("sample")
    split = read_csv(houses.file("results/houses/data/cmp/splits/seed0.csv"))
    samples = split.loc[split["subset"] == "test", "sample"]
    root = houses.file("raw")
    truth = np.concatenate([known_ids(root / index.loc[s, "mask"], labels).ravel() for s in samples])
    found = np.concatenate([np.asarray(Image.open(houses.file(f"{CELL}/masks/{s}.png"))).ravel() for s in samples])
    table = pd.read_csv(houses.file("results/houses/tables/houses.csv")).set_index("model")
    assert table.loc["unet", "test_iou_pooled"] == pytest.approx(jaccard_score(truth, found, average="macro"))
    assert table.loc["unet", "test_accuracy_pooled"] == pytest.approx(np.mean(truth == found))
    assert list(table.index) == ["unet", "all_background", "majority", "random"]
    classes = pd.read_csv(houses.file("results/houses/tables/houses.classes.csv"))
    own = classes[classes["model"] == "unet"].set_index("class")["iou_pooled"]
    assert list(own.index) == ["mean", *labels.names]
    scores = jaccard_score(truth, found, average=None, labels=range(12), zero_division=0)
    assert own[1:].fillna(0).to_numpy() == pytest.approx(scores)


def test_a_run_records_the_weights_of_its_classes(houses):
    run = json.loads(houses.file(f"{CELL}/run.json").read_text())
    weights, pixels = np.array(run["loss_weights"]["class_weights"]), np.array(run["class_pixels"])
    assert len(weights) == len(pixels) == 12
    shown = pixels > 0
    assert (weights * pixels)[shown] == pytest.approx((weights * pixels)[shown][0])
    assert weights[shown].mean() == pytest.approx(1)
    assert json.loads(houses.file(f"{CELL}/thresholds.json").read_text()) == {"argmax": None}
