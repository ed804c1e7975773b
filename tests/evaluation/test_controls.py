import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.dummy import DummyClassifier

from segstudy.config.evaluation import CONTROLS as CONFIGURED
from segstudy.core.errors import StudyError
from segstudy.data.ground_truth import LabelledImages
from segstudy.data.images.label_map import binary, several
from segstudy.evaluation import aggregate
from segstudy.evaluation.aggregate import per_image
from segstudy.evaluation.controls import CONTROLS
from segstudy.evaluation.metrics import dice
from tests.helpers.measured import measure_controls

SIZE = (60, 80)
SUBSETS = ["train", "train", "val", "test"]


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def study(tmp_path):
    """Four images: a bright-green disc on a dark ground; red and blue hide it from grey; no roi."""
    random = np.random.default_rng(0)
    rows, y, x = [], *np.mgrid[: SIZE[0], : SIZE[1]]
    for number in range(len(SUBSETS)):
        mask = (y - 30) ** 2 + (x - 30 - 5 * number) ** 2 < 15**2
        image = np.empty((*SIZE, 3), np.uint8)
        image[..., 1] = np.where(mask, 150, 60) + random.integers(-20, 20, SIZE)
        image[..., 0] = image[..., 2] = np.where(mask, 20, 180) + random.integers(-20, 20, SIZE)
        save(tmp_path / f"images/{number}.png", image)
        save(tmp_path / f"masks/{number}.png", mask.astype(np.uint8) * 255)
        rows.append({"sample": str(number), "image": f"images/{number}.png", "mask": f"masks/{number}.png"})
    index = pd.DataFrame(rows).assign(roi="", second_mask="")
    split = pd.DataFrame({"sample": index["sample"], "subset": SUBSETS})
    return {"index": index, "split": split, "root": tmp_path, "labels": binary("disc"), "seed": 0}


def add_roi(study):
    """Give every image a roi that leaves out the right quarter."""
    roi = np.zeros(SIZE, np.uint8)
    roi[:, :60] = 255
    save(study["root"] / "roi.png", roi)
    study["index"]["roi"] = "roi.png"


def scores(study, *names, region="full", **more):
    counts = measure_controls(**study, names=list(names), **more)
    return per_image(counts[counts["region"] == region])


def test_controls_are_those_that_a_config_may_name():
    assert set(CONTROLS) == set(CONFIGURED)


def test_all_background_and_all_foreground(study):
    found = scores(study, "all_background", "all_foreground")
    assert found["control"].tolist() == ["all_background"] * 4 + ["all_foreground"] * 4
    assert found["subset"].tolist() == SUBSETS * 2
    background, foreground = found.iloc[:4], found.iloc[4:]
    share = [np.asarray(Image.open(study["root"] / m)).mean() / 255 for m in study["index"]["mask"]]
    assert background["accuracy"].tolist() == pytest.approx([1 - s for s in share])
    assert (background["dice"] == 0).all() and (background["specificity"] == 1).all()
    assert background["precision"].isna().all()
    assert foreground["iou"].tolist() == pytest.approx(share)
    assert (foreground["sensitivity"] == 1).all() and (foreground["specificity"] == 0).all()
    assert set(found["policy"]) == {"none"} and found["threshold"].isna().all()


def test_columns_are_those_of_counts_with_the_control_in_front(study):
    counts = measure_controls(**study, names=["all_background"])
    assert list(counts) == [
        "control",
        *["sample", "subset", "class", "region", "policy", "threshold", "tp", "fp", "fn", "tn"],
    ]
    assert set(counts["region"]) == {"full"}
    add_roi(study)
    counts = measure_controls(**study, names=["all_background"])
    assert set(counts["region"]) == {"full", "roi"}
    assert (counts[counts["region"] == "roi"][["tp", "fp", "fn", "tn"]].sum(axis=1) == 60 * 60).all()


def test_random_has_the_foreground_share_of_the_training_images_inside_the_roi(study):
    add_roi(study)
    found = scores(study, "random", region="roi")
    training = found[found["subset"] == "train"]
    prior = (training["tp"] + training["fn"]).sum() / (2 * 60 * 60)
    predicted = (found["tp"] + found["fp"]).sum() / (4 * 60 * 60)
    assert predicted == pytest.approx(prior, abs=4 * (prior / 14_400) ** 0.5)
    # Independent of the truth: hits are what chance gives.
    truth = (found["tp"] + found["fn"]).sum() / (4 * 60 * 60)
    assert found["tp"].sum() / (4 * 60 * 60) == pytest.approx(truth * prior, abs=0.02)


def test_random_scores_what_a_stratified_dummy_classifier_scores(study):
    found = scores(study, "random")
    masks = [np.asarray(Image.open(study["root"] / m)).ravel() > 0 for m in study["index"]["mask"]]
    training = np.concatenate(masks[:2])
    dummy = DummyClassifier(strategy="stratified", random_state=0).fit(np.zeros((training.size, 1)), training)
    for subset, mask in zip(SUBSETS[2:], masks[2:], strict=True):
        predicted = dummy.predict(np.zeros((mask.size, 1)))
        expected = dice(aggregate.confusion(predicted, mask))
        assert found.loc[found["subset"] == subset, "dice"].item() == pytest.approx(expected, abs=0.06)


def test_of_other_images_controls_learn_from_the_training_images_that_they_are_told(study):
    """There the object is dark: what these images would teach is the opposite."""
    others = LabelledImages(**{name: study[name] for name in ("index", "split", "root", "labels")})
    inverted = study["index"].assign(image=[f"inverted/{n}.png" for n in range(len(SUBSETS))])
    for name, other in zip(study["index"]["image"], inverted["image"], strict=True):
        save(study["root"] / other, 255 - np.asarray(Image.open(study["root"] / name)))
    external = study | {"index": inverted, "split": study["split"].assign(subset="test"), "labels": binary("vessel")}
    found = scores(external, "otsu", "random", "frangi", learn_from=others)
    assert set(found["subset"]) == {"test"} and set(found["class"]) == {"vessel"}
    of_otsu = found[found["control"] == "otsu"]
    assert (of_otsu["dice"] < 0.5).all() and (scores(study, "otsu")["dice"] == 1).all()
    assert set(found["control"]) == {"otsu", "random"}, "frangi is for vessels on both sides"
    at_home = measure_controls(**study, names=["random"])
    there = measure_controls(**external, names=["random"], learn_from=others)
    assert there["tp"].tolist() == at_home["tp"].tolist(), "the same masks, and the same share of the foreground"


def test_random_depends_on_seed_and_sample_alone(study):
    first = measure_controls(**study, names=["random"])
    pd.testing.assert_frame_equal(first, measure_controls(**study, names=["random"], threads=3))
    both = measure_controls(**study, names=["otsu", "random"])
    pd.testing.assert_frame_equal(first, both[both["control"] == "random"].reset_index(drop=True))
    assert not first.equals(measure_controls(**study | {"seed": 1}, names=["random"]))
    study["index"]["mask"] = "masks/0.png"  # images of one size and one truth still get draws of their own
    assert measure_controls(**study, names=["random"])["fp"].nunique() > 1


def test_otsu_finds_the_channel_and_side_that_training_images_show(study):
    found = scores(study, "otsu")
    assert (found["dice"] == 1).all()
    assert found["threshold"].between(79, 130).all()  # green is 40..79 on the ground, 130..169 on the disc


def test_otsu_takes_the_dark_side_where_the_object_is_dark(study):
    for name in study["index"]["image"]:
        save(study["root"] / name, 255 - np.asarray(Image.open(study["root"] / name)))
    assert (scores(study, "otsu")["dice"] == 1).all()


def test_otsu_is_learned_from_training_images_alone(study):
    """Test and validation images of the other polarity must not turn it round: they are then all wrong."""
    for name in study["index"]["image"][2:]:
        save(study["root"] / name, 255 - np.asarray(Image.open(study["root"] / name)))
    assert scores(study, "otsu")["dice"].tolist() == [1, 1, 0, 0]


def test_otsu_looks_only_inside_the_roi(study):
    before = scores(study, "otsu")
    for name, mask in zip(study["index"]["image"], study["index"]["mask"], strict=True):
        image = np.array(Image.open(study["root"] / name))
        image[:, 60:] = 255
        save(study["root"] / name, image)
        cut = np.array(Image.open(study["root"] / mask))
        cut[:, 60:] = 0
        save(study["root"] / mask, cut)
    assert (scores(study, "otsu")["dice"] < 1).all()
    add_roi(study)
    for region in ("full", "roi"):
        after = scores(study, "otsu", region=region)
        assert (after["dice"] == 1).all()
    assert after["threshold"].to_numpy() == pytest.approx(before["threshold"].to_numpy(), abs=10)


def test_otsu_of_a_constant_image_has_no_bright_object(study):
    save(study["root"] / "images/3.png", np.full((*SIZE, 3), 77, np.uint8))
    last = scores(study, "otsu").iloc[-1]
    assert (last["tp"], last["fp"], last["threshold"]) == (0, 0, 77.5)


def test_a_second_human_is_there_only_where_the_data_set_has_one(study):
    names = ["all_background", "second_human"]
    assert set(measure_controls(**study, names=names)["control"]) == {"all_background"}
    mask = np.asarray(Image.open(study["root"] / "masks/3.png")) > 0
    shifted = np.roll(mask, 3, axis=1)
    save(study["root"] / "second.png", shifted.astype(np.uint8))  # {0, 1}: read as what it is
    study["index"].loc[3, "second_mask"] = "second.png"
    counts = measure_controls(**study, names=names)
    (row,) = counts[counts["control"] == "second_human"].to_dict("records")
    assert (row["sample"], row["subset"]) == ("3", "test")
    assert (row["tp"], row["fp"]) == ((mask & shifted).sum(), (shifted & ~mask).sum())


@pytest.mark.parametrize("column", ["image", "second_mask"])
def test_a_file_of_another_size_is_an_error_that_names_it(study, column):
    save(study["root"] / "small.png", np.zeros((10, 20, 3), np.uint8))
    study["index"].loc[3, column] = "small.png"
    with pytest.raises(StudyError, match=r"small\.png is 20x10.*80x60"):
        measure_controls(**study, names=["otsu", "second_human"])


def test_an_unknown_control_is_an_error_that_lists_them(study):
    with pytest.raises(StudyError, match=r"(?s)'ostu'.*Did you mean 'otsu'.*all_background"):
        measure_controls(**study, names=["ostu"])


def test_without_training_images_nothing_is_learned(study):
    study["split"]["subset"] = "test"
    assert len(measure_controls(**study, names=["all_background"])) == 4
    with pytest.raises(StudyError, match="random, otsu learn from training images"):
        measure_controls(**study, names=["all_background", "random", "otsu"])


def test_training_images_without_foreground_cannot_choose_a_side(study):
    for number in range(2):
        save(study["root"] / f"masks/{number}.png", np.zeros(SIZE, np.uint8))
    with pytest.raises(StudyError, match="no training image has foreground"):
        measure_controls(**study, names=["otsu"])
    found = measure_controls(**study, names=["random"])
    assert (found["tp"] + found["fp"] == 0).all()


@pytest.fixture
def classes(study):
    """The same images, the discs now in three classes of which `rim` is the most frequent; the corner is background."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for number in range(len(SUBSETS)):
        away = np.hypot(y - 30, x - 30 - 5 * number)
        ids = np.select([away < 8, away < 15, (x > 70) & (y > 50)], [3, 2, 0], 1)
        save(study["root"] / f"masks/{number}.png", ids.astype(np.uint8))
    return study | {"labels": several({"rim": 1, "disc": 2, "core": 3})}


def test_several_classes_have_the_controls_that_fit_them(classes):
    counts = measure_controls(**classes, names=list(CONTROLS))
    assert list(counts["control"].unique()) == ["all_background", "majority", "random"]
    assert counts["class"].tolist() == ["background", "rim", "disc", "core"] * 4 * 3
    one = measure_controls(**classes | {"labels": binary("any")}, names=["majority", "all_background"])
    assert set(one["control"]) == {"all_background"}


def test_the_majority_is_that_of_the_training_images_inside_the_roi(classes):
    found = scores(classes, "majority").set_index(["class", "subset"])
    assert (found.loc["rim", "sensitivity"] == 1).all() and (found.loc["disc", "sensitivity"] == 0).all()
    roi = np.zeros(SIZE, np.uint8)
    roi[25:35, 28:40] = 255  # of the two training images, mostly core
    save(classes["root"] / "roi.png", roi)
    classes["index"]["roi"] = "roi.png"
    found = scores(classes, "majority", region="roi").set_index(["class", "subset"])
    assert (found.loc["core", "sensitivity"] == 1).all()


def test_random_classes_score_what_a_stratified_dummy_classifier_scores(classes):
    found = scores(classes, "random")
    masks = [np.asarray(Image.open(classes["root"] / m)).ravel() for m in classes["index"]["mask"]]
    training = np.concatenate(masks[:2])
    dummy = DummyClassifier(strategy="stratified", random_state=0).fit(np.zeros((training.size, 1)), training)
    predicted = dummy.predict(np.zeros((masks[3].size, 1)))
    own = found[found["subset"] == "test"].set_index("class")
    for number, name in enumerate(("background", "rim", "disc", "core")):
        expected = aggregate.confusion(predicted == number, masks[3] == number)
        row = own.loc[name]
        assert row["tp"] + row["fp"] == pytest.approx(expected.tp + expected.fp, abs=4 * masks[3].size ** 0.5)
        assert row["dice"] == pytest.approx(dice(expected), abs=0.06)


def test_void_has_no_say_in_what_a_control_learns_or_scores(study):
    """Whatever the images show where masks are void, and whatever class that were, all rows stay what they are."""
    root, changes = study["root"], np.zeros(SIZE, bool)
    changes[40:, 50:] = True
    study["index"]["second_mask"] = "second.png"
    study["labels"] = study["labels"]._replace(void=(128,))
    save(root / "second.png", np.where(changes, 128, 255).astype(np.uint8))
    for number in range(len(SUBSETS)):
        mask = np.asarray(Image.open(root / f"masks/{number}.png"))
        save(root / f"masks/{number}.png", np.where(changes, 128, mask).astype(np.uint8))
    names = ["random", "otsu", "second_human", "all_foreground"]
    found = measure_controls(**study, names=names)
    assert set(found[["tp", "fp", "fn", "tn"]].sum(axis=1)) == {(~changes).sum()}
    foreground = found[found["control"] == "all_foreground"].set_index("sample")
    assert foreground["tp"].equals(found[found["control"] == "second_human"].set_index("sample")["tp"])
    for number in range(len(SUBSETS)):
        image = np.array(Image.open(root / f"images/{number}.png"))
        image[changes] = 255 * (number % 2)
        save(root / f"images/{number}.png", image)
    pd.testing.assert_frame_equal(measure_controls(**study, names=names), found)


def test_an_image_of_void_alone_has_rows_without_a_score(study):
    study["labels"] = study["labels"]._replace(void=(128,))
    save(study["root"] / "masks/3.png", np.full(SIZE, 128, np.uint8))
    found = scores(study, "random", "otsu").set_index(["control", "sample"])
    assert found.loc[("otsu", "3"), ["tp", "fp", "fn", "tn"]].sum() == 0 and np.isnan(found.loc[("otsu", "3"), "dice"])
    assert found.loc[("otsu", "2"), "dice"] > 0.9
