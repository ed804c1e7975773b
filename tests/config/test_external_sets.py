"""External test sets in the config: which cells are measured on them, and what cannot go together."""

import copy

import pytest

from segstudy.config import dependencies
from segstudy.config.load import load_study
from segstudy.core.errors import StudyError
from segstudy.study.estimates import Estimates

BASE = {
    "study": "vessels",
    "datasets": {"drive": {"scale": 540.0}, "chase": {"scale": 920.0}, "cmp": {}},
    "models": {"unet": {}},
    "losses": {"dice": {}, "ce": {"loss": "cross_entropy"}},
    "recipes": {"default": {}},
    "experiments": {
        "one": {
            "question": "Does it hold elsewhere?",
            "datasets": ["drive", "chase"],
            "models": ["unet"],
            "losses": ["dice"],
            "tested_on": ["chase", "drive"],
        }
    },
}


def changed(config, values):
    config = copy.deepcopy(config)
    for path, value in values.items():
        block = config
        *keys, last = path.split("__")
        for key in keys:
            block = block.setdefault(key, {})
        block[last] = value
    return config


def study(path="study", value="vessels"):
    return load_study(changed(BASE, {path: value}))


def test_each_cell_is_measured_on_every_set_but_its_own():
    found = study()
    assert [(cell.dataset, name) for cell, name in found.experiments["one"].external] == [
        ("drive", "chase"),
        ("chase", "drive"),
    ]
    assert dependencies.used_datasets(found) == ["drive", "chase"] == dependencies.learned_datasets(found)
    alone = study("experiments__one__datasets", ["drive"])
    assert dependencies.used_datasets(alone) == ["drive", "chase"]
    assert dependencies.learned_datasets(alone) == ["drive"]


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("experiments__one__tested_on", ["chas"], "names 'chas', which is not defined. Did you mean 'chase'?"),
        ("experiments__one__tested_on", ["cmp"], "drive cannot be tested on cmp: their classes differ, one foreground"),
        ("datasets__chase__colour", "grey", "the networks see 'colour: rgb', its images are declared 'colour: grey'"),
        ("datasets__chase__scale", None, "drive has a 'scale', chase has none"),
        ("datasets__drive__scale", None, "chase has a 'scale', drive has none"),
        ("datasets__drive__scale", 0, "datasets.drive.scale"),
    ],
)
def test_what_networks_cannot_be_tested_on_is_refused(path, value, says):
    with pytest.raises(StudyError) as refused:
        study(path, value)
    assert says in str(refused.value)


def test_a_test_set_that_is_trained_on_alone_is_refused():
    config = copy.deepcopy(BASE)
    config["experiments"]["one"] |= {"datasets": ["drive"], "tested_on": ["drive"]}
    with pytest.raises(StudyError, match="tested_on names drive alone, whose networks are tested on it anyway"):
        load_study(config)


OWN = {"experiments__one__seeds": 3, "datasets__chase__external_images": "test"}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            {"datasets__chase__split": {"repeat": "kfold", "folds": 2}},
            "fold 2 of chase, whose test images are measured",
        ),
        (
            {"evaluation__ensemble": True, "datasets__chase__split": {"repeat": "new_split"}},
            "chase has other test images for each seed",
        ),
    ],
)
def test_test_images_of_an_external_set_are_there_for_every_seed_and_the_same_for_an_ensemble(more, says):
    config = copy.deepcopy(BASE)
    config["experiments"]["one"]["datasets"] = ["drive"]
    config["datasets"]["drive"]["split"] = {"repeat": "fixed_split"}
    load_study(changed(config, OWN))
    with pytest.raises(StudyError) as refused:
        load_study(changed(config, OWN | more))
    assert says in str(refused.value)
    load_study(changed(config, OWN | more | {"datasets__chase__external_images": "all"}))


def test_images_that_are_measured_are_all_or_those_of_the_test_set():
    with pytest.raises(StudyError, match=r"datasets\.chase\.external_images"):
        study("datasets__chase__external_images", "val")


def test_a_scale_enters_no_setting_that_stood_before():
    settings = [study("datasets__drive__scale", 540).datasets["drive"], study().datasets["cmp"]]
    assert ["scale" in one.model_dump(mode="json") for one in settings] == [True, False]


def test_other_images_are_in_the_estimate_of_a_cell(tmp_path):
    """Twice as many images of the same size take about twice as long, and nothing is trained on them."""
    found = study("datasets__drive__scale", 540.0)
    estimates = Estimates(found, tmp_path, gpu=False)
    cell = found.cells[0]
    one, whole = estimates.external("drive", "unet", "default", "chase"), estimates.cell("drive", "unet", "default")
    assert one.training == 0 and one.evaluation > whole.evaluation * 28 / 40  # of larger images
    test_alone = Estimates(study("datasets__chase__external_images", "test"), tmp_path, gpu=False)
    assert test_alone.external(*cell[:2], "default", "chase").evaluation < one.evaluation / 2  # 8 of 28 images
    corrupted = Estimates(study("evaluation", {"corruptions": {"blur": [1, 2, 4]}}), tmp_path, gpu=False)
    assert corrupted.corrupted(*cell[:2], "default").evaluation > whole.evaluation
