"""Helpers of the tests of training, which other tests use too."""

import numpy as np
import torch

from segstudy.config.recipes import Recipe
from segstudy.losses import build
from segstudy.models import registry
from segstudy.training.inputs import TrainingInputs
from segstudy.training.trainer import train

CPU = torch.device("cpu")


def discs(count=6, side=24):
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    centres = draw.uniform(0.3 * side, 0.7 * side, (count, 2))
    masks = np.stack([(y - a) ** 2 + (x - b) ** 2 < (side / 4) ** 2 for a, b in centres]).astype(np.uint8)
    images = (50 + 150 * masks[..., None] + draw.normal(0, 25, (count, side, side, 3))).clip(0, 255).astype(np.uint8)
    return images, masks, np.ones_like(masks)


IMAGES, MASKS, ROIS = discs()


def network(dropout=0.0):
    torch.manual_seed(0)
    return registry.build({"network": "unet", "depth": 2, "width": 4, "dropout": dropout}, 3, 1)


bce = build.build_loss({"loss": "bce"}, build.class_statistics(MASKS, ROIS, range(6), 2))


def small(net=None, loss=bce, slot=None, train_rows=(0, 1, 2, 3), val_rows=(4, 5), strata=None, **options):
    recipe = Recipe.model_validate({"epochs": 3, "batch_size": 2, "learning_rate": 0.01, "precision": "fp32"} | options)
    names = [f"s{row}" for row in range(6)]
    net = network() if net is None else net
    inputs = TrainingInputs((IMAGES, MASKS, ROIS), train_rows, val_rows, names, strata)
    return train(net, loss, inputs, recipe, 1, CPU, slot)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
