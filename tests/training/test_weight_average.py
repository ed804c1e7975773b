"""`ema`: what the average is, that it is validated and published, and that the training itself does not notice it."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from segstudy.config.recipes import Recipe
from segstudy.training.tasks.base import Task
from tests.helpers.trainer import CPU, network, same, small


def test_the_average_by_hand():
    """Share 0.7: after one step half of either, after two thirds of all three, from then on 0.7 of what was."""
    net, task = nn.BatchNorm1d(1), Task()
    net.weight.data.fill_(1.0)
    task.begin(net, None, CPU, 2, ema=0.7)
    seen = []
    for step, value in enumerate([4.0, 10.0, 20.0], start=1):
        net.weight.data.fill_(value)
        net.running_mean.fill_(value - 1)  # began at 0
        net.num_batches_tracked.fill_(step)
        task.after_step(net, step)
        seen.append(task.average.weight.item())
    expected = [2.5, 2.5 * 2 / 3 + 10 / 3]
    assert seen == pytest.approx([*expected, 0.7 * expected[1] + 0.3 * 20])
    assert task.average.running_mean.item() == pytest.approx(seen[-1] - 1)
    assert task.average.num_batches_tracked.item() == 3


def test_it_is_what_is_validated_and_published():
    net = network()
    found = small(net, epochs=3, ema=0.999, keep="last")
    assert found.weights.keys() == net.state_dict().keys()
    assert not same(found.weights, net.state_dict())
    plain = small(epochs=3, keep="last")
    assert found.history["train_loss"].equals(plain.history["train_loss"])
    assert same(net.state_dict(), plain.weights)  # the training does not look at the average
    assert not found.history["val_loss"].equals(plain.history["val_loss"])
    # Over six steps the average is the plain mean of seven states: nearer to the beginning than the last one is.
    start = network().state_dict()
    for name in (name for name, _ in net.named_parameters()):
        assert torch.dist(found.weights[name], start[name]) < torch.dist(plain.weights[name], start[name])


def test_it_does_not_go_with_a_mean_teacher():
    with pytest.raises(ValidationError, match="ema goes"):
        Recipe.model_validate({"ema": 0.9, "consistency": {"unlabelled": "x"}})
    assert "ema" not in Recipe().model_dump()
