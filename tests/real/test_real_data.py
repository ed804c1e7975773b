"""Facts of the real data sets that the readers must reproduce."""

import json
from functools import cache

import numpy as np
import pytest
from PIL import Image

from segstudy.config.datasets import Split
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv
from segstudy.data.card import describe
from segstudy.data.images.field_of_view import field_of_view
from segstudy.data.images.read import image_size, read_image
from segstudy.data.images.read_masks import read_labels, read_mask
from segstudy.data.index import build_index
from segstudy.data.inspect_files import HALFTONES
from segstudy.data.readers.registry import labels_of
from segstudy.data.split import describe_split, make_split


@pytest.fixture(scope="session")
def described(real_data, tmp_path_factory):
    @cache
    def card(reader, folder):
        root, out = real_data(folder), tmp_path_factory.mktemp(reader)
        index = build_index(reader, root)
        describe(index, root, reader, labels_of(reader), reader, out, threads=2)
        return root, index, read_csv(out / "samples.csv"), json.loads((out / "card.json").read_text())

    return card


@pytest.fixture(scope="session")
def drive(described):
    return described("drive", "DRIVE")


@pytest.fixture(scope="session")
def ph2(described):
    return described("ph2", "PH2")


# One line a data set: reader, folder of the real copy, number of images in it.
COUNTS = [
    ("ph2", "PH2", 41),
    ("drive", "DRIVE", 40),
    ("cmp", "CMP_facade_DB_base", 60),
    ("ebhi", "EBHI-SEG", 278),
    ("hrf", "HRF", 9),
    ("folder", "EBHI-SEG/Normal", 46),
]


@pytest.mark.parametrize(("reader", "folder", "images"), COUNTS)
def test_every_reader_reads_its_real_data_without_a_problem(described, reader, folder, images):
    _, index, samples, card = described(reader, folder)
    assert len(index) == card["images"] == images and card["labelled"] > 0
    assert (samples["readable"] == 1).all() and (samples["problem"] == "").all()
    assert (samples.loc[index["mask"] != "", "foreground"] > 0).all()


def test_drive_index(drive):
    _, index, _, _ = drive
    assert len(index) == 40
    assert set(index["width"]) == {565} and set(index["height"]) == {584}
    assert list(index["sample"]) == [f"{i:02d}" for i in range(1, 41)]
    assert list(index["official_subset"]) == ["test"] * 20 + ["train"] * 20
    assert (index["mask"] != "").all() and (index["roi"] != "").all()
    assert list(index["second_mask"] != "") == [True] * 20 + [False] * 20
    assert index.attrs["repairs"] == []


def test_the_computed_field_of_view_is_that_of_the_release(real_data):
    for name in (
        "test/images/01_test",
        "test/images/08_test",
        "training/images/23_training",
        "training/images/40_training",
    ):
        image, mask = (
            real_data("DRIVE") / part for part in (f"{name}.tif", f"{name.replace('images', 'mask')}_mask.gif")
        )
        computed, true = field_of_view(read_image(image)), read_mask(mask).array > 0
        both = np.count_nonzero(computed & true)
        assert 2 * both / (np.count_nonzero(computed) + np.count_nonzero(true)) > 0.995


def test_drive_shares(drive):
    _, _, samples, card = drive
    training = samples["foreground"][20:]
    assert training.min() == pytest.approx(0.060, abs=0.0006)
    assert training.max() == pytest.approx(0.116, abs=0.0006)
    assert samples["roi_share"][0] == pytest.approx(0.68, abs=0.005)
    assert card["problems"] == {} and card["duplicates"] == [] and card["mask_constant"] == []


def test_drive_second_human_is_decoded(drive):
    root, index, _, card = drive
    assert card["second_human_dice"]["mean"] == pytest.approx(0.7879, abs=5e-5)
    for row in index[index["second_mask"] != ""].to_dict("records"):
        with Image.open(root / row["second_mask"]) as stored:
            assert stored.mode == "P" and np.asarray(stored).max() == 1
        first, second = (read_mask(root / row[part]).array.mean() for part in ("mask", "second_mask"))
        assert 0.6 < second / first < 1.5


def test_ph2_index(ph2):
    _, index, _, card = ph2
    assert len(index) == 41 and (index["mask"] != "").all()
    assert index["stratum"].value_counts().to_dict() == {"atypical_nevus": 17, "common_nevus": 16, "melanoma": 8}
    assert max(card["sizes"], key=card["sizes"].get) == "767x576"
    assert index["mask"].str.endswith(".bmp").all()
    assert any("more than one lesion mask" in repair for repair in card["repairs"])


def test_ph2_spreadsheet_says_the_same_as_the_text(real_data):
    from segstudy.data.readers.ph2_table import diagnoses

    folder = real_data("PH2") / "PH2Dataset"
    text, sheet = (diagnoses(folder / f"PH2_dataset.{suffix}") for suffix in ("txt", "xlsx"))
    assert text == sheet and len(text) == 200
    assert [list(text.values()).count(s) for s in ("common_nevus", "atypical_nevus", "melanoma")] == [80, 80, 40]


@pytest.mark.parametrize("level", ["PH2Dataset", "PH2Dataset/PH2 Dataset images"])
def test_ph2_root_at_any_level(ph2, real_data, level):
    index = build_index("ph2", real_data("PH2") / level)
    for column in ("sample", "stratum", "image_sha256", "mask_sha256"):
        assert list(index[column]) == list(ph2[1][column])


def test_ph2_masks(ph2):
    root, index, samples, card = ph2
    assert card["encodings"]["mask"] == {"BMP 1: 1 is foreground": 40, "BMP RGB: above 127 is foreground": 1}
    assert samples.set_index("sample").loc["IMD002", "mask_mode"].startswith("BMP RGB")
    assert samples["foreground"].min() >= 0.031 and samples["foreground"].max() <= 0.983
    assert samples["foreground"].std() > 0.1
    assert (samples["mask_values"] == 2).all() and card["problems"] == {}
    for row in index.to_dict("records"):
        grey, mask = read_image(root / row["image"]).mean(axis=2), read_mask(root / row["mask"]).array
        assert grey[mask].mean() < grey[~mask].mean(), "a lesion is darker than its skin, so polarity is right"


def test_drive_is_not_ph2(real_data):
    with pytest.raises(StudyError, match="this looks like DRIVE"):
        build_index("ph2", real_data("DRIVE"))


def test_grey_masks_of_ebhi(real_data):
    paths = sorted(real_data("EBHI-SEG").glob("*/label/*.png"))
    masks = [read_mask(path) for path in paths]
    assert len(masks) > 200
    assert all(mask.array.any() for mask in masks)
    assert sum(mask.values > 2 for mask in masks) > 200, "grey edges, not two values"
    assert max(mask.between for mask in masks) < HALFTONES / 2
    constant = [mask for mask in masks if mask.values == 1]
    assert constant and all(mask.array.all() and mask.note.startswith("constant 25") for mask in constant)
    for path, mask in zip(paths[::40], masks[::40], strict=True):
        with Image.open(path) as stored:
            np.testing.assert_array_equal(mask.array, np.asarray(stored) > 127)


def test_field_of_view_and_vessels_of_hrf(real_data):
    root = real_data("HRF")
    for path in sorted((root / "manual1").iterdir())[:2]:
        assert image_size(path) == (3504, 2336)
        assert 0.05 < read_mask(path).array.mean() < 0.11
        field = root / "mask" / f"{path.stem}_mask.tif"
        if field.exists():
            found = read_mask(field)
            assert found.mode == "TIFF RGB" and 0.6 < found.array.mean() < 0.95


def test_palette_labels_of_facades(real_data):
    counts = np.zeros(13)
    for path in sorted((real_data("CMP_facade_DB_base") / "base").glob("*.png")):
        labels = read_labels(path).array
        assert labels.shape == image_size(path)[::-1] and labels.min() >= 1
        counts += np.bincount(labels.ravel(), minlength=13) / labels.size
    shares = counts[1:] / counts.sum()
    official = np.array([15.4, 38.5, 13.4, 1.3, 4.0, 2.8, 4.0, 1.5, 2.1, 11.5, 2.4, 3.3]) / 100
    assert np.abs(shares - official).max() < 0.05, "60 of 378 facades show about the shares of all"


def test_ebhi_index(described):
    _, index, samples, card = described("ebhi", "EBHI-SEG")
    assert index["stratum"].value_counts().to_dict() == {
        **{"Adenocarcinoma": 49, "Polyp": 48, "Low-grade IN": 47},
        **{"Normal": 46, "High-grade IN": 44, "Serrated adenoma": 44},
    }
    assert index["sample"].is_unique and index["group"].nunique() == 62
    assert (index.groupby("group")["stratum"].nunique() > 1).sum() == 7
    names = index["image"].str.rsplit("/", n=1).str[-1]
    assert names.duplicated().sum() == 15
    twins = index[names.duplicated(keep=False)].groupby(names)["image_sha256"].nunique()
    assert (twins > 1).all(), "one name, different pixels"
    bare = index.loc[index["mask"] == "", "sample"]
    assert list(bare) == [f"Low-grade_IN_{name}-2-400-001" for name in ("GT2012149", "GTGT2012149")]
    assert set(index["width"]) == set(index["height"]) == {224}
    constant = samples["foreground"] == 1
    assert 0 < constant.sum() < 15 and card["labelled"] == 276


def test_ebhi_cases_leak_in_a_random_split(described):
    _, index, _, _ = described("ebhi", "EBHI-SEG")
    shares = {}
    for grouped in (True, False):
        found = describe_split(make_split(index, Split(grouped=grouped), 0), index)
        shares[grouped] = found["test_in_training"] / found["subsets"]["test"]
    assert shares[True] == 0 and shares[False] > 0.8


def test_hrf_index(described):
    _, index, samples, card = described("hrf", "HRF")
    assert list(index["sample"]) == [f"0{n}_{kind}" for n in (1, 2, 3) for kind in ("dr", "g", "h")]
    assert set(index["width"]) == {3504} and set(index["height"]) == {2336}
    assert list(index.loc[index["roi"] == "", "sample"]) == ["01_g", "02_g", "03_g"]
    assert samples["foreground"].between(0.05, 0.11).all() and index["group"].is_unique
    assert set(card["encodings"]["mask"]) == {"TIFF L: above 127 is foreground"}


def test_sets_of_fundi_and_tiles_are_told_apart(real_data):
    for reader, folder, other in (("hrf", "DRIVE", "DRIVE"), ("drive", "HRF", "HRF"), ("ph2", "EBHI-SEG", "EBHI-SEG")):
        with pytest.raises(StudyError, match=f"this looks like {other}"):
            build_index(reader, real_data(folder))


def test_facades_have_about_the_shares_that_are_known(described):
    _, index, samples, card = described("cmp", "CMP_facade_DB_base")
    assert set(index["stratum"]) == {""} and card["encodings"]["mask"] == {"PNG P: values are classes": 60}
    shares = np.array([record["mean"] for record in card["class_shares"]])
    official = np.array([15.4, 38.5, 13.4, 1.3, 4.0, 2.8, 4.0, 1.5, 2.1, 11.5, 2.4, 3.3]) / 100
    assert np.abs(shares - official).max() < 0.03 and shares.sum() == pytest.approx(1, abs=1e-5)
    assert samples["mask_values"].between(2, 12).all() and card["mask_constant"] == []


@pytest.mark.parametrize(("reader", "folder"), [("ph2", "PH2"), ("ebhi", "EBHI-SEG")])
def test_real_masks_do_not_look_inverted(described, reader, folder):
    assert described(reader, folder)[3]["looks_inverted"] == ""
