"""Two chained U-Nets: their weights by hand, what the second sees, and a loss on both outputs."""

import copy

import pytest
import torch
from torch import nn

from segstudy.models.cost import count_parameters
from segstudy.models.registry import build
from segstudy.training.step import accumulate_gradients, mean_loss
from tests.helpers.network_promises import images, make, settled
from tests.helpers.trainer import CPU, IMAGES, MASKS, ROIS, bce, small

SMALL = {"network": "wnet", "depth": 2, "width": 4}


def test_the_published_widths_have_61938_weights():
    def residual(before, after):  # two convolutions with the scales and shifts of their norms, and the shortcut
        return 9 * before * after + 2 * after + 9 * after * after + 2 * after + before * after

    def little(channels):
        down = residual(channels, 8) + residual(8, 16) + residual(16, 32)
        up = (4 * 32 + 1) * 16 + residual(32, 16) + (4 * 16 + 1) * 8 + residual(16, 8)
        return down + up + 8 + 1

    assert little(3) + little(3 + 1) == 61_938
    assert count_parameters(build({"network": "wnet"}, 3, 1)) == 61_938


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_second_network_sees_the_image_and_the_probability_of_the_first(outputs):
    network = settled(make(SMALL, 3, outputs))
    seen = []
    network.second.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        logits = network.first(images())
        network(images())
    probability = logits.sigmoid() if outputs == 1 else logits.softmax(1)
    assert torch.equal(seen[0], torch.cat((images(), probability), 1))


def test_all_logits_are_those_of_both_networks_at_the_size_of_the_image():
    network = settled(make(SMALL))
    picture = images(1, 3, 37, 50)
    with torch.no_grad():
        second, first = network.all_logits(picture)
        assert torch.equal(second, network(picture))
        assert torch.equal(first, network.crop(network.first(network.pad(picture)), picture))
    assert second.shape == first.shape == (1, 1, 37, 50)


def test_a_residual_block_adds_what_goes_around_it():
    block = make(SMALL).first.encoder[1].eval()
    maps = torch.randn(2, 4, 6, 6)
    with torch.no_grad():
        around = torch.einsum("oi,bihw->bohw", block.shortcut.weight[:, :, 0, 0], maps)
        torch.testing.assert_close(block(maps), around + block.convolutions(maps))


def test_one_output_has_its_loss_and_several_their_mean():
    draw = torch.Generator().manual_seed(0)
    logits = [torch.randn(2, 1, 5, 4, generator=draw) for _ in range(2)]
    target, roi = torch.randint(0, 2, (2, 5, 4), generator=draw), torch.ones(2, 5, 4)
    losses = [nn.functional.binary_cross_entropy_with_logits(one[:, 0], target.float()) for one in logits]
    assert mean_loss(bce, logits[0], target, roi) == pytest.approx(float(losses[0]), rel=1e-6)
    assert mean_loss(bce, tuple(logits), target, roi) == pytest.approx(float(sum(losses) / 2), rel=1e-6)


def test_a_step_has_the_gradients_of_both_losses():
    network = make(SMALL).train()
    batch = (
        torch.from_numpy(IMAGES[:2]).permute(0, 3, 1, 2).float() / 255,
        *map(torch.from_numpy, (MASKS[:2], ROIS[:2])),
    )
    both = copy.deepcopy(network)
    accumulate_gradients(network.all_logits, bce, batch, 1, keep=True)
    second, first = both.all_logits(batch[0])
    ((bce(second, *batch[1:]) + bce(first, *batch[1:])) / 2).backward()
    for mine, wanted in zip(network.parameters(), both.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, wanted.grad)


def test_a_training_teaches_both_networks_and_validates_the_second():
    torch.manual_seed(0)
    network = build(SMALL, 3, 1)
    calls = {"steps": 0, "validation": 0}

    def counting(logits, target, roi):
        calls["steps" if logits.requires_grad else "validation"] += 1
        return bce(logits, target, roi)

    found = small(network, counting, epochs=30)
    assert calls == {"steps": 30 * 2 * 2, "validation": 30 * 2}  # two steps an epoch, two outputs; two images
    assert found.history["val_dice"].iloc[-1] > 0.9
    network.eval().to(CPU)
    with torch.no_grad():
        x = (torch.from_numpy(IMAGES).permute(0, 3, 1, 2) / 255).sub_(
            torch.tensor(found.normalisation["mean"]).view(3, 1, 1)
        )
        x /= torch.tensor(found.normalisation["std"]).view(3, 1, 1)
        first = network.all_logits(x)[1][:, 0] > 0
    truth = torch.from_numpy(MASKS) > 0
    assert 2 * (first & truth).sum() / (first.sum() + truth.sum()) > 0.9
