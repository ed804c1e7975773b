"""The figure of the strata before and after balancing: its bars are the numbers that a training has."""

import pandas as pd
import pytest
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.data.balancing import AFTER, BEFORE, stratum_sizes
from segstudy.figures import style
from segstudy.figures.class_balance import draw_class_balance

STRATA = ["polyp"] * 5 + ["normal"] * 2 + ["adenoma"] * 3
INDEX = pd.DataFrame({"sample": [f"{i:02d}" for i in range(10)], "mask": ["m"] * 8 + ["", "m"], "stratum": STRATA})
SPLIT = pd.DataFrame({"sample": INDEX["sample"], "subset": ["train"] * 6 + ["test"] + ["train"] * 3})


def test_labelled_training_images_are_counted():
    assert stratum_sizes(SPLIT, INDEX).to_dict() == {"adenoma": 2, "normal": 1, "polyp": 5}


@pytest.mark.parametrize("balance", ["strata", {"augment": "added_only"}])
def test_bars_are_those_numbers_and_the_largest(tmp_path, monkeypatch, balance):
    bars = {}

    def watched(figure, title, keys, outputs, phantom):
        for container, key in zip(figure.axes[0].containers, keys, strict=True):
            bars[key.get_label()] = [round(bar.get_width()) for bar in container]
        bars["names"] = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        drawn(figure, title, keys, outputs, phantom)

    drawn = style.finish
    monkeypatch.setattr(style, "finish", watched)
    outputs = {name: tmp_path / f"x.{name}" for name in ("svg", "png")}
    recipe = {"balance": balance, "augmentation": {"flip_horizontal": 0.5}}
    draw_class_balance(SPLIT, INDEX, recipe, outputs, "title")
    assert bars == {
        "names": ["adenoma", "normal", "polyp"],
        BEFORE: [2, 1, 5],
        AFTER[balance != "strata"]: [5, 5, 5],
    }
    assert Image.open(outputs["png"]).width > 1000 and outputs["svg"].stat().st_size


def test_an_image_without_a_stratum_is_said():
    with pytest.raises(StudyError, match="1 of 8 labelled training images have no stratum"):
        stratum_sizes(SPLIT, INDEX.assign(stratum=["", *STRATA[1:]]))
