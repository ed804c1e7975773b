"""Recipes that build on others: what a short config is spelt out to, and what it may not say."""

from copy import deepcopy

import pytest

from segstudy.config import dependencies
from segstudy.config.load import load_study
from segstudy.core.errors import StudyError
from segstudy.tables.captions import chain_words
from tests.helpers.dependencies import CONFIG, cell, study


def test_a_cell_needs_what_its_recipe_names_and_the_rest_is_its_own():
    few = study()
    assert dependencies.sources(few, cell("default")) == {}
    assert dependencies.sources(few, cell("finetuned")) == {"start": cell("denoising", "rfmid", "mse")}
    assert dependencies.sources(few, cell("pseudo")) == {"teacher": cell("default")}
    assert dependencies.ancestors(few) == [cell("denoising", "rfmid", "mse")]
    assert dependencies.used_datasets(few) == ["hrf", "rfmid"]


def test_each_round_is_taught_by_the_round_before():
    few = study(recipes__pseudo__pseudo_labels__rounds=3)
    assert dependencies.sources(few, cell("pseudo_round1")) == {"teacher": cell("default")}
    assert dependencies.sources(few, cell("pseudo_round2")) == {"teacher": cell("pseudo_round1")}
    assert dependencies.sources(few, cell("pseudo")) == {"teacher": cell("pseudo_round2")}
    assert [c.recipe for c in dependencies.ancestors(few)] == ["denoising", "pseudo_round1", "pseudo_round2"]


def test_rounds_may_be_rows_of_an_experiment():
    rounds, recipes = {"recipes__pseudo__pseudo_labels__rounds": 2}, ["default", "pseudo_round1", "pseudo"]
    few = study(experiments__few__recipes=recipes, experiments__few__labels=[0.5, 1], **rounds)
    half = [f"{name}_labels50" for name in recipes]
    assert sorted(c.recipe for c in few.cells) == sorted([*recipes, *half]) and dependencies.ancestors(few) == []
    for below, above in zip([recipes[:2], half[:2]], [recipes[1:], half[1:]], strict=True):
        assert [dependencies.sources(few, cell(name))["teacher"].recipe for name in above] == below
    words = chain_words(few, [cell("pseudo_round1"), cell("pseudo")])["hrf"]
    assert "pseudo_round1: learns from rfmid too, labelled by hrf/unet/dice/default" in words
    assert "pseudo: learns from rfmid too, labelled by hrf/unet/dice/pseudo_round1" in words


def test_a_share_of_the_labels_reaches_the_teacher_but_not_who_reads_no_labels():
    few = study(experiments__few__labels=[1, 0.25])
    assert [c.recipe for c in few.cells][:4] == ["default_labels25", "default", "finetuned_labels25", "finetuned"]
    assert few.recipes["pseudo_labels25"].labels == 0.25
    assert dependencies.sources(few, cell("pseudo_labels25")) == {"teacher": cell("default_labels25")}
    assert dependencies.sources(few, cell("finetuned_labels25")) == {"start": cell("denoising", "rfmid", "mse")}


def test_rows_of_a_grid_may_be_named_one_by_one_and_have_shares_too():
    rows = ["unet/dice/default", "unet/mse/pseudo"]
    few = study(
        experiments__few__losses=["dice", "mse"], experiments__few__only=rows, experiments__few__labels=[1, 0.5]
    )
    assert few.experiments["few"].rows == 4
    assert {f"{c.loss}/{c.recipe}" for c in few.cells} == {
        *("dice/default", "dice/default_labels50", "mse/pseudo", "mse/pseudo_labels50")
    }


def test_an_unlabelled_data_set_needs_no_validation_images():
    few = study(datasets__rfmid__split={"validation": 0}, evaluation={"policies": ["fixed", "validation"]})
    assert dependencies.used_datasets(few) == ["hrf", "rfmid"]


CHAIN = {"recipe": "pseudo"}
REFUSED = {
    "is not defined": {"recipes__finetuned__start_from__recipe": "denoisign"},
    "Did you mean 'rfmid'": {"recipes__mean_teacher__consistency__unlabelled": "rfmd"},
    "in a circle: default -> pseudo -> default": {"recipes__default__start_from": CHAIN},
    "in a circle: pseudo_labels50": {
        "recipes__default__start_from": CHAIN,
        "experiments__few__labels": [0.5],
        "experiments__few__recipes": ["pseudo"],
    },
    "predicts no masks": {"experiments__few__recipes": ["denoising"]},
    "a denoising recipe, which predicts no masks": {"recipes__pseudo__pseudo_labels__teacher__recipe": "denoising"},
    "does not support": {"recipes__finetuned__start_from__loss": "dice"},
    "reads no labels": {"recipes__denoising__labels": 0.5},
    "needs a kind of noise": {
        "recipes__denoising__denoising": {"gaussian": None, "salt_and_pepper": None, "speckle": None}
    },
    "low <= high": {"recipes__denoising__denoising": {"gaussian": [0.3, 0.1]}},
    "less than or equal to 1": {"recipes__denoising__denoising": {"speckle": [0.3, 1.5]}},
    "choose one": {"recipes__pseudo__consistency": {"unlabelled": "rfmid"}},
    "no model/loss/recipe of its lists. Did you mean 'unet/dice/pseudo'": {
        "experiments__few__only": ["unet/dice/pseud"]
    },
    "different shares": {"experiments__few__labels": [0.5, 0.5]},
    "make too": {"recipes__default_labels50": {}, "experiments__few__labels": [0.5]},
}


@pytest.mark.parametrize(("message", "changes"), REFUSED.items(), ids=list(REFUSED))
def test_what_does_not_fit_is_told_before_anything_starts(message, changes):
    with pytest.raises(StudyError, match=message.replace("(", r"\(")):
        study(**changes)


def test_without_a_loss_for_images_a_denoising_recipe_is_refused():
    config = deepcopy(CONFIG)
    del config["losses"]["mse"]
    with pytest.raises(StudyError, match="mse or smooth_l1"):
        load_study(config)


def test_captions_say_what_rows_were_made_of():
    few = study(
        experiments__few__labels=[1, 0.25],
        recipes__finetuned__transfer={"freeze": 5, "rate": 0.1},
        recipes__pseudo__pseudo_labels__real=0.5,
    )
    said = chain_words(few, few.cells)["hrf"]
    assert (
        "finetuned: starts from the weights of rfmid/unet/mse/denoising, which removes noise, "
        "what it starts from stands still for 5 epochs, what it starts from learns at 0.1 of the rate" in said
    )
    assert (
        "pseudo: learns from rfmid too, labelled by hrf/unet/dice/default (hard targets, 50% of the crops with real "
        "labels)" in said
    )
    assert "mean_teacher: mean teacher on images of rfmid without masks" in said and "training labels (0.25)" in said
    assert "default:" not in said and chain_words(few, [cell("default")]) == {"hrf": ""}
