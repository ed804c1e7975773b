"""The task of a training: its batches, its further losses, and what its validation measures.

The loop (`segstudy.training.trainer`) is the same for every task. `Task` itself is supervised segmentation; the others
override the methods in which they differ. A task draws from (seed, purpose, epoch, step) alone, and what it carries
from step to step is in its `state`: a continued training then has the bits of an undisturbed one, whatever its task.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from segstudy.losses.build import Loss
from segstudy.training.device_data import Batch, Rows, Windows
from segstudy.training.step import Forward


class Task:
    """Masks from labelled images."""

    # Whether predictions are masks, which have a Dice overlap with the truth.
    scored = True
    # A network of averaged weights, and the share that each step keeps of them; None: the weights themselves.
    average: nn.Module | None = None
    ema = 0.0

    def adapt_loss(self, loss: Loss) -> Loss:
        """Return the loss that the config names in the form that fits the task's targets."""
        return loss

    def crops(self, rows: Rows, times: int, epoch: int) -> np.ndarray:
        """Return the rows of all crops of an epoch, in any order; as many in every epoch.

        Args:
            rows: of the labelled training images (balanced, where that is asked for).
            times: crops of each.
            epoch: from 1.
        """
        return np.repeat(np.asarray(rows, np.int64), times)

    def begin(
        self,
        model: nn.Module,
        make_forward: Callable[[nn.Module], Forward],
        device: torch.device,
        steps: int,
        ema: float | None = None,
    ) -> None:
        """Prepare for a training, before its saved state is restored.

        Args:
            model: to be trained, on its device, with its first weights.
            make_forward: model -> its forward pass (see `step.make_forward`).
            ema: share of the averaged weights that a step keeps; None: nothing is averaged.
        """
        if ema:
            self.average, self.ema = copy.deepcopy(model).eval().requires_grad_(False), ema

    def image_boxes(self, rows: Rows) -> Tensor | None:
        """Return the boxes that crops of these rows lie in (see `augment_geometry.draw_plan`); None: anywhere."""
        return None

    def training_batch(self, batch: Batch, epoch: int, step: int) -> Batch:
        """Return input, target and valid-pixel mask; `batch` is augmented."""
        return batch

    def extra_losses(self, epoch: int, step: int) -> Sequence[tuple[Loss, Batch]]:
        """Return further losses of the step, each with its batch; they are added to that of the labelled batch."""
        return ()

    @torch.no_grad()
    def after_step(self, model: nn.Module, steps_done: int) -> None:
        """Follow the model's new weights, after `steps_done` steps of the training.

        The average of weights and running statistics moves by 1 - ema towards the new ones (Polyak and Juditsky 1992);
        over the first steps it is the plain mean of all so far.
        """
        if self.average is None:
            return
        keep = min(self.ema, 1 - 1 / (steps_done + 1))
        for mean, new in zip(self.average.state_dict().values(), model.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(new, 1 - keep)
            else:
                mean.copy_(new)

    def eval_model(self, model: nn.Module) -> nn.Module:
        """Return the model that is validated and published."""
        return model if self.average is None else self.average

    def validation_windows(self, count: int) -> Windows | None:
        """Return the windows of `count` images that are validated; None takes them whole."""
        return None

    def validation_batch(self, batch: Batch, rows: Rows) -> Batch:
        """Return images in 0..1, target and roi of a validation; `batch` has uint8 images, those of `rows`."""
        images, target, roi = batch
        return images.float().div_(255), target, roi

    def state(self) -> dict[str, Tensor]:
        """Return the tensors that a continued training needs."""
        return {} if self.average is None else dict(self.average.state_dict())

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned."""
        if self.average is not None:
            self.average.load_state_dict(state)
