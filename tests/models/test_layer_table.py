import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segstudy.config.networks import NETWORKS
from segstudy.core.errors import StudyError
from segstudy.models.cost import count_flops, count_parameters
from segstudy.models.layer_table import layer_table, receptive_field
from segstudy.models.layer_trace import observed_stages
from segstudy.models.registry import build


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(sorted(NETWORKS)),
    depth=st.integers(1, 4),
    width=st.integers(1, 9),
    growth=st.sampled_from([1, 2]),
    convolutions=st.integers(1, 3),
    normalisation=st.sampled_from(["batch", "instance", "group", "none"]),
    dropout=st.sampled_from([0.0, 0.2]),
    up=st.sampled_from(["nearest", "bilinear", "transposed"]),
    skips=st.sampled_from(["concat", "none", "smoothed"]),
    channels=st.integers(1, 4),
    outputs=st.integers(1, 12),
    height=st.integers(1, 70),
    width_of_image=st.integers(1, 70),
)
def test_the_rows_of_every_option_are_the_whole_network(kind, channels, outputs, height, width_of_image, **options):
    known = NETWORKS[kind][0].model_fields
    chosen = {"network": kind, **{name: value for name, value in options.items() if name in known}}
    table = layer_table(chosen, channels, outputs, height, width_of_image)
    network = build(chosen, channels, outputs)
    assert table["parameters"].sum() == count_parameters(network)
    assert tuple(table.iloc[-1][["channels", "height", "width"]]) == (outputs, height, width_of_image)
    assert set(table["name"]) <= {name for name, _ in network.named_modules()}
    assert table["name"].is_unique


def test_the_table_of_a_small_unet_by_hand():
    table = layer_table({"network": "unet", "depth": 1, "width": 4, "convolutions": 1}, 3, 2, 9, 16)
    rows = [tuple(row) for row in table.drop(columns="operation").itertuples(index=False)]
    assert rows == [
        ("pad", "input", 3, 10, 16, 0, ""),
        ("encoder.0.0", "conv", 4, 10, 16, 3 * 4 * 9 + 8, ""),
        ("down.0", "down", 4, 5, 8, 0, ""),
        ("bottom.0", "conv", 8, 5, 8, 4 * 8 * 9 + 16, ""),
        ("up.0", "up", 8, 10, 16, 0, ""),
        ("join.0", "concat", 12, 10, 16, 0, "encoder.0.0"),
        ("decoder.0.0", "conv", 4, 10, 16, 12 * 4 * 9 + 8, ""),
        ("head", "head", 2, 10, 16, 4 * 2 + 2, ""),
        ("crop", "output", 2, 9, 16, 0, ""),
    ]
    assert "9 × 16" in table["operation"].iloc[0]


@pytest.mark.parametrize(
    "chosen, skips",
    [
        ({"network": "encdec"}, 0),
        ({"network": "unet"}, 3),
        ({"network": "unet", "skips": "smoothed", "up": "transposed"}, 3),
        ({"network": "unet", "skips": "none"}, 0),
        ({"network": "unet2"}, 3),
        ({"network": "segnet"}, 3),
        ({"network": "dilatednet"}, 0),
        ({"network": "wnet"}, 2 * 3 + 1),  # and the image, which the second network sees too
    ],
)
def test_skips_come_from_a_layer_of_the_same_size(chosen, skips):
    table = layer_table({**chosen, "depth": 3, "width": 4}, 3, 1, 100, 60).set_index("name")
    joins = table[table["source"] != ""]
    assert len(joins) == skips
    for _, join in joins.iterrows():
        assert tuple(table.loc[join["source"], ["height", "width"]]) == (join["height"], join["width"])


def test_sizes_of_large_images_cost_no_memory():
    huge = layer_table({"network": "unet", "depth": 5, "width": 64}, 3, 1, 2336, 3504)
    assert tuple(huge.iloc[0][["height", "width"]]) == (2336, 3520)
    assert tuple(huge.set_index("name").loc["bottom.1", ["channels", "height", "width"]]) == (2048, 73, 110)


def test_an_unknown_network_is_refused():
    with pytest.raises(StudyError):
        layer_table({"network": "none"}, 3, 1, 8, 8)


def test_a_table_leaves_the_network_as_it_was():
    network = build({"network": "unet", "depth": 2, "width": 4}, 3, 1).train()
    network.encoder[0].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    rows = observed_stages(network, 3, 30, 20)
    count_flops(network, 3, 32, 32)
    assert rows[-1][3:6] == (1, 30, 20)
    assert network.training and network.decoder[0].training and not network.encoder[0].training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
    assert all(parameter.device.type == "cpu" for parameter in network.parameters())


def test_flops_of_a_convolution_by_hand():
    """Every output value is a sum of in x kernel area products: one multiply-add each, 2 FLOPs."""
    plain = nn.Conv2d(3, 8, 3, padding=1)
    assert count_flops(plain, 3, 20, 30) == 2 * (20 * 30) * 8 * (3 * 9)
    strided = nn.Conv2d(4, 6, 5, stride=2, bias=False)
    assert count_flops(strided, 4, 21, 21) == 2 * (9 * 9) * 6 * (4 * 25)
    assert count_flops(nn.Sequential(plain, nn.ReLU(), nn.MaxPool2d(2)), 3, 20, 30) == count_flops(plain, 3, 20, 30)


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_flops_of_a_network_follow_from_its_layer_table(kind):
    """A kernel's every weight is used once for each pixel put out; of a 2x2 kernel of stride 2, one in four is."""
    chosen = {"network": kind, "depth": 3, "width": 6}
    table = layer_table(chosen, 3, 2, 48, 40)
    network = build(chosen, 3, 2)
    weights = [
        sum(p.numel() for p in network.get_submodule(name).parameters() if p.dim() == 4) for name in table["name"]
    ]
    share = 1 - 0.75 * table["operation"].str.startswith("2×2 transposed")
    expected = 2 * (weights * share * table["height"] * table["width"]).sum()
    assert count_flops(network, 3, 48, 40) == expected


def test_receptive_field_of_stacks_by_hand():
    """Each layer adds (kernel - 1) x the product of the strides before it."""
    convolution = nn.Conv2d(2, 2, 3, padding=1)
    assert receptive_field(convolution, 2) == (3, 3)
    assert receptive_field(nn.Sequential(convolution, nn.ReLU(), convolution), 2) == (5, 5)
    pooled = nn.Sequential(convolution, convolution, nn.MaxPool2d(2), convolution)
    assert receptive_field(pooled, 2) == (1 + 2 + 2 + 1 + 2 * 2,) * 2
    assert receptive_field(nn.Conv2d(1, 1, (3, 5), dilation=(4, 1)), 1) == (9, 5)
    assert receptive_field(nn.Sequential(nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1), nn.Conv2d(1, 1, 7, stride=2)), 1) == (
        9,
        9,
    )


def seen_from(pixel, stages):
    """Follow the pixels that one output pixel hangs on backwards, layer by layer; skips see no more than the rest."""
    low = high = pixel
    for stage in reversed(stages):
        words = stage.operation
        if stage.kind in ("conv", "dilated"):  # a 3x3 kernel widens by its dilation on both sides
            dilation = int((re.findall(r"dilation (\d+)", words) or [1])[0])
            dilation *= 2 if words.startswith("residual: 2") else 1
            low, high = low - dilation, high + dilation
        elif "bilinear" in words:  # two neighbours of the coarser level, the nearer one first
            low, high = (low - 1) // 2, (high + 1) // 2
        elif stage.kind == "up":  # pixel p shows pixel p // 2 of the coarser level
            low, high = low // 2, high // 2
        elif "stride 2" in words:  # a 3x3 kernel around pixel 2p
            low, high = 2 * low - 1, 2 * high + 1
        elif stage.kind == "down":  # pixel p was pooled from pixels 2p and 2p + 1
            low, high = 2 * low, 2 * high + 1
    return low, high


@pytest.mark.parametrize(
    "chosen",
    [
        {"network": "encdec"},
        {"network": "unet"},
        {"network": "unet", "up": "bilinear", "skips": "smoothed"},
        {"network": "unet", "up": "transposed"},
        {"network": "unet", "skips": "none"},
        {"network": "unet2"},
        {"network": "segnet"},
        {"network": "dilatednet"},
        {"network": "dilatednet", "convolutions": 2, "depth": 5},
        {"network": "wnet"},
    ],
)
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_receptive_field_of_networks_by_interval_arithmetic(chosen, depth):
    settings = {"depth": depth, "width": 2, **chosen}
    low, high = seen_from(2**10, list(layer_table(settings, 1, 1, 64, 64).itertuples()))
    assert receptive_field(build(settings, 1, 1), 1) == (high - low + 1,) * 2


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_receptive_field_of_valid_convolutions_by_interval_arithmetic(depth):
    """Their grid of coarse pixels begins at the mirrored border, and the border must not be seen."""
    settings = {"network": "unet_valid", "depth": depth, "width": 2}
    for length in (64, 128, 256):
        stages = list(layer_table(settings, 1, 1, length, length).itertuples())
        low, high = seen_from(stages[0].height // 2, stages)
        if low > (stages[0].height - length) // 2:
            break
    assert receptive_field(build(settings, 1, 1), 1) == (high - low + 1,) * 2


def test_a_receptive_field_without_end_is_none():
    assert receptive_field(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(1, 1, 1)), 1, largest=256) is None
    long = nn.Conv2d(1, 1, (101, 1), padding=(50, 0))
    assert receptive_field(long, 1, largest=64) is None
    assert receptive_field(long, 1, largest=128) == (101, 1)


def test_no_network_leaves_its_receptive_field_to_chance():
    """The figure is the layers', not the weights': dead units, any normalisation and training state do not show."""
    chosen = {"network": "unet", "depth": 2, "width": 3}
    network = build(chosen, 1, 1)
    for parameter in network.parameters():
        nn.init.constant_(parameter, -1.0)
    others = [build({**chosen, "normalisation": kind}, 1, 1) for kind in ("instance", "group", "none")]
    assert {receptive_field(n, 1) for n in (network, *others)} == {(44, 44)}
