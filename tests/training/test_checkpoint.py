"""Saved states: whole, ours, harmless; model files: same bytes for same weights; signals: noted, handlers restored."""

import io
import logging
import os
import pickle
import signal

import numpy as np
import pytest
import torch

from segstudy.core import checksums
from segstudy.core.errors import StudyError
from segstudy.models import model_file, registry
from segstudy.runtime import signals
from segstudy.training import checkpoint

IDENTITY = {"settings": {"recipe": {"learning_rate": 0.1}}, "seed": 1, "code": "aa"}
STATE = {
    "epoch": 3,
    "history": [{"epoch": 1, "val_loss": float("nan")}],
    "network": {"w": torch.arange(6.0).view(2, 3)},
}


@pytest.fixture
def slot(tmp_path):
    return checkpoint.ResumeCheckpoint(tmp_path / "resume", IDENTITY)


def rejected(slot):
    return sorted(path.name for path in slot.folder.glob("*.rejected-*"))


def test_what_is_saved_comes_back(slot):
    assert slot.load() is None
    slot.save(STATE)
    found = slot.load()
    assert found["epoch"] == 3
    assert torch.equal(found["network"]["w"], STATE["network"]["w"])
    slot.remove()
    assert not slot.folder.exists()
    assert slot.load() is None


def test_memory_format_survives(slot):
    weights = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    slot.save({"w": weights})
    assert slot.load()["w"].stride() == weights.stride()


def test_state_of_another_training_is_set_aside_and_the_log_says_why(slot, caplog):
    slot.save(STATE)
    other = checkpoint.ResumeCheckpoint(
        slot.folder, IDENTITY | {"settings": {"recipe": {"learning_rate": 0.2}}, "code": "bb"}
    )
    with caplog.at_level(logging.WARNING, "segstudy"):
        assert other.load() is None
    assert "settings.recipe.learning_rate was 0.1, is 0.2" in caplog.text
    assert "code was 'aa', is 'bb'" in caplog.text
    assert rejected(slot) == ["state.pt.rejected-1"]
    slot.save(STATE)
    assert other.load() is None
    assert rejected(slot) == ["state.pt.rejected-1", "state.pt.rejected-2"]


@pytest.mark.parametrize("place", [0, 30, 120, 400, -1])
def test_a_changed_byte_is_noticed_wherever_it_is(slot, place, caplog):
    slot.save(STATE)
    content = bytearray(slot.path.read_bytes())
    content[place] ^= 1
    slot.path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "segstudy"):
        assert slot.load() is None
    assert "not used" in caplog.text
    assert rejected(slot)


@pytest.mark.parametrize("content", [b"", b"segstudy training state 1\n", b"PK\x03\x04", pickle.dumps({"epoch": 9})])
def test_any_other_file_is_set_aside(slot, content):
    slot.folder.mkdir()
    slot.path.write_bytes(content)
    assert slot.load() is None
    assert rejected(slot) == ["state.pt.rejected-1"]


def test_a_state_cannot_run_code(slot, tmp_path, monkeypatch):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    buffer = io.BytesIO()
    torch.save({"epoch": Trap()}, buffer)
    monkeypatch.setattr(torch, "save", lambda _, stream: stream.write(buffer.getvalue()))
    slot.save({"epoch": 1})  # whole, ours, and hostile
    assert slot.load() is None
    assert not (tmp_path / "sprung").exists()
    assert rejected(slot)


@pytest.mark.parametrize("value", [torch.torch_version.TorchVersion("2"), np.float64(1), {1, 2}, torch.nn.Parameter()])
def test_what_could_not_be_loaded_is_not_saved(slot, value):
    with pytest.raises(TypeError, match=r"state\['starts'\]\[0\]"):
        slot.save({"starts": [value]})


def test_a_write_that_dies_leaves_the_old_state_and_its_litter_is_swept(slot, monkeypatch):
    slot.save(STATE)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            slot.save(STATE | {"epoch": 4})
    litter = slot.folder / ".state.123.partial.pt"
    litter.write_bytes(b"half")
    assert slot.load()["epoch"] == 3
    assert not litter.exists()


def test_saves_come_at_intervals_and_more_rarely_where_they_cost(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    slot = checkpoint.ResumeCheckpoint(tmp_path, IDENTITY, interval=10)
    assert not slot.due()
    now[0] += 10
    assert slot.due()
    real = torch.save

    def slow(*arguments):
        now[0] += 3
        real(*arguments)

    monkeypatch.setattr(torch, "save", slow)
    slot.save(STATE)
    now[0] += 59
    assert not slot.due()
    now[0] += 1
    assert slot.due()


def test_signals_are_noted_and_handlers_come_back():
    before = {name: signal.getsignal(getattr(signal, name)) for name in signals.SIGNALS}
    with signals.caught_signals() as asked:
        assert asked() == ""
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked() == "SIGUSR2"
    assert {name: signal.getsignal(getattr(signal, name)) for name in signals.SIGNALS} == before


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.caught_signals() as asked:
            os.kill(os.getpid(), signal.SIGHUP)
            assert asked() == ""
    finally:
        signal.signal(signal.SIGHUP, before)


SETTINGS = {"model": {"network": "unet", "depth": 1, "width": 2}}
META = {"settings": SETTINGS, "in_channels": 3, "outputs": 1, "normalisation": {"mean": [0.5], "std": [0.1]}}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return registry.build(SETTINGS["model"], 3, 1)


def test_a_model_comes_back_whole_and_evaluating(network, tmp_path):
    network(torch.randn(2, 3, 8, 8))  # moves the running statistics of batch normalisation
    model_file.save_model(tmp_path / "m.safetensors", network, META)
    found, meta = model_file.load_model(tmp_path / "m.safetensors", "cpu")
    assert meta == META
    assert not found.training
    x = torch.randn(1, 3, 8, 8)
    assert torch.equal(found(x), network.eval()(x))


def test_same_weights_same_bytes(network, tmp_path):
    model_file.save_model(tmp_path / "a.safetensors", network, META)
    network.to(memory_format=torch.channels_last)
    model_file.save_model(tmp_path / "b.safetensors", network.state_dict(), dict(reversed(META.items())))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_bad_model_files_are_explained(network, tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(StudyError, match="no model file"):
        model_file.load_model(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(StudyError, match="cannot be read"):
        model_file.load_model(path)
    wider = {"settings": {"model": SETTINGS["model"] | {"width": 4}}}
    model_file.save_model(path, network, META | wider)
    with pytest.raises(StudyError, match="do not fit the network"):
        model_file.load_model(path)
    from safetensors.torch import save_file

    path.unlink()
    checksums.unseal(path)
    save_file({"w": torch.zeros(1)}, path)
    with pytest.raises(StudyError, match="not a model of segstudy"):
        model_file.load_model(path)
