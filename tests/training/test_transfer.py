"""Weights taken over from another cell: what is taken, what is not and why, and how what was taken learns."""

import copy
import json
import logging

import pytest
import torch

from segstudy.config.recipes import Recipe
from segstudy.core.errors import StudyError
from segstudy.models import model_file, registry
from segstudy.training import checkpoint, transfer
from segstudy.training.optim import build_optimizer, frozen_parts, set_frozen
from tests.helpers import small_cell

UNET = {"network": "unet", "depth": 2, "width": 2, "normalisation": "batch"}
SCALING = {"mean": [0.1, 0.2, 0.3], "std": [1.0, 2.0, 3.0]}
# Every network that has a way down, the beginnings of its layers' names on it, and those of its way up.
LADDERS = {
    "encdec": ("encoder.0.", "bottom.", "decoder.0."),
    "unet": ("encoder.1.", "bottom.", "decoder.0."),
    "unet2": ("down.1.", "encoder.1.", "up.0."),
    "unet_valid": ("encoder.1.", "bottom.", "up.0."),
    "segnet": ("encoder.1.", "encoder.0.", "decoder.1."),
    "wnet": ("first.encoder.0.", "second.bottom.", "first.decoder.0."),
}


@pytest.fixture(autouse=True)
def torch_as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.set_flush_denormal(False)


def written(path, model=UNET, channels=3, outputs=1, recipe=None, classes=("vessel",), seed=1):
    """Write a network with weights of its own as a finished cell would; return it."""
    torch.manual_seed(seed)
    network = registry.build(model, channels, outputs)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.copy_(torch.rand(tensor.shape) + 1 if tensor.is_floating_point() else torch.tensor(7))
    scaling = SCALING if channels == 3 else {key: values[:channels] for key, values in SCALING.items()}
    meta = {"settings": {"model": model, "recipe": recipe or {}}, "in_channels": channels, "outputs": outputs}
    model_file.save_model(path, network, meta | {"classes": list(classes), "normalisation": scaling})
    return network


def fresh(model=UNET, channels=3, outputs=1):
    torch.manual_seed(0)
    return registry.build(model, channels, outputs)


def taken_by(network, path, take="all", channels=3, outputs=("vessel",)):
    return transfer.take_over(network, path, take, channels=channels, outputs=outputs)


def same(network, other, names):
    mine, theirs = network.state_dict(), other.state_dict()
    return [name for name in names if torch.equal(mine[name], theirs[name])]


def test_an_equal_network_takes_every_tensor_and_the_scaling_they_were_learned_with(tmp_path):
    path = tmp_path / "model.safetensors"
    source, network = written(path), fresh()
    taken = taken_by(network, path)
    names = list(network.state_dict())
    assert same(network, source, names) == names and set(names) == taken.names
    assert taken.normalisation == SCALING and taken.files == {"start": path}
    facts = taken.facts["start"]
    assert facts["left"] == {} and facts["tensors"] == len(names) and len(facts["sha256"]) == 64


@pytest.mark.parametrize("kind", LADDERS)
def test_the_way_down_is_all_that_leads_to_the_coarsest_map(kind, tmp_path):
    path, model = tmp_path / "model.safetensors", {"network": kind, "depth": 2, "width": 2}
    source, network = written(path, model), fresh(model)
    before = copy.deepcopy(network)
    taken = taken_by(network, path, "encoder")
    *down, up = LADDERS[kind]
    for prefix in down:
        parts = [name for name in network.state_dict() if name.startswith(prefix)]
        assert parts and same(network, source, parts) == parts, prefix
    rest = [name for name in network.state_dict() if name not in taken.names]
    assert any(name.startswith(up) for name in rest)
    assert same(network, before, rest) == rest and {taken.facts["start"]["left"][n] for n in rest} == {
        "not on the way down"
    }


def test_a_denoising_network_gives_all_but_its_head_even_where_that_has_the_same_shape(tmp_path, caplog):
    caplog.set_level(logging.INFO, "segstudy")
    colour, grey = tmp_path / "colour.safetensors", tmp_path / "grey.safetensors"
    for path, channels in ((colour, 3), (grey, 1)):
        written(path, channels=channels, outputs=channels, recipe={"denoising": {"validation": 0.2}})
        network = fresh(channels=channels)
        taken = taken_by(network, path, channels=channels)
        left = taken.facts["start"]["left"]
        assert {name.partition(".")[0] for name in left} == {"head"}
        assert all(why.startswith("head:") for why in left.values())
    assert "not taken: head: the other network predicts something else: head." in caplog.text


def test_other_widths_and_depths_are_told_tensor_by_tensor(tmp_path):
    path = tmp_path / "model.safetensors"
    written(path, UNET | {"depth": 3})
    network = fresh()
    left = taken_by(network, path).facts["start"]["left"]
    deeper = {why for name, why in left.items() if name.startswith("encoder.2.")}
    assert deeper == {"this network has no such tensor"}
    assert any(why.startswith("shape: ") for name, why in left.items() if name.startswith("bottom."))


def test_taking_nothing_and_other_channels_stop_the_training(tmp_path):
    path = tmp_path / "model.safetensors"
    written(path, UNET | {"width": 5})
    with pytest.raises(StudyError, match=r"no weights .* fit this network: shape: 5x3x3x3 there, 2x3x3x3 here"):
        taken_by(fresh(), path)
    with pytest.raises(StudyError, match="of 3 channels, and the images here have 1"):
        taken_by(fresh(channels=1), path, channels=1)
    dilated = {"network": "dilatednet", "depth": 2, "width": 2}
    written(path, dilated)
    with pytest.raises(StudyError, match=r"DilatedNet.* does not say which of its tensors"):
        taken_by(fresh(dilated), path, "encoder")
    assert taken_by(fresh(dilated), path).facts["start"]["left"] == {}


def test_what_was_taken_learns_at_a_rate_of_its_own(tmp_path):
    network = fresh()
    names = {name for name, _ in network.named_parameters() if name.startswith(network.encoder_tensors)}
    recipe = Recipe(learning_rate=0.1, optimiser="sgd", momentum=0, transfer={"rate": 0.25})
    optimizer = build_optimizer(network, recipe, "cpu", names)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for name, parameter in network.named_parameters():
        step = 0.1 * (0.25 if name in names else 1)
        torch.testing.assert_close(before[name] - parameter, torch.full_like(parameter, step), rtol=1e-4, atol=1e-6)
    assert len(build_optimizer(network, recipe, "cpu").param_groups) == 1


def test_what_is_frozen_keeps_weights_and_statistics_and_then_learns():
    network = fresh()
    taken = {name for name in network.state_dict() if name.startswith(network.encoder_tensors)}
    recipe = Recipe(transfer={"freeze": 1})
    optimizer, parts = build_optimizer(network, recipe, "cpu", taken), frozen_parts(network, recipe, taken)

    def step(frozen):
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        network.train()
        set_frozen(parts, frozen)
        optimizer.zero_grad(set_to_none=True)
        network(torch.rand(2, 3, 16, 16)).square().mean().backward()
        optimizer.step()
        return {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}

    changed = step(True)
    assert changed and not changed & taken
    assert {name for name in taken if "running" in name} <= step(False)
    with pytest.raises(StudyError, match="nothing would learn in the first 1 epochs"):
        frozen_parts(network, recipe, set(network.state_dict()))


FREEZING = {"start_from": {"recipe": "denoising", "take": "encoder"}, "transfer": {"freeze": 2, "rate": 0.5}}


def chained(**changes):
    settings = copy.deepcopy(small_cell.SETTINGS)
    settings["model"] = {"network": "unet", "depth": 2, "width": 2, "normalisation": "batch"}
    settings["recipe"] |= {"epochs": 3, "precision": "fp32"} | changes
    return settings


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return small_cell.write_inputs(tmp_path_factory.mktemp("inputs"), images=8, side=16)


def test_a_cell_starts_from_another_and_its_record_says_so(inputs, tmp_path):
    start = tmp_path / "start.safetensors"
    source = written(start)
    settings, sources = chained(**FREEZING | {"epochs": 2}), {"start": "rfmid/unet/mse/denoising/seed0"}
    small_cell.run(inputs, tmp_path / "cell", settings, start=start, sources=sources)
    record = json.loads((tmp_path / "cell" / "run.json").read_text())
    told = record["sources"]["start"]
    assert told["cell"] == sources["start"] and told["sha256"] == record["data"]["start"]
    assert record["normalisation"] == SCALING
    network, _ = model_file.load_model(tmp_path / "cell" / "model.safetensors")
    assert same(network, source, told["taken"]) == told["taken"], "frozen for as long as the training lasted"
    assert len(same(network, source, network.state_dict())) < len(network.state_dict())


def test_a_frozen_start_goes_on_after_a_stop_with_the_same_bits(inputs, tmp_path, monkeypatch):
    from segstudy.training import cell

    start = tmp_path / "start.safetensors"
    written(start)
    small_cell.run(inputs, tmp_path / "whole", chained(**FREEZING), start=start)

    class Stopping(checkpoint.ResumeCheckpoint):
        saves = 0

        def due(self):
            return True

        def save(self, state):
            super().save(state)
            Stopping.saves += 1
            if Stopping.saves in (3, 8):  # once while frozen, once after
                raise KeyboardInterrupt

    monkeypatch.setattr(cell, "ResumeCheckpoint", Stopping)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            small_cell.run(inputs, tmp_path / "stopped", chained(**FREEZING), start=start)
    small_cell.run(inputs, tmp_path / "stopped", chained(**FREEZING), start=start)
    for name in ("model.safetensors", "history.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


def test_a_transfer_without_anything_taken_over_is_told(inputs, tmp_path, caplog):
    small_cell.run(inputs, tmp_path, chained(epochs=1, transfer={"rate": 0.1}))
    assert "starts from chance alone" in caplog.text
    with pytest.raises(StudyError, match="no file of them was given"):
        small_cell.run(inputs, tmp_path, chained(**FREEZING))
