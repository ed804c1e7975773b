import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from segstudy.config.cell import Cell
from segstudy.config.evaluation import Evaluation
from segstudy.core.errors import StudyError
from segstudy.data.ground_truth import LabelledImages
from segstudy.data.images.label_map import binary, several
from segstudy.data.images.prediction_files import read_probability, write_probability
from segstudy.evaluation.thresholds import binarise, tune
from segstudy.inference.ensemble import average_external, average_predictions
from segstudy.inference.inputs import PredictionInputs, PredictionOutputs
from segstudy.inference.predict import predict_canvas
from segstudy.tables.variants import variant_of, variant_words, variants_of

PLAIN = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
LABELS = binary("cell")


class LooksLeft(nn.Module):
    """A pixel's logit is the red value of its left neighbour: mirrored, that of its right one."""

    def __init__(self, outputs=1):
        super().__init__()
        self.outputs = outputs

    def forward(self, images):
        return 4 * torch.roll(images[:, : self.outputs], 1, dims=3)


@pytest.mark.parametrize("outputs", [1, 3])
def test_flips_are_the_mean_over_the_mirror_images(outputs):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 12, 3), dtype=np.uint8)
    network = LooksLeft(outputs)

    def plain(pixels):
        return np.stack(list(predict_canvas(network, np.ascontiguousarray(pixels), range(3), PLAIN)))

    # Axes of images are (N, H, W, C), those of probabilities (N, K, H, W).
    views = [((), ()), ((2,), (3,)), ((1,), (2,)), ((1, 2), (2, 3))]
    expected = np.mean([np.flip(plain(np.flip(images, own)), back) for own, back in views], axis=0)
    found = np.stack(list(predict_canvas(network, images, range(3), PLAIN, flips=True)))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found - plain(images)).max() > 0.1
    mirrored = np.stack(list(predict_canvas(network, np.flip(images, 2).copy(), range(3), PLAIN, flips=True)))
    np.testing.assert_allclose(np.flip(mirrored, 3), found, atol=1e-6)


@pytest.fixture
def members(tmp_path):
    """Three networks' probabilities of four images with their truth; the folder, the index and the split."""
    random = np.random.default_rng(1)
    rows = []
    for number in range(4):
        mask = random.random((9, 11)) < 0.4
        Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / f"{number}.png")
        rows.append({"sample": str(number), "image": "", "mask": f"{number}.png", "roi": "", "second_mask": ""})
        for member in "abc":
            (tmp_path / member).mkdir(exist_ok=True)
            probability = np.clip(random.normal(0.3 + 0.2 * mask, 0.15), 0, 1)
            write_probability(tmp_path / member / f"{number}.png", probability)
    index = pd.DataFrame(rows)
    return tmp_path, index, index[["sample"]].assign(subset=["train", "val", "val", "test"])


def together(members, labels=LABELS):
    folder, index, split = members
    outputs = [folder / name for name in ("probabilities", "masks", "thresholds.json")]
    evaluation = Evaluation(policies=["fixed", "validation"], headline="validation")
    inputs = PredictionInputs(index, split, folder, labels, evaluation)
    average_predictions([folder / name for name in "abc"], inputs, PredictionOutputs(*outputs))
    return outputs


def test_an_ensemble_is_the_mean_of_its_members_with_thresholds_of_its_own(members):
    probabilities, masks, thresholds = together(members)
    folder = members[0]
    pairs = []
    for number in range(4):
        own = np.mean([read_probability(folder / name / f"{number}.png") for name in "abc"], axis=0, dtype=np.float64)
        found = read_probability(probabilities / f"{number}.png")
        np.testing.assert_allclose(found, own, atol=0.51 / 65535)
        pairs.append((found, np.asarray(Image.open(folder / f"{number}.png")) > 0, np.ones((9, 11), bool)))
    chosen = json.loads(thresholds.read_text())
    assert chosen == {"fixed": 0.5, "validation": tune(pairs[1:3])}
    for number, (found, _, _) in enumerate(pairs):
        mask = np.asarray(Image.open(masks / f"{number}.png")) > 0
        assert (mask == binarise(found, chosen["validation"])).all()


def test_on_other_images_an_ensemble_has_the_mean_of_its_members_and_the_threshold_it_is_given(members):
    folder, index, split = members
    at_home = together(members)[0]
    outputs = folder / "on/probabilities", folder / "on/masks"
    average_external([folder / name for name in "abc"], LabelledImages(index, split, folder, LABELS), outputs, 0.45)
    for number in range(4):
        found = read_probability(outputs[0] / f"{number}.png")
        assert (found == read_probability(at_home / f"{number}.png")).all()
        assert ((np.asarray(Image.open(outputs[1] / f"{number}.png")) > 0) == binarise(found, 0.45)).all()


def test_the_test_images_have_no_say_in_the_ensemble(members):
    thresholds = together(members)[2].read_text()
    Image.fromarray(np.full((9, 11), 255, np.uint8)).save(members[0] / "3.png")
    assert together(members)[2].read_text() == thresholds


def test_a_member_that_lacks_an_image_is_named(members):
    (members[0] / "b/2.png").unlink()
    with pytest.raises(StudyError, match=r"(?s)no prediction of this image.*b/2\.png"):
        together(members)
    assert not (members[0] / "probabilities").exists()


def test_several_classes_are_refused(members):
    with pytest.raises(StudyError, match="several classes cannot be put together"):
        together(members, several({"a": 1, "b": 2}))


CELLS = [Cell("drive", model, "bce", "default", seed) for model in ("unet", "encdec") for seed in (0, 1, 2)]


def test_rows_are_named_by_what_was_done():
    assert variants_of(CELLS, flips=False, together=False) == []
    flipped = variants_of(CELLS, flips=True, together=False)
    assert [row.cell for row in flipped] == [cell._replace(recipe="default + flips") for cell in CELLS]
    both = variants_of(CELLS, flips=True, together=True)[6:]
    assert [(row.cell.model, row.cell.recipe, row.flips) for row in both] == [
        (model, recipe, flips)
        for model in ("unet", "encdec")
        for recipe, flips in (("default, 3 seeds together", False), ("default + flips, 3 seeds together", True))
    ]
    assert {row.seeds for row in both} == {(0, 1, 2)} and {row.recipe for row in both} == {"default"}
    assert [len(variant_words(rows)) for rows in (both, flipped, [])] == [2, 1, 0]
    assert both[0].base == ("cell", "unet", "bce", "default") and both[0].key[3] == "default, 3 seeds together"
    as_parameters = json.loads(json.dumps(both))
    assert [variant_of(values) for values in as_parameters] == both


def test_one_seed_has_nothing_to_stand_together():
    assert variants_of(CELLS[:1], flips=False, together=True) == []
