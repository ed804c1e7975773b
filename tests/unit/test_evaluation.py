import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.errors import StudyError
from segstudy.evaluation import COLUMNS, measure
from segstudy.labels import binary, several
from segstudy.truth import truth_of

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
        "thresholds": {"fixed": 0.5, "validation": 0.25},
        "index": index,
        "split": split,
        "root": tmp_path / "raw",
        "labels": binary("cell"),
    }


def test_counts_of_every_labelled_image_in_every_region_at_every_threshold(study):
    counts = measure(**study)
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
    pd.testing.assert_frame_equal(measure(**study), measure(**study, threads=4))


def test_unlabelled_images_are_not_measured(study):
    study["split"].loc[1, "subset"] = "unlabelled"
    assert set(measure(**study)["sample"]) == {"b", "10"}


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


def test_several_classes_are_refused(study):
    with pytest.raises(StudyError, match=r"2 foreground classes.*door, window"):
        measure(**study | {"labels": several({"door": 1, "window": 2})})
