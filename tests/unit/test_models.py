"""Every network keeps the same promises; a new one joins with one line in SMALL."""

import copy

import pytest
import torch
from safetensors.torch import load_model, save_model
from torch import nn

from segstudy.config.networks import NETWORKS
from segstudy.errors import StudyError
from segstudy.models import blocks, build, network_module
from segstudy.models.cost import count_parameters

# One line a network: small enough to run every promise in a moment.
SMALL = {
    "encdec": {"depth": 2, "width": 8},
    "unet": {"depth": 2, "width": 8},
}
every_network = pytest.mark.parametrize("kind", sorted(SMALL))


def make(kind, in_channels=3, outputs=1, **options):
    torch.manual_seed(0)
    return build({"network": kind, **SMALL[kind], **options}, in_channels, outputs)


def images(count=2, channels=3, height=32, width=32):
    return torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(1))


def settled(network):
    """Give the running statistics of batch normalisation something to hold, then evaluate."""
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(images(8))
    return network.eval()


def test_every_registered_network_is_tested():
    assert set(SMALL) == set(NETWORKS)


@every_network
@pytest.mark.parametrize("height, width", [(1, 1), (1, 7), (5, 3), (16, 16), (17, 31), (40, 28), (3, 64)])
def test_logits_have_the_size_of_the_image(kind, height, width):
    for training in (True, False):
        network = make(kind, in_channels=2, outputs=5).train(training)
        assert network(images(1, 2, height, width)).shape == (1, 5, height, width)


@every_network
@pytest.mark.parametrize("normalisation", ["batch", "instance", "group", "none"])
def test_gradients_reach_every_parameter(kind, normalisation):
    network = make(kind, normalisation=normalisation, dropout=0.1, convolutions=2)
    network(images()).square().sum().backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


@every_network
def test_evaluation_is_deterministic_and_training_with_dropout_is_not(kind):
    network = make(kind, dropout=0.5).eval()
    assert torch.equal(network(images()), network(images()))
    network.train()
    assert not torch.equal(network(images()), network(images()))


@every_network
def test_dropout_stands_after_every_decoder_convolution_and_nowhere_else(kind):
    network = make(kind, dropout=0.3, convolutions=3)
    found = [name for name, m in network.named_modules() if isinstance(m, nn.Dropout)]
    assert len(found) == 2 * 3  # levels x convolutions
    assert all(name.startswith("decoder.") for name in found)
    for name in found:
        unit = network.get_submodule(name.rpartition(".")[0])
        assert [type(m) for m in unit] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Dropout]


@every_network
def test_same_seed_same_weights(kind):
    one, two = make(kind).state_dict(), make(kind).state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)


@every_network
def test_saved_and_loaded_it_says_the_same(kind, tmp_path):
    network = settled(make(kind))
    save_model(network, str(tmp_path / "model.safetensors"))
    torch.manual_seed(99)
    other = build({"network": kind, **SMALL[kind]}, 3, 1).eval()
    assert not torch.equal(other(images()), network(images()))
    load_model(other, str(tmp_path / "model.safetensors"))
    assert torch.equal(other(images()), network(images()))


@every_network
def test_bf16_autocast_stays_near_fp32(kind):
    network = settled(make(kind))
    with torch.no_grad():
        full = network(images())
        with torch.autocast("cpu", torch.bfloat16):
            half = network(images()).float()
    # bf16 keeps 8 bits; a handful of layers may lose a few of them, relative to the spread of the logits.
    assert (full - half).abs().max() < 0.1 * full.std()
    assert not torch.equal(full, half)


@every_network
@pytest.mark.parametrize("normalisation", ["batch", "instance", "group", "none"])
def test_the_rest_of_the_batch_does_not_matter_in_evaluation(kind, normalisation):
    network = settled(make(kind, normalisation=normalisation))
    with torch.no_grad():
        together = network(images(5))
        alone = torch.cat([network(image[None]) for image in images(5)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@every_network
def test_channels_last_changes_nothing_but_memory(kind):
    network = settled(make(kind))
    with torch.no_grad():
        plain = network(images())
        last = copy.deepcopy(network).to(memory_format=torch.channels_last)(
            images().to(memory_format=torch.channels_last)
        )
    torch.testing.assert_close(plain, last, rtol=1e-4, atol=1e-5)


@every_network
def test_it_can_learn_four_images_by_heart(kind):
    generator = torch.Generator().manual_seed(3)
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    centres = 10 + 12 * torch.rand(4, 2, generator=generator)
    masks = torch.stack([((y - a) ** 2 + (x - b) ** 2 < 49).float() for a, b in centres])[:, None]
    pictures = masks.repeat(1, 3, 1, 1) + 0.5 * torch.randn(4, 3, 32, 32, generator=generator)
    network = make(kind)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(100):
        optimiser.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(network(pictures), masks).backward()
        optimiser.step()
    found = (network.eval()(pictures) > 0).float()
    assert 2 * (found * masks).sum() / (found + masks).sum() > 0.98


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
        network_module("resnet")


def test_a_network_is_named_without_importing_torch():
    import subprocess
    import sys

    code = "import sys, segstudy.models as m; print(m.network_module('unet'), 'torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["segstudy.models.unet", "False"]


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
