"""Tables by stratum: hand-computed means, which strata stand where, and what is said where there are none."""

import re

import pandas as pd
import pytest

from segstudy.config.cell import Cell
from segstudy.config.datasets import Phantom
from segstudy.config.readers import DRAWN, WITHOUT_STRATA
from segstudy.data.index import build_index
from tests.helpers.by_group import STRATA, run
from tests.helpers.phantoms import draw
from tests.helpers.results import COLUMNS, PROTOCOL

# Dice of an image with (tp, fp, fn) is 2 tp / (2 tp + fp + fn); every image has 100 pixels.
BACKGROUND = [("a", 0, 0, 8), ("b", 0, 0, 10), ("c", 0, 0, 0), ("d", 0, 0, 5)]


def write(folder, name, rows, control=None):
    lines = [[s, "test", "lesion", "full", "fixed", 0.5, tp, fp, fn, 100 - tp - fp - fn] for s, tp, fp, fn in rows]
    lines.append(["t", "train", "lesion", "full", "fixed", 0.5, 10, 0, 0, 90])
    table = pd.DataFrame(lines, columns=COLUMNS)
    if control:
        table = table.assign(policy="none", threshold="")
        table.insert(0, "control", control)
    table.to_csv(folder / name, index=False)
    return folder / name


@pytest.fixture
def study(tmp_path):
    """Two networks, two seeds.

    unet, nevus: seed 0 Dice 12/16 = 0.75 and 16/20 = 0.8, mean 0.775; seed 1 has image a alone: 0.7
      -> mean 0.7375, sd 0.075 / sqrt(2) = 0.05303; pixel error (0.04 + 0.04) / 2 and 0.06 -> 0.05
    unet, mela_noma: in seed 0 alone: Dice 0.5, pixel error 0.1
    encdec: mela_noma is empty in truth and prediction: Dice not defined; else Dice 0.5
    """
    half = (5, 5, 5)
    cells = [
        (Cell("ph2", "encdec", "bce", "default", 0), [("a", *half), ("b", *half), ("c", 0, 0, 0), ("d", *half)]),
        (Cell("ph2", "encdec", "bce", "default", 1), [("a", *half), ("d", *half)]),
        (Cell("ph2", "unet", "bce", "default", 0), [("a", 6, 2, 2), ("b", 8, 2, 2), ("c", *half), ("d", 9, 1, 1)]),
        (Cell("ph2", "unet", "bce", "default", 1), [("a", 7, 3, 3), ("d", 9, 1, 1)]),
    ]
    paths = [(cell, write(tmp_path, f"{i}.csv", rows)) for i, (cell, rows) in enumerate(cells)]
    chosen = [BACKGROUND, [row for row in BACKGROUND if row[0] in "ad"]]
    controls = [("ph2", seed, write(tmp_path, f"c{seed}.csv", chosen[seed], "all_background")) for seed in (0, 1)]
    return paths, controls


def markdown_rows(text, panel):
    """Return the rows of a panel by their model, as dictionaries by column."""
    lines = [line for line in text.split(f"## {panel}")[1].split("\n## ")[0].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[1]: dict(zip(cells[0], row, strict=True)) for row in cells[2:]}


def test_values_are_the_hand_computed_ones(tmp_path, study):
    made = run(tmp_path, *study)
    unet = made["table"].query("model == 'unet'").set_index("stratum")
    assert list(unet.index) == ["mela_noma", "nevus", "no stratum"]
    assert unet.loc["nevus", "dice_mean"] == pytest.approx(0.7375)
    assert unet.loc["nevus", "dice_sd"] == pytest.approx(0.05303300859)
    assert unet.loc["nevus", "iou_mean"] == pytest.approx(((6 / 10 + 8 / 12) / 2 + 7 / 13) / 2)
    assert unet.loc["nevus", "pixel_error_mean"] == pytest.approx(0.05)
    assert unet.loc["mela_noma", "pixel_error_mean"] == pytest.approx(0.1)
    assert pd.isna(unet.loc["mela_noma", "dice_sd"])
    assert unet["images"].tolist() == [1, 1.5, 1]
    assert unet["seeds"].tolist() == [1, 2, 2]
    row = markdown_rows(made["md"], "Dice on ph2")["unet"]
    assert row["nevus (n = 1.5)"] == "**0.738 ± 0.053**"
    assert row["mela noma (n = 1)"] == "0.500"  # the other network has no value: nothing to be better than
    assert markdown_rows(made["md"], "Pixel error on ph2")["unet"]["nevus (n = 1.5)"] == "**0.050 ± 0.014**"
    assert r"\textbf{0.738 $\pm$ 0.053}" in made["tex"]
    assert "<strong>0.738 ± 0.053</strong>" in made["html"]


def test_the_lower_pixel_error_is_bold_and_controls_do_not_compete(tmp_path, study):
    errors = markdown_rows(run(tmp_path, *study)["md"], "Pixel error on ph2")
    column = [errors[name]["mela noma (n = 1)"] for name in ("encdec", "unet", "*all background*")]
    assert column == ["**0.000**", "0.100", "0.000"]


def test_undefined_values_and_strata_that_a_seed_lacks_are_said(tmp_path, study):
    made = run(tmp_path, *study)
    panel = made["md"].split("## Dice on ph2")[1].split("## IoU")[0]
    assert "Dice is not defined for any image" in panel
    assert "encdec/bce on mela_noma (1 of 1), all background on mela_noma (1 of 1)." in panel
    assert "Not in the test images of every seed: mela noma (1 of 2)." in panel
    assert markdown_rows(made["md"], "Dice on ph2")["encdec"]["mela noma (n = 1)"] == "–"
    assert made["table"].query("model == 'encdec' and stratum == 'mela_noma'")["dice_undefined"].item() == 1
    assert "is not defined" not in made["md"].split("## Pixel error on ph2")[1]


def test_networks_keep_their_order_and_controls_come_last(tmp_path, study):
    cells, controls = study
    made = run(tmp_path, cells[2:] + cells[:2], controls)
    assert list(markdown_rows(made["md"], "IoU on ph2")) == ["unet", "encdec", "*all background*"]
    assert made["table"]["model"].tolist() == ["unet"] * 3 + ["encdec"] * 3 + ["all_background"] * 3


def test_data_sets_without_strata_are_named_and_left_out(tmp_path, study):
    cells, controls = study
    plain = [(Cell("drive", "unet", "bce", "default", 0), write(tmp_path, "d.csv", [("a", 5, 5, 5)]))]
    empty = dict.fromkeys(STRATA, "")
    both = run(tmp_path, cells + plain, controls, {"ph2": STRATA, "drive": empty})
    assert "- Without strata: drive." in both["md"]
    assert set(both["table"]["dataset"]) == {"ph2"}
    none = run(tmp_path, plain, [], {"drive": empty})
    for name in ("md", "tex", "html"):
        assert "No data set of this experiment (drive) has strata." in none[name]
    assert none["table"].empty and list(none["table"].columns) == list(both["table"].columns)


def test_drawn_data_say_phantom(tmp_path, study):
    made = run(tmp_path, *study, protocols={"ph2": PROTOCOL | {"phantom": True}})
    assert made["md"].startswith("# Experiment base_line by stratum (PHANTOM data: ph2)")
    assert made["table"]["phantom"].eq(1).all()
    assert all("PHANTOM" in caption for caption in re.findall(r"\\caption.*", made["tex"]))


def test_each_float_of_latex_has_a_label_of_its_own(tmp_path, study):
    labels = re.findall(r"\\label\{(.*)\}", run(tmp_path, *study)["tex"])
    assert labels == [f"tab:base_line:strata:ph2:{metric}" for metric in ("dice", "iou", "pixel_error")]


def test_the_same_counts_give_the_same_bytes(tmp_path, study):
    first, second = (run(tmp_path, *study) for _ in range(2))
    assert all(first[name] == second[name] for name in ("csv", "md", "tex", "html"))


@pytest.mark.parametrize("reader", [name for name in WITHOUT_STRATA if name in DRAWN])
def test_a_reader_that_is_listed_as_without_strata_has_none(tmp_path, reader):
    draw(reader, tmp_path / reader, Phantom(images=10, height=64, width=64))
    assert build_index(reader, tmp_path / reader)["stratum"].eq("").all()
