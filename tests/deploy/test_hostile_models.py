"""A model file or a study that somebody else made runs no code: what is no network is neither imported nor called."""

import ast
import shutil
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from segstudy.config.library_paths import closed, places_in, refusal
from segstudy.config.load import load_study
from segstudy.core.errors import StudyError
from segstudy.models import library_targets
from segstudy.models.model_file import load_model, save_model
from segstudy.models.registry import build
from tests.helpers import cell_folder

BODY = {"_code": "raise AssertionError('was run')", "__dict__": {}}
# Callables that run commands, unpickle, fetch, or run text. Some of them are annotated to return a network.
DANGEROUS = [
    ("os:system", {"command": "touch {sprung}"}),
    ("subprocess:call", {"args": ["touch", "{sprung}"]}),
    ("subprocess:Popen", {"args": ["touch", "{sprung}"]}),
    ("builtins:exec", {"source": "open({sprung!r}, 'w')"}),
    ("pickle:load", {"file": "x"}),
    ("torch:load", {"f": "{payload}", "weights_only": False}),
    ("torch.hub:load", {"repo_or_dir": "{folder}", "model": "x", "source": "local"}),
    ("torch.jit:load", {"f": "{payload}"}),
    ("torch.fx.graph_module:reduce_graph_module", {"body": BODY, "import_block": "open({sprung!r}, 'w')"}),
    ("torch.nn:Sequential", {}),
    ("monai.bundle:download", {"name": "x", "bundle_dir": "{folder}"}),
    ("monai.bundle:load", {"name": "x"}),
    ("monai.bundle.scripts:run", {"config_file": "{payload}"}),
    ("monai.networks.utils:load_state_dict", {}),
    ("monai.networks.trt_compiler:trt_compile", {"model": "x", "base_path": "{folder}"}),
    ("monai.losses:PerceptualLoss", {"network_type": "medicalnet_resnet10_23datasets"}),
    ("monai.apps:download_url", {"url": "https://example.org/x"}),
    ("monai.networks.nets:os", {}),
    ("timm.models:load_checkpoint", {"model": "x", "checkpoint_path": "{payload}"}),
    ("timm.models:load_custom_from_hf", {}),
    ("timm.models._helpers:load_state_dict", {"checkpoint_path": "{payload}"}),
    ("timm.utils.model:reparameterize_model", {"model": "x"}),
    ("timm:create_model", {"model_name": "resnet18", "checkpoint_path": "{payload}"}),
    ("timm:create_model", {"model_name": "hf-hub:somebody/else"}),
    ("timm:create_model", {"model_name": "local-dir:{folder}"}),
    ("timm:create_model", {"model_name": "resnet18", "pretrained_cfg": {"file": "x"}}),
    ("timm:create_model", {"model_name": "resnet18", "pretrained": True}),
    ("torchvision.models:get_model", {"name": "resnet18", "weights": "DEFAULT"}),
    ("torchvision.models.segmentation.fcn:_fcn_resnet", {}),
    ("torchvision.io:read_file", {"path": "{payload}"}),
    ("segmentation_models_pytorch:from_pretrained", {"pretrained_model_name_or_path": "{folder}"}),
    ("segmentation_models_pytorch:create_model", {"arch": "unet", "encoder_weights": "imagenet"}),
    ("segmentation_models_pytorch:Unet", {"encoder_name": "tu-hf-hub:somebody/else"}),
    ("segmentation_models_pytorch.base.hub_mixin:from_pretrained", {}),
    ("segstudy.training.cell:train_cell", {}),
    ("segstudy.__main__:main", {}),
]


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def filled(value, places):
    if isinstance(value, str):
        return value.format(**places) if "{" in value else value
    if isinstance(value, list):
        return [filled(item, places) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, places) for key, item in value.items()}
    return value


@pytest.fixture
def places(tmp_path):
    """A file that runs code when it is unpickled, and the file that would tell of it."""
    sprung = tmp_path / "sprung"
    torch.save(Payload(sprung), tmp_path / "payload.pt")
    (tmp_path / "hubconf.py").write_text(f"open({str(sprung)!r}, 'w')\n")
    return {"sprung": str(sprung), "payload": str(tmp_path / "payload.pt"), "folder": str(tmp_path)}


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(("path", "arguments"), DANGEROUS)
def test_a_model_file_cannot_call_what_is_no_network(path, arguments, trust, places, tmp_path):
    file = tmp_path / "model.safetensors"
    save_model(file, cell_folder.network(), cell_folder.naming(path, **filled(arguments, places)))
    with pytest.raises(StudyError) as caught:
        load_model(file, trust=trust)
    assert "weights do not fit" not in str(caught.value) and "cannot be built" not in str(caught.value)  # before a call
    assert not Path(places["sprung"]).exists()


@pytest.mark.parametrize(("path", "arguments"), DANGEROUS)
def test_nor_can_a_study(path, arguments, places):
    settings = {"network": path, "arguments": filled(arguments, places)}
    with pytest.raises(StudyError) as caught:
        build(settings, 3, 1)
    assert "cannot be built" not in str(caught.value)
    assert not Path(places["sprung"]).exists()


def test_what_needs_no_import_to_be_refused_is_told_when_the_config_is_read():
    grid = {"question": "Does it?", "datasets": ["ph2"], "models": ["mine"], "losses": ["bce"]}
    for network in ("os:system", "torch:load", "monai.bundle:run", "timm:_private"):
        config = {"study": "s", "datasets": {"ph2": {"root": "x"}}, "losses": {"bce": {}}}
        config |= {"recipes": {"default": {}}, "experiments": {"e": grid}, "models": {"mine": {"network": network}}}
        with pytest.raises(StudyError, match=f"models.mine.*'{network}' is no network"):
            load_study(config)


@pytest.mark.parametrize("command", ["check-config", "plan", "run"])
def test_a_study_that_snakemake_would_run_as_a_program_never_reaches_it(command, tmp_path, capsys):
    study, ran = tmp_path / "study.yaml", tmp_path / "ran"
    study.write_text(f"study: s\n__use_yte__: true\n__definitions__:\n  - open({str(ran)!r}, 'w')\n")
    assert cell_folder.command([command, str(study)]) == 1
    assert "asks Snakemake to run what stands in it as Python" in " ".join(capsys.readouterr().err.split())
    assert not ran.exists()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of one's own that leaves a trace when it is imported."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "own_traced.py").write_text(
        "from __future__ import annotations\n"
        "from pathlib import Path\n"
        "from torch import nn\n"
        "import torch.nn\n"
        f"Path({str(tmp_path / 'imported')!r}).touch()\n\n\n"
        "class Net(nn.Conv2d):\n"
        "    def __init__(self, in_channels, out_channels):\n"
        "        super().__init__(in_channels, out_channels, 1)\n\n\n"
        "def made(in_channels, out_channels) -> Net:\n    return Net(in_channels, out_channels)\n\n\n"
        "def quoted(in_channels, out_channels) -> 'torch.nn.Module':\n    return Net(in_channels, out_channels)\n\n\n"
        "def silent(in_channels, out_channels):\n    raise AssertionError('called')\n\n\n"
        "def path(in_channels) -> Path:\n    raise AssertionError('called')\n\n\n"
        "def evaluated(x) -> __import__('os').system('exit 3'):\n    raise AssertionError('called')\n\n\n"
        "def unknown(x) -> Elsewhere:\n    raise AssertionError('called')\n\n\n"
        "bound = Net(1, 1).forward\n"
    )
    monkeypatch.syspath_prepend(folder)
    yield tmp_path / "imported"
    sys.modules.pop("own_traced", None)


def test_a_module_of_ones_own_is_imported_only_where_somebody_vouches_for_it(own, tmp_path):
    file = tmp_path / "model.safetensors"
    meta = cell_folder.naming("own_traced:Net")
    save_model(file, torch.nn.ModuleDict({"network": torch.nn.Conv2d(1, 1, 1)}), meta)
    with pytest.raises(StudyError, match="own_traced would be imported, and Net of it called") as caught:
        load_model(file)
    with pytest.raises(StudyError, match="own_traced would be imported"):
        load_model(file, named="unet")  # the study has another network
    assert not own.exists() and "--trust" in caught.value.remedy
    for vouched in ({"trust": True}, {"named": "own_traced:Net"}):
        assert type(load_model(file, **vouched)[0].network).__name__ == "Net"
    assert own.exists()


@pytest.mark.parametrize("name", ["Net", "made", "quoted"])
def test_classes_and_annotated_functions_of_ones_own_are_built(own, name):
    assert build({"network": f"own_traced:{name}"}, 1, 1)(torch.zeros(1, 1, 4, 4)).shape == (1, 1, 4, 4)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("silent", "does not say what it returns"),
        ("path", "says that it returns a Path"),
        ("evaluated", "does not say what it returns"),
        ("unknown", "does not say what it returns"),
        ("bound", "no class and no function"),
        ("Path", "is no network"),
    ],
)
def test_other_functions_of_ones_own_are_not_called(own, name, told):
    with pytest.raises(StudyError, match=told):
        build({"network": f"own_traced:{name}"}, 1, 1)


def test_networks_of_the_libraries_need_nobodys_word(tmp_path):
    vision = "torchvision.models.segmentation:lraspp_mobilenet_v3_large"
    network = build({"network": vision}, 3, 1)
    meta = cell_folder.naming(vision) | {"in_channels": 3}
    save_model(tmp_path / "model.safetensors", network, meta)
    assert load_model(tmp_path / "model.safetensors")[0].path == vision


def test_factories_of_the_libraries_say_what_they_return():
    from segstudy.models.library_class import find

    for path in (
        "timm:create_model",
        "timm.models:resnet18",
        "torchvision.models:resnet18",
        "monai.networks.nets:UNet",
    ):
        assert library_targets.refusal(find(path)) == ""


def test_paths_and_arguments_are_told_apart_by_their_text():
    assert not any(map(refusal, ("own.nets:Net", "own:_Net", "monai.networks.nets:UNet", "timm:create_model")))
    assert closed("os.path") and closed("torch.nn") and closed("own.__main__") and not closed("own.nets")
    plain = {"encoder_name": "tu-resnet18.a1_in1k", "act": ["leakyrelu", {"slope": 0.1}], "use_checkpoint": True}
    assert not list(places_in(plain | {"pretrained": False, "weights": None}))
    for value in ("a/b", "https:x", "~x", "model.pth", "C:\\x", "../x", "hf-hub:x"):
        assert list(places_in({"layers": [{"what": value}]})), value


# --- the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def picture(tmp_path):
    Image.new("L", (16, 16), 90).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.parametrize("command", ["predict", "export"])
def test_the_commands_say_what_would_be_imported(command, tmp_path, picture, capsys, own):
    cell = cell_folder.write(tmp_path / "cell", cell_folder.naming("own_traced:Net", secret=3))
    out = tmp_path / "out"
    images = [str(picture)] if command == "predict" else ["--format", "torch"]
    line = [command, str(cell), *images, "--out", str(out)]
    assert cell_folder.command(line) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert 'own_traced would be imported, and Net of it called with the arguments {"secret": 3}' in said
    assert not own.exists() and not out.exists() and "Traceback" not in said
    assert cell_folder.command([*line, "--trust"]) == 1  # imported now, and it has no such argument
    assert "no argument 'secret'" in capsys.readouterr().err and own.exists()


def test_trust_lets_a_network_of_ones_own_predict(tmp_path, picture, capsys, own):
    weights = torch.nn.ModuleDict({"network": torch.nn.Conv2d(1, 1, 1)})
    cell = cell_folder.write(tmp_path / "cell", cell_folder.naming("own_traced:Net"), weights)
    assert cell_folder.command(["predict", str(cell), str(picture), "--out", str(tmp_path / "out"), "--trust"]) == 0
    assert (tmp_path / "out/masks/a.png").is_file()


@pytest.mark.parametrize("command", ["predict", "export"])
def test_results_do_not_go_into_a_file(command, tmp_path, picture, capsys):
    cell, images = cell_folder.write(tmp_path / "cell"), [str(picture)] if command == "predict" else []
    (tmp_path / "file").write_text("kept")
    for out in ("file", "file/below"):
        assert cell_folder.command([command, str(cell), *images, "--out", str(tmp_path / out)]) == 1
        said = capsys.readouterr().err
        assert "this is a file" in said and "Traceback" not in said
    assert (tmp_path / "file").read_text() == "kept"


def test_results_do_not_go_among_the_images(tmp_path, capsys, picture):
    cell, images = cell_folder.write(tmp_path / "cell"), tmp_path / "images"
    images.mkdir()
    shutil.move(picture, images)
    assert cell_folder.command(["predict", str(cell), str(images), "--out", str(images)]) == 1
    assert "the folder of the images itself" in capsys.readouterr().err
    assert cell_folder.command(["predict", str(cell), str(images), "--out", str(images / "found")]) == 0
    assert {path.name for path in images.iterdir()} == {"a.png", "found"}


def test_nothing_in_the_package_runs_text_or_pickles():
    """What docs/security.md says of the whole package."""
    root = Path(__file__).resolve().parents[2] / "workflow"
    found = []
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name, where = ast.unparse(node.func), f"{path.name}:{node.lineno}"
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if name in (
                "eval",
                "exec",
                "__import__",
                "pickle.load",
                "pickle.loads",
                "yaml.load",
                "os.system",
                "os.popen",
            ):
                found.append(f"{where} {name}")
            if name == "torch.load" and given.get("weights_only") != "True":
                found.append(f"{where} {name} without weights_only")
            if given.get("shell") == "True" or given.get("allow_pickle", "False") != "False":
                found.append(f"{where} {name}")
    assert not found
