"""Data sets of several classes in tables and figures: hand-computed means over classes, and each class by itself."""

import numpy as np
import pandas as pd
import pytest

from segstudy.config.cell import Cell
from segstudy.config.load import load_study
from segstudy.config.readers import READERS, SEVERAL_CLASSES
from segstudy.core.errors import StudyError
from segstudy.data.readers.registry import labels_of
from segstudy.figures import ablation, style
from segstudy.tables.by_group import compare_classes
from tests.helpers.by_group import run as run_strata
from tests.helpers.results import (
    COLUMNS,
    PROTOCOL,
    inputs,
    latex_row,
    markdown_row,
    paths,
    run,
    texts,
    write,
    write_run,
)

CLASSES = ("background", "wall", "door")
# Rows are the truth, columns the prediction; 100 pixels an image; the second image has no door.
ROUGH = {"a": [[40, 5, 0], [5, 40, 0], [0, 5, 5]], "b": [[50, 0, 0], [0, 50, 0], [0, 0, 0]]}
RIGHT = {"a": [[45, 0, 0], [0, 45, 0], [0, 0, 10]], "b": [[50, 0, 0], [0, 50, 0], [0, 0, 0]]}
WALL = {"a": [[0, 45, 0], [0, 45, 0], [0, 10, 0]], "b": [[0, 50, 0], [0, 50, 0], [0, 0, 0]]}


def write_several(folder, name, images, control=None):
    lines = []
    for sample, pixels in images.items():
        matrix = np.array(pixels)
        for number, kind in enumerate(CLASSES):
            tp = matrix[number, number]
            fp, fn = matrix[:, number].sum() - tp, matrix[number].sum() - tp
            key = [sample, "test", kind, "full", "none" if control else "argmax", ""]
            lines.append([*key, tp, fp, fn, matrix.sum() - tp - fp - fn])
    table = pd.DataFrame(lines, columns=COLUMNS)
    if control:
        table.insert(0, "control", control)
    table.to_csv(folder / name, index=False)
    return folder / name


@pytest.fixture
def facade(tmp_path):
    """Two networks, two seeds, one control.

    unet: seed 0 is ROUGH. IoU from summed counts: 90/100, 90/105, 5/10, mean 0.752381; accuracy 185/200; per image
      (40/50 + 40/55 + 5/10) / 3 = 0.675758 and, without the door, 1. Seed 1 is RIGHT: all 1.
    encdec: all wall: IoU 0, 95/200, 0.
    """
    made = {"encdec": (WALL, WALL), "unet": (ROUGH, RIGHT)}
    cells = [
        (Cell("cmp", model, "ce", "default", seed), write_several(tmp_path, f"{model}{seed}.csv", images[seed]))
        for model, images in made.items()
        for seed in (0, 1)
    ]
    controls = [("cmp", seed, write_several(tmp_path, f"c{seed}.csv", WALL, "majority")) for seed in (0, 1)]
    return cells, controls


MEAN_IOU = (90 / 100 + 90 / 105 + 5 / 10) / 3
SD = (1 - MEAN_IOU) / 2**0.5
ALL = {"protocols": {"cmp": PROTOCOL, "ph2": PROTOCOL}, "regions": {"cmp": "roi", "ph2": "roi"}}


def by_class(folder, cells, controls, protocols=None, **changes):
    outputs = paths(folder)
    compare_classes(
        inputs(cells, controls, outputs, protocols or {"cmp": PROTOCOL}, question="Which parts?", **changes)
    )
    return texts(outputs)


def test_the_headline_is_the_pooled_mean_over_the_classes(tmp_path, facade):
    made = run(tmp_path, *facade, **ALL)
    assert made["wide"]["class"].eq("mean").all() and len(made["wide"]) == 3
    unet = made["wide"].set_index("model").loc["unet"]
    assert unet["policy"] == "argmax"
    assert unet["test_iou_pooled"] == pytest.approx((MEAN_IOU + 1) / 2)
    assert unet["test_iou_pooled_sd"] == pytest.approx(SD)
    assert unet["test_accuracy_pooled"] == pytest.approx((185 / 200 + 1) / 2)
    assert unet["test_pixel_error_pooled"] == pytest.approx((15 / 200) / 2)
    assert unet["test_iou_mean"] == pytest.approx((((40 / 50 + 40 / 55 + 5 / 10) / 3 + 1) / 2 + 1) / 2)
    assert unet["test_sensitivity_pooled"] == pytest.approx(((90 / 95 + 90 / 95 + 5 / 10) / 3 + 1) / 2)
    assert unet["test_iou_pooled_low"] < unet["test_iou_pooled"] < unet["test_iou_pooled_high"] == 1

    panel = "Test images, means over classes"
    row = markdown_row(made["md"], "unet", panel)
    assert row["Mean IoU"] == "**0.876 ± 0.175**"
    assert row["Pixel accuracy"] == "**0.963 ± 0.053**"
    assert row["Mean IoU 95 % interval"].endswith("–1.000")
    assert markdown_row(made["md"], "encdec", panel)["Mean IoU"] == "0.158 ± 0.000"
    assert markdown_row(made["md"], "*majority*", panel)["Mean IoU"] == "0.158 ± 0.000"
    assert latex_row(made["tex"], "unet")["Mean IoU"] == r"\textbf{0.876 $\pm$ 0.175}"
    assert "3 classes, the background among them" in made["html"]
    assert "No threshold: with several classes, a pixel has the one of the largest probability." in made["md"]
    assert "pooled Dice is the ratio" not in made["md"]


def test_the_tidy_table_has_the_mean_above_the_classes(tmp_path, facade):
    tidy = run(tmp_path, *facade, **ALL)["long"]
    assert list(tidy["class"].unique()) == ["mean", *CLASSES]
    door = tidy.query("model == 'unet' and `class` == 'door' and metric == 'iou'").set_index("averaging")
    assert door.loc["pooled", "mean"] == pytest.approx((0.5 + 1) / 2)
    assert (door.loc["image", "mean"], door.loc["image", "undefined"]) == (pytest.approx(0.75), 2)


def test_one_experiment_may_hold_both_kinds_of_data_sets(tmp_path, facade):
    cells, controls = facade
    one = [(Cell("ph2", "unet", "bce", "default", 0), write(tmp_path, "p.csv", [("a", 6, 2, 2, 90)]))]
    made = run(tmp_path, one + cells, controls, **ALL)
    assert list(made["wide"]["dataset"]) == ["ph2", "cmp", "cmp", "cmp"]
    assert list(made["wide"]["class"]) == ["lesion", "mean", "mean", "mean"]
    assert markdown_row(made["md"], "unet")["Dice"] == "0.750"
    assert markdown_row(made["md"], "unet", "Test images, means over classes")["Mean IoU"] == "**0.876 ± 0.175**"
    assert "0.5, fixed beforehand; with several classes, a pixel has" in made["md"]
    labels = [line for line in made["tex"].splitlines() if line.startswith(r"\label")]
    assert len(set(labels)) == len(labels) == 3  # test of either kind, training images of the first
    assert made["md"].count("ph2: 20 % test") == 1


def test_each_class_has_a_column_with_its_share(tmp_path, facade):
    made = by_class(tmp_path, *facade)
    row = markdown_row(made["md"], "unet", "IoU on cmp")
    assert row["mean"] == "**0.876 ± 0.175**"
    assert row["background (47.5%)"] == "**0.950 ± 0.071**"
    assert row["door (5.0%)"] == "**0.750 ± 0.354**"
    assert markdown_row(made["md"], "*majority*", "IoU on cmp")["wall (47.5%)"] == "0.475 ± 0.000"
    assert markdown_row(made["md"], "unet", "Dice on cmp")["door (5.0%)"] == "**0.833 ± 0.236**"
    table = made["table"].set_index(["model", "class"])
    assert table.loc[("unet", "door"), "share"] == pytest.approx(0.05)
    assert table.loc[("unet", "mean"), "iou_pooled"] == pytest.approx((MEAN_IOU + 1) / 2)
    assert table.loc[("encdec", "door"), "precision_undefined"] == 4
    low, high = table.loc[("unet", "door"), ["iou_pooled_low", "iou_pooled_high"]]
    assert low == 0.5 and high == 1
    assert list(table.loc["unet"].index) == ["mean", *CLASSES]


def test_a_class_that_no_test_image_shows_is_a_dash_and_does_not_enter_the_mean(tmp_path):
    cells = [(Cell("cmp", "unet", "ce", "default", 0), write_several(tmp_path, "0.csv", {"b": ROUGH["b"]}))]
    made = by_class(tmp_path, cells, [])
    row = markdown_row(made["md"], "unet", "IoU on cmp")
    assert (row["door (0.0%)"], row["mean"]) == ("–", "1.000")
    assert "of a class that neither truth nor prediction shows" in made["md"]


def test_drawn_data_say_phantom_and_data_sets_of_one_class_are_left_out(tmp_path, facade):
    cells, controls = facade
    one = [(Cell("ph2", "unet", "bce", "default", 0), write(tmp_path, "p.csv", [("a", 6, 2, 2, 90)]))]
    protocols = {"cmp": PROTOCOL | {"phantom": True}, "ph2": PROTOCOL}
    made = by_class(tmp_path, one + cells, controls, protocols)
    assert set(made["table"]["dataset"]) == {"cmp"} and made["table"]["phantom"].eq(1).all()
    assert made["md"].startswith("# Experiment base_line by class (PHANTOM data: cmp)")
    with pytest.raises(StudyError, match="no test image of a data set of several classes"):
        by_class(tmp_path, one, [], protocols)


def test_strata_show_the_mean_over_classes(tmp_path, facade):
    cells, controls = facade
    made = run_strata(tmp_path, cells, controls, {"cmp": {"a": "base", "b": "extended"}})
    table = made["table"].query("model == 'unet'").set_index("stratum")
    assert table["class"].eq("mean").all()
    assert table.loc["base", "iou_mean"] == pytest.approx(((40 / 50 + 40 / 55 + 5 / 10) / 3 + 1) / 2)
    assert table.loc["extended", "iou_mean"] == 1
    assert "the mean over those that its truth or prediction shows" in made["md"]


def test_the_ablation_shows_the_pooled_means(facade, figures):
    ablation.draw_ablation(inputs(*facade, {"svg": "x.svg", "png": "x.png"}), ["dice", "hd95"])
    axes = figures[0].axes[0]
    assert axes.get_title(loc="left") == "cmp: mean IoU"
    points = [line.get_ydata() for line in axes.lines if line.get_marker() == style.markers(["encdec", "unet"])["unet"]]
    assert points[0].item() == pytest.approx((MEAN_IOU + 1) / 2)
    assert any(np.allclose(sorted(line.get_ydata()), [MEAN_IOU, 1]) for line in axes.lines)
    assert figures[0].axes[3].get_title(loc="left") == "cmp: pixel accuracy"


def test_a_config_knows_which_data_sets_have_several_classes():
    assert set(SEVERAL_CLASSES) == {name for name in READERS if name != "folder" and labels_of(name).several}
    for reader, classes, several in (
        ("drive", {}, False),
        ("folder", {"background": 0, "cell": 1}, False),
        ("folder", {"cell": 1, "wall": 2}, True),
        ("cmp", {}, True),
        ("cmp", {"background": [1, 2], "window": 3}, False),  # put together
    ):
        entry = {"reader": reader, "classes": classes}
        study = load_study(
            {
                "study": "x",
                "datasets": {"d": entry},
                "models": {"unet": {}},
                "losses": {"dice": {}},
                "recipes": {"default": {}},
                "experiments": {"e": {"question": "Which?", "datasets": ["d"], "models": ["unet"], "losses": ["dice"]}},
            }
        )
        assert study.datasets["d"].several == several
        assert labels_of(reader, classes).several == several


def test_times_stand_beside_means_over_classes(tmp_path, facade):
    cells, controls = facade
    runs = [write_run(tmp_path / f"r{i}.json", (60.0, 5.0, 1.0)) for i in range(len(cells))]
    made = run(tmp_path, cells, controls, runs=runs, **ALL)
    assert markdown_row(made["md"], "unet", "Test images, means over classes")["Time (s)"] == "66"
