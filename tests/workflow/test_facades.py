"""The data side of facades as a person runs it: twelve classes, two of them put together, a value that is none."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.helpers.phantoms import drawn

# Drawn houses are few: none of the training images has this class.
RARE = {"kind": "class_missing", "samples": ["deco"], "reason": "eight drawn houses"}


@pytest.fixture
def facades(fresh):
    classes = {"opening": [3, 4], "background": [1, 2, *range(5, 13)]}
    houses = drawn("cmp", fresh.file("raw"), images=8, height=64, width=80) | {"size": {"height": 64, "width": 80}}
    houses["exceptions"] = [RARE]
    fresh.study["datasets"] = {"facades": houses, "openings": {**houses, "classes": classes, "exceptions": []}}
    fresh.study["experiments"]["losses"]["datasets"] = ["openings"]
    return fresh


def test_facades_reach_the_store_with_all_their_classes_or_some(facades):
    data = {name: f"results/tiny/data/{name}" for name in ("facades", "openings")}
    wanted = [f"{folder}/{part}" for folder in data.values() for part in ("store", "checks/seed0.json", "card.html")]
    outcome = facades.snakemake(*wanted)
    assert outcome.code == 0, outcome.text
    masks = {name: np.load(facades.file(f"{folder}/store/masks.npy")) for name, folder in data.items()}
    assert masks["facades"].max() == 11 and masks["openings"].max() == 1
    np.testing.assert_array_equal(masks["openings"] == 1, np.isin(masks["facades"], (2, 3)))
    meta = json.loads(facades.file(f"{data['facades']}/store/store.json").read_text())
    assert len(meta["classes"]) == 11 and meta["classes"][:2] == ["facade", "window"]
    card = json.loads(facades.file(f"{data['facades']}/card.json").read_text())
    assert len(card["class_shares"]) == 12 and set(card["strata"]) == {"base", "extended"}

    # A value that is no class stops the study before anything is resized; declared, it is background.
    path = facades.file("raw/CMP_facade_DB/CMP_facade_DB_base/base/cmp_b0001.png")
    with Image.open(path) as stored:
        labels = np.asarray(stored).copy()
    labels[:8] = 13
    Image.fromarray(labels).save(path)
    outcome = facades.snakemake(f"{data['facades']}/store")
    assert outcome.code == 1 and "preprocess" not in outcome.jobs and "Traceback" not in outcome.text
    assert "unknown_label: cmp_b0001" in outcome.text and "cmp_b0001.png holds 13 (" in outcome.text
    known = {"kind": "unknown_label", "samples": ["cmp_b0001"], "reason": "the corner was painted over"}
    facades.study["datasets"]["facades"]["exceptions"] = [known, RARE]
    outcome = facades.snakemake(f"{data['facades']}/store")
    assert outcome.code == 0, outcome.text
    assert "the corner was painted over" in facades.file(f"{data['facades']}/checks/images.json").read_text()
