"""What every network promises, as a class to inherit from: one line a network, whoever wrote it.

every_network = pytest.mark.parametrize("settings", [{"network": "unet", "depth": 2}, ...])

@every_network
class TestPromises(NetworkPromises):
    pass
"""

import copy

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from segstudy.models.cost import count_flops, count_parameters
from segstudy.models.layer_table import layer_table
from segstudy.models.model_file import load_model, save_model
from segstudy.models.registry import build
from tests.helpers.device_without_values import DEVICE, strict_device

# What torch lists under `use_deterministic_algorithms` as having no deterministic form on a GPU, as far as a network
# of images can meet it (interpolation: linear and cubic, not nearest-neighbour).
NOT_DETERMINISTIC_ON_A_GPU = {
    "adaptive_avg_pool2d_backward",
    "_adaptive_avg_pool2d_backward",
    "adaptive_max_pool2d_backward",
    "fractional_max_pool2d_backward",
    "max_unpool2d",
    "reflection_pad2d_backward",
    "upsample_bilinear2d_backward",
    "_upsample_bilinear2d_aa_backward",
    "upsample_bicubic2d_backward",
    "grid_sampler_2d_backward",
}


def make(settings, in_channels=3, outputs=1, **options):
    """Return a network whose weights are always the same."""
    torch.manual_seed(0)
    return build({**settings, **options}, in_channels, outputs)


def images(count=2, channels=3, height=32, width=32):
    """Return pictures that are always the same."""
    return torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(1))


def settled(network, channels=3):
    """Give the running statistics of batch normalisation something to hold, then evaluate."""
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(images(8, channels))
    return network.eval()


class Operations(TorchDispatchMode):
    """Write down the names of the operations that run, backward ones included."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.names.add(operation.__name__.partition(".")[0])
        return operation(*args, **(kwargs or {}))


def multiply_adds(network, picture):
    """Return the multiply-adds of convolutions in a real forward pass, counted at each from what went in and out."""
    counted = []

    def count(module, inputs, output):
        transposed = isinstance(module, nn.ConvTranspose2d)
        places = (inputs[0] if transposed else output)[0, 0].numel()  # where the kernel is laid down
        counted.append(places * module.weight.numel())

    handles = [
        m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)
    ]
    with torch.no_grad():
        network(picture)
    for handle in handles:
        handle.remove()
    return sum(counted)


class NetworkPromises:
    """Tests that hold for every network; a subclass is parametrised over `settings`, blocks of a config's models."""

    def bf16_error(self, settings):
        """Return how large a bf16 pass may differ from fp32: root mean square over the spread of the logits."""
        return 0.05

    @pytest.mark.parametrize("height, width", [(1, 1), (1, 7), (5, 3), (16, 16), (17, 31), (40, 28), (3, 64)])
    def test_logits_have_the_size_of_the_image(self, settings, height, width):
        for training in (True, False):
            network = make(settings, in_channels=2, outputs=5).train(training)
            assert network(images(1, 2, height, width)).shape == (1, 5, height, width)

    def test_gradients_reach_every_parameter(self, settings):
        network = make(settings)
        network(images()).square().sum().backward()
        silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        assert silent == []

    def test_evaluation_is_deterministic(self, settings):
        network = make(settings).eval()
        assert torch.equal(network(images()), network(images()))

    def test_no_operation_is_used_that_a_gpu_cannot_repeat(self, settings):
        network = make(settings)
        with Operations() as used:
            network(images(height=30, width=21)).square().sum().backward()
        assert "convolution_backward" in used.names
        assert used.names & NOT_DETERMINISTIC_ON_A_GPU == set()

    def test_it_stays_on_its_device(self, settings):
        """Found without a GPU, on a device without values."""
        network = make(settings).to(DEVICE).train()
        with strict_device() as device:
            network(images(8).to(DEVICE)).sum().backward()
            network.eval()(images().to(DEVICE))
        assert not device.reads  # nor does the host wait for a value

    def test_same_seed_same_weights(self, settings):
        one, two = make(settings).state_dict(), make(settings).state_dict()
        assert all(torch.equal(one[key], two[key]) for key in one)

    def test_saved_and_loaded_it_says_the_same(self, settings, tmp_path):
        network = settled(make(settings))
        torch.manual_seed(99)  # what is loaded is not what happens to be drawn again
        meta = {"settings": {"model": settings}, "in_channels": 3, "outputs": 1}
        meta["normalisation"] = {"mean": [0.5], "std": [0.1]}
        save_model(tmp_path / "model.safetensors", network, meta)
        other, found = load_model(tmp_path / "model.safetensors")
        assert found == meta and not other.training
        with torch.no_grad():
            assert torch.equal(other(images()), network(images()))

    def test_bf16_autocast_stays_near_fp32(self, settings):
        network = settled(make(settings))
        with torch.no_grad():
            full = network(images())
            with torch.autocast("cpu", torch.bfloat16):
                half = network(images()).float()
        # bf16 keeps 8 bits; a handful of layers may lose a few of them, relative to the spread of the logits.
        assert (full - half).square().mean().sqrt() < self.bf16_error(settings) * full.std()
        assert not torch.equal(full, half)

    def test_the_rest_of_the_batch_does_not_matter_in_evaluation(self, settings):
        network = settled(make(settings))
        with torch.no_grad():
            together = network(images(5))
            alone = torch.cat([network(image[None]) for image in images(5)])
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)

    def test_channels_last_changes_nothing_but_memory(self, settings):
        network = settled(make(settings))
        last = copy.deepcopy(network).to(memory_format=torch.channels_last)
        with torch.no_grad():
            plain = network(images())
            other = last(images().to(memory_format=torch.channels_last))
        torch.testing.assert_close(plain, other, rtol=1e-4, atol=1e-5)

    def test_it_can_learn_four_images_by_heart(self, settings):
        generator = torch.Generator().manual_seed(3)
        y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
        centres = 10 + 12 * torch.rand(4, 2, generator=generator)
        masks = torch.stack([((y - a) ** 2 + (x - b) ** 2 < 49).float() for a, b in centres])[:, None]
        pictures = masks.repeat(1, 3, 1, 1) + 0.5 * torch.randn(4, 3, 32, 32, generator=generator)
        network = make(settings).train()
        optimizer = torch.optim.Adam(network.parameters(), 0.01)
        for step in range(1, 301):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(network(pictures), masks).backward()
            optimizer.step()
            if step % 20 == 0:  # most need 100 steps; how many one needs depends on the number of threads
                with torch.no_grad():
                    found = (network.eval()(pictures) > 0).float()
                if 2 * (found * masks).sum() / (found + masks).sum() > 0.98:
                    return
                network.train()
        pytest.fail("the Dice of four images stays below 0.98 in 300 steps")

    @pytest.mark.parametrize("height, width", [(37, 50), (64, 48)])
    def test_the_layer_table_is_that_of_the_forward_pass_and_the_flops_are_right(self, settings, height, width):
        table = layer_table(settings, 2, 3, height, width)  # raises where a layer differs
        network = make(settings, 2, 3).eval()
        assert table["parameters"].sum() == count_parameters(network)
        assert tuple(table.iloc[-1][["channels", "height", "width"]]) == (3, height, width)
        flops = count_flops(network, 2, height, width)
        assert flops == 2 * multiply_adds(network, images(1, 2, height, width)) > 0
