"""The card of a data set: numbers against hand-made files, and broken files as rows."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from segstudy.config.datasets import DeclaredException, Phantom, Split
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv
from segstudy.data.card import describe
from segstudy.data.card_page import card_text
from segstudy.data.checks.image_checks import check_images
from segstudy.data.images.drawing import VOID
from segstudy.data.images.read import read_image
from segstudy.data.images.read_masks import read_mask
from segstudy.data.images.reading import AS_STORED, Reading
from segstudy.data.images.thumbnails import thumbnail
from segstudy.data.index import build_index
from segstudy.data.readers.registry import labels_of
from tests.helpers.phantoms import draw

COLUMNS = [
    *(
        "sample",
        "readable",
        "problem",
        "mask_mode",
        "mask_values",
        "foreground",
        "foreground_border",
        "foreground_roi",
        "roi_share",
    ),
    *("red", "green", "blue", "mask_counts", "classes"),
]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    root = tmp_path_factory.mktemp("originals")
    for reader in ("ph2", "drive"):
        draw(reader, root / reader, Phantom(images=6, height=64, width=96, seed=2))
    return root


@pytest.fixture
def copy(originals, tmp_path):
    return lambda reader: shutil.copytree(originals / reader, tmp_path / reader)


def card_of(reader, root, out, reading=AS_STORED, **options):
    index = build_index(reader, root, reading=reading)
    describe(index, root, reader, labels_of(reader), "mine", out, **options)
    text = (out / "card.md").read_text()
    return index, read_csv(out / "samples.csv"), json.loads((out / "card.json").read_text()), text


def test_samples_and_thumbnails_are_what_the_architecture_says(copy, tmp_path):
    root = copy("drive")
    index, samples, _, _ = card_of("drive", root, tmp_path / "out", threads=2)
    assert list(samples.columns) == COLUMNS
    assert list(samples["sample"]) == list(index["sample"])
    assert (samples["readable"] == 1).all() and (samples["problem"] == "").all()
    thumbnails = np.load(tmp_path / "out" / "thumbnails.npy")
    assert thumbnails.shape == (6, 64, 64) and thumbnails.dtype == np.float32
    for row, sample, small in zip(index.to_dict("records"), samples.to_dict("records"), thumbnails, strict=True):
        image = read_image(root / row["image"])
        mask, field = (read_mask(root / row[part]).array for part in ("mask", "roi"))
        assert sample["foreground"] == pytest.approx(mask.mean(), abs=1e-6)
        assert sample["roi_share"] == pytest.approx(field.mean(), abs=1e-6)
        assert sample["foreground_roi"] == pytest.approx(mask[field].mean(), abs=1e-6)
        np.testing.assert_allclose(
            [sample[c] for c in ("red", "green", "blue")], image.reshape(-1, 3).mean(axis=0), atol=1e-3
        )
        np.testing.assert_array_equal(small, thumbnail(image))


def test_card_tells_sizes_splits_strata_and_encodings(copy, tmp_path):
    _, samples, card, text = card_of("ph2", copy("ph2"), tmp_path / "out")
    assert (card["images"], card["labelled"], card["classes"]) == (6, 6, ["lesion"])
    assert card["sizes"] == {"96x64": 6}
    assert {name: part["images"] for name, part in card["strata"].items()} == {
        "common_nevus": 3,
        "atypical_nevus": 2,
        "melanoma": 1,
    }
    assert card["official_subsets"] == {} and card["groups"] == 0
    assert card["foreground"]["mean"] == pytest.approx(samples["foreground"].mean(), abs=1e-6)
    assert card["foreground_roi"] is None and card["roi_share"] is None
    assert card["encodings"]["mask"] == {"BMP 1: 1 is foreground": 5, "BMP RGB: above 127 is foreground": 1}
    for words in ("96x64", "| melanoma | 1 | 16.7% | 1 |", "BMP RGB: above 127 is foreground", "Nothing was missing"):
        assert words in text

    _, samples, card, text = card_of("drive", copy("drive"), tmp_path / "out2")
    assert {name: part["images"] for name, part in card["official_subsets"].items()} == {"train": 3, "test": 3}
    assert card["groups"] == 6 and card["second_masks"] == 3
    assert 0.5 < card["second_human_dice"]["mean"] < 0.95
    assert list(card["encodings"]["second_mask"]) == ["GIF P: greys of the palette: above 127 is foreground"]
    assert "| test | 3 | 50.0% | 3 |" in text and "field of view, share of the image" in text


def test_a_card_of_older_results_is_still_shown(copy, tmp_path):
    _, _, card, text = card_of("ph2", copy("ph2"), tmp_path / "out")
    older = {key: value for key, value in card.items() if key not in ("range", "value_maps", "orientation", "titles")}
    assert card_text(older) == text


def test_phantoms_say_so_and_real_data_does_not(copy, tmp_path):
    root = copy("ph2")
    *_, card, text = card_of("ph2", root, tmp_path / "a", phantom=True)
    assert card["phantom"] is True and text.count("PHANTOM") >= 2
    *_, card, text = card_of("ph2", root, tmp_path / "b")
    assert card["phantom"] is False and "PHANTOM" not in text
    first, second = (np.asarray(Image.open(tmp_path / name / "examples.png")) for name in "ab")
    assert first.shape == second.shape and (first != second).any(), "the sheet's title tells them apart"


def test_examples_outline_the_mask(copy, tmp_path):
    card_of("ph2", copy("ph2"), tmp_path / "out")
    sheet = np.asarray(Image.open(tmp_path / "out" / "examples.png"))
    cyan = (sheet == (0, 230, 255)).all(axis=2).sum()
    assert 6 * 100 < cyan < 6 * 2500, "six outlines, not six filled masks"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
def test_broken_files_are_rows_not_crashes(copy, tmp_path):
    root = copy("drive")
    index = build_index("drive", root).set_index("sample")

    def cut(sample, part):
        path = root / index.loc[sample, part]
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    cut("01", "image")
    cut("02", "mask")
    cut("03", "second_mask")
    Image.fromarray(np.zeros((60, 50), np.uint8)).save(root / index.loc["21", "mask"])
    (root / index.loc["22", "roi"]).write_text("no picture")
    describe(index.reset_index(), root, "drive", labels_of("drive"), "drive", tmp_path / "out", threads=2)
    samples = read_csv(tmp_path / "out" / "samples.csv").set_index("sample")
    assert samples["readable"].to_dict() == {"01": 0, "02": 0, "03": 0, "21": 1, "22": 0, "23": 1}
    for sample, start in (("01", "unreadable: image"), ("02", "unreadable: mask"), ("03", "unreadable: second_mask")):
        assert samples.loc[sample, "problem"].startswith(start)
    assert samples.loc["21", "problem"] == "size_mismatch: mask is 50x60, image 96x64"
    assert samples.loc["22", "problem"].startswith("unreadable: roi")
    assert samples.loc[["02", "21"], "foreground"].isna().all() and samples.loc["22", "foreground"] > 0
    assert samples["red"].isna().to_dict() == {"01": True} | dict.fromkeys(["02", "03", "21", "22", "23"], False)
    assert not np.load(tmp_path / "out" / "thumbnails.npy")[0].any()
    text = (tmp_path / "out" / "card.md").read_text()
    assert "21: size_mismatch: mask is 50x60, image 96x64" in text and "01: unreadable" in text


def test_card_names_missing_constant_and_doubled(copy, tmp_path):
    root = copy("ph2")
    index = build_index("ph2", root)
    a, b, c, d = index["sample"][:4]
    rows = index.set_index("sample")
    (root / rows.loc[a, "mask"]).unlink()
    Image.new("1", (96, 64), 1).save(root / rows.loc[b, "mask"])
    shutil.copy(root / rows.loc[c, "image"], root / rows.loc[d, "image"])
    _, samples, card, text = card_of("ph2", root, tmp_path / "out")
    assert card["labelled"] == 5 and card["mask_missing"] == [a]
    assert card["mask_constant"] == [b] and samples.set_index("sample").loc[b, "foreground"] == 1
    assert card["duplicates"] == [[c, d]]
    assert f"1 images without a mask: {a}" in text and f"{c}, {d}" in text
    assert pd.isna(samples.set_index("sample").loc[a, "mask_values"])


def test_a_picture_in_place_of_a_mask_is_a_problem_and_soft_edges_are_not(copy, tmp_path):
    root = copy("ph2")
    rows = build_index("ph2", root).set_index("sample")
    a, b = rows.index[:2]
    shutil.copy(root / rows.loc[a, "image"], root / rows.loc[a, "mask"])
    hard = Image.open(root / rows.loc[b, "mask"]).convert("L")
    hard.filter(ImageFilter.GaussianBlur(1)).save(root / rows.loc[b, "mask"])
    _, samples, _, _ = card_of("ph2", root, tmp_path / "out")
    problems = samples.set_index("sample")["problem"]
    assert re.match(r"mask_not_binary: \d+% of the pixels of the mask are half-tones", problems[a])
    assert (problems.drop(a) == "").all()
    assert samples.set_index("sample").loc[b, "mask_values"] > 10


def test_a_data_set_without_any_readable_mask_still_gets_a_card(copy, tmp_path):
    root = copy("ph2")
    for path in build_index("ph2", root)["mask"]:
        (root / path).unlink()
    _, samples, card, text = card_of("ph2", root, tmp_path / "out")
    assert card["labelled"] == 0 and card["foreground"] is None
    assert samples["foreground"].isna().all() and "unknown, no readable mask" in text


def test_same_inputs_same_bytes(copy, tmp_path):
    root = copy("drive")
    for name, threads in (("a", 1), ("b", 3)):
        card_of("drive", root, tmp_path / name, threads=threads)
    for file in ("samples.csv", "thumbnails.npy", "card.json", "card.md", "examples.png"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


@pytest.mark.parametrize("shallow", [False, True])
def test_deep_images_have_one_range_and_those_of_8_bits_beside_them_are_a_remark(tmp_path, shallow):
    root = tmp_path / "mine"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    ramp = np.linspace(0, 6000, 24 * 32).reshape(24, 32)
    for name, divisor in (("a", 1), ("b", 2), *([("c", 24)] if shallow else [])):
        dtype = np.uint16 if divisor < 24 else np.uint8
        Image.fromarray((ramp / divisor).astype(dtype)).save(root / "images" / f"{name}.png")
        Image.fromarray((ramp > 4000).astype(np.uint8) * 255).save(root / "masks" / f"{name}.png")
    index, samples, card, text = card_of("folder", root, tmp_path / "out")
    assert set(index["reading"]) == {"range 0 8191"}
    assert card["encodings"]["image"]["PNG I;16: 0..8191 becomes 0..255"] == 2
    assert "| values of images | 0 to 8191 become 0 to 255, in all images alike |" in text
    np.testing.assert_allclose(samples["red"][:2], [3000 * 255 / 8191, 1500 * 255 / 8191], atol=0.5)
    assert ("1 images of 8 bits beside deeper ones: 255 is white in those, 8191 in these" in text) == shallow


def test_a_range_for_images_of_8_bits_alone_changes_nothing_and_the_card_says_so(tmp_path):
    root = tmp_path / "mine"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
        Image.fromarray(np.eye(24, 32, dtype=np.uint8) * 255).save(root / part / "a.png")
    _, _, _, text = card_of("folder", root, tmp_path / "out", Reading(50, 100))
    assert "'range: \\[50, 100\\]' changes nothing: all images have 8 bits" in text
    assert "deeper" not in text and "become 0 to 255" not in text


def test_void_is_on_the_card_and_in_no_share(tmp_path):
    """Three masks of 0, 1 and a void border of 255: one without border, one of border alone."""
    root, mask = tmp_path / "raw", np.zeros((20, 30), np.uint8)
    mask[5:15, 5:15], mask[4, 4:16], mask[:, 0] = 1, 255, 255  # 100 pixels of object, 12 + 20 of void
    for name, values in (("a", mask), ("b", np.where(mask == 255, 0, mask)), ("c", np.full_like(mask, 255))):
        for folder, array in (("images", np.full((20, 30, 3), ord(name), np.uint8)), ("masks", values)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / folder / f"{name}.png")
    index, labels = build_index("folder", root), labels_of("folder", ignore=255)
    describe(index, root, "folder", labels, "mine", tmp_path / "out")
    samples = read_csv(tmp_path / "out/samples.csv").set_index("sample")
    assert samples["void"].to_list() == pytest.approx([32 / 600, 0, 1], abs=1e-6)
    assert samples["foreground"].to_list()[:2] == pytest.approx([100 / 568, 100 / 600], abs=1e-6)
    assert np.isnan(samples.loc["c", "foreground"]) and samples.loc["a", "foreground_border"] == 0
    text = (tmp_path / "out/card.md").read_text()
    assert "void (255 in the masks), share of the image | mean 0.351, from 0.000 to 1.000, in 2 images" in text
    with pytest.raises(StudyError, match="mask_constant: c: no pixel of the mask counts: all are void"):
        check_images(samples.reset_index(), index, labels=labels)
    known = DeclaredException(kind="mask_constant", samples=["c"], reason="nobody looked at it")
    record = check_images(samples.reset_index(), index, [known], labels=labels)
    assert record["void"] == {"values": "255", "images": 2}
    picture = np.asarray(Image.open(tmp_path / "out/examples.png").convert("RGB"))
    assert (picture == VOID).all(axis=2).sum() > 20
    describe(index, root, "folder", labels_of("folder", ignore=77), "mine", tmp_path / "none")
    assert "no pixel of any mask: 77 is ignored for nothing" in (tmp_path / "none/card.md").read_text()


def test_an_index_that_was_cut_between_rows_is_not_described(copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root, out = copy("drive"), Path("results/tiny/data/drive")
    index = build_index("drive", root)
    for wrong, words in (
        (index[:4], "lists 4 images, the folder of the data set has 6; missing: 22, 23"),
        (index.replace({"sample": {"03": "04"}}), "lists 6 images, .* missing: 03; without a file: 04"),
        (
            pd.concat([index, index[:1]]),
            "lists 7 images, the folder of the data set has 6; an image stands in it twice",
        ),
    ):
        with pytest.raises(StudyError, match=words) as refused:
            describe(wrong, root, "drive", labels_of("drive"), "drive", out)
        assert "--force -- results/tiny/data/drive/index.csv" in str(refused.value)
        assert not (out / "samples.csv").exists()


def test_strata_before_and_after_balancing_are_on_the_card(tmp_path):
    for number in range(6):
        for kind, value in (("images", 50 + number), ("masks", 0)):
            (tmp_path / "raw" / kind).mkdir(parents=True, exist_ok=True)
            pixels = np.full((8, 8), value, np.uint8)
            pixels[:4] += 200 if kind == "masks" else 0
            Image.fromarray(pixels).save(tmp_path / "raw" / kind / f"{number}.png")
    strata = ["rare", *["polyp_b"] * 5]
    subsets = ["train", "test", "val", "train", "train", "train"]
    rows = [f"{n},{strata[n]},{subsets[n]}" for n in range(6)]
    (tmp_path / "raw/samples.csv").write_text("\n".join(["sample,stratum,subset", *rows]))
    index = build_index("folder", tmp_path / "raw")
    split = Split(official=True).model_dump(mode="json")
    balances = [{"recipes": ["added", "twice"], "adds_copies": True, "seed": 0, "split": split}]
    for out, more in (("with", balances), ("without", [])):
        labels = labels_of("folder")
        describe(index, tmp_path / "raw", "folder", labels, "mine", tmp_path / out, balances=more)
    card = json.loads((tmp_path / "with/card.json").read_text())
    assert card["balance"][0]["strata"] == {"polyp_b": [3, 3], "rare": [1, 3]}
    text = (tmp_path / "with/card.md").read_text()
    assert "seed 0; recipes that balance them: added, twice." in text and "| rare | 1 | 3 |" in text
    assert "after augmented copies were added" in (tmp_path / "with/card.html").read_text()
    assert "balance" not in json.loads((tmp_path / "without/card.json").read_text())
    assert "Balanced" not in (tmp_path / "without/card.md").read_text()


def test_pages_that_are_not_read_are_a_remark(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / "mine" / part).mkdir(parents=True)
        pages = [Image.fromarray(np.tile(np.arange(32, dtype=np.uint8) * n, (24, 1))) for n in (3, 4, 5)]
        first = pages[0] if part == "images" else pages[0].point(lambda value: 255 * (value > 50))
        first.save(tmp_path / "mine" / part / "a.tif", save_all=part == "images", append_images=pages[1:])
    text = card_of("folder", tmp_path / "mine", tmp_path / "out")[3]
    assert "- 1 image files have several pages, up to 3, and the first alone is read" in text
    assert "mask files have several pages" not in text
