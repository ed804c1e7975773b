"""What a training learns: what its batches are made of, what is beside them, and what its validation measures.

The loop (`segstudy.training.trainer`) is the same for every task. `Task` itself is the plain one: masks from labelled
images. Others change the methods in which they differ. A task draws from (seed, purpose, epoch, step) alone, and
what it carries from step to step is in its `state`: so that a training continues with its bits, whatever its task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from segstudy.training.device_data import Batch, Rows, Windows
from segstudy.training.step import Through

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


class Task:
    """Masks from labelled images."""

    # Whether predictions are masks, whose overlap with the truth says something.
    scored = True

    def crops(self, rows: Rows, times: int, epoch: int) -> np.ndarray:
        """Return the rows of all crops of an epoch, in any order; as many in every epoch.

        Args:
            rows: of the labelled training images (balanced, where that is asked for).
            times: crops of each.
            epoch: from 1.
        """
        return np.repeat(np.asarray(rows, np.int64), times)

    def begin(self, network: nn.Module, through: Through, device: torch.device, steps: int) -> None:
        """Take note of the training, before its saved state is restored.

        Args:
            network: that learns, on its device, with its first weights.
            through: network -> its pass (see `passes`).
            device: of the training.
            steps: of an epoch.
        """

    def places(self, rows: Rows) -> Tensor | None:
        """Return where crops of these rows may lie (see `augment.draw`); None: anywhere on the canvas."""
        return None

    def prepared(self, batch: Batch, epoch: int, step: int) -> Batch:
        """Return what the network is shown, what it should say, and where that counts; `batch` is augmented."""
        return batch

    def beside(self, epoch: int, step: int) -> Sequence[tuple[Loss, Batch]]:
        """Return further losses of the step, each with its batch; they are added to that of the labelled one."""
        return ()

    def after_step(self, network: nn.Module, done: int) -> None:
        """Take note of new weights; `done` steps lie behind the training."""

    def shown(self, network: nn.Module) -> nn.Module:
        """Return the network that is validated and published."""
        return network

    def windows(self, count: int) -> Windows | None:
        """Return what of `count` images is validated; None takes them whole."""
        return None

    def question(self, batch: Batch, rows: Rows) -> Batch:
        """Return images in 0..1, target and roi of a validation; `batch` has uint8 images, those of `rows`."""
        images, target, roi = batch
        return images.float().div_(255), target, roi

    def state(self) -> dict[str, Tensor]:
        """Return what a continued training must find as it is now."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned."""
