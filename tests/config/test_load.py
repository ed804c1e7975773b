"""The config: what it resolves to, and what it says when something is wrong."""

import copy
from pathlib import Path

import pytest
import yaml

from segstudy.config.cell import Cell
from segstudy.config.load import load_study, read_config
from segstudy.config.study import Evaluation
from segstudy.core.errors import StudyError
from tests.helpers.studies import config_files

ROOT = Path(__file__).resolve().parents[2]
BASE = {
    "study": "tiny",
    "data_root": "raw",
    "datasets": {"ph2": {"root": "PH2Dataset"}, "drive": {"root": "DRIVE"}},
    "models": {"unet": {}, "wide": {"network": "unet", "width": 64}},
    "losses": {"bce": {}, "focal": {"gamma": 3.0}},
    "recipes": {"default": {"epochs": 3}},
    "experiments": {
        "a": {"question": "which?", "datasets": ["ph2"], "models": ["unet"], "losses": ["bce", "focal"], "seeds": 2},
        "b": {"question": "which?", "datasets": ["ph2"], "models": ["unet", "wide"], "losses": ["bce"], "seeds": 1},
    },
}


def changed(path, value):
    config = copy.deepcopy(BASE)
    block = config
    for key in path[:-1]:
        block = block.setdefault(key, {})
    block[path[-1]] = value
    return config


def test_cells_shared_by_two_experiments_are_listed_once():
    study = load_study(BASE)
    assert len(study.experiments["a"].cells) == 4
    assert len(study.experiments["b"].cells) == 2
    assert len(study.cells) == 5
    assert Cell("ph2", "unet", "bce", "default", 0).path == "ph2/unet/bce/default/seed0"


def test_roots_lie_below_the_data_root_unless_absolute(monkeypatch):
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    config = changed(("data_root",), "$SCRATCH/raw")
    assert load_study(config).root("ph2") == Path("/scratch/me/raw/PH2Dataset")
    config["datasets"]["ph2"]["root"] = "/elsewhere/PH2"
    assert load_study(config).root("ph2") == Path("/elsewhere/PH2")


def test_settings_hold_every_default_and_the_kind():
    settings = load_study(BASE).training_settings("ph2", "wide", "focal", "default")
    assert settings["model"]["network"] == "unet" and settings["model"]["width"] == 64
    assert settings["model"]["depth"] == 4
    assert settings["loss"] == {"loss": "focal", "gamma": 3.0, "alpha": 0.25, "form": "balanced"}
    assert settings["recipe"]["epochs"] == 3 and settings["recipe"]["optimiser"] == "adam"


def test_a_data_sets_training_block_wins_over_the_recipe_and_touches_no_other():
    study = load_study(changed(("datasets", "drive", "training"), {"crop": [64, 64]}))
    assert study.training_settings("drive", "unet", "bce", "default")["recipe"]["crop"] == [64, 64]
    assert study.training_settings("drive", "unet", "bce", "default")["recipe"]["epochs"] == 3
    assert study.training_settings("ph2", "unet", "bce", "default")["recipe"]["crop"] is None


def test_settings_of_a_cell_ignore_the_rest_of_the_config():
    before = load_study(BASE)
    after = load_study(changed(("losses", "focal", "gamma"), 2.0))
    assert before.training_settings("ph2", "unet", "bce", "default") == after.training_settings(
        "ph2", "unet", "bce", "default"
    )
    assert before.training_settings("ph2", "unet", "focal", "default") != after.training_settings(
        "ph2", "unet", "focal", "default"
    )


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("losses", "focal", "gama"), 2, ["losses.focal.gama", "unknown key", "Did you mean 'gamma'?"]),
        (("losses", "focal", "gamma"), -1, ["losses.focal.gamma", "greater than or equal to 0", "-1"]),
        (("losses", "focl"), {}, ["no loss is called 'focl'", "Did you mean 'focal'?", "weighted_bce"]),
        (("models", "unett"), {}, ["no network is called 'unett'", "Did you mean 'unet'?"]),
        (("models", "unet", "depth"), 99, ["models.unet.depth", "less than or equal to 7", "99"]),
        (("models", "unet"), "big", ["'models.unet' must be a block", "'big'"]),
        (("recipes", "default", "epochs"), "many", ["recipes.default.epochs", "integer", "'many'"]),
        (("recipes", "default", "schedule"), {"kind": "multistep"}, ["recipes.default.schedule", "needs milestones"]),
        (("recipes", "default", "crops_per_epoch"), 0, ["recipes.default.crops_per_epoch", "or equal to 1"]),
        (("recipes", "default"), {"crops_per_epoch": 310, "crops_per_image": 10}, ["recipes.default", "in all"]),
        (("recipes", "default"), {"crops_per_epoch": 310, "balance": "strata"}, ["recipes.default", "balance: none"]),
        (("datasets", "drive", "split", "validation"), 1.5, ["datasets.drive.split.validation", "less than 1"]),
        (("datasets", "drive", "size"), {"height": 64}, ["datasets.drive.size", "long_side"]),
        (
            ("datasets", "drive", "prediction"),
            {"tile": [8, 64]},
            ["datasets.drive.prediction.tile.0", "or equal to 16"],
        ),
        (("datasets", "drive", "prediction"), {"tile": 64}, ["datasets.drive.prediction.tile", "tuple", "64"]),
        (
            ("datasets", "drive", "prediction", "overlap"),
            0.25,
            ["datasets.drive.prediction", "set tile: [height, width]"],
        ),
        (
            ("datasets", "drive", "prediction"),
            {"tile": [64, 64], "overlap": 1},
            ["datasets.drive.prediction.overlap", "less than or equal to 0.9"],
        ),
        (("datasets", "drive", "prediction"), {"tiles": [64, 64]}, ["Did you mean 'tile'?"]),
        (("datasets", "drive", "reader"), "drve", ["datasets.drive.reader", "Did you mean 'drive'?"]),
        (("datasets", "drive", "training"), {"epoch": 3}, ["datasets.drive.training.epoch", "Did you mean 'epochs'?"]),
        (("experiments", "a", "models"), ["unte"], ["experiments.a.models names 'unte'", "Did you mean 'unet'?"]),
        (("experiments", "a", "seeds"), 0, ["experiments.a.seeds", "number >= 1"]),
        (("experiments", "a", "seeds"), [1, 1], ["experiments.a.seeds"]),
        (("experiments", "a", "seedz"), 1, ["experiments.a.seedz", "Did you mean 'seeds'?"]),
        (("study",), "a study", ["study", "letters, digits"]),
        (("datasets", "ph2", "split"), {"repeat": "kfold", "folds": 2}, None),
    ],
)
def test_what_is_wrong_is_named(path, value, says, tmp_path):
    config = changed(path, value)
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    if says is None:
        assert load_study(config, [file])
        return
    with pytest.raises(StudyError) as caught:
        load_study(config, [file])
    for part in [*says, "study.yaml:"]:
        assert part in str(caught.value)


def test_what_a_data_set_needs_may_not_contradict_the_recipe():
    config = changed(("recipes", "default", "crops_per_epoch"), 310)
    config["datasets"]["drive"]["training"] = {"crops_per_image": 4}
    assert load_study(config).recipe("ph2", "default").crops_per_epoch == 310, "drive is in no experiment"
    config["experiments"]["a"]["datasets"] = ["drive"]
    with pytest.raises(StudyError, match=r"datasets\.drive\.training: crops_per_epoch \(\d+\) is the number of crops"):
        load_study(config)
    config["datasets"]["drive"]["training"]["crops_per_epoch"] = None
    assert load_study(config).recipe("drive", "default").crops_per_image == 4


def test_the_line_is_that_of_the_key(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("study: x\nlosses:\n  bce: {}\n  focal:\n    gamma: 2\n    gama: 3\n")
    with pytest.raises(StudyError, match=r"study\.yaml:6 losses\.focal\.gama"):
        load_study(read_config(file), [file])


def test_every_problem_is_listed_at_once():
    config = changed(("recipes", "default", "epochs"), 0)
    config["datasets"]["ph2"]["splitt"] = {}
    with pytest.raises(StudyError, match="2 problems"):
        load_study(config)


def test_a_fold_that_does_not_exist_is_refused():
    config = changed(("datasets", "ph2", "split"), {"repeat": "kfold", "folds": 2})
    config["experiments"]["a"]["seeds"] = 3
    with pytest.raises(StudyError, match=r"fold 2 of ph2[\s\S]*0 to 1"):
        load_study(config)


def test_an_overlay_asks_its_own_questions(tmp_path):
    base, overlay = tmp_path / "config.yaml", tmp_path / "mine.yaml"
    base.write_text(yaml.safe_dump(BASE))
    mine = {"question": "mine?", "datasets": ["drive"], "models": ["unet"], "losses": ["bce"]}
    overlay.write_text(yaml.safe_dump({"study": "mine", "experiments": {"c": mine}}))
    study = load_study(read_config(base, overlay), [base, overlay])
    assert list(study.experiments) == ["c"]
    assert study.cells == [Cell("drive", "unet", "bce", "default", 0)]


@pytest.mark.parametrize("path", sorted(ROOT.glob("studies/*.yaml")), ids=lambda path: path.stem)
def test_every_study_that_is_shipped_is_valid(path):
    files = config_files(path.stem)
    assert load_study(read_config(*files), files).cells


def test_the_full_study_is_valid():
    study = load_study(read_config(ROOT / "config.yaml"), [ROOT / "config.yaml"])
    assert {cell.dataset for cell in study.cells} == {"ph2", "drive"}
    assert {cell.loss for cell in study.cells} == {"bce", "focal", "weighted_bce"}


@pytest.mark.parametrize(
    ("dataset", "loss", "problem"),
    [
        ("drive", {"loss": "cross_entropy"}, "cross_entropy is a softmax over several classes, but data set drive"),
        ("cmp", {"loss": "bce"}, "loss 'bce' is for one foreground class, but data set cmp has several"),
        ("cmp", {"loss": "focal", "form": "positive"}, "loss 'focal', form positive,"),
        ("cmp", {"loss": "compound", "terms": [{"loss": "dice"}, {"loss": "bce"}]}, "loss 'bce' is for one"),
    ],
)
def test_a_loss_that_does_not_fit_the_number_of_classes_stops_before_any_job(dataset, loss, problem):
    experiment = {"question": "Does it fit?", "datasets": [dataset], "models": ["unet"], "losses": ["chosen"]}
    config = {
        "study": "s",
        "datasets": {dataset: {"root": "x"}},
        "models": {"unet": {}},
        "losses": {"chosen": loss},
        "recipes": {"default": {}},
        "experiments": {"one": experiment},
    }
    with pytest.raises(StudyError, match=problem):
        load_study(config)


def test_nothing_is_chosen_on_validation_images_where_there_are_none():
    config = changed(("datasets", "ph2", "split"), {"validation": 0})
    with pytest.raises(StudyError, match="'validation', which needs validation images, but datasets"):
        load_study(config)
    config["evaluation"] = {"policies": ["training", "otsu"], "headline": "training"}
    with pytest.raises(StudyError, match="'otsu', which needs validation images"):
        load_study(config)
    config["evaluation"] = {"policies": ["fixed", "training"], "headline": "training"}
    assert load_study(config).evaluation.headline == "training"
    config["recipes"]["default"]["early_stopping"] = {"patience": 3}
    with pytest.raises(StudyError, match="recipe 'default' stops early by the validation loss"):
        load_study(config)
    config["datasets"]["ph2"]["training"] = {"early_stopping": {"patience": None}}
    assert load_study(config).recipe("ph2", "default").early_stopping.patience is None


def test_the_oracle_is_no_headline_and_no_part_of_a_prediction():
    with pytest.raises(ValueError, match="never the headline"):
        Evaluation(policies=["fixed", "oracle"], headline="oracle")
    assert Evaluation(policies=["fixed", "oracle"]).of_prediction == Evaluation(policies=["fixed"]).of_prediction


@pytest.mark.parametrize(
    ("dataset", "options", "problem"),
    [
        ("ph2", {}, "have different splits"),
        ("drive", {"split": {"repeat": "kfold"}}, "fixed_split .it is kfold"),
        ("cmp", {"split": {"repeat": "fixed_split"}}, "one foreground class, and cmp has several"),
        ("drive", {"split": {"repeat": "fixed_split"}}, None),
    ],
)
def test_an_ensemble_needs_one_split_and_one_class(dataset, options, problem):
    config = {
        "study": "s",
        "datasets": {dataset: {"root": "x", **options}},
        "models": {"unet": {}},
        "losses": {"cross_entropy" if dataset == "cmp" else "bce": {}},
        "recipes": {"default": {}},
        "evaluation": {"ensemble": True},
    }
    question = {"question": "Together?", "datasets": [dataset], "models": ["unet"], "losses": list(config["losses"])}
    load_study(config | {"experiments": {"one": question}})  # one seed has nothing to stand together
    several = config | {"experiments": {"one": question | {"seeds": 3}}}
    if problem is None:
        assert load_study(several).evaluation.ensemble
        return
    with pytest.raises(StudyError, match=problem):
        load_study(several)
