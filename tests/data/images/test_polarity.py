"""A data set whose masks mark the surroundings instead of the object is told from one with large objects."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.core.files import read_csv, read_json
from segstudy.data.card import describe
from segstudy.data.card_page import card_text
from segstudy.data.checks.image_checks import check_images
from segstudy.data.images.label_map import binary, looks_inverted, several, some_look_inverted
from segstudy.data.index import build_index

LABELS = binary("cell")


def shares(*pairs):
    return pd.DataFrame(pairs, columns=["foreground", "foreground_border"])


def test_masks_look_inverted_where_most_of_them_fill_image_and_border():
    inverted, object_ = (0.8, 1.0), (0.2, 0.0)
    assert "inverted: true" in looks_inverted(shares(*[inverted] * 10), LABELS)
    assert "in 8 of 10" in looks_inverted(shares(*[inverted] * 8, object_, object_), LABELS)
    assert looks_inverted(shares(*[inverted] * 7, *[object_] * 3), LABELS) == ""
    assert looks_inverted(shares(*[(0.8, 0.4)] * 10), LABELS) == "", "a large object that the border does not cut"
    assert looks_inverted(shares(*[inverted] * 3, (np.nan, np.nan)), LABELS) == "", "too few to tell"
    assert looks_inverted(shares(*[inverted] * 10), several({"wall": 1, "roof": 2})) == ""
    assert "inverted: false" in looks_inverted(shares(*[inverted] * 10), LABELS._replace(inverted=True))


def test_masks_of_two_polarities_are_told_from_large_objects():
    def said(*pairs):
        return some_look_inverted(shares(*pairs).assign(sample=[f"s{i}" for i in range(len(pairs))]), LABELS)

    inverted, cut, object_ = (0.9, 1.0), (0.8, 0.95), (0.1, 0.05)
    assert said(*[inverted] * 4, *[object_] * 6).startswith("4 of 10 masks look inverted beside the others, with all")
    assert "7 of 10 masks look inverted beside the others, with nearly all" in said(*[cut] * 7, *[object_] * 3)
    assert "s0; look at them" in said(inverted, *[object_] * 9)
    assert said(cut, *[object_] * 9) == "", "one large object"
    assert said(*[inverted] * 4, *[(0.4, 0.5)] * 6) == "", "tissue, which fills some tiles and is cut in all"
    assert said(*[object_] * 10) == "" and said(inverted, inverted, object_) == "", "too few to tell"


@pytest.mark.parametrize("inverted", [False, True])
def test_card_and_checks_warn_and_the_remedy_works(tmp_path, inverted):
    rng = np.random.default_rng(0)
    for number in range(6):
        for part in ("images", "labels"):
            (tmp_path / "phc" / part).mkdir(parents=True, exist_ok=True)
        cell = np.zeros((24, 32), bool)
        cell[8:14, 10 + number : 18 + number] = True
        picture = rng.integers(0, 100, cell.shape, dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / "phc" / "images" / f"img_{number}.jpg")
        Image.fromarray(np.where(cell, np.uint8(0), np.uint8(255))).save(
            tmp_path / "phc" / "labels" / f"label_{number}.png"
        )
    labels = LABELS._replace(inverted=inverted)
    index = build_index("phc", tmp_path / "phc")
    describe(index, tmp_path / "phc", "phc", labels, "mine", tmp_path / "out")
    samples, card = read_csv(tmp_path / "out" / "samples.csv"), read_json(tmp_path / "out" / "card.json")
    assert samples["foreground"].to_numpy() == pytest.approx(48 / 768 if inverted else 720 / 768, abs=1e-6)
    assert set(samples["foreground_border"]) == {0.0 if inverted else 1.0}
    checked = check_images(samples, index, labels=labels)
    assert checked["findings"] == [] and bool(checked["warnings"]) != inverted
    assert ("look inverted" in card_text(card)) != inverted
    if not inverted:
        assert "set 'inverted: true'" in checked["warnings"][0]
