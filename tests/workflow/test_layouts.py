"""The data side of PhC, RFMiD and a folder of one's own as a person runs it: drawn, indexed, checked and resized."""

import shutil

import numpy as np
import pytest

from segstudy.core.files import read_csv, read_json
from tests.helpers.phantoms import drawn

DRAWN = {"phantom": {"images": 16, "height": 48, "width": 64}, "size": {"height": 32, "width": 32}}


def data(name, part):
    return f"results/tiny/data/{name}/{part}"


@pytest.fixture
def folders(fresh):
    photographs = drawn("rfmid", fresh.file("fundi"), images=16, height=48, width=64)
    fresh.study["datasets"] = {"phc": DRAWN, "rfmid": photographs, "mine": {"reader": "folder", **DRAWN}}
    fresh.study["experiments"]["losses"]["datasets"] = ["phc", "mine"]
    return fresh


def test_frames_photographs_without_masks_and_a_folder_reach_their_stores(folders):
    wanted = [data(name, part) for name in ("phc", "mine") for part in ("store", "checks/seed0.json")]
    outcome = folders.snakemake(*wanted, data("rfmid", "checks/images.json"))
    assert outcome.code == 0, outcome.text
    for name in ("phc", "mine"):
        record = read_json(folders.file(data(name, "checks/seed0.json")))
        subsets = record["split"]["subsets"]
        assert record["findings"] == [] and sum(subsets.values()) == record["images"] == 16
        assert min(subsets[part] for part in ("train", "val", "test")) > 0
        masks = np.load(folders.file(data(name, "store/masks.npy")))
        assert masks.shape == (16, 32, 32) and set(np.unique(masks)) == {0, 1}
        assert (record["split"]["rule"]["test"] == "official") == (name == "phc")
    cards = {name: folders.file(data(name, "card.md")).read_text() for name in ("phc", "rfmid")}
    assert "16, 0 of them labelled" in cards["rfmid"]
    assert "PHANTOM" in cards["phc"] and "PHANTOM" not in cards["rfmid"]

    # The same folder as if it were real, the masks elsewhere and groups by their names instead of a table.
    shutil.copytree(folders.file("resources/phantoms/tiny/mine/folder"), folders.file("raw"))
    folders.file("raw/samples.csv").unlink()
    folders.file("raw/masks").rename(folders.file("raw/drawn"))
    mine = {"reader": "folder", "root": str(folders.file("raw")), "layout": {"group_pattern": "^.."}}
    folders.study["datasets"]["mine"] = mine
    outcome = folders.snakemake(data("mine", "card.md"))
    assert outcome.code == 1 and "there is no folder of masks" in outcome.text and "layout.masks" in outcome.text
    assert "Traceback" not in outcome.text
    mine["layout"]["masks"] = "drawn"
    outcome = folders.snakemake(data("mine", "card.md"))
    assert outcome.code == 0, outcome.text
    index = read_csv(folders.file(data("mine", "index.csv")))
    assert list(index["group"]) == ["00"] * 9 + ["01"] * 7 and index["mask"].str.startswith("drawn/").all()
    mine["layout"]["group_pattern"] = ".$"
    assert set(folders.plan(data("mine", "card.md")).jobs) == {"index", "describe"}
