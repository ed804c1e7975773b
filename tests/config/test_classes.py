"""`classes:` of a data set: what it resolves to, and what it says when something is wrong."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from pydantic import ValidationError

from segstudy.config.datasets import DatasetConfig
from segstudy.config.load import load_study
from segstudy.core.errors import StudyError
from segstudy.data.images.label_map import binary, known_ids, several
from segstudy.data.readers.registry import labels_of


def parsed(text):
    return DatasetConfig.model_validate({"reader": "cmp", "classes": yaml.safe_load(text)})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{wall: 1, door: 1}", "1 stands for wall and door"),
        ("{wall: [1, 2], door: [3, 2]}", "2 stands for wall and door"),
        ("{wall: [1, 1]}", "1 stands twice for wall"),
        ("{wall: '#FF0000', door: '#ff0000'}", "#ff0000 stands for wall and door"),
        ("{wall: 1, door: '#ff0000'}", r"colours \(door\) or values \(wall\), not both"),
        ("{sky: 0, wall: 1}", "0 stands for sky and, unless other values are given, for background"),
        ("{sky: '#000000', wall: '#0000ff'}", "#000000 stands for sky and"),
        ("{mean: 1, wall: 2}", "'mean' is what tables call the mean over the classes"),
        ("{background: 0}", "background alone is no class"),
        ("{Wall: 1, wall: 2}", "'Wall' and 'wall' differ in case only"),
        ("{Background: 0, wall: 1}", "'background' and 'Background' differ in case only"),
        ("{wall: #ff0000\n}", "wall has no value; a colour stands in quotes"),
        ("{wall: []}", "wall has no value"),
        ("{wall: -1}", "greater than or equal to 0"),
        ("{wall: 70000}", "less than or equal to 65535"),
        ("{wall: red}", "pattern"),
        ("{a wall: 1}", "used in file names"),
    ],
)
def test_classes_that_cannot_be_meant_are_refused(text, words):
    with pytest.raises(ValidationError, match=words):
        parsed(text)


def test_no_more_classes_than_a_byte_can_tell_apart():
    parsed(str({f"c{n}": n for n in range(1, 256)}))
    with pytest.raises(ValidationError, match="256 classes are more than the 255"):
        parsed(str({f"c{n}": n for n in range(1, 257)}))


def test_inverted_masks_have_no_classes():
    with pytest.raises(ValidationError, match="'inverted' is for masks without 'classes'"):
        DatasetConfig.model_validate({"reader": "cmp", "classes": {"wall": 1}, "inverted": True})


def test_the_message_names_the_key_of_the_config():
    config = {
        "study": "s",
        "datasets": {"mine": {"reader": "cmp", "root": "x", "classes": {"wall": 1, "door": 1}}},
        "experiments": {"a": {"question": "?", "datasets": ["mine"], "models": ["unet"], "losses": ["bce"]}},
        "models": {"unet": {}},
        "losses": {"bce": {}},
    }
    with pytest.raises(StudyError, match=r"datasets\.mine\.classes: 1 stands for wall and door"):
        load_study(config)


def test_classes_of_a_data_set_can_be_put_together(tmp_path):
    """Only windows and doors of the facades; the other ten values are background."""
    classes = {"opening": [3, 4], "background": [1, 2, *range(5, 13)]}
    settings = parsed(str(classes)).model_dump(mode="json", include={"classes", "inverted"})
    labels = labels_of("cmp", **settings)
    assert labels.names == ("background", "opening") and not labels.several
    assert not parsed(str(classes)).several and parsed("{}").several and parsed("{a: 1, b: 2}").several
    Image.fromarray(np.arange(1, 13, dtype=np.uint8).reshape(3, 4)).save(tmp_path / "m.png")
    assert known_ids(tmp_path / "m.png", labels).tolist() == [[0, 0, 1, 1], [0] * 4, [0] * 4]


def test_order_of_the_config_is_the_order_of_the_ids_wherever_background_stands():
    for text in ("{background: 9, b: 2, a: 1}", "{b: 2, background: 9, a: 1}"):
        labels = labels_of("cmp", **parsed(text).model_dump(mode="json", include={"classes", "inverted"}))
        assert labels.names == ("background", "b", "a") and labels.values == ((9,), (2,), (1,))
        assert len(labels.colours) == 3


def test_the_example_of_the_docs_is_read_as_it_says():
    text = (Path(__file__).resolve().parents[2] / "docs/adding-a-dataset.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(datasets:.*?)```", text, re.DOTALL).group(1)
    config = DatasetConfig.model_validate(yaml.safe_load(block)["datasets"]["mine"])
    labels = labels_of(config.reader, config.classes)
    assert labels.names == ("background", "window", "opening")
    assert sorted(value for group in labels.values for value in group) == list(range(1, 13)), "nothing is left out"


def test_ignored_values_are_no_class_and_absent_where_none_is_named():
    def block(**keys):
        return DatasetConfig.model_validate({"reader": "folder", **keys})

    assert "ignore" not in block().model_dump(mode="json"), "results of studies without it stay what they are"
    for given in (255, [0, 255], "#e0e0c0", []):
        assert block(ignore=given).model_dump(mode="json", include={"ignore"}) == {"ignore": given}
    for keys, words in (
        ({"ignore": None}, "a colour stands in quotes"),
        ({"ignore": [255, 255]}, "twice"),
        ({"ignore": [255, "#ffffff"]}, "colours or values, not both"),
        ({"ignore": 9, "classes": {"wall": [8, 9]}}, "ignore: 9 stands for wall and is ignored"),
        ({"ignore": 9, "classes": {"wall": "#ff0000"}}, "colours or values, not both: 9 is ignored"),
        ({"ignore": 0, "classes": {"wall": 1}}, "no pixel is left as background beside wall"),
        ({"ignore": 0, "classes": {f"c{n}": n for n in range(1, 255)}}, "253 classes at most"),
        ({"ignore": -1}, "greater than or equal to 0"),
    ):
        with pytest.raises(ValidationError, match=words):
            block(**keys)


def test_void_of_a_reader_stands_unless_the_config_says_otherwise(monkeypatch):
    monkeypatch.setattr("segstudy.data.readers.folder.LABELS", binary("object")._replace(void=(255,)))
    assert labels_of("folder").void == (255,)
    assert labels_of("folder", ignore=[]).void == () and labels_of("folder", ignore=128).void == (128,)
    assert labels_of("folder", {"a": 1, "b": 2}).void == (255,)
    assert labels_of("folder", {"a": 1, "b": 255}).void == (), "a class that is named is one"
    assert labels_of("folder", {"a": 1, "b": 2}, ignore=[0, 3]) == several({"a": 1, "b": 2}, void=[0, 3])


def test_jobs_are_told_what_is_ignored_only_where_something_is():
    def settings(**keys):
        block = {"reader": "folder", "root": "x", **keys}
        experiment = {"question": "why so?", "datasets": ["d"], "models": ["unet"]}
        experiment |= {"losses": ["bce"], "recipes": ["short"]}
        config = {"study": "s", "datasets": {"d": block}, "models": {"unet": {}}, "losses": {"bce": {}}}
        return load_study(config | {"recipes": {"short": {}}, "experiments": {"a": experiment}}).label_settings("d")

    assert "ignore" not in settings()
    assert labels_of("folder", **settings(ignore=[7, 255])).void == (7, 255)
