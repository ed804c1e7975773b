"""The picture of training samples shows what the training gets, and marks mask, roi and drawn data."""

import copy
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.config.recipes import Recipe
from segstudy.core.errors import StudyError
from segstudy.core.files import write_csv
from segstudy.data.images import drawing
from segstudy.data.images.label_map import binary, several
from segstudy.data.store import open_store
from segstudy.figures import training_samples
from segstudy.figures.training_samples import Sample, draw_augmented, first_samples
from segstudy.training import trainer
from tests.helpers import small_cell

DISC = binary("disc")
CHANGES = {"flip_vertical": 0.5, "rotation": 30, "shift": 0.1, "brightness": [0.7, 1.3], "blur": 0.5, "noise": 0.05}
WHOLE = {"batch_size": 5, "augmentation": CHANGES}
CROPS = WHOLE | {"crop": [16, 24], "crops_per_image": 3}
FIXED = {"crops_per_image": 1, "crops_per_epoch": 27}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return small_cell.write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [(WHOLE, 10), (CROPS, 30), (CROPS | FIXED, 27), (WHOLE | {"balance": "strata"}, 16)],
    ids=[
        "whole images",
        "crops",
        "a fixed number of crops",
        "balanced: eight common ones, and two rare ones four times",
    ],
)
def test_the_samples_are_those_that_the_network_is_trained_on(inputs, tmp_path, monkeypatch, recipe, expected):
    seen, training_step = [], trainer.training_step

    def spy(model, forward, optimizer, losses, *options):
        seen.append([tensor.clone() for tensor in losses[0][1]])
        return training_step(model, forward, optimizer, losses, *options)

    monkeypatch.setattr(trainer, "training_step", spy)
    settings = copy.deepcopy(small_cell.SETTINGS) | {"recipe": recipe | {"epochs": 1}}
    index = tmp_path / "index.csv"
    rare = ["rare" if row in (1, 6) else "common" for row in range(16)]
    write_csv(index, pd.DataFrame({"sample": [f"s{row:02d}" for row in range(16)], "stratum": rare}))
    small_cell.run(inputs, tmp_path / "cell", settings, seed=7, index=index)
    images, masks, rois = (np.concatenate([batch[i].numpy() for batch in seen]) for i in range(3))
    samples, total = first_samples(*inputs, Recipe.model_validate(recipe), seed=7, index=index)
    assert total == len(images) == expected
    assert len(samples) == min(total, 16)
    for i, sample in enumerate(samples):
        np.testing.assert_array_equal(sample.image, images[i].transpose(1, 2, 0))
        np.testing.assert_array_equal(sample.mask, masks[i])
        np.testing.assert_array_equal(sample.roi, rois[i])
    assert samples[0].image.std() > 0


def test_every_sample_bears_the_name_of_its_image(inputs):
    samples, _ = first_samples(*inputs, Recipe(), seed=3)
    store = open_store(inputs[0])
    assert sorted(sample.name for sample in samples) == [f"s{row:02d}" for row in range(16) if row % 5 < 3]
    for sample in samples:
        np.testing.assert_array_equal((sample.image * 255).round(), store.images[int(sample.name[1:])])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_picture(inputs, tmp_path):
    def drawn(name, seed):
        draw_augmented(*inputs, CROPS, tmp_path / name, seed=seed, title="discs", labels=DISC)
        return (tmp_path / name).read_bytes()

    assert drawn("a.png", 0) == drawn("b.png", 0) != drawn("c.png", 1)


def test_the_page_shows_sixteen_tiles_and_says_phantom_only_where_drawn(inputs, tmp_path):
    pages = {}
    for phantom in (False, True):
        draw_augmented(*inputs, CROPS, tmp_path / "x.png", seed=0, title="discs", labels=DISC, phantom=phantom)
        pages[phantom] = np.asarray(Image.open(tmp_path / "x.png")).astype(int)
    height = round(drawing.SIDE * 16 / 24)
    assert pages[False].shape[1] == 4 * drawing.SIDE + 3 * drawing.GAP + 2 * drawing.MARGIN
    assert 4 * height < pages[False].shape[0] < 6 * height
    red = [
        int((page[: drawing.MARGIN + 2 * drawing.TITLE] == drawing.WARN).all(axis=2).sum()) for page in pages.values()
    ]
    assert red[0] == 0 < red[1]  # the title
    darker = pages[False][..., 1] - pages[True][..., 1]
    assert (darker[drawing.MARGIN + 2 * drawing.TITLE :] > 0).mean() > 0.01  # the watermark


def test_mask_and_roi_are_outlined_and_what_does_not_count_is_dimmed():
    image = np.full((100, 100, 1), 200 / 255, np.float32)
    mask, roi = np.zeros((100, 100), np.uint8), np.ones((100, 100), np.uint8)
    mask[20:80, 20:60], roi[:, 90:] = 1, 0
    tile = np.asarray(training_samples._picture(Sample("a", image, mask, roi), DISC))
    assert tile.shape == (400, 400, 3)  # four display pixels for one
    is_mask, is_roi = (np.all(tile == colour, axis=2) for colour in (training_samples.MASK, training_samples.ROI))
    expected = np.zeros((400, 400), bool)
    expected[80:320, 80:240] = True
    expected[82:318, 82:238] = False
    np.testing.assert_array_equal(is_mask, expected)
    assert is_roi[:, 358:360].all() and is_roi.sum() == 2 * 400  # the border of the tile is none
    assert (tile[:, 360:] == 80).all()
    assert (tile[10, 10] == 200).all()


def test_a_thin_vessel_keeps_its_inside_and_survives_shrinking():
    mask = np.zeros((800, 800), np.uint8)
    mask[:, 401] = 1  # half of a display pixel
    sample = Sample("a", np.zeros((800, 800, 3), np.float32), mask, np.ones_like(mask))
    tile = np.asarray(training_samples._picture(sample, DISC))
    assert (tile[:, 200] == training_samples.MASK).all()
    wide = np.zeros((400, 400), np.uint8)
    wide[:, 200:204] = 1
    tile = np.asarray(
        training_samples._picture(Sample("a", np.zeros((400, 400, 3), np.float32), wide, np.ones_like(wide)), DISC)
    )
    assert [bool((tile[:, x] == training_samples.MASK).all()) for x in range(199, 205)] == [0, 1, 0, 0, 1, 0]


def test_several_classes_lie_over_the_image_in_their_own_colours(tmp_path):
    labels = several({"core": 1, "rim": 2})
    image = np.full((100, 100, 1), 200 / 255, np.float32)
    mask, roi = np.zeros((100, 100), np.uint8), np.ones((100, 100), np.uint8)
    mask[20:80, 20:60], mask[40:60, 30:50], roi[:, 90:] = 2, 1, 0
    tile = np.asarray(training_samples._picture(Sample("a", image, mask, roi), labels)).astype(int)
    for y, x, colour in ((200, 160, labels.colours[1]), (100, 100, labels.colours[2])):
        assert np.abs(tile[y, x] - (0.55 * 200 + 0.45 * np.array(colour))).max() <= 1
    assert (tile[10, 10] == 200).all() and (tile[:, 359] == training_samples.ROI).all()
    inputs = small_cell.write_inputs(tmp_path / "inputs", classes=("core", "rim"))
    draw_augmented(*inputs, WHOLE, tmp_path / "x.png", seed=0, title="discs", labels=labels)
    page = np.asarray(Image.open(tmp_path / "x.png"))
    foot = page[-drawing.MARGIN - drawing.LINE :]
    for colour in labels.colours[1:]:  # squares of the legend
        assert (foot == colour).all(axis=2).sum() > 300


def test_neighbouring_classes_are_outlined_each():
    labels = np.zeros((4, 6), int)
    labels[:, 1:3], labels[:, 3:6] = 1, 2
    assert drawing.outline(labels, width=1).tolist() == [[False, True, True, True, False, False]] * 4


def test_a_split_without_training_images_is_refused(inputs, tmp_path):
    split = tmp_path / "split.csv"
    split.write_text("sample,subset\n" + "".join(f"s{row:02d},test\n" for row in range(16)))
    with pytest.raises(StudyError, match="no labelled image in subset 'train'"):
        draw_augmented(inputs[0], split, WHOLE, tmp_path / "x.png", seed=0, title="none", labels=DISC)


def test_a_long_name_keeps_its_end(inputs):
    font = training_samples.ImageFont.load_default(drawing.TEXT)
    assert drawing.fitting("IMD002", font, 400) == "IMD002"
    cut = drawing.fitting("patient-" * 12 + "0042", font, 400)
    assert cut.startswith("...") and cut.endswith("0042") and font.getlength(cut) <= 400


def test_void_is_painted_where_the_mask_goes(inputs, tmp_path):
    """The same draws move void and region: together they are what a store without void has as its region."""
    shutil.copytree(inputs[0], tmp_path / "store")
    counted = np.load(tmp_path / "store/rois.npy")
    counted[:, 8:16, 4:24] = 0
    np.save(tmp_path / "store/counted.npy", counted)
    meta = json.loads((tmp_path / "store/store.json").read_text())
    (tmp_path / "store/store.json").write_text(json.dumps(meta | {"void": [255]}))
    recipe = Recipe.model_validate(CROPS)
    plain, void = (first_samples(path, inputs[1], recipe, 3)[0] for path in (inputs[0], tmp_path / "store"))
    for one, two in zip(plain, void, strict=True):
        np.testing.assert_array_equal(one.image, two.image)
        np.testing.assert_array_equal(one.roi > 0, (two.roi > 0) | two.void)
        assert one.void is None
    shown = next(sample for sample in void if sample.void.sum() > 20)
    tile = np.asarray(training_samples._picture(shown, DISC))
    assert (tile == drawing.VOID).all(axis=2).mean() == pytest.approx(shown.void.mean(), abs=0.1)
