"""The memory of a training step: sums by hand, and that they grow as they must."""

import pytest
import torch

from segstudy.models.cost import count_saved_bytes
from segstudy.models.registry import build
from segstudy.models.step_memory import LiveBytes, network_memory, step_bytes

UNET = {"network": "unet", "depth": 2, "width": 8}


def test_live_bytes_by_hand():
    with LiveBytes() as memory:
        a = torch.zeros(100)
        assert memory.live == 400
        b = a + 1
        b.add_(1)  # in place
        c = b[:50]  # a view keeps all of what it looks at
        assert memory.live == 800
        del a, b
        assert memory.live == 400
        del c
        assert memory.live == 0
        torch.zeros(10)
    assert memory.largest == 800


def test_a_step_holds_what_the_backward_pass_needs_and_more():
    network = build(UNET, 3, 1)
    parameters = sum(p.numel() for p in network.parameters())
    kept = 4 * count_saved_bytes(network, 3, 64, 64)
    found = step_bytes(UNET, 3, 1, 4, (64, 64))
    assert found.weights == 16 * parameters
    assert kept < found.images < 1.5 * kept
    assert found.process(1e9) > 1e9 + found.tensors


def test_it_grows_with_the_batch_and_shrinks_with_the_arithmetic():
    four, eight, sixteen = (step_bytes(UNET, 3, 1, images, (64, 64)).images for images in (4, 8, 16))
    assert sixteen - eight == pytest.approx(2 * (eight - four), rel=0.01)
    assert step_bytes(UNET, 3, 1, 16, (64, 64), bf16=True).images < 0.7 * sixteen


def test_nothing_is_computed_or_allocated():
    """A batch of 4,096 images of 1,024 pixels a side: terabytes."""
    assert step_bytes(UNET, 3, 1, 4096, (1024, 1024)).tensors > 1e12


@pytest.mark.parametrize("gpu", [True, False])
def test_the_line_of_a_network_meets_its_steps(gpu):
    line = network_memory(UNET, 3, 1, (64, 64), gpu, bf16=False)
    for images in (2, 16):
        step = step_bytes(UNET, 3, 1, images, (64, 64))
        assert line.mb(images * 64 * 64) == pytest.approx((step.tensors if gpu else step.process(0)) / 1e6)
    between = step_bytes(UNET, 3, 1, 7, (64, 64))
    assert line.mb(7 * 64 * 64) >= 0.999 * (between.tensors if gpu else between.process(0)) / 1e6


class Looks(torch.nn.Conv2d):
    """A network whose way depends on its values."""

    def forward(self, x):
        return super().forward(x) if x.max().item() > 0 else super().forward(-x)


def test_a_network_that_looks_at_values_cannot_be_counted(monkeypatch, caplog):
    monkeypatch.setattr("segstudy.models.registry.build", lambda *_: Looks(3, 1, 1))
    assert network_memory(UNET, 3, 1, (64, 64), gpu=False, bf16=False) is None
    assert "unet: its memory is guessed, since it cannot be counted (DataDependent" in caplog.text
