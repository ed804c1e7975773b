"""Schedules against torch's own; optimisers that repeat their bits."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from segstudy.config.recipes import Recipe, Schedule
from segstudy.training.optim import build_optimizer, learning_rate_factor

EPOCHS, STEPS = 12, 7
TOTAL = EPOCHS * STEPS


def rates(schedule: Schedule, epochs: int = EPOCHS, steps: int = STEPS) -> list[float]:
    return [learning_rate_factor(schedule, step, epochs, steps) for step in range(epochs * steps)]


def torch_rates(build, by_epoch: bool = False) -> list[float]:
    """Return the rate of every step that a torch scheduler gives to an optimiser of rate 1."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = build(optimiser)
    found = []
    for step in range(TOTAL):
        found.append(scheduler.get_last_lr()[0])
        optimiser.step()
        if step + 1 < TOTAL and (not by_epoch or (step + 1) % STEPS == 0):
            scheduler.step()
    return found


def test_constant():
    assert set(rates(Schedule())) == {1.0}


def test_multistep_is_torch_multistep_by_epoch():
    found = rates(Schedule(kind="multistep", milestones=[2, 5, 11], gamma=0.1))
    expected = torch_rates(lambda o: lr_scheduler.MultiStepLR(o, [2, 5, 11], gamma=0.1), by_epoch=True)
    assert found == pytest.approx(expected, rel=1e-12)
    # "milestones 20, 40": epochs 1 to 20 run at the full rate.
    thesis = Schedule(kind="multistep", milestones=[20, 40, 60, 80])
    assert [learning_rate_factor(thesis, epoch, 100, 1) for epoch in (19, 20, 99)] == pytest.approx([1, 0.1, 1e-4])


def test_cosine_is_torch_cosine_annealing():
    expected = torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=TOTAL))
    assert rates(Schedule(kind="cosine")) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("warmup", [0.05, 0.3, 0.5, 0.9])
def test_one_cycle_is_torch_one_cycle(warmup):
    expected = torch_rates(lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=TOTAL, pct_start=warmup))
    found = rates(Schedule(kind="one_cycle", warmup=warmup))
    assert found == pytest.approx(expected, rel=1e-9)
    assert found[0] == pytest.approx(1 / 25) and found[-1] == pytest.approx(4e-6)


def test_polynomial_is_torch_polynomial():
    expected = torch_rates(lambda o: lr_scheduler.PolynomialLR(o, total_iters=TOTAL, power=0.9))
    assert rates(Schedule(kind="polynomial", power=0.9)) == pytest.approx(expected, rel=1e-9)


@given(
    kind=st.sampled_from(["constant", "multistep", "cosine", "one_cycle", "polynomial"]),
    epochs=st.integers(1, 6),
    steps=st.integers(1, 6),
    warmup=st.floats(0.01, 0.99),
)
@settings(max_examples=100, deadline=None)
def test_any_training_however_short_has_a_rate_at_every_step(kind, epochs, steps, warmup):
    schedule = Schedule(kind=kind, warmup=warmup, milestones=[2] if kind == "multistep" else [])
    found = rates(schedule, epochs, steps)
    assert len(found) == epochs * steps
    assert all(0 < rate <= 1 for rate in found)
    if kind == "one_cycle" and warmup * epochs * steps <= 1:
        assert found[0] == 1  # too short to rise: it starts at the top
    if kind != "one_cycle":
        assert found == sorted(found, reverse=True) and found[0] == 1


@pytest.mark.parametrize("step", [-1, TOTAL])
def test_a_step_outside_of_the_training_is_refused(step):
    with pytest.raises(ValueError, match="outside"):
        learning_rate_factor(Schedule(kind="cosine"), step, EPOCHS, STEPS)


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 17, 3, bias=False),
        torch.nn.BatchNorm2d(17),
        torch.nn.ReLU(),
        torch.nn.Conv2d(17, 1, 1),
    )


def train(net: torch.nn.Module, optimiser: torch.optim.Optimizer, steps: range) -> list[torch.Tensor]:
    for step in steps:
        data = torch.randn(4, 3, 12, 12, generator=torch.Generator().manual_seed(step))
        optimiser.zero_grad(set_to_none=True)
        net(data).square().mean().backward()
        optimiser.step()
    return [parameter.detach().clone() for parameter in net.parameters()]


REFERENCES = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1, foreach=False, fused=False),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, foreach=False, fused=False),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1, momentum=0.8, foreach=False, fused=False),
}
every_optimiser = pytest.mark.parametrize("kind", REFERENCES)


def recipe(kind: str) -> Recipe:
    return Recipe(optimiser=kind, learning_rate=0.01, weight_decay=0.1, momentum=0.8)


@every_optimiser
def test_optimiser_is_torch_s_plain_one(kind):
    ours, theirs = network(), network()
    found = train(ours, build_optimizer(ours, recipe(kind), "cpu"), range(20))
    expected = train(theirs, REFERENCES[kind](theirs.parameters()), range(20))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@every_optimiser
def test_fused_steps_repeat_their_bits_and_resume_to_them(kind):
    ends = []
    for _ in range(2):
        net = network()
        ends.append(train(net, build_optimizer(net, recipe(kind), torch.device("cpu")), range(30)))
    first = network()
    optimiser = build_optimizer(first, recipe(kind), "cpu")
    assert optimiser.defaults["fused"]
    train(first, optimiser, range(13))
    second = network(seed=1)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    continued = build_optimizer(second, recipe(kind), "cpu")
    continued.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    ends.append(train(second, continued, range(13, 30)))
    for other in ends[1:]:
        assert all(torch.equal(a, b) for a, b in zip(ends[0], other, strict=True))


def test_frozen_parameters_are_left_alone():
    net = network()
    net[0].requires_grad_(False)
    before = net[0].weight.clone()
    optimiser = build_optimizer(net, recipe("adamw"), "cpu")
    train(net, optimiser, range(3))
    assert torch.equal(net[0].weight, before)
    assert len(optimiser.param_groups[0]["params"]) == 4


def test_a_training_that_compiles_nothing_does_not_load_the_compiler():
    """`torch._dynamo` takes a second of processor time to import; torch's own optimizers do it at the first step."""
    lines = [
        "import sys, torch",
        "from segstudy.config.recipes import Recipe",
        "from segstudy.training.optim import build_optimizer",
        "for kind in ('adam', 'adamw', 'sgd'):",
        "    weights = torch.nn.Linear(2, 1)",
        "    optimizer = build_optimizer(weights, Recipe(optimiser=kind), 'cpu')",
        "    weights(torch.ones(1, 2)).sum().backward()",
        "    optimizer.step()",
        "    optimizer.load_state_dict(optimizer.state_dict())",
        "    optimizer.zero_grad()",
        "print('torch._dynamo' in sys.modules)",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
