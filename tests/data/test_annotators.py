"""Masks of any number of annotators: how they are named, and the mask that they have in common."""

import itertools
import sys

import numpy as np
import pytest

from segstudy.config.datasets import DatasetConfig
from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv, read_json, write_csv, write_picture
from segstudy.core.names import annotator_columns
from segstudy.data.annotators import Drawn, _encoded, drawn_by, join_masks, joined
from segstudy.data.card import describe
from segstudy.data.convert import convert
from segstudy.data.images.label_map import binary, known_labels, several, with_void
from segstudy.data.index import build_index
from segstudy.data.readers.registry import labels_of
from tests.data.readers.test_folder import listed, mask, pairs, refused, table
from tests.helpers.raw_data import said

# Every way in which three annotators can mark a pixel.
VOTES = np.array(list(itertools.product([False, True], repeat=3))).T[:, None, :]


# --- how they are named ---


@pytest.mark.parametrize("named_by", ["suffixes", "folders", "both", "table"])
def test_masks_of_three_annotators(tmp_path, named_by):
    pairs(tmp_path, ("a", "b"), suffix="_1")
    wanted = {"a": ("masks/a_2.png", "masks/a_3.png"), "b": ("masks/b_2.png", "")}
    layout = {"mask_suffix": "_1"}
    if named_by == "suffixes":
        layout["annotator_suffixes"] = ["_2", "_3"]
    elif named_by == "table":
        layout = {}
        rows = (f"{name},{name}_1.png,masks/{name}_2.png,{wanted[name][1]}" for name in "ab")
        table(tmp_path, "sample,mask,mask_2,mask_3", *rows)
    else:
        wanted = {"a": ("m2/a_2.png", "m3/a_3.png"), "b": ("m2/b_2.png", "")}
        layout["annotator_masks"] = ["m2", "m3"]
        if named_by == "both":
            layout["annotator_suffixes"] = ["_2", "_3"]
        else:
            wanted = {"a": ("m2/a.png", "m3/a.png"), "b": ("m2/b.png", "")}
    for path in filter(None, itertools.chain(*wanted.values())):
        mask(tmp_path / path, 6)
    frame = listed(tmp_path, **layout)
    assert {name: tuple(frame.loc[name, ["second_mask", "mask_3"]]) for name in "ab"} == wanted
    assert list(frame["mask"]) == ["masks/a_1.png", "masks/b_1.png"]
    assert named_by == "table" or frame.attrs["repairs"] == []
    assert [*annotator_columns(frame).items()] == [(1, "mask"), (2, "second_mask"), (3, "mask_3")]
    write_csv(tmp_path / "index.csv", frame.reset_index())
    again = read_csv(tmp_path / "index.csv").set_index("sample")
    assert again.loc["b", "mask_3"] == "" and len(again.loc["a", "mask_3_sha256"]) == 64


def test_pages_of_a_third_annotator(tmp_path):
    from tests.data.readers.test_folder_names import stack

    for folder in ("images", "masks", "m2", "m3"):
        stack(tmp_path / folder / "film.tif", (0, 255))
    frame = listed(tmp_path, pages=True, annotator_masks=["m2", "m3"])
    assert list(frame["mask_3"]) == ["m3/film.tif#page=1", "m3/film.tif#page=2"]


def test_an_annotator_whose_masks_are_nowhere_is_refused(tmp_path):
    pairs(tmp_path, ("a", "b"))
    mask(tmp_path / "masks_2" / "a.png")
    text = refused(tmp_path, annotator_masks=["masks_2", "masks_4"])
    assert "no image has a mask of annotator 3: folder masks_4" in text and "'masks_2'" in text
    assert "annotator 2: folder other" in refused(tmp_path, second_masks="other")
    assert "a column 'mask_1'" in (table(tmp_path, "sample,mask_1", "a,x.png"), refused(tmp_path))[1]


def test_an_index_of_two_annotators_stays_what_it_was(tmp_path):
    pairs(tmp_path, ("a",))
    assert not [column for column in listed(tmp_path) if column.startswith("mask_") and column != "mask_sha256"]
    assert Layout().model_dump(mode="json") == Layout(annotator_suffixes=[]).model_dump(mode="json")
    assert "truth" not in DatasetConfig(reader="drive", truth="first").model_dump(mode="json")


# --- what they have in common ---


@pytest.mark.parametrize(
    ("truth", "marked"), [("majority", "00010111"), ("union", "01111111"), ("intersection", "00000001")]
)
def test_three_annotators_by_hand(truth, marked):
    result = joined([Drawn(votes, None) for votes in VOTES], truth)
    assert result.ids[0].tolist() == [int(bit) for bit in marked] and result.void is None


def test_three_annotators_of_two_classes_by_hand():
    """Every way to say 0, 1 or 2: the class that two or three name, otherwise background."""
    ways = np.array(list(itertools.product([0, 1, 2], repeat=3)), np.uint8)
    drawn = [Drawn(own[None], None) for own in ways.T]
    for truth, needed in (("majority", 2), ("intersection", 3)):
        by_hand = [next((c for c in (1, 2) if list(way).count(c) >= needed), 0) for way in ways]
        assert joined(drawn, truth).ids[0].tolist() == by_hand


def test_a_tie_is_background_and_who_says_nothing_does_not_vote():
    two = [Drawn(votes[:, :4], None) for votes in VOTES[1:]]
    assert joined(two, "majority").ids[0].tolist() == [0, 0, 0, 1]
    void = [Drawn(np.array([[True, True]]), np.array([[False, True]])), Drawn(np.array([[True, False]]), None)]
    assert joined(void, "majority").ids.tolist() == [[1, 0]]  # of the second pixel the other alone speaks
    silent = joined([Drawn(np.array([[True]]), np.array([[True]]))] * 2, "union")
    assert silent.void is not None and silent.void.all() and not silent.ids.any()


def by_hand(votes, prior, rounds=500):
    """STAPLE as Warfield et al. write it, eq. 14 to 19: votes (annotators, pixels) -> probability of foreground."""
    p = q = np.full((len(votes), 1), 0.99999)
    for _ in range(rounds):
        one = prior * np.prod(np.where(votes, p, 1 - p), axis=0)
        none = (1 - prior) * np.prod(np.where(votes, 1 - q, q), axis=0)
        weight = one / (one + none)
        p = (votes * weight).sum(axis=1, keepdims=True) / weight.sum()
        q = (~votes * (1 - weight)).sum(axis=1, keepdims=True) / (1 - weight).sum()
    return weight


def test_staple():
    pytest.importorskip("SimpleITK", reason="STAPLE is computed by SimpleITK, the extra 'staple'")
    random = np.random.default_rng(0)
    truth = random.random((40, 50)) < 0.3
    votes = np.stack([truth ^ (random.random(truth.shape) < rate) for rate in (0.05, 0.1, 0.35)])
    weight = by_hand(votes.reshape(3, -1), votes.mean()).reshape(truth.shape)
    found = joined([Drawn(one, None) for one in votes], "staple").ids
    assert np.array_equal(found, weight > 0.5)
    assert not np.array_equal(found, joined([Drawn(one, None) for one in votes], "majority").ids)
    empty = Drawn(np.zeros((3, 3), bool), None)
    assert not joined([empty, empty], "staple").ids.any()


def test_without_simple_itk_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(StudyError, match=r"needs SimpleITK.*\n(.*\n)*.*pip install 'segstudy\[staple\]'"):
        join_masks([], tmp_path, binary("x"), "staple")


def test_without_simple_itk_the_config_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(ValueError, match=r"needs SimpleITK, which is not installed: pip install 'segstudy\[staple\]'"):
        DatasetConfig(reader="drive", truth="staple")
    assert DatasetConfig(reader="drive", truth="majority").converted


@pytest.mark.parametrize("truth", ["union", "staple"])
def test_a_truth_that_gives_a_pixel_to_two_classes_is_refused(truth):
    two = {"reader": "folder", "layout": {"second_masks": "b"}, "classes": {"x": 1, "y": 2}}
    with pytest.raises(ValueError, match=f"{truth} is for one foreground class.*first, majority, intersection"):
        DatasetConfig(**two, truth=truth)
    assert DatasetConfig(**two, truth="majority").converted


@pytest.mark.parametrize(
    "labels",
    [
        *(binary("x"), binary("x", inverted=True), binary("x")._replace(above_zero=True)),
        *(with_void(binary("x"), void) for void in (128, 255, 0, "#00ff00", "#ffffff")),
        *(several({"x": 7}), several({"x": [300, 2]}), several({"x": 1}, void=255), several({"x": "#ff0000"})),
        *(several({"x": "#ff0000"}, void="#ffffff"), several({"background": [3, 0], "x": 9})),
    ],
)
@pytest.mark.parametrize("marked", [0, 1, 2])
def test_a_joined_mask_is_read_back_by_the_labels_of_its_data_set(tmp_path, labels, marked):
    mask_of = np.zeros((6, 8), bool)
    mask_of[: 3 * marked] = True
    void = np.zeros((6, 8), bool)
    void[:, 0] = bool(labels.void)
    write_picture(
        tmp_path / "a.png", _encoded(Drawn((mask_of & ~void).astype(np.uint8), void if labels.void else None), labels)
    )
    read = known_labels(tmp_path / "a.png", labels)
    assert np.array_equal(read.array > 0, mask_of & ~void)
    assert np.array_equal(void, np.zeros_like(void) if read.void is None else read.void)


def test_a_joined_mask_of_several_classes_is_read_back(tmp_path):
    labels = several({"cup": 200, "disc": [50, 51]}, void=255)
    ids = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    void = ids == 2
    void[1] = False
    write_picture(tmp_path / "a.png", _encoded(Drawn(np.where(void, 0, ids).astype(np.uint8), void), labels))
    read = known_labels(tmp_path / "a.png", labels)
    assert read.array.tolist() == [[0, 1, 0], [2, 1, 0]] and np.array_equal(read.void, void)


# --- in a data set ---


@pytest.fixture
def raw(tmp_path):
    """Three images; the third annotator has drawn the first alone, the second two of them."""
    pairs(tmp_path / "raw", ("a", "b", "c"))
    for path, columns in {"m2/a": 6, "m2/b": 2, "m3/a": 8}.items():
        mask(tmp_path / "raw" / f"{path}.png", columns)
    return tmp_path / "raw"


LAYOUT = Layout(annotator_masks=["m2", "m3"])


def test_a_data_set_is_converted_to_joined_masks(raw, tmp_path):
    labels = labels_of("folder")
    convert("folder", raw, LAYOUT, tmp_path / "out", "mine", "majority", labels)
    frame = build_index("folder", tmp_path / "out", layout=LAYOUT).set_index("sample")
    assert dict(frame["mask"]) == {"a": "joined/a.png", "b": "joined/b.png", "c": "raw/masks/c.png"}
    assert frame.loc["a", "mask_1"] == "raw/masks/a.png" and frame.loc["a", "mask_3"] == "raw/m3/a.png"
    read = {name: known_labels(tmp_path / "out" / frame.loc[name, "mask"], labels).array for name in "abc"}
    # Of 4, 6 and 8 columns two annotators agree on 6; of 4 and 2 both on 2.
    assert {name: np.count_nonzero(array[0]) for name, array in read.items()} == {"a": 6, "b": 2, "c": 4}
    assert said(frame, "joined by majority in 2 of 3 images") and said(frame, "1 of 3 images: c")
    drawn = drawn_by(dict(frame.reset_index().iloc[0]), tmp_path / "out", labels)
    assert [int(drawn[k].ids[0].sum()) for k in (1, 2, 3)] == [4, 6, 8]
    (tmp_path / "card").mkdir()
    describe(frame.reset_index(), tmp_path / "out", "folder", labels, "mine", tmp_path / "card", layout=LAYOUT)
    card = read_json(tmp_path / "card/card.json")
    assert [(human["annotator"], human["masks"]) for human in card["annotators"]] == [(1, 3), (3, 1)]
    assert card["annotators"][1]["dice"]["mean"] == pytest.approx(2 * 6 / (6 + 8), abs=1e-6)
    text = (tmp_path / "card/card.md").read_text()
    assert "| human 3 | 1 images; Dice with the mask, full frame: mean 0.8571" in text


def test_masks_of_two_sizes_and_one_annotator_alone_are_refused(raw, tmp_path):
    mask(raw / "m2/b.png", shape=(9, 9))
    with pytest.raises(StudyError, match=r"majority cannot join the masks of 1 of 2 images:\n.*b: the masks of two"):
        convert("folder", raw, LAYOUT, tmp_path / "out", "mine", "majority", labels_of("folder"))
    with pytest.raises(StudyError, match="no image has more than one mask"):
        convert("folder", raw, Layout(), tmp_path / "out", "mine", "union", labels_of("folder"))
    assert not (tmp_path / "out").exists()
