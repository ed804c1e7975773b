"""Networks of installed libraries, by their path: any size in, the same size out, and clear words when that fails."""

import importlib
import itertools
import math
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

from segstudy.config.load import load_study
from segstudy.core.errors import StudyError
from segstudy.figures.sketch_layout import colours_of, place
from segstudy.models import library_class
from segstudy.models.cost import count_flops, count_parameters, count_saved_bytes
from segstudy.models.layer_table import layer_table
from segstudy.models.library_check import check_networks
from segstudy.models.registry import build
from segstudy.runtime import fingerprint
from tests.helpers.network_promises import NetworkPromises, images, make

MONAI, SMP, VISION = "monai.networks.nets:", "segmentation_models_pytorch:", "torchvision.models.segmentation:"
ATTENTION = {"network": f"{MONAI}AttentionUnet", "arguments": {"channels": [8, 16, 32], "strides": [2, 2]}}
PLUS_PLUS = {"network": f"{SMP}UnetPlusPlus", "arguments": {"encoder_name": "resnet18"}}
FROM_CHANCE = {"network": "encoder_unet", "encoder": "resnet18", "decoder_widths": [16, 16, 8, 8, 8], "weights": "none"}


@pytest.mark.parametrize("settings", [ATTENTION, FROM_CHANCE], ids=["attention", "resnet18"])
class TestPromises(NetworkPromises):
    def test_gradients_reach_every_parameter(self, settings):
        """All but biases right before a batch norm, which takes them out again: libraries do not leave them out."""
        network = make(settings)
        network(images()).square().sum().backward()
        silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        assert all(name.endswith("attention.psi.0.conv.bias") for name in silent), silent


@pytest.fixture
def local(tmp_path, monkeypatch):
    """Write a module of the user's own; return its name."""
    (tmp_path / "own_networks.py").write_text(
        textwrap.dedent(
            """
            import torch
            from torch import nn

            class Net(nn.Conv2d):
                def __init__(self, in_channels, classes, returns="map"):
                    super().__init__(in_channels, classes, 3, padding=1)
                    self.returns = returns

                def forward(self, x):
                    y = super().forward(x)
                    return {
                        "map": y, "list": [y, y], "one": [y], "mapping": {"out": y, "aux": y}, "other": {"seg": y},
                        "volume": y[:, :, None], "half": y[..., ::2, ::2], "more": torch.cat([y, y], 1),
                    }[self.returns]

            class Sevens(Net):
                def forward(self, x):
                    if x.shape[-1] % 7 or x.shape[-2] % 7:
                        raise ValueError("multiples of seven, please")
                    return super().forward(x)

            class Renamed(nn.Module):
                def __init__(self, bands, kinds):
                    super().__init__()
                    self.layer = nn.Conv2d(bands, kinds, 1)

                def forward(self, x):
                    return self.layer(x)

            class Probable(Net):
                def forward(self, x):
                    y = super().forward(x)
                    return y.sigmoid() if y.shape[1] == 1 else y.softmax(1)

            class Looking(Net):
                def forward(self, x):
                    return super().forward(x) * (1 + float(x.mean() > 3))

            class Grey(nn.Conv2d):
                def __init__(self):
                    super().__init__(1, 1, 1)

            class Breaking(nn.Module):
                def __init__(self, in_channels, classes):
                    raise KeyError("this and that")

            class Nothing:
                pass

            def lies(in_channels, classes) -> nn.Module:
                return "a string"

            def silent(in_channels, classes):
                raise AssertionError("was called")

            a_number = 3
            """
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_networks"
    sys.modules.pop("own_networks", None)


def own(local, name, arguments=None, **more):
    return {"network": f"{local}:{name}", "arguments": arguments or {}, **more}


@pytest.mark.parametrize(
    ("settings", "multiple"),
    [
        (ATTENTION, 4),
        ({"network": f"{MONAI}SegResNet", "arguments": {"init_filters": 8}}, 8),
        ({"network": f"{MONAI}BasicUNetPlusPlus", "arguments": {"features": [4] * 6}}, 16),  # returns a list of one
        (PLUS_PLUS, 32),
        ({"network": f"{VISION}lraspp_mobilenet_v3_large"}, 1),  # returns a mapping; has no argument for channels in
    ],
)
def test_the_size_that_a_network_takes_is_found(settings, multiple):
    network = build(settings, 3, 2).eval()
    assert network.pad.multiple == multiple
    assert network(images(1, 3, 50, 71)).shape == (1, 2, 50, 71)


def test_padding_is_taken_off_where_it_was_put_on(local):
    network = build(own(local, "Sevens", divisor=7), 1, 1)
    bare = network.network
    with torch.no_grad():
        bare.weight.zero_()[0, 0, 1, 1] = 1  # hands the image through
        bare.bias.zero_()
    picture = images(1, 1, 30, 33)
    assert network.pad.multiple == 7
    assert torch.equal(network(picture), picture)


def test_sizes_that_no_power_of_two_fits_are_told(local):
    with pytest.raises(StudyError, match="multiples of seven") as caught:
        build(own(local, "Sevens"), 1, 1)
    assert "divisor" in caught.value.remedy
    with pytest.raises(StudyError, match="multiples of seven"):
        build(own(local, "Sevens", divisor=10), 1, 1)


@pytest.mark.parametrize("returns", ["map", "one", "mapping"])
def test_one_map_of_logits_is_taken_in_any_wrapping(local, returns):
    assert build(own(local, "Net", {"returns": returns}), 3, 2)(images(2, 3, 9, 11)).shape == (2, 2, 9, 11)


@pytest.mark.parametrize(
    ("returns", "told"),
    [
        ("list", "2 things"),
        ("other", "a dict"),
        ("volume", "5 axes"),
        ("half", "for an image of"),
        ("more", "4 channels"),
    ],
)
def test_anything_else_is_refused(local, returns, told):
    with pytest.raises(StudyError, match=told):
        build(own(local, "Net", {"returns": returns}), 3, 2)


def test_a_network_that_returns_more_in_training_alone_is_refused_there():
    deep = {"kernel_size": [3] * 4, "strides": [1, 2, 2, 2], "upsample_kernel_size": [2] * 3, "deep_supervision": True}
    network = build({"network": f"{MONAI}DynUNet", "arguments": deep | {"filters": [4] * 4}}, 3, 1)
    assert network.eval()(images()).shape == (2, 1, 32, 32)
    with pytest.raises(StudyError, match="5 axes"):
        network.train()(images())


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"network": "monay.nets:U"}, "no module monay"),
        ({"network": "monai.networks.nest:U"}, "monai.networks.nest has none.*Did you mean 'monai.networks.nets'"),
        ({"network": f"{MONAI}AttentionUnett"}, "nothing called 'AttentionUnett'.*Did you mean 'AttentionUnet'"),
        ({"network": "json:JSONDecoder"}, "is no network"),
        ({"network": "json:decoder"}, "is no network"),
        ({"network": "torch:zeros"}, "is no network"),
        (
            ATTENTION | {"arguments": {"channels": [8], "stride": [2]}},
            "no argument 'stride'.*Did you mean 'strides'",
        ),
        (ATTENTION | {"arguments": {"channels": [8, 16]}}, "needs more arguments: strides"),
        (ATTENTION | {"arguments": {"channels": [8, 16], "strides": [2], "in_channels": 3}}, "'in_channels' is set by"),
        (ATTENTION | {"in_channels": "channel"}, "no argument 'channel'.*Did you mean 'channels'"),
        ({"network": f"{SMP}Unet", "arguments": {"encoder_weights": "imagenet"}}, "fetch weights from the internet"),
        ({"network": f"{SMP}Unet", "arguments": {"encoder_name": "resnet17"}}, "cannot be built.*resnet17"),
        (ATTENTION | {"divisor": 0}, "divisor"),
    ],
)
def test_what_is_wrong_is_told(settings, told):
    with pytest.raises(StudyError, match=f"(?s){told}"):
        build(settings, 3, 1)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Breaking", "cannot be built.*this and that"),
        ("Nothing", "is no network"),
        ("a_number", "is no network"),
        ("lies", "gives a str"),
        ("silent", "does not say what it returns"),
        ("Grey", "1 channels"),
        ("Renamed", "needs more arguments: bands, kinds"),
    ],
)
def test_what_is_wrong_with_ones_own_network_is_told(local, name, told):
    with pytest.raises(StudyError, match=told):
        build(own(local, name), 3, 1)


def study_of(path):
    blocks = {"losses": {"dice": {}}, "recipes": {"default": {}}, "datasets": {"d": {"reader": "ph2", "root": "r"}}}
    asked = {"question": "Which?", "datasets": ["d"], "models": ["net"], "losses": ["dice"], "seeds": 1}
    models = {"net": {"network": path}, "unused": {"network": "nobody.nets:Net"}}
    return load_study({"study": "x", "models": models, "experiments": {"e": asked}, **blocks})


@pytest.fixture
def around(tmp_path, monkeypatch):
    """Write modules of one's own, and forget them afterwards."""

    def write(**texts):
        for name, text in texts.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        importlib.invalidate_caches()

    monkeypatch.syspath_prepend(tmp_path)
    before = {*sys.modules}
    yield write
    for name in {*sys.modules} - before:
        if name.partition(".")[0] in ("near_nets", "near_blocks", "near"):
            del sys.modules[name]


TRYING = "try:\n    import nobody\nexcept ImportError:\n    conv = 1\n"
NEAR = "import torch\nfrom near_blocks import conv\nclass Net(torch.nn.Module): pass\n"


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        (
            "near_nets:Net",
            {"near_nets": NEAR, "near_blocks": TRYING},
        ),
        ("near.nets:Net", {"near____init__": "", "near__nets": NEAR, "near_blocks": "def __getattr__(name): return 1"}),
        (
            "near_nets:Net",
            {"near_nets": "from near_blocks import *", "near_blocks": "import near_nets"},
        ),
        (f"{MONAI}AttentionUnet", {}),
        (f"{SMP}UnetPlusPlus", {}),
        (f"{VISION}fcn_resnet50", {}),
    ],
)
def test_a_network_that_is_there_is_found_without_an_import(around, monkeypatch, path, texts):
    around(**texts)
    monkeypatch.setattr(library_class, "find", None)
    check_networks(study_of(path), [])


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({}, "no module near_nets"),
        ({"near_nets": "class Nett: pass"}, "nothing called 'Net'.*Did you mean 'Nett'"),
        ({"near_nets": "class Net(:"}, "cannot be imported .SyntaxError"),
        ({"near_nets": NEAR}, "no module near_blocks, which near_nets needs"),
        ({"near_nets": NEAR, "near_blocks": "import nobody\ndef conv(): pass"}, "no module nobody"),
        ({"near_nets": NEAR, "near_blocks": ""}, "cannot import name 'conv'"),
        ({"near_nets": "import nobody\nraise SystemExit(1)"}, "no module nobody"),
    ],
)
def test_a_network_that_is_not_there_is_told_before_anything_runs(around, texts, told):
    around(**texts)
    with pytest.raises(StudyError, match=told) as error:
        check_networks(study_of("near_nets:Net"), [])
    assert str(error.value.where) == "config"


def test_a_library_that_ends_python_is_told(around):
    around(near_nets="raise SystemExit(1)")
    with pytest.raises(StudyError, match=r"near_nets cannot be imported .SystemExit"):
        build({"network": "near_nets:Net"}, 1, 1)
    around(near="from torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        raise SystemExit(2)\n")
    with pytest.raises(StudyError, match=r"near:Net cannot be built.*SystemExit"):
        build({"network": "near:Net"}, 1, 1)


def test_channels_go_to_arguments_of_any_name(local):
    network = build(own(local, "Renamed", in_channels="bands", outputs="kinds"), 4, 5)
    assert network.network.layer.weight.shape == (5, 4, 1, 1)


def test_no_weights_are_fetched_unasked(monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", None)  # a call would fail
    build({"network": f"{SMP}Linknet", "arguments": {"encoder_name": "resnet18"}}, 3, 1)  # its default: imagenet
    build({"network": f"{VISION}lraspp_mobilenet_v3_large"}, 3, 1)


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_network_that_gives_probabilities_is_told(local, caplog, outputs):
    build(own(local, "Net"), 3, outputs)
    with torch.no_grad():
        build(PLUS_PLUS, 3, outputs)
    assert not caplog.records
    build(own(local, "Probable"), 3, outputs)
    assert "own_networks:Probable gives values within 0..1" in caplog.text


def test_finding_the_size_changes_neither_weights_nor_draws():
    torch.manual_seed(0)
    found, after = build(PLUS_PLUS, 3, 1), torch.rand(1)
    torch.manual_seed(0)
    told, again = build(PLUS_PLUS | {"divisor": 32}, 3, 1), torch.rand(1)
    assert torch.equal(after, again) and found.training
    assert all(torch.equal(a, b) for a, b in zip(found.state_dict().values(), told.state_dict().values(), strict=True))


def test_a_network_that_looks_at_values_is_counted_too(local):
    """It cannot run without values, on the meta device: the count is the one of a plain forward pass."""
    looking, plain = (build(own(local, name), 3, 2) for name in ("Looking", "Net"))
    assert count_flops(looking, 3, 20, 30) == count_flops(plain, 3, 20, 30) == 2 * 20 * 30 * 3 * 2 * 9
    assert count_saved_bytes(looking, 3, 20, 30) >= count_saved_bytes(plain, 3, 20, 30) > 0
    assert len(layer_table(own(local, "Looking"), 3, 2, 20, 30)) == 3


# Layer tables.


def test_the_table_of_a_small_attention_unet():
    table = layer_table(ATTENTION | {"arguments": {"channels": [4, 8], "strides": [2]}}, 3, 2, 9, 16)
    columns = table[["name", "kind", "channels", "height", "width", "source"]]
    assert [tuple(row) for row in columns.itertuples(index=False)] == [
        ("pad", "input", 3, 10, 16, ""),
        ("network.model.0", "conv", 4, 10, 16, ""),
        ("network.model.1.submodule", "down", 8, 5, 8, ""),
        ("network.model.1.upconv", "up", 4, 10, 16, ""),
        ("network.model.1.attention", "conv", 4, 10, 16, "network.model.0"),
        ("network.model.1.merge", "conv", 4, 10, 16, ""),
        ("network.model.2", "head", 2, 10, 16, ""),
        ("crop", "output", 2, 9, 16, ""),
    ]


def test_the_table_of_a_unet_on_a_resnet():
    table = layer_table(FROM_CHANCE, 3, 1, 60, 90).set_index("name")
    assert list(table["height"]) == [64, 32, 16, 16, 8, 4, 2, 4, 8, 16, 32, 64, 64, 60]
    skips = table[table["source"] != ""]["source"]
    sources = [f"unet.encoder.{name}" for name in ("layer3", "layer2", "layer1", "conv1")]
    assert dict(skips) == {f"unet.decoder.blocks.{i}": source for i, source in enumerate(sources)}
    assert table.loc["unet.encoder.layer4", "operation"] == "2 × BasicBlock, size ÷ 2"


@pytest.mark.parametrize(
    "settings",
    [
        PLUS_PLUS,
        {"network": "encoder_unet", "encoder": "vgg11", "weights": "none"},
        {"network": f"{SMP}Segformer", "arguments": {"encoder_name": "mit_b0"}},  # blocks of a transformer
        {"network": f"{SMP}PAN", "arguments": {"encoder_name": "resnet18"}},  # maps of one pixel
        {"network": f"{MONAI}HighResNet"},  # one resolution throughout
    ],
    ids=lambda settings: settings["network"].rpartition(":")[2],
)
def test_every_table_adds_up_and_can_be_read(settings):
    table = layer_table(settings, 3, 2, 70, 90)
    network = build(settings, 3, 2)
    assert table["parameters"].sum() == count_parameters(network)
    assert table["name"].is_unique and 6 <= len(table) <= 45
    assert set(table["source"]) - {""} <= set(table["name"])
    assert (table["operation"] != "").all()
    assert "elsewhere" not in set(table["name"])
    assert tuple(table.iloc[-1][["channels", "height", "width"]]) == (2, 70, 90)


@pytest.mark.parametrize("settings", [ATTENTION, FROM_CHANCE, PLUS_PLUS], ids=["attention", "resnet18", "plus_plus"])
def test_no_two_layers_stand_in_one_place_of_the_sketch(settings):
    stages = list(layer_table(settings, 3, 1, 100, 120).itertuples(index=False))
    boxes = place(stages, colours_of(stages))
    for one, two in itertools.combinations(boxes, 2):
        beside = one.x + one.width <= two.x or two.x + two.width <= one.x
        above = one.y + one.height <= two.y or two.y + two.height <= one.y
        assert beside or above, f"{one.stage.name} lies on {two.stage.name}"
    rows = {}
    for box in boxes:  # one resolution, one row
        rows.setdefault(round(box.middle, 6), set()).add(round(math.log2(100 / box.stage.height)))
    assert all(len(levels) == 1 for levels in rows.values())


def test_weights_that_no_row_shows_are_counted(local, tmp_path):
    (tmp_path / "own_more.py").write_text(
        "import torch\nfrom own_networks import Net\n\n\n"
        "class Scaled(Net):\n"
        "    def __init__(self, in_channels, classes):\n"
        "        super().__init__(in_channels, classes)\n"
        "        self.unused = torch.nn.Linear(3, 3)\n"
    )
    table = layer_table({"network": "own_more:Scaled"}, 3, 2, 20, 30)
    network = build({"network": "own_more:Scaled"}, 3, 2)
    assert table["parameters"].sum() == count_parameters(network)


# What makes a cell train again, and what reads a config.


def test_another_version_is_another_fingerprint(monkeypatch):
    kinds = (ATTENTION["network"], "encoder_unet", "unet")
    before = [fingerprint.network(kind) for kind in kinds]
    version = fingerprint.importlib.metadata.version
    newer = {"monai": "99.0", "torchvision": "99.0"}
    monkeypatch.setattr(fingerprint.importlib.metadata, "version", lambda name: newer.get(name) or version(name))
    fingerprint.network.cache_clear()
    after = [fingerprint.network(kind) for kind in kinds]
    fingerprint.network.cache_clear()
    assert [one != two for one, two in zip(before, after, strict=True)] == [True, True, False]
    assert "monai 1.6.0" in before[0] and "monai 99.0" in after[0]


def test_ones_own_module_counts_by_its_content(local, tmp_path):
    before = fingerprint.libraries(f"{local}:Net")
    file = tmp_path / "own_networks.py"
    file.write_text(file.read_text() + "\n# changed\n")
    assert before.keys() == {local}
    assert fingerprint.libraries(f"{local}:Net") != before
    assert fingerprint.libraries("nowhere.at_all:Net") == {"nowhere": "absent"}


def config(entry):
    models = {"models": {"mine": entry}, "study": "s", "datasets": {"ph2": {"root": "x"}}, "losses": {"bce": {}}}
    grid = {"question": "Does it?", "datasets": ["ph2"], "models": ["mine"], "losses": ["bce"]}
    return models | {"recipes": {"default": {}}, "experiments": {"e": grid}}


def test_a_config_is_read_without_the_library():
    code = (
        "import sys, json; from segstudy.config.load import load_study; "
        f"s = load_study({config(ATTENTION)!r}); print(s.model_settings('mine')['network'], s.encoder('mine'), "
        "'torch' in sys.modules or 'monai' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == [ATTENTION["network"], "None", "False"]


def test_settings_of_a_config_build_the_network():
    settings = load_study(config(ATTENTION)).model_settings("mine")
    assert isinstance(build(settings, 3, 1).network, nn.Module)
    study = load_study(config({"network": "encoder_unet", "encoder": "vgg16"}))
    assert study.encoder("mine") == "vgg16"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"network": "monai:"}, "no path of a class"),
        ({"network": "monai.networks nets:U"}, "no path of a class"),
        ({"network": "a:b", "argument": {}}, "Did you mean 'arguments'"),
        ({"network": "encoder_unet", "encoder": "resnet35"}, "resnet35"),
        ({"network": "encoder_unet", "decoder_widths": [8, 8, 8]}, "decoder_widths"),
        ({"network": "encoder_unet", "decoder_widths": [8, 8, 8, 8, 0]}, "at least 1"),
        ({"network": "encoder_unit"}, "Did you mean 'encoder_unet'"),
    ],
)
def test_what_is_wrong_in_a_config_is_told(entry, told):
    with pytest.raises(StudyError, match=told):
        load_study(config(entry))
