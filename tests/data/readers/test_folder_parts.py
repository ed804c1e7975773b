"""Folders named by `{subset}` and `*`: which belong together, and what is said of the others."""

import pytest
from pydantic import ValidationError

from segstudy.config.layout import Layout
from tests.data.readers.test_folder import listed, pairs, picture, refused


def test_subsets_and_parts_belong_to_masks_of_the_same(tmp_path):
    for part in ("Training/p1", "Training/p2", "val/p1"):
        pairs(tmp_path, names=("1", "2"), images=f"im/{part}", masks=f"gt/{part.replace('Training', 'train')}_seg")
    frame = listed(tmp_path, images="im/{subset}/p*", masks="gt/{subset}/p*_seg")
    assert dict(frame["official_subset"].value_counts()) == {"train": 4, "val": 2}
    assert (
        frame.loc["train_p2_1", "mask"] == "gt/train/p2_seg/1.png"
        and frame.loc["val_p1_2", "image"] == "im/val/p1/2.png"
    )


def test_masks_in_one_folder_and_names_that_tell_images_apart(tmp_path):
    for part in "12":
        pairs(tmp_path, names=(f"a{part}", f"b{part}"), images=f"part_{part}")
    frame = listed(tmp_path, images="part_*", masks="masks")
    assert list(frame.index) == ["a1", "a2", "b1", "b2"] and (frame["mask"] != "").all()


def test_what_has_no_masks_is_test_or_left_out_and_named(tmp_path):
    pairs(tmp_path, images="train/im", masks="train/gt")
    picture(tmp_path / "test/im/x.png")
    pairs(tmp_path, names=("y", "z"), images="01", masks="01_GT")
    picture(tmp_path / "02/w.png")
    frame = listed(tmp_path, images="{subset}/im", masks="{subset}/gt")
    assert dict(frame["official_subset"].value_counts()) == {"train": 3, "test": 1} and frame.loc["x", "mask"] == ""
    frame = listed(tmp_path, images="0*", masks="0*_GT")
    assert list(frame.index) == ["01_y", "01_z"]
    assert [s for s in frame.attrs["repairs"] if "no folder of masks 0*_GT goes with them: 01_GT, 02" in s]
    assert "there is no folder 'train_GT'" in refused(tmp_path, images="{subset}/im", masks="{subset}_GT")


def test_other_folders_are_named_once(tmp_path):
    for subset in ("train", "test"):
        pairs(tmp_path, images=f"{subset}_im", masks=f"{subset}_gt")
    picture(tmp_path / "overlays/1.png")
    said = listed(tmp_path, images="{subset}_im", masks="{subset}_gt").attrs["repairs"]
    assert said == ["masks are those in train_gt, test_gt; nobody looks into overlays"]


@pytest.mark.parametrize(("images", "masks"), [("im", "gt/{subset}"), ("im/*", "gt/*/*"), (None, "gt_*")])
def test_masks_have_no_parts_of_their_own(images, masks):
    with pytest.raises(ValidationError, match="has another number of"):
        Layout(images=images, masks=masks)
