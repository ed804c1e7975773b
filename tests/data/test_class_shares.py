"""Cards, checks and examples of data sets with several classes."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.config.datasets import DeclaredException, Phantom
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv
from segstudy.data.card import describe
from segstudy.data.checks.image_checks import check_images
from segstudy.data.class_shares import class_shares, class_table
from segstudy.data.images.label_map import known_ids, several
from segstudy.data.index import build_index
from segstudy.data.inspect_files import decode
from segstudy.data.readers.registry import labels_of
from segstudy.data.store import build_store, open_store
from tests.helpers.phantoms import draw

LABELS = labels_of("cmp")
FIRST = "CMP_facade_DB/CMP_facade_DB_base/base/cmp_b0001.png"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("cmp") / "drawn"
    draw("cmp", root, Phantom(images=6, height=96, width=112, seed=2))
    return root


@pytest.fixture
def root(original, tmp_path):
    return shutil.copytree(original, tmp_path / "facades")


def described(root, out, labels=LABELS):
    index = build_index("cmp", root)
    describe(index, root, "cmp", labels, "mine", out)
    return index, read_csv(out / "samples.csv"), json.loads((out / "card.json").read_text())


def test_card_tells_the_share_of_every_class(root, tmp_path):
    index, samples, card = described(root, tmp_path / "out")
    counts = [np.bincount(known_ids(root / path, LABELS).ravel(), minlength=12) for path in index["mask"]]
    shares = np.array([count / count.sum() for count in counts])
    for k, record in enumerate(card["class_shares"]):
        assert record["name"] == LABELS.names[k] and record["values"] == str(k + 1)
        assert record["mean"] == pytest.approx(shares[:, k].mean(), abs=1e-6)
        assert record["maximum"] == pytest.approx(shares[:, k].max(), abs=1e-6)
        assert record["images"] == (shares[:, k] > 0).sum()
    np.testing.assert_allclose(samples["foreground"], 1 - shares[:, 0], atol=1e-6)
    assert (samples["mask_values"] == (shares > 0).sum(axis=1)).all() and (samples["problem"] == "").all()
    assert card["problems"] == {} and card["mask_constant"] == []
    text = (tmp_path / "out/card.md").read_text()
    assert f"| `#0055ff` | window | 3 | {shares[:, 2].mean():.1%} | {shares[:, 2].max():.1%} |" in text
    assert 'fill="#0055ff"' in (tmp_path / "out/card.html").read_text(), "the page shows the colour itself"


def test_shares_of_hand_made_counts():
    labels = several({"wall": 1, "door": [2, 3]})
    pixels = np.array([[50, 50, 0], [0, 0, 0], [90, 0, 10]])  # the second image has no mask
    wall, door = class_shares(labels, pixels)[1:]
    assert (wall["mean"], wall["maximum"], wall["images"]) == (0.25, 0.5, 1)
    assert (door["mean"], door["maximum"], door["images"], door["values"]) == (0.05, 0.1, 1, "2, 3")
    nothing = class_shares(labels, np.zeros((2, 3), np.int64))
    assert [record["mean"] for record in nothing] == [None] * 3
    assert class_table(nothing, 0)[-1] == f"| `{door['colour']}` | door | 2, 3 |  |  | 0 |"


def test_examples_show_the_colours_of_the_classes_and_their_names(root, tmp_path):
    described(root, tmp_path / "out")
    sheet = np.asarray(Image.open(tmp_path / "out/examples.png")).astype(int)
    for colour in LABELS.colours[1:]:
        assert (sheet[:100] == colour).all(axis=2).sum() > 100, "a swatch in the legend"
    blue = (sheet[100:, :, 2] - sheet[100:, :, 0] > 80).mean()
    assert blue > 0.1, "walls are laid over with blue"


def test_a_mask_of_one_value_is_constant_and_one_without_background_is_not(root, tmp_path):
    shape = np.asarray(Image.open(root / FIRST)).shape
    Image.fromarray(np.full(shape, 3, np.uint8)).save(root / FIRST)
    second = root / FIRST.replace("1.png", "2.png")
    indices = np.asarray(Image.open(second)).copy()
    indices[indices == 1] = 2
    Image.fromarray(indices).save(second)
    index, samples, card = described(root, tmp_path / "out")
    assert card["mask_constant"] == ["cmp_b0001"]
    assert "1 masks of one value: cmp_b0001" in (tmp_path / "out/card.md").read_text()
    with pytest.raises(StudyError, match=r"1 finding\n  mask_constant: cmp_b0001: the mask holds one value only"):
        check_images(samples, index, labels=LABELS)


def stray(path, value, share):
    indices = np.asarray(Image.open(path)).copy()
    indices.ravel()[: round(share * indices.size)] = value
    Image.fromarray(indices).save(path)


def test_a_value_that_is_no_class_stops_the_study_until_it_is_declared(root, tmp_path):
    stray(root / FIRST, 13, 0.25)
    index, samples, card = described(root, tmp_path / "out")
    problem = samples.set_index("sample").loc["cmp_b0001", "problem"]
    assert problem == f"unknown_label: {FIRST} holds 13 (25.00% of its pixels), which is no class"
    assert card["problems"] == {"cmp_b0001": problem}
    with pytest.raises(StudyError, match=r"1 finding\n  unknown_label: cmp_b0001: .* holds 13 \(25.00%"):
        check_images(samples, index, labels=LABELS)
    known = DeclaredException(kind="unknown_label", samples=["cmp_b0001"], reason="torn corner")
    assert check_images(samples, index, [known], labels=LABELS)["accepted"][0]["reason"] == "torn corner"


def test_the_store_takes_declared_strays_as_background_and_refuses_others(root, tmp_path):
    stray(root / FIRST, 13, 0.25)
    index = build_index("cmp", root)
    arguments = {"size": "native", "colour": "rgb", "reader": "cmp", "threads": 1}
    with pytest.raises(StudyError, match=r"no class: 13[\s\S]*background 1; facade 2; window 3"):
        build_store(index, root, tmp_path / "strict", labels=LABELS, **arguments)
    assert not (tmp_path / "strict").exists()
    build_store(index, root, tmp_path / "store", labels=labels_of("cmp", strays=True), **arguments)
    store = open_store(tmp_path / "store")
    assert store.meta["classes"] == list(LABELS.foreground)
    mask = store.masks[0][store.geometry_of(0).rectangle]
    assert not mask.ravel()[: round(0.25 * mask.size)].any() and mask.any()


def test_converted_masks_are_findings_not_crashes(root, tmp_path):
    with Image.open(root / FIRST) as stored:
        grey, colour = stored.convert("L"), stored.convert("RGB")
    grey.save(root / FIRST)
    colour.save(root / FIRST.replace("1.png", "2.png"))
    index, samples, _ = described(root, tmp_path / "out")
    with pytest.raises(StudyError) as caught:
        check_images(samples, index, labels=LABELS)
    text = str(caught.value)
    assert "unknown_label: cmp_b0001" in text and "(100.00% of its pixels)" in text
    assert "no_class_values: cmp_b0002: mask" in text and "a picture of mode RGB holds no class values" in text


def test_many_stray_values_are_cut_to_eight(tmp_path):
    Image.fromarray(np.arange(200, dtype=np.uint8).reshape(10, 20)).save(tmp_path / "m.png")
    Image.new("RGB", (20, 10)).save(tmp_path / "i.png")
    row = {"sample": "a", "image": "i.png", "mask": "m.png", "roi": "", "second_mask": "", "width": 20, "height": 10}
    found = decode(pd.DataFrame([row]), tmp_path, several({"a": 1, "b": 2}), 1)
    assert "holds 3, 4, 5, 6, 7, 8, 9, 10 and 189 more (98.50% of its pixels)" in found.samples["problem"][0]
    assert found.pixels.tolist() == [[198, 1, 1]]
