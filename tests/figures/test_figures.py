"""Figures: they show what the files say, look the same every time, and say PHANTOM where they must."""

import itertools

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.config.cell import Cell
from segstudy.config.recipes import CurveStopping
from segstudy.core.errors import StudyError
from segstudy.data.images import drawing
from segstudy.data.images.label_map import several
from segstudy.data.images.prediction_files import write_classes
from segstudy.evaluation.aggregate import Counts, confusion
from segstudy.evaluation.metrics import METRICS, dice
from segstudy.figures import ablation, curves, early_stopping, gallery, style
from segstudy.tables.columns import SEVEN
from segstudy.training.early_stopping import curve_slope
from tests.helpers.figures import LESION, SAVED, make_cell
from tests.helpers.results import inputs, paths


def histories(folder, datasets, models, losses, seeds, recipes=("default",)):
    made = []
    for number, parts in enumerate(itertools.product(datasets, models, losses, recipes, range(seeds))):
        path = folder / f"history{number}.csv"
        loss = [0.7, 0.4 + 0.01 * number, 0.5]
        pd.DataFrame(
            {
                "epoch": [1, 2, 3],
                "learning_rate": 0.01,
                "train_loss": loss,
                "val_loss": loss,
                "val_dice": [0.3, 0.6, 0.55],
                "slope": np.nan,
                "best": [1, 1, 0],
            }
        ).to_csv(path, index=False)
        made.append((Cell(*parts), path))
    return made


def counts(folder, datasets, models, losses, seeds):
    """Counts of six test images; the Dice of networks rises with their number."""
    cells, controls = [], []

    def table(value, policy, **first):
        rows = [
            {**first, "sample": f"s{i}", "subset": "test", "class": "lesion", "region": "full", "policy": policy}
            | {"threshold": 0.5, "tp": value + i, "fp": 20 - i, "fn": 20, "tn": 500}
            for i in range(6)
        ]
        return pd.DataFrame(rows)

    for number, parts in enumerate(itertools.product(datasets, models, losses, ("default",), range(seeds))):
        path = folder / f"counts{number}.csv"
        table(60 + 3 * number, "fixed").to_csv(path, index=False)
        cells.append((Cell(*parts), path))
    for dataset, seed in itertools.product(datasets, range(seeds)):
        path = folder / f"controls_{dataset}_{seed}.csv"
        named = {"otsu": 30, "random": 5, "second_human": 70}
        pd.concat([table(v, "none", control=name) for name, v in named.items()]).to_csv(path, index=False)
        controls.append((dataset, seed, path))
    return cells, controls


def text_of(outputs):
    """The text of the SVG, whose PNG has the width of a page and something drawn on it."""
    picture = Image.open(outputs["png"])
    assert picture.width == style.WIDTH * style.PNG_DPI
    assert len(picture.convert("RGB").resize((200, 200)).getcolors(40_000)) > 20
    return outputs["svg"].read_text()


SMALL = (["ph2"], ["unet"], ["bce"], 1)
GRID = (["ph2", "drive"], ["encdec", "unet"], ["bce", "weighted_bce", "dice"], 2)


@pytest.mark.parametrize("shape", [SMALL, GRID], ids=["one cell", "grid"])
def test_curves_are_drawn_with_every_name_and_at_the_width_of_a_page(tmp_path, shape):
    outputs = paths(tmp_path, "svg", "png")
    curves.draw_curves(histories(tmp_path, *shape), "baseline", outputs)
    text = text_of(outputs)
    for name in ("Learning curves of experiment baseline", *shape[0], *shape[1], *shape[2]):
        assert name in text  # matplotlib writes each text as a comment beside its outlines
    assert "PHANTOM" not in text


def test_curves_mark_the_last_epoch_that_was_the_best(tmp_path, figures):
    curves.draw_curves(histories(tmp_path, *SMALL), "one", SAVED)
    upper, lower = (axes for axes in figures[0].axes if axes.get_visible())
    dots = [line for axes in (upper, lower) for line in axes.lines if line.get_marker() == "o"]
    assert [(line.get_xdata().item(), line.get_ydata().item()) for line in dots] == [(2, 0.4), (2, 0.6)]
    train, validation = upper.lines[:2]
    assert list(train.get_ydata()) == [0.7, 0.4, 0.5]
    assert list(validation.get_xdata()) == [1, 2, 3]


def test_without_validation_images_the_training_loss_is_seen_and_the_panel_below_says_why(tmp_path, figures):
    made = histories(tmp_path, *SMALL)
    history = pd.read_csv(made[0][1])
    history.assign(val_loss=np.nan, val_dice=np.nan, best=[0, 0, 1]).to_csv(made[0][1], index=False)
    curves.draw_curves(made, "one", SAVED)
    upper, lower = figures[0].axes
    low, high = upper.get_xlim()
    assert low < 1 and high > 3 and lower.get_xlim() == (low, high)
    assert any(list(line.get_xdata()) == [3] and list(line.get_ydata()) == [0.5] for line in upper.lines)
    assert [text.get_text() for text in lower.texts] == ["no validation images"]


def test_curves_have_a_panel_for_each_data_set_network_and_recipe(tmp_path, figures):
    cells = histories(tmp_path, ["ph2", "drive"], ["a", "b", "c", "d"], ["bce"], 1, ("fast", "slow"))
    curves.draw_curves(cells, "many", SAVED, phantoms=["drive"])
    titles = [axes.get_title(loc="left") for axes in figures[0].axes if axes.get_title(loc="left")]
    assert len(titles) == 16
    assert "ph2\na, slow" in titles
    assert "drive (PHANTOM)\nd, fast" in titles


def stopped_history(folder):
    """Fifteen epochs: the loss falls by 0.1 an epoch from 1 to 0.5, then stays; slopes are what the training writes."""
    losses = [max(1 - 0.1 * epoch, 0.5) for epoch in range(15)]
    slopes = [curve_slope(losses[: epoch + 1], 4) for epoch in range(15)]
    table = {
        "epoch": range(1, 16),
        "train_loss": losses,
        "val_loss": losses,
        "val_dice": 0.5,
        "slope": slopes,
        "best": [int(epoch < 6) for epoch in range(15)],
    }
    pd.DataFrame(table).to_csv(folder / "history.csv", index=False)
    return folder / "history.csv"


def test_early_stopping_is_drawn_where_a_recipe_uses_it(tmp_path, figures):
    path = stopped_history(tmp_path)
    cells = [(Cell("ph2", "unet", "bce", recipe, 0), path) for recipe in ("plain", "stopped")]
    rule = CurveStopping(window=4, threshold=0.01, epochs=5, after=3)
    curves.draw_curves(cells, "stop", SAVED, rules={("ph2", "stopped"): rule})
    plain, stopped, said, slopes, *_ = figures[0].axes
    assert [text.get_text() for text in said.texts] == ["does not stop by the fitted curve"]
    assert len(stopped.lines) == len(plain.lines) + 1
    fit = next(line for line in stopped.lines if line.get_linewidth() == early_stopping.FIT["lw"])
    assert fit.get_xdata()[[0, -1]].tolist() == [12, 15]
    assert fit.get_ydata() == pytest.approx(0.5)  # the last four losses are 0.5
    _, after, line, cross = slopes.lines
    # Epochs 1 to 4: losses 1, 0.9, 0.8, 0.7 on a line of slope -0.1, over the largest loss, 1.
    assert line.get_ydata()[3] == pytest.approx(-0.1)
    assert np.isnan(line.get_ydata()[:3]).all()
    assert list(after.get_xdata()) == [3.5, 3.5]
    assert (cross.get_xdata().item(), cross.get_ydata().item()) == (15, pytest.approx(0))
    band = slopes.patches[0]
    assert (band.get_y(), band.get_height()) == pytest.approx((-0.01, 0.02))
    assert slopes.get_xlim() == stopped.get_xlim()
    words = {text.get_text() for text in figures[0].legends[0].get_texts()}
    assert {"last fitted curve", "slopes that count as flat", "stopped: flat for long enough"} <= words


def test_a_training_that_was_not_flat_for_long_enough_has_no_cross_and_a_short_one_no_fit(tmp_path, figures):
    cells = [(Cell("ph2", "unet", "bce", "stopped", 0), stopped_history(tmp_path))]
    for rule in (CurveStopping(window=4, threshold=0.01, epochs=10), CurveStopping(window=16, threshold=0.01)):
        curves.draw_curves(cells, "stop", SAVED, rules={("ph2", "stopped"): rule})
    crosses = [[line for axes in figure.axes for line in axes.lines if line.get_marker() == "X"] for figure in figures]
    assert crosses[0] == []
    fits = [[line for line in figure.axes[0].lines if line.get_linewidth() > 3] for figure in figures]
    assert [len(found) for found in fits] == [1, 0]


def test_without_the_rule_the_curves_are_what_they_were(tmp_path):
    cells = [(Cell("ph2", "unet", "bce", "stopped", 0), stopped_history(tmp_path))]
    for name, rules in (("a", None), ("b", {("drive", "stopped"): CurveStopping()})):
        curves.draw_curves(cells, "plain", paths(tmp_path, "svg", "png", name=name), rules=rules)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "fitted curve" not in (tmp_path / "a.svg").read_text()


def test_curves_without_history_or_with_a_broken_one_say_so(tmp_path):
    with pytest.raises(StudyError, match="no learning curves"):
        curves.draw_curves([], "none", paths(tmp_path, "svg", "png"))
    path = tmp_path / "history.csv"
    path.write_text("epoch,train_loss\n1,0.5\n")
    with pytest.raises(StudyError, match="no column val_loss, val_dice, slope, best"):
        curves.draw_curves([(Cell("d", "m", "l", "r", 0), path)], "x", paths(tmp_path, "svg", "png"))


@pytest.mark.parametrize("shape", [SMALL, GRID], ids=["one cell", "grid"])
def test_the_ablation_is_drawn_with_every_name(tmp_path, shape):
    outputs = paths(tmp_path, "svg", "png")
    ablation.draw_ablation(inputs(*counts(tmp_path, *shape), outputs, phantoms=["drive"]), SEVEN)
    text = text_of(outputs)
    titles = [f"ph2: {METRICS[name].label}" for name in SEVEN if name != "pixel_error"]
    assert "ph2: Accuracy" in titles and "ph2: Specificity" in titles
    for name in (*shape[1], *shape[2], *titles):
        assert f"<!-- {name} -->" in text
    assert "Pixel error" not in text and "at threshold 0.5" in text
    assert ("PHANTOM" in text) == ("drive" in shape[0])


def test_the_ablation_shows_means_seeds_and_controls(tmp_path, figures):
    cells, controls = counts(tmp_path, ["ph2"], ["unet"], ["bce"], 2)
    ablation.draw_ablation(inputs(cells, controls, SAVED), SEVEN)
    seeds = [np.mean([dice(Counts(60 + 3 * s + i, 20 - i, 20, 500)) for i in range(6)]) for s in range(2)]
    axes = figures[0].axes[0]
    bar, mean, dots, *lines = axes.lines
    assert mean.get_ydata().item() == pytest.approx(np.mean(seeds))
    assert sorted(dots.get_ydata()) == pytest.approx(sorted(seeds))
    low, high = bar.get_ydata()
    assert low < np.mean(seeds) < high
    human = np.mean([dice(Counts(70 + i, 20 - i, 20, 500)) for i in range(6)])
    assert human in [pytest.approx(line.get_ydata()[0]) for line in lines]
    labels = {text.get_text() for text in axes.texts}
    assert f"second human {human:.3f}" in labels
    assert any(label.startswith("↓ random ") for label in labels)  # far below the networks: named, not drawn


def test_the_panels_of_the_ablation_are_the_metrics_of_the_table(tmp_path, figures):
    made = inputs(*counts(tmp_path, ["ph2"], ["unet"], ["bce", "dice"], 1), SAVED)
    ablation.draw_ablation(made, ["pixel_error", "mcc", "iou"])
    shown = [axes for axes in figures[0].axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in shown] == ["ph2: Pixel error", "ph2: MCC", "ph2: IoU"]
    named = [axes.xaxis.get_tick_params()["labelbottom"] for axes in shown]
    assert named == [False, True, True], "losses are named below the last panel of each column"


def test_limits_end_where_a_share_does_and_nowhere_for_distances():
    assert ablation.limits([0.9, 1.0], []) == pytest.approx((0.892, 1.008))
    assert ablation.limits([0.2, 1.0], [])[1] == 1.02 and ablation.limits([0.0, 1.0], [])[0] == -0.02
    low, high = ablation.limits([3.0, 20.0], [25.0])
    assert low < 3 and high > 25
    assert ablation.limits([-0.5, 0.5], [])[0] < -0.5


def test_labels_of_controls_never_overlap():
    moved = ablation._spread([0.0, 0.01, 0.5, 0.98, 1.0, 1.0], 0.09)
    assert min(np.diff(moved)) >= 0.09 - 1e-12
    assert moved[-1] <= 1


def test_figures_have_the_same_bytes_every_time(tmp_path):
    made = []
    for run in ("first", "second"):
        both = [paths(tmp_path, "svg", "png", name=f"{run}.{name}") for name in ("c", "a")]
        curves.draw_curves(histories(tmp_path, *SMALL), "x", both[0], phantoms=["ph2"])
        ablation.draw_ablation(inputs(*counts(tmp_path, *SMALL), both[1], phantoms=["ph2"]), SEVEN)
        made.append([path.read_bytes() for outputs in both for path in outputs.values()])
    assert made[0] == made[1]
    assert all(b"<!-- PHANTOM -->" in svg for svg in (made[0][0], made[0][2]))


def test_many_names_can_be_told_apart():
    names = [f"n{i}" for i in range(36)]
    colour, marker = style.colours(names), style.markers(names)
    assert len({(colour[name], marker[name]) for name in names}) == 36


# --- gallery ---------------------------------------------------------------------------------------------------------


def test_the_gallery_shows_best_median_and_worst():
    values = {"a": 0.5, "b": 0.9, "c": 0.1, "d": 0.7, "e": 0.6}
    rows = [
        {"sample": s, "subset": "test", "region": "full", "policy": "fixed", "class": "x"}
        | {"tp": int(1000 * v), "fp": int(1000 * (1 - v)), "fn": int(1000 * (1 - v)), "tn": 0}
        for s, v in values.items()
    ]
    rows.append(rows[1] | {"sample": "training", "subset": "train", "fp": 0, "fn": 0})
    rows.append(rows[1] | {"sample": "empty", "tp": 0, "fp": 0, "fn": 0, "tn": 9})
    table = pd.DataFrame(rows)
    assert [(c.rank, c.sample) for c in gallery.choose(table, "fixed", "full")] == [
        ("best", "b"),
        ("median", "e"),
        ("worst", "c"),
    ]
    assert [c.rank for c in gallery.choose(table[:2], "fixed", "roi")] == ["best", "worst"]
    assert [c.rank for c in gallery.choose(table[:1], "fixed", "full")] == ["the only image"]
    assert np.isnan(gallery.choose(table[-1:], "fixed", "full")[0].dice)
    with pytest.raises(StudyError, match="'validation'"):
        gallery.choose(table, "validation", "full")


def test_the_gallery_ranks_inside_the_field_of_view():
    def row(sample, region, tp):
        key = {"sample": sample, "subset": "test", "region": region, "policy": "fixed", "class": "x"}
        return key | {"tp": tp, "fp": 50, "fn": 50, "tn": 0}

    table = pd.DataFrame([row("a", "full", 99), row("a", "roi", 1), row("b", "full", 1), row("b", "roi", 99)])
    assert gallery.choose(table, "fixed", "roi")[0].sample == "b"
    assert gallery.choose(table, "fixed", "full")[0].sample == "a"


def test_the_overlay_colours_are_those_of_the_legend(tmp_path):
    _, masks, index, root, _ = make_cell(tmp_path, {"a": 0.5})
    row = pd.read_csv(index, dtype=str).fillna("").to_dict("records")[0]
    image, truth, predicted, overlay = (
        np.asarray(tile) for tile in gallery.tiles_of(row, [masks / "a.png"], root, "roi", LESION)
    )
    scale = drawing.SIDE / 60
    assert image.shape == (round(40 * scale), 400, 3)

    def at(tile, y, x):
        return tile[round((y + 0.5) * scale), round((x + 0.5) * scale)].astype(int)

    assert (at(truth, 20, 25) == 255).all()
    assert (at(truth, 20, 45) == 0).all()
    assert (at(predicted, 20, 45) == 255).all()
    for x, colour in ((35, gallery.TP), (45, gallery.FP), (25, gallery.FN)):  # found, false alarm, missed
        assert np.abs(at(overlay, 20, x) - colour).max() < 40
    assert np.ptp(at(overlay, 3, 3)) == 0  # background stays grey


def test_outside_the_field_of_view_nothing_is_coloured(tmp_path):
    _, masks, index, root, _ = make_cell(tmp_path, {"a": 0.0}, roi=True)
    prediction = np.zeros((40, 60), np.uint8)
    prediction[0:4, :] = 255  # above the field of view
    Image.fromarray(prediction).save(masks / "a.png")
    row = pd.read_csv(index, dtype=str).fillna("").to_dict("records")[0]
    limited, whole = (
        np.asarray(gallery.tiles_of(row, [masks / "a.png"], root, region, LESION)[3])[10, 200].astype(int)
        for region in ("roi", "full")
    )
    assert np.ptp(limited) == 0
    assert np.abs(whole - gallery.FP).max() < 40


@pytest.mark.parametrize("phantom", [False, True])
def test_the_gallery_is_a_picture_of_three_rows(tmp_path, phantom):
    paths = make_cell(tmp_path, {"a": 0.2, "b": 0.9, "c": 0.6, "d": 0.5}, roi=True)
    options = {
        "title": "ph2 / unet",
        "policy": "fixed",
        "region": "roi",
        "labels": LESION,
        "phantom": phantom,
    }
    gallery.draw_gallery(*paths, **options)
    first = paths[-1].read_bytes()
    gallery.draw_gallery(*paths, **options)
    assert paths[-1].read_bytes() == first
    picture = np.asarray(Image.open(paths[-1]).convert("RGB")).astype(int)
    assert picture.shape[1] == 4 * gallery.SIDE + 3 * gallery.GAP + 2 * gallery.MARGIN
    assert picture.shape[0] > 3 * 267
    reddish = ((picture[..., 0] - picture[..., 1]) > 25) & (np.abs(picture[..., 1] - picture[..., 2]) < 45)
    assert (reddish[: gallery.MARGIN + gallery.TITLE + 8].sum() > 50) == phantom  # the title


def test_a_prediction_of_another_size_is_named(tmp_path):
    paths = make_cell(tmp_path, {"a": 0.5})
    Image.new("L", (30, 20)).save(tmp_path / "predicted" / "a.png")
    with pytest.raises(StudyError, match="30x20"):
        gallery.draw_gallery(*paths, title="x", policy="fixed", region="full", labels=LESION)


FACADE = several({"wall": 7, "door": 9}, background=3)


def make_facades(folder, qualities):
    """Write houses 40x60 with a door; the lower the quality, the more of the door is predicted as wall."""
    paths = make_cell(folder, qualities)
    table = pd.read_csv(paths[0])
    rows = []
    for sample, quality in qualities.items():
        truth = np.ones((40, 60), np.uint8)
        truth[:10], truth[20:, 20:40] = 0, 2
        predicted = truth.copy()
        predicted[20 + round(20 * quality) :, 20:40] = 1
        Image.fromarray(np.array([3, 7, 9], np.uint8)[truth]).save(folder / "truth" / f"{sample}.png")
        write_classes(folder / "predicted" / f"{sample}.png", predicted, FACADE.colours)
        for number, name in enumerate(FACADE.names):
            key = {"sample": sample, "subset": "test", "class": name, "region": "full", "policy": "argmax"}
            rows.append(key | confusion(predicted == number, truth == number)._asdict())
    pd.DataFrame(rows).reindex(columns=table.columns).to_csv(paths[0], index=False)
    return paths


def test_the_gallery_of_several_classes_has_their_colours_and_the_wrong_pixels(tmp_path):
    _, masks, index, root, _ = make_facades(tmp_path, {"a": 0.5})
    row = pd.read_csv(index, dtype=str).fillna("").to_dict("records")[0]
    image, truth, predicted, errors = (
        np.asarray(tile) for tile in gallery.tiles_of(row, [masks / "a.png"], root, "roi", FACADE)
    )
    scale = drawing.SIDE / 60

    def at(tile, y, x):
        return tuple(tile[round((y + 0.5) * scale), round((x + 0.5) * scale)].tolist())

    background, wall, door = FACADE.colours
    assert [at(truth, *place) for place in ((5, 30), (15, 30), (25, 30), (35, 30))] == [background, wall, door, door]
    assert [at(predicted, *place) for place in ((5, 30), (15, 30), (25, 30), (35, 30))] == [
        background,
        wall,
        door,
        wall,
    ]
    dark = (54, 54, 54)  # 0.45 of the image's grey
    assert [at(errors, *place) for place in ((5, 30), (15, 30), (25, 30), (35, 30))] == [dark, dark, dark, door]
    assert at(image, 5, 30) == (120, 120, 120)


def test_the_gallery_of_several_classes_ranks_by_the_mean_and_names_the_classes(tmp_path):
    paths = make_facades(tmp_path, {"a": 0.2, "b": 0.9, "c": 0.6})
    chosen = gallery.choose(pd.read_csv(paths[0]), "argmax", "full")
    assert [choice.sample for choice in chosen] == ["b", "c", "a"]
    # Of c: 160 of the door's 400 pixels are taken for one of the wall's 1400.
    wall, door = 2 * 1400 / (2 * 1400 + 160), 2 * 240 / (2 * 240 + 160)
    assert chosen[1].dice == pytest.approx((1 + wall + door) / 3)
    gallery.draw_gallery(*paths, title="cmp", policy="fixed", region="roi", labels=FACADE)
    page = np.asarray(Image.open(paths[-1]).convert("RGB"))
    foot = page[-gallery.MARGIN - drawing.LINE :]
    for colour in FACADE.colours:
        assert (np.abs(foot.astype(int) - colour) < 12).all(axis=2).sum() > 300


@pytest.mark.parametrize(("name", "columns"), [("unet", 4), ("resnet152, finetuned_frozen", 3), ("long " * 15, 1)])
def test_a_legend_below_a_figure_fits_into_it(name, columns):
    from matplotlib import pyplot
    from matplotlib.lines import Line2D

    figure = pyplot.figure(figsize=(style.WIDTH, 5), layout="constrained")
    figure.subplots()
    style.legend_below(figure, [Line2D([], [], label=name) for _ in range(16)])
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert legend._ncols == columns
    assert columns == 1 or (box.x0 >= 0 and box.x1 <= figure.bbox.x1)
    pyplot.close(figure)


def test_a_legend_that_is_too_long_goes_on_in_the_next_line():
    entries = [(f"class number {i}", (10 * i, 0, 0)) for i in range(12)]
    assert drawing.legend_height(entries, 4000) == drawing.LINE
    assert drawing.legend_height(entries, 900) == 4 * drawing.LINE  # three in a line
    page = Image.new("RGB", (900 + 2 * drawing.MARGIN, 4 * drawing.LINE), "white")
    drawing.legend(gallery.ImageDraw.Draw(page), 0, entries, 900)
    colours = {tuple(colour) for colour in np.asarray(page).reshape(-1, 3).tolist()}
    assert {colour for _, colour in entries} <= colours
    assert (np.asarray(page)[:, 900 + drawing.MARGIN :] == 255).all()


@pytest.mark.parametrize("classes", [1, 2])
def test_void_has_a_colour_of_its_own_in_truth_and_errors(tmp_path, classes):
    _, masks, index, root, _ = make_cell(tmp_path, {"a": 0.5})
    truth = np.array(Image.open(root / "truth/a.png"))
    truth[8:12, :] = 128  # across the upper edge of the object; the prediction covers a part of it
    labels = LESION._replace(void=(128,)) if classes == 1 else several({"x": 255, "y": 7}, void=128)
    Image.fromarray(truth).save(root / "truth/a.png")
    if classes == 2:
        write_classes(masks / "a.png", (np.asarray(Image.open(masks / "a.png")) > 0).astype(np.uint8), labels.colours)
    row = pd.read_csv(index, dtype=str).fillna("").to_dict("records")[0]
    tiles = gallery.tiles_of(row, [masks / "a.png"], root, "roi", labels, side=60)
    image, of_truth, predicted, errors = (np.asarray(tile)[9] for tile in tiles)
    assert (of_truth == drawing.VOID).all() and (errors == drawing.VOID).all()
    assert not (image == drawing.VOID).all(axis=1).any() and not (predicted == drawing.VOID).all(axis=1).any()
    assert gallery.legend_of(labels)[-1] == drawing.VOID_ENTRY and drawing.VOID_ENTRY not in gallery.legend_of(LESION)
