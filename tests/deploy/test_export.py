"""`segstudy export`: other programs find what the network finds."""

import importlib.util
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from segstudy.cli.app import main
from segstudy.core.errors import StudyError
from segstudy.core.files import write_json
from segstudy.data.store import open_store
from segstudy.deploy import graph, model_card
from segstudy.deploy.export import export_cell, images_to_check, preprocessing
from segstudy.deploy.graph import TOLERANCE, Deployed, export
from segstudy.deploy.model_card import IN_COLOUR
from segstudy.deploy.predict import in_colour
from segstudy.deploy.trained_cell import open_cell
from segstudy.evaluation.bootstrap import bootstrap_interval
from segstudy.inference.predict import predict_canvas
from segstudy.models import registry
from segstudy.models.model_file import load_model, read_model
from tests.helpers import trained_cell
from tests.helpers.network_promises import settled

NETWORKS = {
    "encdec": {"depth": 1, "width": 2},
    "unet": {"depth": 1, "width": 2, "normalisation": "instance"},
    "unet2": {"depth": 1, "width": 2},
    "unet_valid": {"depth": 1, "width": 2},
    "segnet": {"depth": 1, "width": 2},
    "dilatednet": {"depth": 2, "width": 2},
    "wnet": {"depth": 1, "width": 2},
    "encoder_unet": {"weights": "none"},
}
FIXED = {"unet_valid"}  # it mirrors the border by a list of positions, as long as the image
# As ONNX, those beside others that are like them.
SLOW = {(name, "onnx") for name in ("encdec", "unet2", "unet_valid", "dilatednet", "encoder_unet")}
SLOW |= {("encoder_unet", "torch")}
SCALING = {"mean": [0.4, 0.3, 0.2], "std": [0.2, 0.1, 0.3]}
KINDS = {
    "native": {},
    "green": {"colour": "green", "size": {"long_side": 64}},
    "classes": {"classes": ("left", "right"), "size": {"height": 48, "width": 64}},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a function that makes a cell of a kind, once."""
    return trained_cell.maker(tmp_path_factory, KINDS)


@pytest.fixture(scope="module")
def exported(made, tmp_path_factory):
    """Return a function that exports a cell of a kind in both formats, once; it gives the folder."""
    known = {}

    def make(kind="native"):
        if kind not in known:
            known[kind] = tmp_path_factory.mktemp(f"exported_{kind}")
            export_cell(open_cell(made(kind)), known[kind], ["onnx", "torch"])
        return known[kind]

    return make


def deployed_network(name, outputs=1):
    torch.manual_seed(0)
    return Deployed(settled(registry.build({"network": name, **NETWORKS[name]}, 3, outputs)), SCALING).eval()


def noise(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def test_pixels_become_the_probabilities_of_a_study():
    image = noise(2, 32, 48, 3)
    for outputs in (1, 3):
        model = deployed_network("unet", outputs)
        with torch.no_grad():
            found = model(torch.from_numpy(image)).numpy()
        own = np.stack(list(predict_canvas(model.network, image, [0, 1], SCALING)))
        np.testing.assert_allclose(found, own, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(name, kind, marks=pytest.mark.slow if (name, kind) in SLOW else ())
        for name in NETWORKS
        for kind in ("torch", "onnx")
    ],
)
def test_every_network_gives_its_own_probabilities(tmp_path, name, kind):
    model, image = deployed_network(name), noise(64, 64, 3)
    found = export(model, kind, tmp_path / "graph", (64, 64), [image], name)
    assert found.difference <= TOLERANCE and found.sizes.unit == (
        None if name in FIXED else 32 if name == "encoder_unet" else 16
    )
    batch = noise(3, 64, 64, 3) if name in FIXED else noise(3, 96, 128, 3)  # of a size that it was not checked on
    if kind == "torch":
        again = torch.export.load(tmp_path / "graph").module()(torch.from_numpy(batch)).detach().numpy()
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(tmp_path / "graph", providers=["CPUExecutionProvider"])
        again = session.run(None, {"image": batch})[0]
    with torch.no_grad():
        own = model(torch.from_numpy(batch)).numpy()
    assert np.abs(again - own).max() <= TOLERANCE and own.std() > 0.001


def test_a_canvas_that_a_network_pads_is_exported_as_it_is(tmp_path):
    model = deployed_network("unet")
    found = export(model, "torch", tmp_path / "graph", (41, 50), [noise(41, 50, 3)], "unet")
    assert found.sizes.unit is None and "height 41, width 50" in found.sizes.words
    batch = torch.from_numpy(noise(4, 41, 50, 3))
    again = torch.export.load(tmp_path / "graph").module()(batch)
    with torch.no_grad():
        assert torch.allclose(again, model(batch), atol=1e-6)


# --- a cell -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_lines_on_the_card_make_the_masks_of_the_study(made, exported, monkeypatch, tmp_path, kind):
    """The code of README.md as it stands, on a test image of the study."""
    cell, folder = made(kind), tmp_path / "used"
    shutil.copytree(exported(kind), folder)
    shutil.copy(cell.parents[7] / "raw/im4.png", folder / "image.png")
    code = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert len(code) == 1
    monkeypatch.chdir(folder)
    exec(code[0], {})
    found, own = (np.asarray(Image.open(path)) for path in ("mask.png", cell / "masks/im4.png"))
    assert found.shape == own.shape and len(np.unique(own)) > 1
    assert np.mean(found != own) < 0.002  # a probability at the threshold may fall to either side


@pytest.mark.parametrize("colour", list(IN_COLOUR))
def test_the_card_takes_colours_as_a_store_does(tmp_path, colour):
    pixels = noise(9, 8, 3)
    for picture in (Image.fromarray(pixels), Image.fromarray(pixels[..., 0])):
        picture.save(tmp_path / "image.png")
        found = eval(f'Image.open("{tmp_path}/image.png"){IN_COLOUR[colour]}')
        own = in_colour(np.asarray(picture.convert("RGB")), colour)
        assert np.array_equal(np.asarray(found).reshape(own.shape), own)


def test_what_a_program_must_know_is_in_the_json(made, exported):
    how = json.loads((exported("green") / "preprocessing.json").read_text())
    cell = open_cell(made("green"))
    assert how["input"]["channels"] == ["green"] and how["size"] == {"long_side": 64}
    assert how["canvas"] == list(load_model(cell.model)[1]["canvas"])
    assert how["threshold"] == cell.thresholds["validation"] and how["policy"] == "validation"
    assert how["inside_the_graph"]["mean"] == load_model(cell.model)[1]["normalisation"]["mean"]
    assert how["output"]["classes"] == ["square"]
    assert set(how["largest_difference"]) == {"model.onnx", "model.pt2"}
    assert max(how["largest_difference"].values()) <= TOLERANCE
    several = json.loads((exported("classes") / "preprocessing.json").read_text())
    assert several["output"]["classes"] == ["background", "left", "right"] and several["threshold"] is None
    assert several["inside_the_graph"]["last"] == "softmax"


def test_the_card_says_what_was_measured(made, exported):
    cell = made()
    text = (exported() / "README.md").read_text()
    counts = pd.read_csv(cell / "counts.csv")
    test = counts[(counts["subset"] == "test") & (counts["policy"] == "validation")]
    dice = (2 * test["tp"] / (2 * test["tp"] + test["fp"] + test["fn"])).to_numpy()
    low, high = bootstrap_interval(dice[None])
    pooled = 2 * test["tp"].sum() / (2 * test["tp"] + test["fp"] + test["fn"]).sum()
    assert f"| Dice | {dice.mean():.3f} | {low:.3f} to {high:.3f} | {pooled:.3f} |" in text
    threshold = open_cell(cell).thresholds["validation"]
    for words in (
        "PHANTOM",
        "6 training",
        f"validation images, {threshold:.3g}.",
        "2 images, measured",
        "folder/unet/bce/default/seed1",
        "over the full frame",
        "The checks of the split are no longer beside the cell",
        "network unet, depth 2",
        "the weights are those of epoch",
    ):
        assert words in text, words
    assert "ImageNet" not in text
    classes = (exported("classes") / "README.md").read_text()
    assert "means over 3 classes with the background" in classes and "| IoU |" in classes


def test_the_card_names_the_split_the_encoder_and_what_is_missing(made, tmp_path):
    folder = tmp_path / "results/s/cells/folder/unet/bce/default/seed1"
    shutil.copytree(made(), folder)
    checks = tmp_path / "results/s/data/folder/checks"
    checks.mkdir(parents=True)
    split = {"rule": {"test": "official"}, "test_in_training": 3}
    found = {"near_duplicates": 0, "pairs_compared": 1234, "split": split}
    (checks / "seed1.json").write_text(json.dumps(found))
    run = json.loads((folder / "run.json").read_text())
    run["encoder"] = {"origin": "resnet34-b627a593.pth"}
    run["sources"] = {"start": {"cell": "a/b/c/d/seed0"}}
    write_json(folder / "run.json", run)
    cell, meta = open_cell(folder), read_model(folder / "model.safetensors")[1]
    text = model_card.card(cell, meta, preprocessing(cell, meta, []), [], "nothing")
    assert "The test set is the official one; 3 test images belong to groups that are trained on" in text
    assert "no near-duplicate among 1,234 pairs" in text and "study `s`" in text
    assert "ImageNet (resnet34-b627a593.pth)" in text and "BSD-3-Clause" in text and "start a/b/c/d/seed0" in text
    (folder / "counts.csv").unlink()
    with pytest.raises(StudyError, match=r"the cell has no counts\.csv"):
        model_card.card(cell, meta, preprocessing(cell, meta, []), [], "nothing")


def test_graphs_are_checked_on_real_images_where_there_are_some(made, tmp_path):
    cell = open_cell(made())
    own, words = images_to_check(cell, [cell.folder.parents[7] / "raw/im4.png"])
    assert words == "1 given image" and own[0].shape == (48, 48, 3)
    Image.fromarray(noise(90, 60, 3)).save(tmp_path / "large.png")
    given, words = images_to_check(cell, [tmp_path / "large.png"])
    assert [pixels.shape for pixels in given] == [(48, 48, 3), (96, 64, 3)] and "larger" in words
    drawn, words = images_to_check(cell, [])
    assert len(drawn) == 1 and words.startswith("noise")
    traits = cell.usage["training_images"]["traits"]
    assert drawn[0][..., 0].mean() / 255 == pytest.approx(traits["mean red"]["mean"], abs=0.02)
    study = tmp_path / "results/s"
    shutil.copytree(cell.folder, study / "cells/folder/unet/bce/default/seed1")
    shutil.copytree(cell.folder.parents[7] / "store", study / "data/folder/store")
    images, words = images_to_check(open_cell(study / "cells/folder/unet/bce/default/seed1"), [])
    assert words == "4 images of the study"
    assert np.array_equal(images[0], open_store(study / "data/folder/store").images[0])
    meta = study / "data/folder/store/store.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"size": {"long_side": 48}}))
    assert images_to_check(open_cell(study / "cells/folder/unet/bce/default/seed1"), []).words.startswith("noise")


def test_the_command_says_what_it_wrote(made, tmp_path, capsys):
    main_arguments = ["export", str(made()), "--out", str(tmp_path / "out"), "--format", "torch"]
    with pytest.raises(SystemExit) as ended:
        main(main_arguments)
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "any multiple of 16" in shown and "largest difference of a probability" in shown
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("README.md", "model.pt2", "preprocessing.json"),
    ]


# --- what may go wrong ------------------------------------------------------------------------------------------------


class Undecided(nn.Module):
    """It goes on until its own values tell it to stop."""

    def forward(self, images):
        while bool(images.abs().max() > 1):
            images = images / 2
        return images[:, :1]


def test_a_network_that_cannot_be_exported_says_why(tmp_path):
    model = Deployed(Undecided(), SCALING).eval()
    with pytest.raises(StudyError, match="network 'undecided' cannot be exported as torch: ") as raised:
        export(model, "torch", tmp_path / "graph", (64, 64), [noise(64, 64, 3)], "undecided")
    assert "data-dependent" in str(raised.value) and "segstudy predict" in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_graph_that_finds_something_else_is_not_written(tmp_path, monkeypatch):
    model = deployed_network("unet")

    def other(model, kind, path, sizes, channels):
        path.write_bytes(b"graph")
        return lambda batch: model(torch.from_numpy(batch)).detach().numpy() + 2 * TOLERANCE

    monkeypatch.setattr(graph, "_write", other)
    with pytest.raises(StudyError, match=r"probabilities differ by 0\.0002, allowed are 0\.0001"):
        export(model, "torch", tmp_path / "graph", (64, 64), [noise(64, 64, 3)], "unet")
    assert not list(tmp_path.iterdir())


def test_a_package_that_is_missing_is_named(made, tmp_path, monkeypatch):
    known = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else known(name))
    with pytest.raises(StudyError, match="the ONNX format needs onnxscript") as raised:
        export_cell(open_cell(made()), tmp_path, ["onnx"])
    assert "'.[export]'" in raised.value.remedy and not list(tmp_path.iterdir())
