"""The studies that repeat a document ask for what the document did."""

import pytest

from segstudy.config import dependencies
from segstudy.config.load import load_study, read_config
from segstudy.config.recipes import Augmentation, Balance
from segstudy.models.cost import count_parameters
from segstudy.models.registry import build
from tests.helpers.studies import OVER, config_files

FREE = {"epochs", "learning_rate", "schedule", "validate_every"}  # of a recipe, in an overlay for two cores


def study(name):
    files = config_files(name)
    return load_study(read_config(*files), files)


@pytest.mark.parametrize("name", ["ebhi", "ebhi_small"])
def test_tiles_at_random_differ_from_whole_cases_by_the_split_alone(name):
    found = study(name)
    cases, images = (found.datasets[f"ebhi_{split}"] for split in ("cases", "images"))
    assert cases.split.grouped and not images.split.grouped
    assert images.split.model_copy(update={"grouped": True}) == cases.split
    leaks = [item for item in images.exceptions if item.kind == "group_straddles"]
    same = {"split": cases.split, "exceptions": [item for item in images.exceptions if item not in leaks]}
    assert len(leaks) == 1 and images.model_copy(update=same) == cases
    rows = {
        dataset: {cell[1:] for cell in found.cells if cell.dataset == dataset}
        for dataset in dependencies.used_datasets(found)
    }
    assert rows["ebhi_cases"] == rows["ebhi_images"] and len(rows["ebhi_cases"]) >= 12


def test_the_tumour_study_trains_as_its_report():
    found = study("ebhi")
    recipe = found.recipe("ebhi_cases", "plain")
    assert (recipe.optimiser, recipe.learning_rate, recipe.batch_size) == ("adam", 1e-4, 32)
    assert recipe.schedule.kind == "constant" and recipe.balance == "none"
    curve = recipe.early_stopping.curve
    assert (curve.window, curve.epochs, curve.after) == (10, 5, 10)
    balanced = found.recipe("ebhi_cases", "balanced")
    assert balanced.balance == "strata" and balanced.learning_rate == recipe.learning_rate
    size, data = found.datasets["ebhi_cases"].size, found.datasets["ebhi_cases"]
    assert (size.height, size.width, data.colour) == (64, 64, "grey")
    rows = {(cell.model, cell.loss, cell.recipe) for cell in found.cells}
    assert {("unet", loss, "plain") for loss in ("bce_probability", "bce", "smooth_l1")} <= rows
    assert {(f"unet_{kind}", "bce_probability", "added_copies") for kind in ("no_skips", "smoothed", "dropout")} <= rows
    assert all(experiment.seeds == [0, 1, 2] for experiment in found.experiments.values())
    assert "otsu" in found.evaluation.policies and "all_foreground" in found.evaluation.controls


@pytest.mark.parametrize("name", ["ebhi", "ebhi_small"])
def test_the_rows_of_the_balancing_differ_in_one_thing_at_a_time(name):
    found = study(name)
    recipes = {item: found.recipes[item] for item in found.experiments["balancing"].recipes}
    plain, changes = recipes["plain"], recipes["added_copies"].augmentation
    assert plain.augmentation == Augmentation() != changes and recipes["added_copies"].adds_copies
    even = {"balance": "strata"}
    assert recipes == {
        "plain": plain,
        "added_copies": plain.model_copy(update={"balance": Balance(), "augmentation": changes}),
        "balanced_only": plain.model_copy(update=even),
        "augmented_only": plain.model_copy(update={"augmentation": changes}),
        "balanced": plain.model_copy(update=even | {"augmentation": changes}),
    }


def test_the_cells_are_pooled_as_on_the_sheet():
    found = study("phc")
    assert {found.models[name].options.pool for name in ("encdec", "unet")} == {3}
    network = build(found.model_settings("unet"), 1, 1)
    assert [(layer.kernel_size, layer.stride, layer.padding) for layer in network.down] == [(3, 2, 1)] * 4
    assert not hasattr(found.models["unet2"].options, "pool")


@pytest.mark.parametrize("name", ["phc", "facade"])
def test_vgg16_is_transferred_and_stands_beside_the_same_network_from_random_weights(name):
    found = study(name)
    models = {model: found.models[model].options for model in found.experiments["transfer"].models}
    assert {model: options.encoder for model, options in models.items() if model != "unet"} == {
        "unet_vgg16_chance": "vgg16",
        "unet_vgg16": "vgg16",
        "unet_vgg16_bn": "vgg16_bn",
    }
    assert models["unet_vgg16_chance"] == models["unet_vgg16"].model_copy(update={"weights": "none"})
    assert found.encoder("unet_vgg16") == "vgg16"


def test_both_fundus_studies_train_and_measure_one_supervised_network():
    hrf, few = study("hrf"), study("hrf_few_labels")
    assert hrf.datasets["hrf"].prediction == few.datasets["hrf"].prediction
    same = {"split", "size", "region", "colour"}
    assert hrf.dataset_settings("hrf", *same) == few.dataset_settings("hrf", *same)
    one = hrf.training_settings("hrf", "unet", "dice", "epochs_100")
    assert one == few.training_settings("hrf", "unet", "dice", "supervised") and one["recipe"]["keep"] == "last"
    assert one["loss"] == {"loss": "dice", "form": "sum", "smooth": 0, "batch": True, "skip_empty": True}


def test_the_pseudo_label_rows_are_those_of_the_thesis():
    found = study("hrf_few_labels")
    half = found.recipe("hrf", "pseudo_real50")
    assert (half.epochs, half.pseudo_labels.real, half.validation_crops, half.crops_per_epoch) == (20, 0.5, 80, 1113)
    assert "unet/bce/pseudo_real50" in found.experiments["approaches"].only
    continued = found.recipe("hrf", "pseudo_continued")
    assert continued.model_copy(update={"start_from": None}) == half
    cell = next(cell for cell in found.cells if cell.recipe == "pseudo_continued")
    sources = dependencies.sources(found, cell)
    assert sources["start"] == sources["teacher"] == cell._replace(loss="dice", recipe="supervised")
    assert found.datasets["rfmid"].prediction.overlap is None


def test_the_fundus_study_trains_as_its_thesis():
    found = study("hrf")
    recipe = found.recipe("hrf", "epochs_100")
    assert (recipe.optimiser, recipe.learning_rate, recipe.batch_size, recipe.epochs) == ("adam", 0.01, 16, 100)
    assert recipe.schedule.milestones == [20, 40, 60, 80] and recipe.schedule.gamma == 0.1
    assert (recipe.crop, recipe.crops_per_image) == ((128, 128), 10)
    assert recipe.model_copy(update={"epochs": 50}) == found.recipe("hrf", "epochs_50")
    assert found.datasets["hrf"].size.long_side == 1024
    encoders = {cell.model for cell in found.experiments["encoders"].cells}
    assert {found.models[name].options.encoder for name in encoders - {"unet"}} == {"resnet34", "resnet50", "resnet152"}
    split = found.datasets["hrf"].split
    assert round(45 * split.test) == 7 and round(45 * (1 - split.test) * (1 - split.validation)) == 32, "70 % train"


def test_the_vessel_benchmark_keeps_the_published_protocol():
    """All official training images, native resolution, inside the field of view, nothing chosen on the test images."""
    found = study("drive_benchmark")
    drive = found.datasets["drive"]
    assert (drive.size, drive.region, drive.split.official) == ("native", "roi", True)
    assert (drive.split.validation, drive.split.repeat) == (0, "fixed_split")
    assert found.evaluation.headline == "training" and set(found.evaluation.policies) == {"fixed", "training"}
    assert {"second_human", "frangi", "otsu", "all_background"} <= set(found.evaluation.controls)
    recipe = found.recipe("drive", "default")
    assert (recipe.optimiser, recipe.learning_rate, recipe.schedule.kind) == ("adamw", 0.01, "one_cycle")
    assert (recipe.crop, recipe.batch_size, recipe.crops_per_image) == ((288, 288), 2, 1)
    changes = recipe.augmentation
    assert (changes.rotation, changes.scale, changes.shift) == (45, (0.9, 1.1), 0.05)
    assert changes.brightness == changes.contrast == changes.saturation == (0.75, 1.25)
    assert [cell.seed for cell in found.experiments["benchmark"].cells] == [0, 1, 2]
    for model in ("wnet", "unet"):
        assert count_parameters(build(found.model_settings(model), 3, 1)) < 100_000


@pytest.mark.parametrize(("name", "full"), OVER.items())
def test_an_overlay_for_two_cores_has_the_rows_and_the_protocol_of_the_full_study(name, full):
    """Networks differ in width alone, recipes in epochs, rate and how often they validate, experiments in seeds.

    A measure may be left out which no readable table shows.
    """
    small, large = study(name), study(full)
    assert small.study == name and list(small.experiments) == list(large.experiments)
    for key, experiment in small.experiments.items():
        rows = [{cell[:4] for cell in one.cells} for one in (experiment, large.experiments[key])]
        assert rows[0] == rows[1] and len(experiment.seeds) == 2, key
    used = dependencies.used_datasets(large)
    assert {used_name: small.datasets[used_name] for used_name in used} == {n: large.datasets[n] for n in used}
    assert set(small.evaluation.measures) <= set(large.evaluation.measures) and small.losses == large.losses
    assert small.evaluation.model_copy(update={"measures": large.evaluation.measures}) == large.evaluation
    for block, free in (("models", {"width", "decoder_widths"}), ("recipes", FREE)):
        for key in {cell.model if block == "models" else cell.recipe for cell in large.cells}:
            options = [getattr(one, block)[key] for one in (small, large)]
            plain = [(one.options if block == "models" else one).model_dump() for one in options]
            assert {name for name in plain[0] if plain[0][name] != plain[1][name]} <= free, key
