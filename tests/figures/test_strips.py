"""The same images under several rows, from counts and masks to one picture."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.config.cell import Cell
from segstudy.core.errors import StudyError
from segstudy.data.images.drawing import GAP, MARGIN
from segstudy.figures import gallery, strips
from tests.helpers.figures import LESION, make_cell

NAMES = [("unet", "bce"), ("unet", "dice"), ("encdec", "bce")]


def rows_of(folder, qualities):
    """Three networks, of which the last misses half of what the first finds more."""
    found, source = [], None
    for i, (model, loss) in enumerate(NAMES):
        own = folder / f"{model}-{loss}"
        own.mkdir()
        worse = {name: value - 0.1 * i for name, value in qualities.items()}
        counts, masks, index, root, _ = make_cell(own, worse)
        found.append((Cell("ph2", model, loss, "default", 0), counts, masks))
        source = source or strips.Source(index, root, LESION, "full", False)
    return found, source


def shifted(value):
    """Dice of the square of make_cell, 20 pixels wide and shifted by what its quality lacks."""
    return 1 - round(20 * (1 - value)) / 20


def test_the_images_are_the_worst_the_median_and_the_best_of_each_stratum():
    dice = pd.Series({"a": 0.5, "b": 0.9, "c": 0.1, "d": 0.7, "e": 0.6, "f": np.nan})
    none = dict.fromkeys("abcdef", "")
    assert strips.chosen(dice, none) == [("c", "worst"), ("e", "median"), ("b", "best")]
    assert strips.chosen(dice[["a", "b"]], none) == [("a", "worst"), ("b", "best")]
    assert strips.chosen(dice[["a", "f"]], none) == [("a", "worst")] and strips.chosen(dice[["f"]], none) == []
    two = dict.fromkeys("abdf", "benign") | dict.fromkeys("ce", "melanoma")
    assert strips.chosen(dice, two) == [
        *[("c", "worst"), ("e", "best")],  # the stratum with the worst image first
        *[("a", "worst"), ("d", "median"), ("b", "best")],
    ]
    many = {name: name for name in "abcdef"}
    assert strips.chosen(dice, many) == [(name, "worst") for name in "caedb"]
    long = pd.Series({f"s{i}": i / 20 for i in range(20)})
    assert strips.chosen(long, {name: name for name in long.index}) == [
        (f"s{i}", "worst") for i in range(strips.IMAGES)
    ]


@pytest.mark.parametrize("phantom", [False, True])
def test_the_strips_have_a_column_for_each_row_and_its_errors(tmp_path, phantom):
    cells, source = rows_of(tmp_path, {"a": 0.9, "b": 0.6, "c": 0.8, "d": 0.7})
    source = source._replace(phantom=phantom)
    png = tmp_path / "strips.png"
    strips.draw_strips(cells, {"ph2": source}, "losses", png, policy="fixed")
    before = png.read_bytes()
    strips.draw_strips(cells, {"ph2": source}, "losses", png, policy="fixed")
    assert png.read_bytes() == before
    page = np.asarray(Image.open(png)).astype(int)
    assert page.shape[1] == 5 * strips.SIDE + 4 * GAP + 2 * MARGIN
    scores = pd.DataFrame(
        [
            {"sample": name, "model": model, "loss": loss, "recipe": "default", "dice": shifted(value - 0.1 * i)}
            for name, value in {"a": 0.9, "b": 0.6, "c": 0.8, "d": 0.7}.items()
            for i, (model, loss) in enumerate(NAMES)
        ]
    )
    (section,) = strips._sections("ph2", {cell: masks for cell, _, masks in cells}, scores, source)
    assert section.heads == [("image",), ("truth",), *NAMES]
    assert [strip.words for strip in section.strips] == [
        "worst: b, mean Dice 0.500",
        "median: c, mean Dice 0.700",
        "best: a, mean Dice 0.800",
    ]
    assert section.strips[2].below == ["", "", "Dice 0.900", "Dice 0.800", "Dice 0.700"]
    # Of the third row's best image 6 of 20 columns are missed on the left, and as many false on the right.
    tile = np.asarray(section.strips[2].tiles[4]).astype(int)
    scale = strips.SIDE / 60
    for column, colour in ((22, gallery.FN), (33, gallery.TP), (44, gallery.FP)):
        assert np.abs(tile[int(20 * scale), int(column * scale)] - colour).max() < 40
    assert ("PHANTOM" in section.title) == phantom
    reddish = (page[..., 0] > page[..., 1] + 60) & (page[..., 1] < 60)
    assert (reddish[: MARGIN + 40].sum() > 50) == phantom


def test_data_sets_stand_below_each_other_with_their_own_keys(tmp_path):
    first, one = rows_of(tmp_path, {"a": 0.9, "b": 0.6, "c": 0.8})
    other = tmp_path / "other"
    other.mkdir()
    counts, masks, index, root, _ = make_cell(other, {"x": 0.9})
    second = (Cell("drive", "unet", "bce", "long", 0), counts, masks)
    (alone,) = strips._sections(
        "drive", {second[0]: masks}, scores_of(second), one._replace(index_csv=index, root=root)
    )
    assert alone.heads[-1] == ("unet", "bce") and alone.legend == gallery.LEGEND
    png = tmp_path / "two.png"
    sources = {"ph2": one, "drive": one._replace(index_csv=index, root=root)}
    strips.draw_strips([*first, second], sources, "losses", png, policy="fixed")
    both = Image.open(png).size
    strips.draw_strips(first, {"ph2": one}, "losses", png, policy="fixed")
    assert both[0] == Image.open(png).size[0] and both[1] > Image.open(png).size[1]


def test_many_rows_are_drawn_in_parts_of_the_same_images(tmp_path):
    cells, source = rows_of(tmp_path, {"a": 0.9, "b": 0.6, "c": 0.8, "d": 0.7})
    _, counts, masks = cells[0]
    many = [(Cell("ph2", f"net{i}", "bce", "default", 0), counts, masks) for i in range(17)]
    png = tmp_path / "many.png"
    strips.draw_strips(many, {"ph2": source}, "losses", png, policy="fixed")
    assert Image.open(png).width <= (2 + strips.ACROSS) * (strips.SIDE + GAP) - GAP + 2 * MARGIN
    scores = pd.DataFrame(
        [
            {"sample": name, "model": f"net{i}", "loss": "bce", "recipe": "default", "dice": value}
            for name, value in {"a": 0.9, "b": 0.6, "c": 0.8, "d": 0.7}.items()
            for i in range(17)
        ]
    )
    parts = strips._sections("ph2", {cell: masks for cell, _, masks in many}, scores, source)
    assert [head[0] for part in parts for head in part.heads[2:]] == [f"net{i}" for i in range(17)]
    assert [part.title for part in parts] == [
        f"ph2, seed 0, rows {rows} of 17" for rows in ("1 to 6", "7 to 12", "13 to 17")
    ]
    assert [[strip.words for strip in part.strips] for part in parts] == 3 * [
        ["worst: b, mean Dice 0.600", "median: c, mean Dice 0.800", "best: a, mean Dice 0.900"]
    ]
    strata = dict.fromkeys("ab", "benign") | dict.fromkeys("cd", "melanoma")
    dice = pd.Series({"a": 0.9, "b": 0.6, "c": 0.8, "d": 0.7})
    assert strips.chosen(dice, strata, strips.FEW) == [("b", "worst"), ("d", "worst")]


def scores_of(cell):
    return pd.DataFrame([{"sample": "x", "model": "unet", "loss": "bce", "recipe": "long", "dice": 0.9}])


def test_a_data_set_without_test_images_is_named(tmp_path):
    cells, source = rows_of(tmp_path, {"a": 0.9})
    for _, path, _ in cells:
        pd.read_csv(path).assign(subset="train").to_csv(path, index=False)
    with pytest.raises(StudyError, match="no test image of data set 'ph2' has a Dice"):
        strips.draw_strips(cells, {"ph2": source}, "losses", tmp_path / "x.png", policy="fixed")
    assert not (tmp_path / "x.png").exists()
