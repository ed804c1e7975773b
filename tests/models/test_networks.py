"""Every network keeps the same promises; a new one joins with one line in SMALL."""

import pytest
import torch
from torch import nn

from segstudy.config.networks import NETWORKS
from segstudy.core.errors import StudyError
from segstudy.models import blocks
from segstudy.models.cost import count_parameters
from segstudy.models.registry import build
from tests.helpers.network_promises import NetworkPromises, images, settled
from tests.helpers.network_promises import make as make_of

# One line a network, or one of its variants: small enough to run every promise in a moment.
SMALL = {
    "encdec": {"depth": 2, "width": 8},
    "unet": {"depth": 2, "width": 8},
    "unet-pool-3": {"network": "unet", "depth": 2, "width": 8, "pool": 3},
    "unet-bilinear-smoothed": {"network": "unet", "depth": 2, "width": 8, "up": "bilinear", "skips": "smoothed"},
    "unet-transposed": {"network": "unet", "depth": 2, "width": 8, "up": "transposed"},
    "unet-without-skips": {"network": "unet", "depth": 2, "width": 8, "skips": "none"},
    "unet2": {"depth": 2, "width": 8},
    "unet_valid": {"depth": 2, "width": 8},
    "segnet": {"depth": 2, "width": 8},
    "dilatednet": {"depth": 4, "width": 12},
    "wnet": {"depth": 2, "width": 4},
}
every_network = pytest.mark.parametrize("kind", sorted(SMALL))
with_decoder = pytest.mark.parametrize("kind", sorted(set(SMALL) - {"dilatednet", "wnet"}))


def make(kind, in_channels=3, outputs=1, **options):
    return make_of({"network": kind, **SMALL[kind]}, in_channels, outputs, **options)


def test_every_registered_network_is_tested():
    assert {block.get("network", name) for name, block in SMALL.items()} == set(NETWORKS)


@pytest.mark.parametrize("settings", [{"network": kind, **SMALL[kind]} for kind in SMALL], ids=list(SMALL))
class TestPromises(NetworkPromises):
    def bf16_error(self, settings):
        # Rounded, two values of a pooling window may become equal: another place is then taken for the maximum's.
        return 0.2 if settings["network"] == "segnet" else super().bf16_error(settings)


@every_network
@pytest.mark.parametrize("normalisation", ["batch", "instance", "group", "none"])
def test_gradients_reach_every_parameter_whatever_the_normalisation(kind, normalisation):
    TestPromises().test_gradients_reach_every_parameter(
        {"network": kind, **SMALL[kind], "normalisation": normalisation}
    )


@every_network
@pytest.mark.parametrize("normalisation", ["instance", "group", "none"])
def test_no_normalisation_looks_at_the_rest_of_the_batch(kind, normalisation):
    TestPromises().test_the_rest_of_the_batch_does_not_matter_in_evaluation(
        {"network": kind, **SMALL[kind], "normalisation": normalisation}
    )


@with_decoder
def test_dropout_is_drawn_in_training_alone(kind):
    network = make(kind, dropout=0.5).eval()
    assert torch.equal(network(images()), network(images()))
    network.train()
    assert not torch.equal(network(images()), network(images()))


@with_decoder
def test_dropout_stands_after_every_decoder_convolution_and_nowhere_else(kind):
    network = make(kind, dropout=0.3, convolutions=3, normalisation="batch")
    found = [name for name, m in network.named_modules() if isinstance(m, nn.Dropout)]
    assert len(found) == 2 * 3  # levels x convolutions
    assert all(name.startswith("decoder.") for name in found)
    for name in found:
        unit = network.get_submodule(name.rpartition(".")[0])
        assert [type(m) for m in unit] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Dropout]


@every_network
def test_a_shifted_image_gives_shifted_logits(kind):
    """Convolution and pooling commute with shifts by a multiple of the coarsest pixel, away from the border."""
    network = settled(make(kind))
    image = images(1, 3, 128, 128)
    with torch.no_grad():
        before, after = network(image), network(torch.roll(image, (4, 8), (2, 3)))
    torch.testing.assert_close(
        torch.roll(before, (4, 8), (2, 3))[..., 48:80, 48:80], after[..., 48:80, 48:80], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("convolutions", [1, 2])
@pytest.mark.parametrize("growth", [1, 2])
def test_unet_is_encdec_plus_skips(depth, convolutions, growth):
    """The first convolution of each decoder level sees the skip's channels too: 9 weights each, nothing else."""
    options = {"depth": depth, "width": 6, "growth": growth, "convolutions": convolutions}
    plain, skipping = (make(kind, **options) for kind in ("encdec", "unet"))
    levels = [6 * growth**i for i in range(depth)]
    assert count_parameters(skipping) - count_parameters(plain) == sum(9 * c * c for c in levels)
    names = [set(dict(n.named_parameters())) for n in (plain, skipping)]
    assert names[0] == names[1]


def test_unet_with_silenced_skips_is_encdec():
    options = {"depth": 3, "width": 4}
    plain, skipping = (make(kind, **options) for kind in ("encdec", "unet"))
    weights = skipping.state_dict()
    for name, value in plain.state_dict().items():
        if weights[name].shape == value.shape:
            weights[name] = value
        else:  # (out, skip + up, 3, 3): nothing from the skip
            skip = weights[name].shape[1] - value.shape[1]
            weights[name] = torch.cat((torch.zeros_like(weights[name][:, :skip]), value), 1)
    skipping.load_state_dict(weights)
    with torch.no_grad():
        torch.testing.assert_close(skipping.eval()(images()), plain.eval()(images()), rtol=1e-5, atol=1e-6)


def test_padding_mirrors_where_it_can_and_repeats_the_border_where_it_cannot():
    row = torch.tensor([[[[1.0, 2, 3, 4, 5, 6]]]]).repeat(1, 1, 8, 1)
    assert blocks.pad_to_multiple(row, 4)[0, 0, 0].tolist() == [2, 1, 2, 3, 4, 5, 6, 5]
    single = torch.tensor([[[[7.0]]]])
    assert blocks.pad_to_multiple(single, 2)[0, 0].tolist() == [[7, 7, 7, 7]] * 4
    row_and_single = torch.arange(3.0).view(1, 1, 1, 3)  # one axis is too short to mirror: both repeat
    assert blocks.pad_to_multiple(row_and_single, 2)[0, 0].tolist() == [[0, 1, 2, 2]] * 4


@pytest.mark.parametrize("height, width, multiple", [(1, 1, 8), (9, 30, 4), (16, 16, 8), (565, 584, 16), (17, 3, 32)])
def test_cropping_undoes_padding(height, width, multiple):
    picture = images(1, 1, height, width)
    padded = blocks.pad_to_multiple(picture, multiple)
    assert padded.shape[-2] % multiple == 0 and padded.shape[-1] % multiple == 0
    assert tuple(padded.shape[-2:]) == blocks.padded_size(height, width, multiple)
    assert min(padded.shape[-2:]) >= 2 * multiple
    assert torch.equal(blocks.crop_to(padded, height, width), picture)


def test_a_fitting_image_is_not_copied():
    picture = images(1, 1, 16, 32)
    assert blocks.pad_to_multiple(picture, 8) is picture


def test_he_initialisation_keeps_the_scale_through_many_layers():
    """He et al. 2015: with variance 2 / fan-in the second moment of the signal survives ReLU after ReLU."""
    torch.manual_seed(0)
    stack = blocks.convolutions(12, 64, 64, "none")
    with torch.no_grad():
        out = stack(torch.randn(1, 64, 48, 48).relu() * 2**0.5)  # second moment one going in
    away_from_the_border = out[..., 14:-14, 14:-14]
    assert 0.3 < away_from_the_border.square().mean() < 3


def test_unknown_networks_and_options_are_named():
    with pytest.raises(StudyError, match=r"'unett'.*'unet'"):
        build({"network": "unett"}, 3, 1)
    with pytest.raises(StudyError, match="depht"):
        build({"network": "unet", "depht": 3}, 3, 1)
    with pytest.raises(StudyError, match="allowed"):
        build({"network": "resnet"}, 3, 1)


def test_the_registry_does_not_import_torch():
    import subprocess
    import sys

    code = "import sys, segstudy.models.registry; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
def test_the_join_has_the_gradients_of_cat_as_whole_tensors(order):
    torch.manual_seed(0)
    skip, maps = (torch.randn(2, n, 6, 4).contiguous(memory_format=order).requires_grad_() for n in (3, 5))
    towards = torch.randn(2, 8, 6, 4).contiguous(memory_format=order)
    wanted = torch.autograd.grad(torch.cat((skip, maps), 1), (skip, maps), towards)
    found = torch.autograd.grad(blocks.Concat()(maps, skip), (skip, maps), towards)
    for mine, theirs in zip(found, wanted, strict=True):
        assert torch.equal(mine, theirs)
        assert mine.is_contiguous(memory_format=order)
