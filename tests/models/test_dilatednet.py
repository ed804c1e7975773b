"""DilatedNet: kernels spread by 1, 2, 4, ... and the receptive fields of the lecture's figure."""

import pytest
import torch
from scipy.signal import correlate2d

from segstudy.models.layer_table import layer_table, receptive_field
from segstudy.models.registry import build


def test_receptive_fields_of_3_7_and_15_pixels_with_linearly_many_weights():
    """Figure 1 of Yu and Koltun: the field grows exponentially, the number of weights linearly."""
    fields = [receptive_field(build({"network": "dilatednet", "depth": d, "width": 2}, 1, 1), 1) for d in (1, 2, 3)]
    assert fields == [(3, 3), (7, 7), (15, 15)]
    layers = [
        s.parameters
        for s in list(layer_table({"network": "dilatednet", "depth": 6}, 3, 1, 64, 64).itertuples())
        if s.kind == "dilated"
    ]
    assert set(layers[1:]) == {9 * 32 * 32 + 64}


def test_each_layer_is_a_correlation_with_a_spread_kernel():
    torch.manual_seed(0)
    network = build({"network": "dilatednet", "depth": 3, "width": 1, "normalisation": "none"}, 1, 1)
    picture = torch.rand(1, 1, 20, 27)
    expected = picture[0, 0].double().numpy()
    for level, body in enumerate(network.body):
        weight = body[0][0].weight.detach().double().abs_()[0, 0]
        body[0][0].weight.data.abs_()  # positive, so that ReLU cuts nothing
        spread = torch.zeros(2 ** (level + 1) + 1, 2 ** (level + 1) + 1, dtype=torch.float64)
        spread[:: 2**level, :: 2**level] = weight
        expected = correlate2d(expected, spread.numpy(), mode="same")
    expected = expected * network.head.weight.item()
    assert network(picture)[0, 0].detach().numpy() == pytest.approx(expected, rel=1e-4)
