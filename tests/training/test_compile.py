"""compile: true - the same training behind a faster call, with the same names, and continued with its bits."""

import functools
import os
import signal

import pytest
import torch

from segstudy.core.errors import StudyError
from segstudy.runtime import device, memory, signals
from segstudy.training import checkpoint, trainer
from tests.helpers.trainer import bce, network, same, small

OPTIONS = {
    "compile": True,
    "epochs": 3,
    "train_rows": (0, 1, 2, 3, 5),  # batches of two and of three: two shapes
    "val_rows": (4,),
    "augmentation": {"flip_horizontal": 0.5, "noise": 0.1},
}


@pytest.fixture(autouse=True)
def dynamo_as_before():
    import torch._dynamo

    config = torch._dynamo.config
    before = config.recompile_limit, config.fail_on_recompile_limit_hit
    yield
    config.recompile_limit, config.fail_on_recompile_limit_hit = before
    torch._dynamo.reset()


@pytest.fixture
def captured_only(monkeypatch):
    """The network is captured as for compiling, and then run as it is: no C++ compiler, and the same bits."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))


def test_names_and_bits_are_those_of_the_network(captured_only):
    plain = small(network(), **OPTIONS | {"compile": False})
    compiled = small(network(), **OPTIONS)
    assert same(compiled.weights, plain.weights)  # the same names, so no `_orig_mod.`
    assert compiled.history.equals(plain.history)


def test_only_training_passes_are_compiled(monkeypatch):
    seen = []
    monkeypatch.setattr(trainer, "compiled", lambda net: lambda x: seen.append((net.training, len(x))) or net(x))
    small(network(), **OPTIONS | {"epochs": 1})
    assert sorted(seen) == [(True, 2), (True, 3)]


def stopped_and_continued(folder):
    undisturbed = small(network(dropout=0.3), **OPTIONS)
    calls = 0

    def stopping(*arguments):
        nonlocal calls
        calls += arguments[0].requires_grad
        if calls == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return bce(*arguments)

    slot = checkpoint.ResumeCheckpoint(folder, {})
    with pytest.raises(signals.Interrupted):
        small(network(dropout=0.3), stopping, slot, **OPTIONS)
    assert set(slot.load()["network"]) == set(undisturbed.weights)
    torch._dynamo.reset()  # as in a new process: the shapes now come in another order
    continued = small(network(dropout=0.3), slot=slot, **OPTIONS)
    assert same(continued.weights, undisturbed.weights)
    assert continued.history.equals(undisturbed.history)
    return undisturbed


def test_continued_with_its_bits(captured_only, tmp_path):
    stopped_and_continued(tmp_path)


@pytest.mark.slow
def test_really_compiled_it_continues_with_its_bits_and_agrees_with_the_plain_network(tmp_path):
    compiled = stopped_and_continued(tmp_path)
    # Without dropout, whose draws are the compiler's own, the loss is that of the plain network but for rounding.
    compiled = small(network(), **OPTIONS | {"epochs": 1})
    plain = small(network(), **OPTIONS | {"epochs": 1, "compile": False})
    found, wanted = (run.history[["train_loss", "val_loss"]].to_numpy() for run in (compiled, plain))
    assert found == pytest.approx(wanted, rel=1e-3)


def test_a_compiler_that_fails_is_explained(monkeypatch):
    def broken(graph, examples):
        raise OSError("no such compiler: c++")

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=broken))
    with (
        pytest.raises(StudyError, match=r"cannot be compiled on cpu .*no such compiler") as caught,
        memory.explain_errors(2, (24, 24), 1, torch.device("cpu")),
    ):
        small(network(), **OPTIONS)
    assert "compile: false" in caught.value.remedy


def test_more_shapes_than_the_limit_are_an_error_not_a_quiet_way_without_compiling(captured_only, monkeypatch):
    import torch._dynamo

    step = device.compiled(network().train())
    torch._dynamo.config.recompile_limit = 2
    step(torch.rand(2, 3, 16, 16))
    step(torch.rand(3, 3, 16, 16))
    with (
        pytest.raises(StudyError, match="cannot be compiled"),
        memory.explain_errors(2, (24, 24), 1, torch.device("cpu")),
    ):
        step(torch.rand(4, 3, 16, 16))
