import numpy as np
import pandas as pd
import pytest
import torch
from monai.metrics import MeanIoU
from PIL import Image
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score

from segstudy.core.errors import StudyError
from segstudy.data.ground_truth import truth_of
from segstudy.data.images.label_map import binary, several
from segstudy.data.images.prediction_files import write_classes
from segstudy.evaluation.aggregate import per_image, summarise, with_means
from segstudy.evaluation.metrics import COLUMNS, COUNTS, measured
from segstudy.evaluation.shape_metrics import Measures
from tests.helpers.measured import measure

TRUTH = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)
ROI = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0]], dtype=bool)
PROBABILITY = np.array([[0.9, 0.4, 0.2, 0.9], [0.6, 0.6, 0.2, 0.1], [0.0, 0.5, 1.0, 0.3]])


def write_mask(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def write_probability(path, probability):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(probability * 65535).astype(np.uint16)).save(path)


@pytest.fixture
def study(tmp_path):
    """Three labelled samples (train, val, test) and one without a mask; the test image has a roi."""
    subsets = {"b": "train", "a": "val", "10": "test", "9": "test"}
    rows = []
    for sample in subsets:
        write_mask(tmp_path / f"raw/masks/{sample}.png", TRUTH)
        write_probability(tmp_path / f"probabilities/{sample}.png", PROBABILITY)
        rows.append({"sample": sample, "image": "", "mask": f"masks/{sample}.png", "roi": "", "second_mask": ""})
    write_mask(tmp_path / "raw/rois/10.png", ROI)
    rows[2]["roi"], rows[3]["mask"] = "rois/10.png", ""
    index = pd.DataFrame(rows)
    split = pd.DataFrame({"sample": list(subsets), "subset": list(subsets.values())})
    return {
        "probabilities": tmp_path / "probabilities",
        "masks": tmp_path / "masks",
        "thresholds": {"fixed": 0.5, "validation": 0.25},
        "index": index,
        "split": split,
        "root": tmp_path / "raw",
        "labels": binary("cell"),
    }


def test_counts_of_every_labelled_image_in_every_region_at_every_threshold(study):
    counts = measure(**study).counts
    assert list(counts) == COLUMNS
    assert counts["sample"].tolist() == ["b"] * 2 + ["a"] * 2 + ["10"] * 4
    assert counts["subset"].tolist() == ["train"] * 2 + ["val"] * 2 + ["test"] * 4
    assert set(counts["class"]) == {"cell"}
    last = counts[counts["sample"] == "10"]
    found = last[["region", "policy", "threshold", "tp", "fp", "fn", "tn"]].to_numpy().tolist()
    # 0.5: foreground at (0,0) (0,3) (1,0) (1,1) (2,2), and at (2,1), which is stored as 32768/65535 > 0.5
    assert found == [
        ["full", "fixed", 0.5, 2, 4, 1, 5],
        ["roi", "fixed", 0.5, 2, 3, 1, 3],
        ["full", "validation", 0.25, 3, 5, 0, 4],
        ["roi", "validation", 0.25, 3, 3, 0, 3],
    ]
    assert (counts[["tp", "fp", "fn", "tn"]].dtypes == np.int64).all()


def test_threads_do_not_change_the_table(study):
    pd.testing.assert_frame_equal(measure(**study).counts, measure(**study, threads=4).counts)


def test_unlabelled_images_are_not_measured(study):
    study["split"].loc[1, "subset"] = "unlabelled"
    assert set(measure(**study).counts["sample"]) == {"b", "10"}


def test_a_prediction_of_another_size_is_an_error_that_names_both_files(study):
    write_probability(study["probabilities"] / "a.png", PROBABILITY[:, :3])
    with pytest.raises(StudyError) as error:
        measure(**study)
    message = str(error.value)
    assert "3x3" in message and "4x3" in message
    assert str(study["probabilities"] / "a.png") in message and str(study["root"] / "masks/a.png") in message


def test_a_missing_prediction_is_an_error_that_names_the_file(study):
    (study["probabilities"] / "a.png").unlink()
    with pytest.raises(StudyError, match=r"sample a\n.*a\.png"):
        measure(**study, threads=3)


def test_a_roi_that_does_not_fit_or_is_empty_is_an_error(study):
    row = study["index"].loc[2]
    write_mask(study["root"] / "rois/10.png", ROI.T)
    with pytest.raises(StudyError, match=r"3x4.*4x3"):
        truth_of(row, study["root"], study["labels"])
    write_mask(study["root"] / "rois/10.png", ROI & False)
    with pytest.raises(StudyError, match="field of view is empty"):
        truth_of(row, study["root"], study["labels"])


def test_truth_counts_everywhere_where_there_is_no_roi(study):
    first, third = (truth_of(study["index"].loc[n], study["root"], study["labels"]) for n in (0, 2))
    assert first.roi is None and first.inside.all() and first.inside.shape == TRUTH.shape
    assert (third.mask == TRUTH).all() and (third.inside == ROI).all()


def test_a_split_of_other_samples_is_refused(study):
    study["split"].loc[0, "sample"] = "zebra"
    with pytest.raises(StudyError, match="samples b, zebra"):
        measure(**study)
    study["split"] = study["split"].iloc[::-1].assign(sample=study["index"]["sample"].to_numpy()[::-1])
    with pytest.raises(StudyError, match="order of the samples"):
        measure(**study)


# --- several classes -------------------------------------------------------------------------------------------------

FACADE = several({"wall": 10, "window": [20, 25], "door": 30}, background=5)
STORED = np.array([5, 10, 20, 30], np.uint8)


@pytest.fixture
def facade(tmp_path):
    """Label files of four classes and predictions that get most of them right; a class is absent from some images."""
    random = np.random.default_rng(3)
    (tmp_path / "raw").mkdir()
    (tmp_path / "masks").mkdir()
    rows, truths, predictions = [], [], []
    for number in range(5):
        truth = random.choice(4 if number else 3, (9 + number, 14), p=None)
        prediction = np.where(random.random(truth.shape) < 0.6, truth, random.integers(0, 3, truth.shape))
        Image.fromarray(STORED[truth]).save(tmp_path / f"raw/{number}.png")
        write_classes(tmp_path / f"masks/{number}.png", prediction.astype(np.uint8), FACADE.colours)
        rows.append({"sample": str(number), "image": "", "mask": f"{number}.png", "roi": "", "second_mask": ""})
        truths.append(truth)
        predictions.append(prediction)
    index = pd.DataFrame(rows)
    study = {
        "probabilities": tmp_path / "probabilities",
        "masks": tmp_path / "masks",
        "thresholds": {"argmax": None},
        "index": index,
        "split": pd.DataFrame({"sample": index["sample"], "subset": "test"}),
        "root": tmp_path / "raw",
        "labels": FACADE,
    }
    return study, truths, predictions


def test_counts_of_several_classes_are_those_of_scikit_learn(facade):
    study, truths, predictions = facade
    counts = measure(**study).counts
    assert list(counts) == COLUMNS
    assert counts["class"].tolist() == ["background", "wall", "window", "door"] * 5
    assert set(counts["policy"]) == {"argmax"} and counts["threshold"].isna().all()
    for number, (truth, prediction) in enumerate(zip(truths, predictions, strict=True)):
        matrix = confusion_matrix(truth.ravel(), prediction.ravel(), labels=range(4))
        own = counts[counts["sample"] == str(number)]
        assert own["tp"].tolist() == matrix.diagonal().tolist()
        assert (own["tp"] + own["fp"]).tolist() == matrix.sum(axis=0).tolist()
        assert (own["tp"] + own["fn"]).tolist() == matrix.sum(axis=1).tolist()
        assert (own[["tp", "fp", "fn", "tn"]].sum(axis=1) == truth.size).all()


def test_means_over_classes_of_an_image_are_those_of_scikit_learn_and_monai(facade):
    study, truths, predictions = facade
    table = with_means(per_image(measure(**study).counts), ["sample", "subset", "region", "policy"])
    assert table["class"].tolist() == ["mean", "background", "wall", "window", "door"] * 5
    means = table[table["class"] == "mean"].set_index("sample")
    for number, (truth, prediction) in enumerate(zip(truths, predictions, strict=True)):
        flat, found = truth.ravel(), means.loc[str(number)]
        shown = np.union1d(truth, prediction)  # a class that neither shows is not averaged
        one_hot = (torch.from_numpy(np.eye(4)[array]).permute(2, 0, 1)[None] for array in (prediction, truth))
        # MONAI leaves out what the truth lacks; there, what is predicted all the same counts as 0 with us.
        monai = MeanIoU(include_background=True)(*one_hot).nanmean() * len(np.unique(truth)) / len(shown)
        assert found["iou"] == pytest.approx(float(monai))
        assert found["iou"] == pytest.approx(jaccard_score(flat, prediction.ravel(), average="macro", labels=shown))
        assert found["dice"] == pytest.approx(f1_score(flat, prediction.ravel(), average="macro", labels=shown))
        assert found["accuracy"] == pytest.approx(np.mean(truth == prediction))
        assert found["pixel_error"] == pytest.approx(np.mean(truth != prediction))


def test_pooled_mean_iou_is_that_of_all_pixels_together(facade):
    study, truths, predictions = facade
    tidy = summarise(measure(**study).counts.assign(seed=0, model="net"), ["model"])
    truth, prediction = (np.concatenate([array.ravel() for array in arrays]) for arrays in (truths, predictions))
    pooled = tidy[(tidy["averaging"] == "pooled") & (tidy["class"] == "mean")].set_index("metric")["mean"]
    assert pooled["iou"] == pytest.approx(jaccard_score(truth, prediction, average="macro"))
    assert pooled["accuracy"] == pytest.approx(np.mean(truth == prediction))
    assert set(tidy["class"]) == {"mean", "background", "wall", "window", "door"}
    assert len(tidy) == 5 * 2 * len(measured(COUNTS))


def test_several_classes_are_counted_inside_the_roi_too(facade):
    study, truths, predictions = facade
    roi = np.zeros(truths[2].shape, bool)
    roi[2:7, 3:9] = True
    write_mask(study["root"] / "roi.png", roi)
    study["index"].loc[2, "roi"] = "roi.png"
    counts = measure(**study).counts
    own = counts[(counts["sample"] == "2") & (counts["region"] == "roi")]
    matrix = confusion_matrix(truths[2][roi], predictions[2][roi], labels=range(4))
    assert own["tp"].tolist() == matrix.diagonal().tolist()
    assert own["fp"].tolist() == (matrix.sum(axis=0) - matrix.diagonal()).tolist()
    assert (own[["tp", "fp", "fn", "tn"]].sum(axis=1) == roi.sum()).all()


def test_predictions_of_other_classes_are_refused(facade, study):
    several_classes, _, predictions = facade
    with pytest.raises(StudyError, match=r"thresholds of fixed, validation do not fit a data set of 4 classes"):
        measure(**several_classes | {"thresholds": {"fixed": 0.5, "validation": 0.5}})
    with pytest.raises(StudyError, match=r"thresholds of argmax do not fit a data set of 2 classes"):
        measure(**study | {"thresholds": {"argmax": None}})
    write_classes(several_classes["masks"] / "3.png", predictions[3].astype(np.uint8) + 2, FACADE.colours * 2)
    with pytest.raises(StudyError, match="not a mask of 4 classes: mode P, values up to 5"):
        measure(**several_classes)


def test_the_oracle_is_the_best_threshold_of_the_test_images_and_of_no_other(study):
    without = measure(**study).counts
    counts = measure(**study, oracle=True).counts
    own = counts[counts["policy"] == "oracle"]
    assert set(own["subset"]) == {"test"} and own["region"].tolist() == ["full", "roi"]
    pd.testing.assert_frame_equal(counts[counts["policy"] != "oracle"].reset_index(drop=True), without)
    # Inside the roi the three true pixels have 0.9, 0.4, 0.6, the false ones 0.2, 0.6, 0.2, 0.0, 0.5, 1.0: all three
    # with the false 0.5, 0.6 and 1.0 above a threshold in 0.2..0.4 (Dice 6/9), two of three above 0.5 only 4/7.
    threshold = own["threshold"].unique().item()
    assert 0.2 < threshold <= 0.4
    assert own[own["region"] == "roi"][["tp", "fp", "fn"]].to_numpy().tolist() == [[3, 3, 0]]
    others = {f"at {level}": level / 16 for level in range(17)}
    scores = per_image(measure(**study | {"thresholds": others}).counts)
    assert scores[(scores["subset"] == "test") & (scores["region"] == "roi")]["dice"].max() == pytest.approx(6 / 9)


def test_several_classes_have_no_oracle(facade):
    study, _, _ = facade
    assert set(measure(**study, oracle=True).counts["policy"]) == {"argmax"}


def test_void_counts_for_nothing_by_hand(tmp_path):
    """A mask of 4x4 as annotation tools write it: object 1, void border 255; the roi leaves out the last row.

    mask 1 1 V 0   predicted 1 0 1 1
         1 V V 0             1 1 0 0
         V V 0 0             1 1 0 1
         0 0 0 V             1 0 0 1
    """
    mask = np.array([[1, 1, 255, 0], [1, 255, 255, 0], [255, 255, 0, 0], [0, 0, 0, 255]], np.uint8)
    predicted = np.array([[1, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 1], [1, 0, 0, 1]], bool)
    roi = np.repeat([[True], [True], [True], [False]], 4, axis=1)
    write_mask(tmp_path / "masks/a.png", mask == 1)
    Image.fromarray(mask).save(tmp_path / "masks/a.png")
    write_mask(tmp_path / "rois/a.png", roi)
    write_probability(tmp_path / "probabilities/a.png", np.where(predicted, 0.9, 0.2))
    index = pd.DataFrame([{"sample": "a", "image": "", "mask": "masks/a.png", "roi": "rois/a.png", "second_mask": ""}])
    study = {
        "probabilities": tmp_path / "probabilities",
        "masks": tmp_path,
        "thresholds": {"fixed": 0.5},
        "index": index,
        "split": pd.DataFrame({"sample": ["a"], "subset": ["test"]}),
        "root": tmp_path,
        "measures": Measures(("surface", "objects", "scores"), 1.0),
    }
    labels = binary("cell")._replace(void=(255,))
    found = measure(**study, labels=labels, oracle=True)
    counts = found.counts[found.counts["policy"] == "fixed"].set_index("region")
    # Counted: 10 pixels of the frame, 7 of them in the roi. Object (0,0) (0,1) (1,0); found (0,0) (1,0); missed (0,1);
    # false alarms (0,3) and (2,3), outside the roi also (3,0).
    assert counts[["tp", "fp", "fn", "tn"]].to_dict("index") == {
        "full": {"tp": 2, "fp": 3, "fn": 1, "tn": 4},
        "roi": {"tp": 2, "fp": 2, "fn": 1, "tn": 2},
    }
    assert found.histograms["positives"].sum(axis=1).tolist() == [3, 3]
    assert found.histograms["negatives"].sum(axis=1).tolist() == [7, 4]
    assert counts.loc["full", "objects_prediction"] == 4 and counts.loc["full", "objects_truth"] == 1
    Image.fromarray(np.where(mask == 255, 1, mask)).save(tmp_path / "masks/a.png")
    assert measure(**study, labels=labels).counts["fn"].tolist() != counts["fn"].tolist(), "void was what did it"

    # What is predicted on void has no say, in no measure and in no threshold.
    Image.fromarray(mask).save(tmp_path / "masks/a.png")
    write_probability(tmp_path / "probabilities/a.png", np.where(mask == 255, 0.55, np.where(predicted, 0.9, 0.2)))
    pd.testing.assert_frame_equal(measure(**study, labels=labels, oracle=True).counts, found.counts)


def test_void_of_several_classes_is_scikit_learns_without_these_pixels(tmp_path):
    rng = np.random.default_rng(1)
    values, predicted = rng.choice([0, 1, 2, 3], (30, 20)).astype(np.uint8), rng.integers(0, 4, (30, 20), np.uint8)
    (tmp_path / "masks").mkdir()
    Image.fromarray(values).save(tmp_path / "masks/a.png")
    (tmp_path / "predicted").mkdir()
    for void, counted, names in ((0, values != 0, ["a", "b", "c"]), (3, values != 3, ["background", "a", "b"])):
        labels = several({name: i for i, name in enumerate("abc", 1) if i != void}, void=void)
        given = predicted if void == 0 else predicted % 3
        write_classes(tmp_path / "predicted/a.png", given, labels.colours)
        index = pd.DataFrame([{"sample": "a", "image": "", "mask": "masks/a.png", "roi": "", "second_mask": ""}])
        split = pd.DataFrame({"sample": ["a"], "subset": ["test"]})
        where = {"index": index, "split": split, "root": tmp_path, "labels": labels}
        counts = measure(tmp_path, tmp_path / "predicted", {"argmax": None}, **where).counts
        assert counts["class"].tolist() == names
        ids = [labels.names.index(name) for name in names]
        expected = f1_score(values[counted], given[counted], labels=ids, average=None)
        np.testing.assert_allclose(2 * counts["tp"] / (2 * counts["tp"] + counts["fp"] + counts["fn"]), expected)
