"""Files that are broken are refused in words: weights, records of a cell, states of a training."""

import json
import logging
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from segstudy.core.checksums import unseal
from segstudy.core.errors import StudyError
from segstudy.models.model_file import load_model, read_model, save_model
from segstudy.models.pretrained import read_state, read_weights
from segstudy.training import checkpoint, checkpoint_checks, trainer
from tests.helpers import cell_folder, small_cell

BAD = [float("nan"), float("inf"), -float("inf")]


@pytest.fixture
def picture(tmp_path):
    Image.new("L", (16, 16), 90).save(tmp_path / "a.png")
    return tmp_path / "a.png"


# --- weights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("command", ["predict", "export"])
def test_weights_that_are_no_numbers_predict_nothing(value, command, tmp_path, picture, capsys):
    network = cell_folder.network()
    with torch.no_grad():
        network.head.bias[0] = value
    cell, out = cell_folder.write(tmp_path / "cell", weights=network), tmp_path / "out"
    (cell / "counts.csv").touch()  # of a measured cell: export looks for it first
    assert cell_folder.command([command, str(cell), *[str(picture)] * (command == "predict"), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "NaN or infinite values in head.bias" in said and "model.safetensors" in said
    assert not out.exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_nor_does_an_encoder_start_from_them(name, tmp_path):
    tensors = {"a": torch.zeros(3), "b": torch.tensor([1.0, float("inf")])}
    if name.endswith(".pth"):
        torch.save(tensors, tmp_path / name)
    else:
        save_file(tensors, tmp_path / name)
    with pytest.raises(StudyError) as caught:
        read_state(tmp_path / name)
    assert caught.value.what.endswith("NaN or infinite values in b")


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def test_a_refused_file_of_weights_gives_no_advice_to_run_it(tmp_path):
    whole = tmp_path / "whole.pth"
    torch.save({"a": torch.zeros(1000)}, whole)
    hostile = {"payload": {"a": Payload(tmp_path / "sprung")}, "module": torch.nn.Conv2d(1, 1, 1), "array": np.zeros(3)}
    for name, content in hostile.items():
        torch.save(content, tmp_path / f"{name}.pth")
    (tmp_path / "pickled.pth").write_bytes(pickle.dumps({"a": Payload(tmp_path / "sprung")}))
    (tmp_path / "cut.pth").write_bytes(whole.read_bytes()[:500])
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "noise.pth").write_bytes(bytes(range(256)) * 4)
    for name in (*hostile, "pickled", "cut", "empty", "noise"):
        with pytest.raises(StudyError) as caught:
            read_state(tmp_path / f"{name}.pth")
        said = str(caught.value)
        assert "cannot be read" in said and "fetch the file again" in said, name
        assert "weights_only" not in said and "add_safe_globals" not in said, name
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "said", ["{", "[]", '{"mean": "grey"}', '{"mean": [1, 2]}', '{"std": [0, 1, 1]}', '{"encoder": 3}', '{"mean": 3}']
)
def test_a_damaged_description_of_an_encoder_is_told(said, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors", {"segstudy": said})
    with pytest.raises(StudyError, match="its description is damaged"):
        read_weights(tmp_path / "w.safetensors", "resnet18", {"a": torch.zeros(1)})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"settings": 3}, "which network"),
        ({"settings": {"model": {"network": 3}}}, "which network"),
        ({"in_channels": "3"}, "'in_channels' is no number"),
        ({"outputs": 0}, "'outputs' is no number"),
        ({"normalisation": {"mean": [0.5]}}, "no 'std' for each"),
        ({"normalisation": {"mean": [0.5, 0.5], "std": [1.0]}}, "no 'mean' for each"),
        ({"normalisation": {"mean": [float("nan")], "std": [1.0]}}, "a 'mean' that is no number"),
        ({"normalisation": {"mean": [0.5], "std": [0.0]}}, "a 'std' that is not above 0"),
    ],
)
def test_a_damaged_description_of_a_model_is_told(changes, told, tmp_path):
    save_model(tmp_path / "m.safetensors", cell_folder.network(), cell_folder.META | changes)
    with pytest.raises(StudyError, match=told) as caught:
        load_model(tmp_path / "m.safetensors")
    assert caught.value.where.endswith("m.safetensors")


@pytest.mark.parametrize("text", ["{", "[]", "3", "[" * 100_000])
def test_a_description_that_is_none_is_told(text, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "m.safetensors", {"segstudy": text})
    with pytest.raises(StudyError, match="no JSON mapping"):
        read_model(tmp_path / "m.safetensors")


# --- records of a cell ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("usage.json", None),
        ("usage.json", {"canvas": "16"}),
        ("usage.json", {"canvas": [16, -16]}),
        ("usage.json", {"colour": "violet"}),
        ("usage.json", {"classes": []}),
        ("usage.json", {"reader": "../elsewhere"}),
        ("usage.json", {"images_per_pass": 0}),
        ("usage.json", {"training_images": {"images": 3, "long_side": [16, 16], "traits": {}}}),
        ("usage.json", {"headline": "otsu"}),
        ("usage.json", {"colour": "rgb"}),
        ("thresholds.json", None),
        ("thresholds.json", {"fixed": "half"}),
        ("thresholds.json", {"fixed": None}),
        ("thresholds.json", {"fixed": 7}),
        ("run.json", None),
        ("run.json", {"seed": "one"}),
        ("run.json", {"settings": {}}),
    ],
)
@pytest.mark.parametrize("command", ["predict", "export"])
def test_a_damaged_record_is_named_with_what_to_do(file, change, command, tmp_path, picture, capsys):
    cell, out = cell_folder.write(tmp_path / "cell"), tmp_path / "out"
    text = (cell / file).read_text()
    unseal(cell / file)  # from here on the file is judged by what it says
    (cell / file).write_text(text[: len(text) // 2] if change is None else json.dumps(json.loads(text) | change))
    assert cell_folder.command([command, str(cell), *[str(picture)] * (command == "predict"), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert ".json is damaged" in said and "run the job that makes it again" in said and str(cell) in said
    assert "Traceback" not in said
    assert not out.exists()


def test_records_of_another_cell_are_told(tmp_path, picture, capsys):
    cell = cell_folder.write(tmp_path / "cell", cell_folder.META | {"outputs": 1})
    usage = json.loads((cell / "usage.json").read_text())
    usage |= {"classes": ["background", "a", "b"], "colours": [[0, 0, 0]] * 3, "headline": "argmax"}
    unseal(cell / "usage.json")
    unseal(cell / "thresholds.json")
    (cell / "usage.json").write_text(json.dumps(usage))
    (cell / "thresholds.json").write_text('{"argmax": null}')
    assert cell_folder.command(["predict", str(cell), str(picture), "--out", str(tmp_path / "out")]) == 1
    assert "do not belong together" in capsys.readouterr().err


# --- the state of a training ------------------------------------------------------------------------------------------

KEPT = {}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A short training, and the last state that it saved."""
    folder = tmp_path_factory.mktemp("trained")
    inputs, save = small_cell.write_inputs(folder), checkpoint.ResumeCheckpoint.save

    def keep(slot, state):
        save(slot, state)
        KEPT.update(identity=slot.identity, content=slot.path.read_bytes())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint.ResumeCheckpoint, "due", lambda slot: True)
        patch.setattr(checkpoint.ResumeCheckpoint, "save", keep)
        small_cell.run(inputs, folder / "whole", SHORT, resume=folder / "whole/resume")
    return inputs, folder / "whole"


SHORT = small_cell.SETTINGS | {"recipe": small_cell.SETTINGS["recipe"] | {"epochs": 2}}


def half(mapping):
    return dict(list(mapping.items())[::2])


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


def changed(state, name, key, value):
    return state | {name: dict(state[name]) | {key: value}}


def moments(state, change):
    optimizer = state["optimiser"]
    return state | {"optimiser": optimizer | {"state": {k: change(v) for k, v in optimizer["state"].items()}}}


DAMAGES = {
    "no network": lambda s: without(s, "network"),
    "half of all": half,
    "empty": lambda s: {},
    "an entry too many": lambda s: s | {"more": 1},
    "half a network": lambda s: s | {"network": half(s["network"])},
    "half of the best": lambda s: s | {"best": half(s["best"])},
    "no best": lambda s: s | {"best": {}},
    "network of numbers": lambda s: s | {"network": dict.fromkeys(s["network"], 1.0)},
    "network a list": lambda s: s | {"network": [1, 2]},
    "another shape": lambda s: changed(s, "network", "head.bias", torch.zeros(7)),
    "another type": lambda s: changed(s, "network", "head.bias", torch.zeros(1, dtype=torch.int64)),
    "epoch a text": lambda s: s | {"epoch": "2"},
    "epoch true": lambda s: s | {"epoch": True},
    "step beyond": lambda s: s | {"step": 10_000},
    "accumulate 0": lambda s: s | {"accumulate": 0},
    "no rows": lambda s: s | {"history": []},
    "rows of text": lambda s: s | {"history": ["a"] * len(s["history"])},
    "half a row": lambda s: s | {"history": [half(row) for row in s["history"]]},
    "seconds gone": lambda s: s | {"seconds": {}},
    "starts a number": lambda s: s | {"starts": 3},
    "losses of others": lambda s: s | {"losses": torch.zeros(99)},
    "task of others": lambda s: s | {"task": {"a": torch.zeros(1)}},
    "task none": lambda s: s | {"task": None},
    "optimiser none": lambda s: s | {"optimiser": {}},
    "no moments": lambda s: s | {"optimiser": s["optimiser"] | {"state": {}}},
    "half of the moments": lambda s: moments(s, half),
    "moments of another shape": lambda s: moments(s, lambda v: v | {"exp_avg": torch.zeros(99)}),
    "moments of half": lambda s: s | {"optimiser": s["optimiser"] | {"state": half(s["optimiser"]["state"])}},
    "no groups": lambda s: s | {"optimiser": s["optimiser"] | {"param_groups": []}},
    "other settings": lambda s: s | {
        "optimiser": s["optimiser"] | {"param_groups": [s["optimiser"]["param_groups"][0] | {"betas": "x"}]}
    },
}  # fmt: skip


@pytest.fixture
def asked(trained, tmp_path, monkeypatch):
    """Return a function: state -> what the training of the fixture says of it; nothing is trained."""
    slot = checkpoint.ResumeCheckpoint(tmp_path / "resume", KEPT["identity"])

    def ask(state):
        slot.save(state)
        found = []

        class Stop(Exception):
            pass

        def problem(*given, **fresh):
            found.append(checkpoint_checks.problem_of(*given, **fresh))
            return "stop"

        def stop(*_):
            raise Stop

        with monkeypatch.context() as patch:
            patch.setattr(trainer, "problem_of", problem)
            patch.setattr(trainer, "describe", stop)
            with pytest.raises(Stop):
                small_cell.run(trained[0], tmp_path / "again", SHORT, resume=slot.folder)
        return found[0]

    return ask


@pytest.fixture
def state(trained, tmp_path):
    folder = tmp_path / "read"
    slot = checkpoint.ResumeCheckpoint(folder, KEPT["identity"])
    folder.mkdir()
    slot.path.write_bytes(KEPT["content"])
    return slot.load()


def test_a_whole_state_is_taken_and_any_damage_is_told(asked, state):
    assert state["history"] and asked(state) == ""
    told = {name: asked(damage(state)) for name, damage in DAMAGES.items()}
    assert all(told.values()), [name for name, words in told.items() if not words]


@pytest.mark.parametrize("damage", ["no network", "half of the moments"])
def test_a_damaged_state_is_set_aside_and_the_training_begins_anew(damage, trained, state, tmp_path, caplog):
    inputs, whole = trained
    slot = checkpoint.ResumeCheckpoint(tmp_path / "resume", KEPT["identity"])
    slot.save(DAMAGES[damage](state))
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.WARNING, "segstudy"):
        patch.setattr(checkpoint.ResumeCheckpoint, "remove", lambda slot: None)
        small_cell.run(inputs, tmp_path / "again", SHORT, resume=slot.folder)
    assert "the saved state is not used: its entry" in caplog.text or "it has no entry 'network'" in caplog.text
    assert (slot.folder / "state.pt.rejected-1").exists()
    assert (tmp_path / "again/model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
