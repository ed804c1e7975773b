"""SegNet's unpooling against torch's, whose own is not deterministic on a GPU."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from segstudy.models.cost import count_parameters
from segstudy.models.registry import build
from segstudy.models.segnet import Unpool, maxima


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("ties", [False, True])
def test_unpooling_is_that_of_torch_with_its_gradient(layout, ties):
    generator = torch.Generator().manual_seed(0)
    fine = torch.randn(2, 5, 12, 16, generator=generator)
    fine = (fine.relu().round() if ties else fine).to(memory_format=layout)  # after ReLU most windows hold ties
    values = torch.randn(2, 5, 6, 8, generator=generator).to(memory_format=layout).requires_grad_()
    pooled, indices = functional.max_pool2d(fine, 2, return_indices=True)
    places = maxima(fine, pooled)
    ours, theirs = Unpool()(values, places), nn.MaxUnpool2d(2)(values, indices)
    assert torch.equal(ours, theirs)
    assert functional.avg_pool2d(places.double(), 2).eq(0.25).all()  # one place in every window
    weight = torch.randn(2, 5, 12, 16, generator=generator)
    gradients = [torch.autograd.grad(y, values, weight)[0] for y in (ours, theirs)]
    assert torch.equal(*gradients)
    assert ours.is_contiguous(memory_format=layout)


def test_pooled_values_return_to_their_places():
    fine = torch.tensor([[[[1.0, 2, 0, 0], [3, 0, 0, 0], [7, 7, -1, -4], [7, 0, -3, -2]]]])
    pooled = functional.max_pool2d(fine, 2)
    back = Unpool()(pooled, maxima(fine, pooled))
    assert back[0, 0].tolist() == [[0, 0, 0, 0], [3, 0, 0, 0], [7, 0, -1, 0], [0, 0, 0, 0]]


def test_a_value_that_is_not_a_number_stays_one():
    fine = torch.ones(1, 1, 4, 4)
    fine[0, 0, 1, 1] = torch.nan
    pooled = functional.max_pool2d(fine, 2)
    assert Unpool()(pooled, maxima(fine, pooled)).isnan().any()


def test_the_decoder_mirrors_the_encoder():
    network = build({"network": "segnet", "depth": 5, "width": 64}, 3, 1)
    first = [[unit[0].in_channels for unit in level] for level in network.decoder]
    assert first == [[64, 64], [128, 64], [256, 128], [512, 256], [1024, 512]]
    encoder, decoder = count_parameters(network.encoder), count_parameters(network.decoder)
    mirrored = sum(9 * c * (c // 2) + 9 * (c // 2) ** 2 + 2 * c for c in (128, 256, 512, 1024)) + 18 * 64 * 64 + 4 * 64
    assert decoder == mirrored and encoder > decoder
    assert count_parameters(network) == encoder + decoder + 65
