"""Estimates of cells, against networks that are built and cells that were really trained."""

import json
import os
import subprocess
import sys

import pytest

from segstudy.config.datasets import Prediction
from segstudy.config.load import load_study, read_config
from segstudy.config.networks import NETWORKS
from segstudy.models import cost, registry
from segstudy.study.earlier_cells import PARTS
from segstudy.study.estimates import CONTEXT_MB, START, Estimates, predicted_pixels
from segstudy.study.flops import network_cost
from tests.helpers.estimates import FILES, ROOT, RUNS, put


@pytest.fixture
def study():
    return load_study(read_config(*FILES), FILES)


def seconds(run):
    return sum(run["seconds"][part] for part in PARTS)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("options", [{}, {"depth": 2, "width": 8}, {"depth": 3, "width": 12, "normalisation": "none"}])
def test_the_cost_by_arithmetic_is_that_of_the_network(kind, options):
    model = {"network": kind, **NETWORKS[kind][0](**options).model_dump(mode="json")}
    network, side = registry.build(model, 3, 1), 128
    found = network_cost(model, 3, 1)
    assert not found.guess
    assert found.parameters == pytest.approx(cost.count_parameters(network), rel=0.06)
    bordered = kind == "unet_valid"  # its mirrored border is as large as a small image
    flops = cost.count_flops(network, 3, side, side) / side**2
    kept = cost.count_saved_bytes(network, 3, side, side) / 4 / side**2
    if bordered:
        assert flops / 3 < found.flops < flops
    else:
        assert found.flops == pytest.approx(flops, rel=0.06)
        assert found.values == pytest.approx(kept, rel=0.5 if model["normalisation"] == "none" else 0.2)


@pytest.mark.parametrize("cell", [cell for cell in RUNS if cell.endswith("seed1")])
def test_another_seed_tells_what_a_training_takes(study, tmp_path, cell):
    put(tmp_path, cell.replace("seed1", "seed0"))
    dataset, model, _, recipe, _ = cell.split("/")
    estimate = Estimates(study, tmp_path, gpu=False).cell(dataset, model, recipe)
    assert estimate.basis == "measured"
    assert 1 / 1.5 < (estimate.training - START) / seconds(RUNS[cell]) < 1.5
    assert estimate.training_mb == pytest.approx(RUNS[cell]["peak_memory_mb"]["host"], rel=0.2)


@pytest.mark.parametrize("cell", [cell for cell in RUNS if cell.endswith("seed1")])
@pytest.mark.parametrize("what", ["network", "study"])
def test_other_cells_tell_it_too(study, tmp_path, cell, what):
    """The same network on the other data set, or the other network on it: other pixels, other operations."""
    dataset, model, _, recipe, _ = cell.split("/")
    others = {"ph2": "drive", "drive": "ph2", "unet": "encdec", "encdec": "unet"}
    other = (others[dataset], model) if what == "network" else (others[dataset], others[model])
    put(tmp_path, f"{other[0]}/{other[1]}/bce/default/seed0")
    estimate = Estimates(study, tmp_path, gpu=False).cell(dataset, model, recipe)
    assert estimate.basis == "scaled"
    assert 1 / 2 < (estimate.training - START) / seconds(RUNS[cell]) < 2


@pytest.mark.parametrize("cell", [cell for cell in RUNS if cell.endswith("seed1")])
def test_with_nothing_to_go_by_it_is_a_guess(study, tmp_path, cell):
    dataset, model, _, recipe, _ = cell.split("/")
    estimate = Estimates(study, tmp_path, gpu=False).cell(dataset, model, recipe)
    assert estimate.basis == "guessed"
    assert 1 / 4 < (estimate.training - START) / seconds(RUNS[cell]) < 4
    host = RUNS[cell]["peak_memory_mb"]["host"]
    assert host < estimate.training_mb < 3 * host


def test_a_cpu_says_nothing_of_a_gpu(study, tmp_path):
    put(tmp_path, *RUNS)
    assert Estimates(study, tmp_path, gpu=True).cell("drive", "unet", "default").basis == "guessed"
    run = RUNS["drive/unet/bce/default/seed0"]
    path = tmp_path / "cells/drive/unet/focal/default/seed0/run.json"
    path.parent.mkdir(parents=True)
    gpu = {"peak_memory_mb": {"host": 2000.0, "cuda": 800.0}, "seconds": dict.fromkeys(PARTS, 1.0)}
    path.write_text(json.dumps(run | gpu))
    estimate = Estimates(study, tmp_path, gpu=True).cell("drive", "unet", "default")
    assert estimate.basis == "measured"
    assert estimate.gpu_mb == 800 + CONTEXT_MB
    assert Estimates(study, tmp_path, gpu=False).cell("drive", "unet", "default").gpu_mb == 0
    images = 40 * 10 * 4  # epochs, training images, crops of each
    assert estimate.training == pytest.approx(START + 3.0 * images / run["images_seen"])


def test_another_size_costs_in_proportion(study, tmp_path):
    put(tmp_path, "drive/unet/bce/default/seed0")
    known = Estimates(study, tmp_path, gpu=False).cell("drive", "unet", "default").training - START
    config = read_config(*FILES)
    config["datasets"]["drive"]["training"] |= {"crop": [192, 96], "epochs": 120}
    estimate = Estimates(load_study(config, FILES), tmp_path, gpu=False).cell("drive", "unet", "default")
    assert estimate.basis == "scaled"
    assert estimate.training - START == pytest.approx(2 * 3 * known)


def test_tiles_cost_what_overlaps_and_a_fixed_number_of_crops_what_it_says(study, tmp_path):
    config = read_config(*FILES)
    dataset, _, _, recipe, _ = study.cells[0]
    model = study.cells[0].model
    before = Estimates(study, tmp_path, gpu=False).cell(dataset, model, recipe)
    config["datasets"][dataset] |= {"prediction": {"tile": [32, 32]}}
    tiled = Estimates(load_study(config), tmp_path, gpu=False).cell(dataset, model, recipe)
    assert tiled.training == before.training and tiled.evaluation > before.evaluation
    config["datasets"][dataset]["training"] = {"crop": [32, 32], "crops_per_image": 1, "crops_per_epoch": 10}
    few = Estimates(load_study(config), tmp_path, gpu=False).cell(dataset, model, recipe)
    config["datasets"][dataset]["training"]["crops_per_epoch"] = 100_000
    many = Estimates(load_study(config), tmp_path, gpu=False).cell(dataset, model, recipe)
    assert few.training < many.training / 10


@pytest.mark.parametrize(("canvas", "tile", "overlap"), [((256, 320), (64, 64), 0.5), ((40, 600), (64, 100), 0.25)])
def test_pixels_of_tiles_are_those_that_a_prediction_computes(canvas, tile, overlap):
    from segstudy.inference.sliding_window import starts

    tiles = [len(starts(max(side, t), t, overlap)) for side, t in zip(canvas, tile, strict=True)]
    found = predicted_pixels(canvas, Prediction(tile=tile, overlap=overlap))
    assert found == pytest.approx(tiles[0] * tile[0] * tiles[1] * tile[1], rel=0.06)
    assert predicted_pixels(canvas, Prediction()) == canvas[0] * canvas[1]


def test_a_damaged_record_tells_nothing(study, tmp_path):
    path = tmp_path / "cells/drive/unet/bce/default/seed0/run.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert Estimates(study, tmp_path, gpu=False).cell("drive", "unet", "default").basis == "guessed"


def test_estimating_imports_nothing_heavy():
    code = "import sys, segstudy.study.estimates; print('torch' in sys.modules, 'pandas' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


FEW = [ROOT / "config.yaml", ROOT / "studies/few_labels_small.yaml"]


def few_labels(**recipes):
    config = read_config(*FEW)
    for name, changes in recipes.items():
        config["recipes"][name] |= changes
    return load_study(config, FEW)


def training_of(study, results, recipe):
    return Estimates(study, results, gpu=False).cell("hrf", "unet", recipe).training - START


def test_few_labels_cost_what_is_seen(tmp_path):
    """Per epoch: all crops of labelled and pseudo-labelled images, or as many as without, or a share of the labels."""
    every = {"crops_per_epoch": None, "crops_per_image": 7, "validate_every": 10**6}
    teacher = {"teacher": {"recipe": "supervised"}, "unlabelled": "drive_unlabelled"}
    study = few_labels(supervised=every, pseudo=every | {"pseudo_labels": teacher}, finetuned=every | {"labels": 0.5})
    size = Estimates(study, tmp_path, gpu=False).size
    own, others = size("hrf").train, size("drive_unlabelled").learnable
    assert others == 20  # DRIVE's official training images, all of them
    alone = training_of(study, tmp_path, "supervised")
    assert training_of(study, tmp_path, "pseudo") == pytest.approx(alone * (own + others) / own, rel=1e-3)
    assert training_of(study, tmp_path, "finetuned") == pytest.approx(alone * round(own / 2) / own, rel=1e-3)
    shared = few_labels(supervised=every, pseudo=every | {"pseudo_labels": teacher | {"real": 0.5}})
    assert training_of(shared, tmp_path, "pseudo") == pytest.approx(alone, rel=1e-3)


def test_a_mean_teacher_sees_more_for_each_labelled_image(tmp_path):
    """As many unlabelled images, and all once more forward through the mean network: 4 + 4 passes in place of 3."""
    rarely = {"validate_every": 10**6}
    study = few_labels(supervised=rarely, mean_teacher=rarely)
    alone = training_of(study, tmp_path, "supervised")
    assert training_of(study, tmp_path, "mean_teacher") == pytest.approx(alone * 8 / 3, rel=1e-3)
    half = {"consistency": {"unlabelled": "drive_unlabelled", "batch_size": 4}}
    study = few_labels(mean_teacher=rarely | half)
    assert training_of(study, tmp_path, "mean_teacher") == pytest.approx(alone * 6 / 3, rel=1e-3)


def test_the_record_of_a_mean_teacher_tells_what_one_without_takes(tmp_path):
    study = few_labels()
    recipe = study.recipe("hrf", "mean_teacher").model_dump(mode="json")
    settings = {"model": study.model_settings("unet"), "recipe": recipe}
    known = RUNS["drive/unet/bce/default/seed0"]
    path = tmp_path / "cells/hrf/unet/dice/mean_teacher/seed0/run.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps(known | {"settings": settings, "images_seen": 3600, "seconds": dict.fromkeys(PARTS, 80)})
    )
    assert training_of(study, tmp_path, "mean_teacher") == pytest.approx(240)
    assert training_of(study, tmp_path, "supervised") == pytest.approx(90)


def test_labelling_takes_as_long_as_it_took_or_what_prediction_takes(tmp_path):
    study = few_labels()
    teacher = study.cells[0]
    guess = Estimates(study, tmp_path, gpu=False).labelling(teacher, "drive_unlabelled")
    config = read_config(*FEW)
    config["datasets"]["drive_unlabelled"]["split"]["validation"] = 0.5
    half = Estimates(load_study(config), tmp_path, gpu=False).labelling(teacher, "drive_unlabelled")
    assert guess - START == pytest.approx(2 * (half - START))
    path = tmp_path / "benchmarks/pseudo_predict/drive_unlabelled" / f"{teacher.path}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"s": 12.5}\n')
    assert Estimates(study, tmp_path, gpu=False).labelling(teacher, "drive_unlabelled") == 12.5


def test_a_data_set_without_masks_has_no_image_to_train_on_by_masks(tmp_path):
    files = [ROOT / "config.yaml", ROOT / "studies/hrf_few_labels.yaml"]
    size = Estimates(load_study(read_config(*files), files), tmp_path, gpu=False).size("rfmid")
    assert (size.train, size.val, size.unlabelled, size.learnable) == (0, 0, 3200, 3200)


def test_who_learns_to_remove_noise_is_counted_with_the_images_that_have_no_mask(study, tmp_path):
    config = read_config(*FILES)
    config["recipes"]["denoising"] = {**config["recipes"]["default"], "denoising": {"validation": 0.25}}
    study = load_study(config)
    dataset, model = study.cells[0].dataset, study.cells[0].model
    data = tmp_path / "data" / dataset
    (data / "splits").mkdir(parents=True)

    def training(images):
        rows = [f"s{i},,96,128\n" for i in range(images)]
        (data / "index.csv").write_text("sample,mask,height,width\n" + "".join(rows))
        (data / "splits/seed0.csv").write_text("sample,subset\n" + "".join(f"s{i},unlabelled\n" for i in range(images)))
        found = Estimates(study, tmp_path, gpu=False)
        assert found.size(dataset).unlabelled == images
        return found.cell(dataset, model, "denoising").training - START

    assert training(16) == pytest.approx(2 * training(8)) and training(8) > 0
