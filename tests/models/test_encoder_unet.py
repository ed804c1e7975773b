"""U-Nets on borrowed encoders: the weights that come in are the ones that were in the file, or it is an error."""

import json
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from segstudy.core.errors import StudyError
from segstudy.inference.predict import predict_canvas
from segstudy.models import encoder_files, torchvision_import
from segstudy.models.encoder_unet import blank_encoder, library
from segstudy.models.model_file import load_model
from segstudy.models.pretrained import IMAGENET, adapted, read_weights
from segstudy.models.registry import build
from tests.helpers import small_cell

NARROW = {"network": "encoder_unet", "encoder": "resnet18", "decoder_widths": [8, 8, 8, 8, 8]}


def forged(encoder="resnet18", seed=7):
    """Return the state dict of an encoder with weights by chance, as torchvision's file would hold it.

    A tensor of the classifier, which nobody takes, has one number: those of VGG are half a gigabyte.
    """
    torchvision_import.make_importable()
    from torchvision.models import get_model

    with torch.device("meta"):
        blank = get_model(encoder, weights=None).state_dict()
    torch.manual_seed(seed)
    state = {}
    for name, value in blank.items():
        if name.startswith(("fc.", "classifier.")):
            state[name] = torch.zeros(1)
        elif name.endswith(("mean", "var")):
            state[name] = torch.empty(value.shape).uniform_(0.5, 1.5)  # statistics that no new network has
        else:
            state[name] = (torch.randn(value.shape) / 20).to(value.dtype)
    return state


@pytest.fixture(scope="module")
def state():
    return forged()


@pytest.fixture(scope="module")
def files(state, tmp_path_factory):
    """The file as torchvision gives it, and what becomes of it."""
    folder = tmp_path_factory.mktemp("files")
    torch.save(state, folder / "resnet18.pth")
    encoder_files.obtain("resnet18", folder / "resnet18.pth", folder / "resnet18.safetensors")
    return folder


@pytest.fixture
def given(files, tmp_path):
    return shutil.copy(files / "resnet18.pth", tmp_path / "resnet18.pth")


@pytest.fixture
def weights(files, tmp_path):
    (tmp_path / "out").mkdir()
    return shutil.copy(files / "resnet18.safetensors", tmp_path / "out" / "resnet18.safetensors")


# torchvision beside a torch that it was not compiled for.


def test_torchvision_can_be_imported_and_what_it_lacks_is_not_made_up():
    code = """
import torch, sys
from segstudy.models.torchvision_import import make_importable
make_importable(); make_importable()
import torchvision, segmentation_models_pytorch
try:
    torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    print("computed")
except NotImplementedError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("refused", "computed")  # computed: the torchvision here is compiled for this torch


@pytest.mark.parametrize("text", ["something else is wrong", "operator torchvision::nms does not exist"])
def test_another_problem_of_torchvision_is_not_hidden(monkeypatch, text):
    def broken(name):
        raise RuntimeError(text)

    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(torchvision_import.importlib, "import_module", broken)
    monkeypatch.setattr(torch.version, "cuda", "13.0")  # there torchvision must bring its operators itself
    with pytest.raises(RuntimeError, match=text):
        torchvision_import.make_importable()


# The file.


def test_every_tensor_is_taken_and_the_classifier_is_left_out(state, weights):
    found = load_file(weights)
    assert set(found) == {name for name in state if not name.startswith("fc.")} == set(blank_encoder("resnet18"))
    assert all(torch.equal(found[name], state[name]) for name in found)
    with safe_open(str(weights), framework="pt") as content:
        said = json.loads(content.metadata()["segstudy"])
    assert said["encoder"] == "resnet18" and said["origin"] == "resnet18.pth" and len(said["origin_sha256"]) == 64
    assert {key: said[key] for key in IMAGENET} == IMAGENET


def test_the_same_weights_give_the_same_bytes(given, weights, tmp_path):
    encoder_files.obtain("resnet18", given, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == weights.read_bytes()


@pytest.mark.parametrize("form", ["nested", "no_counters", "safetensors"])
def test_other_forms_of_the_same_weights_are_read(state, tmp_path, form):
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    if form == "nested":
        torch.save({"state_dict": state, "epoch": 3}, path)
    elif form == "no_counters":  # as files of old were
        torch.save({name: value for name, value in state.items() if not name.endswith("tracked")}, path)
    else:
        save_file({name: value.contiguous() for name, value in state.items() if not name.startswith("fc.")}, path)
    found = read_weights(path, "resnet18", blank_encoder("resnet18"))
    assert torch.equal(found.tensors["layer4.1.conv2.weight"], state["layer4.1.conv2.weight"])
    assert (found.mean, found.std) == (IMAGENET["mean"], IMAGENET["std"])


def spoilt(state, change):
    changed = dict(state)
    change(changed)
    return changed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("layer2.0.conv1.weight"), "layer2.0.conv1.weight is missing"),
        (lambda s: s.update(conv1=torch.zeros(1)), "conv1 is unknown"),
        (lambda s: s.update({"conv1.weight": torch.zeros(64, 1, 7, 7)}), "conv1.weight is 64x1x7x7, not 64x3x7x7"),
        (lambda s: s.clear(), r"\d+ of 120 tensors do not fit"),
    ],
)
def test_weights_that_do_not_fit_are_refused(state, tmp_path, change, told):
    torch.save(spoilt(state, change), tmp_path / "w.pth")
    with pytest.raises(StudyError, match=told) as caught:
        encoder_files.obtain("resnet18", tmp_path / "w.pth", tmp_path / "out.safetensors")
    assert caught.value.where == str(tmp_path / "w.pth")
    assert not (tmp_path / "out.safetensors").exists()


def test_weights_of_another_encoder_are_refused(weights):
    with pytest.raises(StudyError, match="belongs to resnet18"):
        read_weights(weights, "resnet34", blank_encoder("resnet34"))


def test_damaged_files_are_refused(weights, given, tmp_path):
    for path in (weights, given):
        path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(StudyError, match="cannot be read"):
            read_weights(path, "resnet18", blank_encoder("resnet18"))
    with pytest.raises(StudyError, match="no such file"):
        read_weights(tmp_path / "absent.safetensors", "resnet18", {})


class Harmful:
    def __reduce__(self):
        return print, ("this must never run",)


@pytest.mark.parametrize("plain", [True, False])
def test_no_code_in_a_file_is_run(tmp_path, capsys, plain):
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps(Harmful(), protocol=2)) if plain else torch.save({"conv1.weight": Harmful()}, path)
    with pytest.raises(StudyError, match="cannot be read"):
        read_weights(path, "resnet18", blank_encoder("resnet18"))
    assert "never" not in capsys.readouterr().out


def test_a_name_that_holds_the_checksum_is_checked(given, tmp_path):
    wrong = given.rename(tmp_path / "resnet18-01234567.pth")
    with pytest.raises(StudyError, match="its name says 01234567"):
        encoder_files.obtain("resnet18", wrong, tmp_path / "out.safetensors")
    right = wrong.rename(tmp_path / f"resnet18-{encoder_files.file_hash(wrong)[:8]}.pth")
    encoder_files.obtain("resnet18", right, tmp_path / "out.safetensors")


# Where it comes from.


def test_without_internet_the_message_says_which_file_to_put_where(tmp_path, monkeypatch):
    import huggingface_hub

    def offline(*_, **__):
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection\nand more")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    with pytest.raises(StudyError) as caught:
        encoder_files.obtain("resnet34", None, tmp_path / "resnet34.safetensors")
    said = str(caught.value)
    assert "smp-hub/resnet34.imagenet" in said and "no connection" in said and "and more" not in said
    assert str(tmp_path / "resnet34-b627a593.pth") in said
    assert "https://download.pytorch.org/models/resnet34-b627a593.pth" in said and "weights: none" in said
    assert not any(tmp_path.iterdir())


def test_a_download_brings_weights_and_scaling(state, tmp_path, monkeypatch):
    import huggingface_hub

    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "other": 1}))
    asked = []

    def download(repository, name, revision):
        asked.append((repository, name, revision))
        return str(tmp_path / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    encoder_files.obtain("resnet18", None, tmp_path / "resnet18.safetensors")
    place = library().encoders.encoders["resnet18"]["pretrained_settings"]["imagenet"]
    assert asked == [(place["repo_id"], name, place["revision"]) for name in ("model.safetensors", "config.json")]
    scaling = build(NARROW, 3, 1).load_pretrained(tmp_path / "resnet18.safetensors").normalisation
    assert scaling == {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}


# In the network.


@pytest.mark.parametrize("encoder", ["resnet18", "vgg11", "vgg11_bn"])
def test_the_encoder_gets_the_files_tensors_and_the_decoder_keeps_its_own(encoder, tmp_path, caplog):
    state = forged(encoder)
    torch.save(state, tmp_path / "w.pth")
    network = build(NARROW | {"encoder": encoder}, 3, 1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with caplog.at_level("INFO", "segstudy"):
        taken = network.load_pretrained(tmp_path / "w.pth")
    for name, value in network.state_dict().items():
        own = name.removeprefix("unet.encoder.")
        assert torch.equal(value, before[name] if own == name else state[own]), name
    count = sum(name.startswith("unet.encoder.") for name in before)
    assert taken.facts["tensors"] == count and f"{count} tensors" in caplog.text
    assert taken.normalisation == IMAGENET


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_other_channels_are_adapted_as_the_library_does_it(weights, state, channels):
    encoder = library().encoders.get_encoder("resnet18", weights=None)
    encoder.load_state_dict(dict(state))
    encoder.set_in_channels(channels, pretrained=True)
    assert torch.equal(adapted(state["conv1.weight"], channels), encoder.conv1.weight)
    network = build(NARROW, channels, 1)
    taken = network.load_pretrained(weights)
    assert torch.equal(network.unet.encoder.conv1.weight, encoder.conv1.weight)
    assert len(taken.normalisation["mean"]) == len(taken.normalisation["std"]) == channels


def test_a_grey_image_is_seen_as_the_colour_image_of_three_equal_channels(weights):
    grey, colour = build(NARROW, 1, 1), build(NARROW, 3, 1)
    taken = grey.load_pretrained(weights)
    colour.load_pretrained(weights)
    picture = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one, three = grey.unet.encoder.conv1(picture), colour.unet.encoder.conv1(picture.expand(-1, 3, -1, -1))
    torch.testing.assert_close(one, three)
    assert taken.normalisation["mean"] == [pytest.approx(sum(IMAGENET["mean"]) / 3)]


# In a cell.


@pytest.fixture(scope="module")
def cell(state, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cell")
    inputs = small_cell.write_inputs(folder)
    torch.save(state, folder / "resnet18.pth")
    encoder_files.obtain("resnet18", folder / "resnet18.pth", folder / "resnet18.safetensors")
    recipe = small_cell.SETTINGS["recipe"] | {"epochs": 1, "learning_rate": 1e-9, "precision": "fp32"}
    settings = small_cell.SETTINGS | {"model": NARROW, "recipe": recipe}
    small_cell.run(inputs, folder, settings, encoder=folder / "resnet18.safetensors")
    return folder, inputs, settings


def test_a_cell_starts_from_the_weights_and_says_so(cell, state):
    folder, _, _ = cell
    found = load_file(folder / "model.safetensors")
    # the learning rate is next to nothing: what was trained is what was loaded
    torch.testing.assert_close(found["unet.encoder.conv1.weight"], state["conv1.weight"], atol=1e-6, rtol=0)
    run = json.loads((folder / "run.json").read_text())
    assert run["encoder"]["tensors"] == 120 and run["encoder"]["origin"] == "resnet18.pth"
    assert run["data"]["encoder"] == encoder_files.file_hash(folder / "resnet18.safetensors")
    assert run["normalisation"] == IMAGENET
    assert set(run["libraries"]) == {"segmentation_models_pytorch", "torchvision", "timm"}


def test_a_trained_network_is_read_without_the_encoders_file(cell, monkeypatch):
    import huggingface_hub

    folder, (store, _), _ = cell
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", None)  # a call would fail
    monkeypatch.chdir(store)
    network, meta = load_model(folder / "model.safetensors")
    images = np.load(store / "images.npy")
    maps = list(predict_canvas(network, images, [0, 1], meta["normalisation"]))
    assert meta["normalisation"] == IMAGENET
    x = (torch.from_numpy(images[:2]).permute(0, 3, 1, 2) / 255 - torch.tensor(IMAGENET["mean"]).view(1, 3, 1, 1)) / (
        torch.tensor(IMAGENET["std"]).view(1, 3, 1, 1)
    )
    with torch.no_grad():
        expected = network(x).sigmoid().numpy()
    np.testing.assert_allclose(np.stack(maps), expected, rtol=1e-4, atol=1e-5)


def test_a_cell_that_wants_weights_and_gets_no_file_is_an_error(cell, tmp_path):
    _, inputs, settings = cell
    with pytest.raises(StudyError, match="no file of them was given"):
        small_cell.run(inputs, tmp_path, settings)
    assert not (tmp_path / "run.json").exists()


def test_other_weights_are_another_training(cell):
    from segstudy.training.record import data_hashes

    folder, inputs, _ = cell
    one = data_hashes(*inputs, encoder=folder / "resnet18.safetensors")
    assert one.keys() - data_hashes(*inputs).keys() == {"encoder"}
    assert one != data_hashes(*inputs, encoder=folder / "resnet18.pth")


def test_weights_none_starts_from_chance():
    network = build(NARROW | {"weights": "none"}, 3, 1)
    assert not network.wants_pretrained
    torch.manual_seed(0)
    one = build(NARROW | {"weights": "none"}, 3, 1).state_dict()
    torch.manual_seed(0)
    two = build(NARROW, 3, 1).state_dict()  # what is asked for changes no draw
    assert all(torch.equal(one[name], two[name]) for name in one)
