"""A whole cell from its files to its files."""

import copy
import json
import logging
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from segstudy.core.errors import StudyError
from segstudy.models import model_file
from segstudy.runtime import device
from segstudy.training import checkpoint
from tests.helpers import small_cell


@pytest.fixture(autouse=True)
def torch_as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.set_flush_denormal(False)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return small_cell.write_inputs(tmp_path_factory.mktemp("inputs"))


def quick(**changes):
    settings = copy.deepcopy(small_cell.SETTINGS)
    settings["recipe"]["epochs"] = 2
    for block, options in changes.items():
        settings[block] |= options
    return settings


def test_a_cell_leaves_model_history_and_a_full_record(inputs, tmp_path):
    small_cell.run(inputs, tmp_path, quick(loss={"loss": "weighted_bce"}))
    record = json.loads((tmp_path / "run.json").read_text())
    history = pd.read_csv(tmp_path / "history.csv")
    network, meta = model_file.load_model(tmp_path / "model.safetensors")
    assert record["images"] == {"train": 10, "val": 3}
    assert record["images_seen"] == 20
    assert record["epochs"] == len(history) == 2
    assert record["loss_weights"]["positive_weight"] > 1
    assert record["parameters"] == sum(weight.numel() for weight in network.parameters())
    assert record["flops_per_image"] > 0
    assert record["seconds"]["steps"] > 0
    assert record["peak_memory_mb"]["host"] > 0
    assert record["interruptions"] == 0
    assert set(record["data"]) == {"split"} | {
        f"store/{n}" for n in ("geometry.csv", "images.npy", "masks.npy", "rois.npy", "store.json")
    }
    assert record["settings"]["recipe"]["epochs"] == 2
    assert meta["classes"] == ["disc"]
    assert meta["outputs"] == 1
    assert history.loc[history["best"] == 1, "epoch"].iloc[-1] == meta["epoch"]
    mean, std = (torch.tensor(meta["normalisation"][key]).view(3, 1, 1) for key in ("mean", "std"))
    assert network((torch.rand(1, 3, 20, 28) - mean) / std).shape == (1, 1, 20, 28)
    assert not (tmp_path / "resume").exists()


def test_several_classes_train_with_one_channel_each(tmp_path):
    inputs = small_cell.write_inputs(tmp_path / "inputs", classes=("core", "rim"))
    terms = [
        {"loss": "cross_entropy", "class_weights": "inverse_frequency"},
        *({"loss": kind, "weight": 0.1} for kind in ("focal", "tversky", "soft_cldice", "boundary")),
    ]
    small_cell.run(inputs, tmp_path, quick(loss={"loss": "compound", "terms": terms}))
    network, meta = model_file.load_model(tmp_path / "model.safetensors")
    assert meta["outputs"] == 3
    record = json.loads((tmp_path / "run.json").read_text())
    split = pd.read_csv(inputs[1])["subset"].to_numpy()
    inverse = 1 / np.bincount(np.load(inputs[0] / "masks.npy")[split == "train"].ravel())
    weights, *others = record["loss_weights"]["terms"]
    assert weights["class_weights"] == pytest.approx(inverse / inverse.mean())
    assert others == [{}] * 4
    assert network(torch.rand(1, 3, 16, 16)).shape == (1, 3, 16, 16)


def test_state_of_another_recipe_is_not_continued(inputs, tmp_path, caplog):
    other = checkpoint.ResumeCheckpoint(
        tmp_path / "resume", {"settings": quick(recipe={"learning_rate": 0.5}), "seed": 1}
    )
    other.save({"epoch": 2})
    with caplog.at_level(logging.WARNING, "segstudy"):
        small_cell.run(inputs, tmp_path, quick())
    assert "settings.recipe.learning_rate was 0.5, is 0.01" in caplog.text
    assert json.loads((tmp_path / "run.json").read_text())["interruptions"] == 0


def test_changed_pixels_are_another_training(inputs, tmp_path):
    from segstudy.training.record import data_hashes

    again = small_cell.write_inputs(tmp_path / "same")
    assert data_hashes(*again) == data_hashes(*inputs)
    content = bytearray((again[0] / "masks.npy").read_bytes())
    content[-1] ^= 1
    (again[0] / "masks.npy").write_bytes(content)
    assert data_hashes(*again)["store/masks.npy"] != data_hashes(*inputs)["store/masks.npy"]


def without(inputs, folder, subset):
    """Return the inputs with a split whose images of `subset` are not used."""
    split = pd.read_csv(inputs[1])
    split["subset"] = split["subset"].replace(subset, "unlabelled")
    split.to_csv(folder / "split.csv", index=False)
    return inputs[0], folder / "split.csv"


def test_nothing_to_train_on_is_explained(inputs, tmp_path):
    with pytest.raises(StudyError, match="no labelled image in subset 'train'"):
        small_cell.run(without(inputs, tmp_path, "train"), tmp_path, quick())


def test_without_validation_images_the_last_weights_are_published(inputs, tmp_path):
    small_cell.run(without(inputs, tmp_path, "val"), tmp_path, quick(recipe={"epochs": 3}))
    history, record = pd.read_csv(tmp_path / "history.csv"), json.loads((tmp_path / "run.json").read_text())
    assert history["best"].tolist() == [0, 0, 1] and record["best_epoch"] == 3
    assert history[["val_loss", "val_dice"]].isna().all(axis=None)
    assert record["images"] == {"train": 10, "val": 0}
    assert model_file.load_model(tmp_path / "model.safetensors")[1]["epoch"] == 3


def test_validation_images_without_masks_are_explained(inputs, tmp_path):
    shutil.copytree(inputs[0], tmp_path / "store")
    split, geometry = pd.read_csv(inputs[1]), pd.read_csv(tmp_path / "store/geometry.csv")
    geometry.loc[split["subset"] == "val", "labelled"] = 0
    geometry.to_csv(tmp_path / "store/geometry.csv", index=False)
    with pytest.raises(StudyError, match="no labelled image in subset 'val'"):
        small_cell.run((tmp_path / "store", inputs[1]), tmp_path, quick())


def test_a_training_that_dies_publishes_nothing(inputs, tmp_path):
    recipe = {"learning_rate": 10.0, "optimiser": "sgd", "momentum": 0.99, "precision": "fp32", "epochs": 50}
    settings = quick(recipe=recipe | {"schedule": {"kind": "constant"}}, model={"normalisation": "none"})
    with pytest.raises(StudyError, match="diverged") as caught:
        small_cell.run(inputs, tmp_path, settings)
    assert "samples s" in caught.value.where
    assert not (tmp_path / "run.json").exists()


def test_samples_of_a_diverged_batch_are_named_by_row_not_by_its_text(inputs):
    from segstudy.data.store import open_store
    from segstudy.data.subsets import names_of

    assert names_of(open_store(inputs[0])) == [f"s{row:02d}" for row in range(16)]  # row 10 is not the third


def test_the_peak_is_measured_where_it_is_worth_it_and_changes_no_bit(inputs, tmp_path, monkeypatch, caplog):
    measured, least = [], device.WORTH_MEASURING
    measure = device.measure_peak
    monkeypatch.setattr(device, "measure_peak", lambda *given: measured.append(given) or measure(*given))
    small_cell.run(inputs, tmp_path / "short", quick())
    record = json.loads((tmp_path / "short/run.json").read_text())
    assert 3 * record["flops_per_image"] * record["images_seen"] < least
    assert record["peak_flops_per_second"] is record["share_of_peak"] is None
    assert not measured

    monkeypatch.setattr(device, "WORTH_MEASURING", 0)
    with caplog.at_level(logging.INFO, "segstudy"):
        small_cell.run(inputs, tmp_path / "measured", quick())
    record = json.loads((tmp_path / "measured/run.json").read_text())
    assert len(measured) == 1
    assert record["precision"] == ("bf16" if measured[0][1] == torch.bfloat16 else "fp32")
    assert 0 < record["share_of_peak"] < 1
    achieved = record["images_seen"] * 3 * record["flops_per_image"] / record["seconds"]["steps"]
    assert record["flops_per_second"] == pytest.approx(achieved, rel=0.1)  # seconds are rounded
    assert f"{record['share_of_peak']:.0%} of the" in caplog.text
    for name in ("model.safetensors", "history.csv"):
        assert (tmp_path / "measured" / name).read_bytes() == (tmp_path / "short" / name).read_bytes()


def test_the_parts_that_were_used_are_recorded(inputs, tmp_path):
    small_cell.run(inputs, tmp_path, quick(recipe={"accumulate": 2, "on_oom": "halve"}))
    assert json.loads((tmp_path / "run.json").read_text())["accumulate_used"] == 2
