"""Training, validation and prediction keep their tensors on one device: tried without a GPU."""

import pytest
import torch

from segstudy.config.recipes import Recipe
from segstudy.config.semi_supervised import Denoising
from segstudy.inference.predict import predict_canvas
from segstudy.models import registry
from segstudy.training.inputs import TrainingInputs
from segstudy.training.tasks.base import Task
from segstudy.training.tasks.denoising import RemoveNoise
from segstudy.training.tasks.mean_teacher import MeanTeacher
from segstudy.training.tasks.pseudo_labels import Mixture
from segstudy.training.trainer import train
from tests.helpers.device_without_values import DEVICE, strict_device
from tests.helpers.trainer import IMAGES, MASKS, ROIS, bce, network

ARRAYS = (IMAGES, MASKS, ROIS)
EVERYTHING = {
    "flip_horizontal": 0.5,
    "rotation": 20.0,
    "shear": 5.0,
    "shift": 0.1,
    "scale": [0.9, 1.1],
    "brightness": [0.8, 1.2],
    "contrast": [0.8, 1.2],
    "saturation": [0.8, 1.2],
    "blur": 0.5,
    "noise": 0.1,
}


def run(net=None, loss=bce, task=None, **options):
    """Train on the device without values; return its reads."""
    plain = {"epochs": 2, "batch_size": 2, "learning_rate": 0.01, "precision": "fp32"}
    recipe = Recipe.model_validate(plain | options)
    task = task(recipe) if task else Task()
    inputs = TrainingInputs(ARRAYS, (0, 1, 2, 3), (4, 5), [f"s{row}" for row in range(6)], task=task)
    with strict_device() as device:
        train(net or network(), task.adapt_loss(loss), inputs, recipe, 1, DEVICE)
    return device.reads


TASKS = {
    "supervised": (None, {}),
    "denoising": (lambda recipe: RemoveNoise(Denoising(), 1), {"net": "image"}),
    "pseudo-labels": (lambda recipe: Mixture((2, 3), True, 0.5, (24, 24), 1), {}),
    "mean teacher": (lambda recipe: MeanTeacher(ARRAYS, [0, 1], recipe, 1), {"consistency": {"unlabelled": "x"}}),
}


@pytest.mark.parametrize("augmentation", [{}, EVERYTHING], ids=["plain", "augmented"])
@pytest.mark.parametrize("name", TASKS)
def test_every_task_trains_and_validates_on_its_device(name, augmentation):
    task, options = TASKS[name]
    options = dict(options)
    outputs = 3 if options.pop("net", "") else 1
    net = registry.build({"network": "unet", "depth": 2, "width": 4}, 3, outputs)
    assert run(net, task=task, augmentation=augmentation, **options)["item"] >= 2  # validated, in both epochs


@pytest.mark.parametrize(
    "options",
    [
        {"crop": [16, 16], "crops_per_image": 2, "validation_crops": 4},
        {"accumulate": 2, "gradient_clip": 1.0, "on_oom": "halve"},
        {"optimiser": "sgd"},
        {"ema": 0.9},
    ],
    ids=lambda options: next(iter(options)),
)
def test_the_recipe_changes_nothing_about_it(options):
    assert run(augmentation=EVERYTHING, **options)["item"] >= 2


def test_the_host_waits_for_no_single_step():
    """Values are read once an epoch, however many steps it has."""
    assert run(crop=[16, 16], crops_per_image=1) == run(crop=[16, 16], crops_per_image=6)


@pytest.mark.parametrize("options", [{}, {"flips": True}, {"tile": (16, 16)}, {"tile": (32, 32), "flips": True}])
def test_prediction_stays_on_its_device(options):
    net, scaling = network().to(DEVICE), {"mean": [0.4] * 3, "std": [0.2] * 3}
    with strict_device() as device:
        maps = list(predict_canvas(net, IMAGES, range(6), scaling, DEVICE, **options))
    assert [x.shape for x in maps] == [(1, 24, 24)] * 6
    assert device.reads == {"copy": 1}  # all six images are one pass


@pytest.mark.parametrize("operation", ["add", "conv", "index_select", "add_", "item"])
def test_a_mistake_is_seen(operation):
    """What torch's own meta device lets pass, a GPU does not; and a value that is read is counted."""
    there, here = torch.ones(1, 1, 4, 4, device=DEVICE), torch.ones(1, 1, 4, 4)
    mistakes = {
        "add": lambda: there + here,
        "add_": lambda: there.add_(here),
        "conv": lambda: torch.nn.functional.conv2d(there, here),
        "index_select": lambda: there.index_select(3, torch.tensor([0])),
    }
    with strict_device() as device:
        if operation == "item":
            assert float(there.sum()) == 0
            assert device.reads == {"item": 1}
            return
        with pytest.raises(AssertionError, match="on the CPU and on the device"):
            mistakes[operation]()
