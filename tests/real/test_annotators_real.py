"""Two humans on the real DRIVE: the table of annotators against the known row of the second human."""

import shutil

import pandas as pd
import pytest

from segstudy.config.cell import Cell
from segstudy.core.files import write_csv
from segstudy.data.index import build_index
from segstudy.data.readers.registry import labels_of
from segstudy.tables.annotators import Source, compare_annotators
from tests.helpers.results import inputs, paths, texts, write

CELL = Cell("drive", "copied", "none", "default", 0)


@pytest.fixture(scope="module")
def made(real_data, tmp_path_factory):
    """The table of an experiment whose one network gives back what the second human has drawn."""
    root, folder = real_data("DRIVE"), tmp_path_factory.mktemp("drive")
    index = build_index("drive", root, threads=1)
    split = index[["sample"]].assign(subset=index["official_subset"])
    write_csv(folder / "index.csv", index)
    write_csv(folder / "split.csv", split)
    (folder / "masks").mkdir()
    for row in index[index["second_mask"] != ""].to_dict("records"):
        shutil.copyfile(root / row["second_mask"], folder / "masks" / f"{row['sample']}.png")  # GIF by content
    counts = write(folder, "counts.csv", [("01", 1, 1, 1, 1)], region="roi")
    options = {"regions": {"drive": "roi"}, "outputs": paths(folder / "out")}
    experiment = inputs([(CELL, counts)], **options)
    source = Source(folder / "index.csv", {0: folder / "split.csv"}, root, labels_of("drive"), "first")
    compare_annotators(experiment, [(CELL, folder / "masks")], {"drive": source})
    return texts(experiment.outputs)


def test_human_against_human_is_the_known_row(made):
    table: pd.DataFrame = made["table"].set_index(["model", "against", "metric"]).sort_index()
    pair = table.loc[("human 2", "human 1")]
    assert pair.loc["dice", "mean"] == pytest.approx(0.7881, abs=5e-5) and set(pair["images"]) == {20}
    assert pair.loc["accuracy", "mean"] == pytest.approx(0.9473, abs=5e-5)
    assert pair.loc["sensitivity", "mean"] == pytest.approx(0.7760, abs=5e-5)
    assert pair.loc["specificity", "mean"] == pytest.approx(0.9725, abs=5e-5)
    assert table.loc[("humans", "humans", "dice"), "mean"] == pytest.approx(0.7881, abs=5e-5)
    assert "Human against human on drive: mean Dice 0.788" in made["md"]


def test_a_copy_of_the_second_human_is_that_human(made):
    table = made["table"].set_index(["model", "against", "metric"])
    assert table.loc[("copied", "human 2", "dice"), "mean"] == 1
    assert table.loc[("copied", "human 1", "dice"), "mean"] == pytest.approx(0.7881, abs=5e-5)
    assert table.loc[("copied", "agreed", "dice"), "mean"] == 1
    difference = table.loc[("copied", "humans", "dice_difference")]
    assert difference["mean"] == pytest.approx((1 - 0.7881) / 2, abs=5e-5) and difference["verdict"] == "above"
