"""Keys that say auto: what is left to a plan, and what a plan makes of it."""

import os

import pytest

from segstudy.config import dependencies
from segstudy.config.load import load_study
from segstudy.config.networks import NETWORKS
from segstudy.config.plan_file import PlanMissing, read_plan
from segstudy.config.recipes import Recipe
from segstudy.core.errors import StudyError

PLAN = """
size: {long_side: 96}
crop: [64, 64]
batch_size: 4
crops_per_image: 1
epochs: 7
models: {unet: {depth: 2, width: 8}}
because: {epochs: as many as fit}
computed: {size: {long_side: 96}, crop: [64, 64], batch_size: 4, epochs: 9, models: {unet: {depth: 2, width: 8}}}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(**changes):
    config = {
        "study": "tiny",
        "datasets": {"ph2": {"phantom": {"images": 8}}},
        "models": {"unet": {}, "fixed": {"network": "unet", "depth": 2, "width": 4}},
        "losses": {"bce": {}},
        "recipes": {"default": {"batch_size": 2}, "other": {"epochs": 3}},
        "experiments": {
            "one": {"question": "Which?", "datasets": ["ph2"], "models": ["unet", "fixed"], "losses": ["bce"]}
        },
    }
    return load_study(config | changes)


def write(here, text=PLAN, name="results/tiny/data/ph2/plan.yaml"):
    path = here / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_each_key_alone():
    recipe = Recipe.model_validate({"epochs": "auto", "batch_size": 4})
    assert recipe.auto == {"epochs"} and recipe.batch_size == 4
    assert recipe.model_copy(update={"batch_size": 2}).auto == {"epochs"}, "rounds and shares are copies"
    for kind, key in (("unet", "depth"), ("dilatednet", "width"), ("wnet", "depth")):
        assert NETWORKS[kind][0].model_validate({key: "auto"}).auto == {key}
    with pytest.raises(ValueError, match="learning_rate"):
        Recipe.model_validate({"learning_rate": "auto"})


def test_what_is_not_written_is_left_to_the_plan_and_nothing_else(here):
    keys = dependencies.planned_keys(study(plan="auto"))["ph2"]
    assert keys == ["size", "crop", "crops_per_image", "epochs", "models.unet.depth", "models.unet.width"]
    assert dependencies.planned_keys(study())["ph2"] == []
    one = study(datasets={"ph2": {"phantom": {"images": 8}, "training": {"epochs": "auto"}}}, plan={"hours": 0.5})
    assert dependencies.planned_keys(one)["ph2"] == ["epochs"] and one.plan.hours == 0.5


def test_numbers_of_the_plan_are_those_of_the_cell(here):
    left = study(plan={"all": True, "memory_gb": 4}, recipes={"default": {"crops_per_image": 3}})
    with pytest.raises(PlanMissing, match="ph2 is not planned yet") as error:
        left.training_settings("ph2", "unet", "bce", "default")
    assert isinstance(error.value, FileNotFoundError) and error.value.filename == "results/tiny/data/ph2/plan.yaml"
    with pytest.raises(PlanMissing):
        left.dataset_settings("ph2", "size")
    assert left.dataset_settings("ph2", "region") == {"region": "roi"}, "what is not planned is known"
    path = write(here)
    written = study(
        datasets={"ph2": {"phantom": {"images": 8}, "size": {"long_side": 96}}},
        models={"unet": {"depth": 2, "width": 8}, "fixed": {"network": "unet", "depth": 2, "width": 4}},
        recipes={"default": {"crops_per_image": 3, "crop": [64, 64], "batch_size": 4, "epochs": 7}},
    )
    for name in ("unet", "fixed"):
        of_plan, by_hand = (one.training_settings("ph2", name, "bce", "default") for one in (left, written))
        assert of_plan == by_hand, "whoever chose a number, the cell is the same"
    assert left.dataset_settings("ph2", "size") == written.dataset_settings("ph2", "size")
    path.write_text(PLAN.replace("epochs: 7", "epochs: 8"))
    os.utime(path, ns=(1, 1))
    assert left.recipe("ph2", "default").epochs == 8, "a plan that is made anew holds at once"


def test_a_plan_knows_what_was_edited(here):
    assert read_plan(write(here)).edited == ["epochs"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PLAN.replace("epochs: 7", "epochs: -7"), "plan.yaml:6 epochs"),
        (PLAN.replace("batch_size: 4\n", "batch: 4\n", 1), "plan.yaml:4 batch: unknown key"),
        (PLAN.replace("crop: [64, 64]", "crop: [64]", 1), "plan.yaml:3 crop"),
        (PLAN.replace("size: {long_side: 96}", "size: 96", 1), "plan.yaml:2 size"),
        (PLAN.replace("depth: 2", "depth: many", 1), "models.unet.depth"),
        (PLAN.replace("depth: 2", "depth: 20", 1), "depth"),
        (PLAN.replace("epochs: 7", "epochs: auto"), "epochs: a plan says the number itself"),
        (PLAN.replace("epochs: 7\n", ""), "the plan says nothing of epochs"),
    ],
)
def test_an_edited_plan_is_checked_as_a_config_is(here, text, words):
    write(here, text)
    with pytest.raises(StudyError) as error:
        study(plan="auto").training_settings("ph2", "unet", "bce", "default")
    assert words in str(error.value)


def test_a_plan_whose_crop_is_larger_than_its_size_stops_the_study(here):
    write(here, PLAN.replace("crop: [64, 64]", "crop: [128, 64]", 1))
    with pytest.raises(StudyError, match=r"are larger than the images of ph2: \[128, 64\]") as error:
        study(plan="auto")
    assert "results/tiny/data/ph2/plan.yaml" in str(error.value)


def test_a_plan_kept_with_the_study_is_there_and_needed(here):
    with pytest.raises(StudyError, match=r"the plan of data set ph2 is not there: kept\.yaml"):
        study(datasets={"ph2": {"plan": "kept.yaml"}}, plan="auto")
    write(here, name="kept.yaml")
    with pytest.raises(StudyError, match="nothing of data set ph2 is left to its plan"):
        study(datasets={"ph2": {"plan": "kept.yaml"}})
    assert study(datasets={"ph2": {"plan": "kept.yaml"}}, plan="auto").datasets["ph2"].plan == "kept.yaml"
