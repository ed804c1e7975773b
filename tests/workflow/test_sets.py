"""The data side of EBHI-SEG, HRF and CHASE_DB1 as a person runs it: drawn, indexed, split, checked and resized."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.helpers import releases
from tests.helpers.phantoms import drawn

LEAK = {"kind": "group_straddles", "reason": "tiles are drawn at random to measure the leak"}
TILES = {"reader": "ebhi", "phantom": {"images": 36, "height": 32, "width": 32}, "size": {"long_side": 32}}


@pytest.fixture
def sets(fresh):
    fresh.study["datasets"] = {
        "ebhi_cases": {**TILES, "colour": "grey"},
        "ebhi_images": {**TILES, "colour": "grey", "split": {"grouped": False}, "exceptions": [LEAK]},
        "hrf": {**drawn("hrf", fresh.file("raw"), images=9, height=48, width=72), "size": {"long_side": 48}},
        "chase": {**releases.chase(fresh.file("chase")), "size": {"long_side": 48}},
    }
    fresh.study["experiments"]["losses"]["datasets"] = list(fresh.study["datasets"])
    return fresh


def test_tiles_with_whole_cases_and_without_and_large_fundi_reach_the_store(sets):
    data = {name: f"results/tiny/data/{name}" for name in sets.study["datasets"]}
    wanted = [f"{folder}/{part}" for folder in data.values() for part in ("store", "checks/seed1.json", "card.md")]
    sets.study["datasets"]["ebhi_cases"]["training"] = {"balance": "strata"}
    wanted.append("results/tiny/figures/balance/ebhi_cases/default/seed0.png")
    outcome = sets.snakemake(*wanted)
    assert outcome.code == 0, outcome.text
    records = {name: json.loads(sets.file(f"{folder}/checks/seed1.json").read_text()) for name, folder in data.items()}
    leaks = {name: record["split"]["test_in_training"] for name, record in records.items()}
    assert leaks["ebhi_cases"] == leaks["hrf"] == leaks["chase"] == 0 < leaks["ebhi_images"]
    assert {item["reason"] for item in records["ebhi_images"]["accepted"]} == {LEAK["reason"]}
    same = [pd.read_csv(sets.file(f"{data[name]}/index.csv"))["image_sha256"] for name in ("ebhi_cases", "ebhi_images")]
    assert same[0].equals(same[1]), "both splits divide the same tiles"
    for name, shape in (("ebhi_cases", (36, 32, 32, 1)), ("hrf", (9, 32, 48, 3)), ("chase", (8, 48, 48, 3))):
        assert np.load(sets.file(f"{data[name]}/store/images.npy"), mmap_mode="r").shape == shape
    assert "healthy" in sets.file(f"{data['hrf']}/card.md").read_text()
    assert "field of view is computed from 8 of 8 photographs" in sets.file(f"{data['chase']}/card.md").read_text()
    rois = np.load(sets.file(f"{data['chase']}/store/rois.npy"))
    assert 0.6 < rois.mean() < 0.8, "a disc, not the whole picture"

    # A random split that nobody declares stops before anything is trained on it.
    del sets.study["datasets"]["ebhi_images"]["exceptions"]
    outcome = sets.snakemake("results/tiny/cells/ebhi_images/unet/bce/default/seed0/history.csv")
    assert outcome.code == 1 and "group_straddles" in outcome.text and "grouped: true" in outcome.text
    assert "train" not in outcome.jobs and "Traceback" not in outcome.text
