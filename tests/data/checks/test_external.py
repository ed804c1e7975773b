"""Images of an external test set that a network has seen."""

import numpy as np
import pandas as pd
import pytest

from segstudy.config.datasets import DeclaredException
from segstudy.config.dependencies import Seen
from segstudy.core.errors import StudyError
from segstudy.core.files import write_csv
from segstudy.data.checks.external import check_external
from segstudy.data.checks.leakage import Images
from segstudy.data.images.thumbnails import SIDE
from segstudy.data.job_images import external_split

SEEN = [Seen("drive", 0, ("train",), "drive/0", "was trained on it")]
SEEN += [Seen("drive", 0, ("val",), "drive/0", "chose its best epoch on it", True)]


def images(name, count, seed):
    pictures = np.random.default_rng(seed).normal(size=(count, SIDE, SIDE)).cumsum(axis=1).cumsum(axis=2)
    pictures = (pictures - pictures.min((1, 2), keepdims=True)) / np.ptp(pictures, axis=(1, 2))[:, None, None]
    samples = [f"{name}{row}" for row in range(count)]
    table = pd.DataFrame({"sample": samples, "image_sha256": [f"sha-{s}" for s in samples], "mask": "m.png"})
    return Images(table, pictures.astype(np.float32))


ALL = external_split(images("c", 5, 2).table)


@pytest.fixture
def sets():
    found = {"drive": images("d", 6, 1), "chase": images("c", 5, 2)}
    subsets = ["train", "train", "train", "val", "test", "test"]
    return found, {("drive", 0): pd.DataFrame({"sample": found["drive"].table["sample"], "subset": subsets})}


def test_other_pictures_are_no_leak_and_the_record_says_how_many_were_compared(sets):
    record = check_external("chase", SEEN, *sets, ALL)
    assert (record["measured"], record["seen"], record["pairs_compared"]) == (5, 4, 5 * 4)
    assert not record["findings"]


@pytest.mark.parametrize(("place", "how"), [(0, "was trained on it"), (3, "chose its best epoch on it")])
def test_a_copy_of_what_was_learned_from_or_chosen_by_stops_the_study(sets, place, how):
    found, _ = sets
    found["chase"].thumbnails[2] = found["drive"].thumbnails[place][:, ::-1] * 0.8 + 0.1
    with pytest.raises(StudyError, match=rf"c2 \(test\) and drive/d{place} show the same picture.* {how}"):
        check_external("chase", SEEN, *sets, ALL)
    reason = DeclaredException(kind="seen_by_source", samples=["c2", f"drive/d{place}"], reason="a known copy")
    assert check_external("chase", SEEN, *sets, ALL, [reason])["accepted"]


def test_a_copy_of_an_image_that_was_only_tested_on_is_no_leak(sets):
    found, _ = sets
    found["chase"].thumbnails[2] = found["drive"].thumbnails[4]
    assert not check_external("chase", SEEN, *sets, ALL)["findings"]


def test_what_a_source_learned_of_the_test_set_itself_is_a_leak(sets):
    """Pre-trained on the data set that it is tested on."""
    found, splits = sets
    samples = found["chase"].table["sample"]
    splits["chase", 3] = pd.DataFrame({"sample": samples, "subset": ["train", *["test"] * 4]})
    source = Seen("chase", 3, ("train",), "chase/3", "was trained on it")
    with pytest.raises(StudyError, match=r"c0 \(test\): chase/3 was trained on it"):
        check_external("chase", [*SEEN, source], *sets, ALL)


def own_split(folder, subsets):
    samples = [f"c{row}" for row in range(5)]
    write_csv(folder / "split.csv", pd.DataFrame({"sample": samples, "subset": subsets}))
    return str(folder / "split.csv")


def test_of_its_test_images_alone_a_copy_among_the_others_is_not_measured_and_no_leak(sets, tmp_path):
    found, _ = sets
    found["chase"].thumbnails[2] = found["drive"].thumbnails[0]
    for subsets, measured in (
        (["test", "train", "train", "val", "test"], 2),
        (["train", "val", "test", "test", ""], 0),
    ):
        split = external_split(found["chase"].table, own_split(tmp_path, subsets))
        if measured:
            assert list(split["subset"]) == ["test", *["unlabelled"] * 3, "test"]
            assert check_external("chase", SEEN, *sets, split)["measured"] == measured
        else:
            with pytest.raises(StudyError, match=r"c2 \(test\) and drive/d0"):
                check_external("chase", SEEN, *sets, split)


@pytest.mark.parametrize("own", [False, True])
def test_a_test_set_of_which_nothing_is_measured_is_refused(sets, tmp_path, own):
    table = sets[0]["chase"].table
    if own:
        split = external_split(table, own_split(tmp_path, ["train"] * 4 + ["val"]))
    else:
        split = external_split(table.assign(mask=""))
    with pytest.raises(StudyError, match="no image of chase is measured"):
        check_external("chase", SEEN, *sets, split)
