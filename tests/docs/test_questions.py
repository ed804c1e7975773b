"""The pictures of docs/questions.md, and what the page says of them."""

import numpy as np
import torch
from PIL import Image
from torch import nn

from docs.pictures import questions
from segstudy.config.networks import UNetValidOptions
from segstudy.models.unet_valid import UNetValid


def test_an_output_pixel_of_the_unet_of_2015_is_the_input_pixel_92_further():
    """The gradient of an output pixel is centred on its input pixel; the network's own mirroring is taken off."""
    network = UNetValid(UNetValidOptions(depth=4, width=1), 1, 1).double().eval()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.1)
    image = torch.ones(1, 1, 388, 388, dtype=torch.double, requires_grad=True)
    mirrored = []
    network.pad.register_forward_hook(lambda module, inputs, output: mirrored.append(output))
    output = network(image)
    assert mirrored[0].shape[-2:] == (572, 572) and output.shape[-2:] == (388, 388)
    assert torch.equal(mirrored[0][..., 92:480, 92:480], image)


def test_only_resizing_first_leaves_a_constant_image_constant():
    spreads = [float(np.ptp(values)) for values in questions.upsampling().values()]
    assert min(spreads[:3]) > 0.5 and spreads[3] < 1e-6
    square = next(iter(questions.upsampling().values()))[:2, :2]
    assert len(np.unique(square)) == 4, "kernel 2: four weights, four values"


def test_numbers_of_the_page():
    mask = questions.vessels()[:96, :144]
    assert round(questions.overlap(questions.pooled(mask, 3), mask), 2) == 0.62
    (plain, weights), (dilated, as_many), (unet, _) = questions.fields().values()
    assert (plain, dilated, unet) == (11, 63, 92) and abs(weights - as_many) < 10
    every, bottom = questions.gradient_by_level(True, seeds=2), questions.gradient_by_level(False, seeds=2)
    assert all(0.8 < part / whole < 1 for part, whole in zip(bottom, every, strict=True))


def test_a_watershed_separates_touching_cells():
    truth = questions.discs()
    assert questions.connected(truth > 0).max() == 3
    counts = questions.matched_objects(questions.watershed_of(truth > 0), truth)
    assert counts["matched_50"] == counts["instances_truth"] == 16


def test_every_picture_is_drawn_and_small(tmp_path):
    questions.draw(tmp_path)
    for name in questions.NAMES:
        with Image.open(tmp_path / f"{name}.png") as drawn:
            assert drawn.width > 300 and (tmp_path / f"{name}.png").stat().st_size < 50_000
