"""The parts of the report: pictures that come back, tables, choices, drawings, the page itself."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup
from PIL import Image

from segstudy.config.cell import Cell
from segstudy.config.load import load_study
from segstudy.data.ground_truth import Truth
from segstudy.data.images.label_map import binary
from segstudy.report import content as collected
from segstudy.report import embed, gallery
from segstudy.report import tables as grids
from segstudy.report.cost import Point, Scores, Spent, cost_grid, pareto, spent
from segstudy.report.embed import Picture
from segstudy.report.external import ExternalPart
from segstudy.report.latex import experiment_sections, gather
from segstudy.report.page import embedded, render
from segstudy.report.provenance import Made, Remark, code_of
from segstudy.report.semi_supervised import FewLabels, by_share, few_labels
from segstudy.report.settings import settings_of
from segstudy.report.svg import ARROWS, STAGES, flow_svg, pareto_svg

SETTINGS = {
    "datasets": {"real": {"several": False, "phantom": None}, "drawn": {"several": False, "phantom": {"images": 9}}},
    "evaluation": {"metrics": ["dice", "pixel_error"], "headline": "fixed"},
}


PUBLISHED = {
    "source": "a thesis, table <3>",
    "note": "one run",
    "rows": [
        {"row": "all", "stratum": "", "values": {"pixel_error": 0.05, "dice": 0.7}},
        {"row": "one class", "stratum": "polyp", "values": {"dice": 0.8}},
    ],
}


def test_published_numbers_stand_with_their_source_and_as_not_measured_here():
    grid = grids.reference("x", PUBLISHED)
    assert grid.caption == "Published, not measured here: a thesis, table <3>." and grid.notes == ["one run"]
    assert grid.heads == ["Published row", "Stratum", "Dice", "Pixel error"]
    texts = [[value.text for value in row.values] for row in grid.rows]
    assert texts == [["all", "all", "0.700", "0.050"], ["one class", "polyp", "0.800", "–"]]
    assert grid.filters == {"stratum": ["all", "polyp"]} and not any(row.values[2].bold for row in grid.rows)


def decoded(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_levels_come_back_as_they_were():
    levels = np.random.default_rng(0).integers(0, 256, (37, 53), dtype=np.uint8)
    back = np.asarray(decoded(embed.exact(levels)))
    assert all((back[..., channel] == levels).all() for channel in range(3))


def test_a_figure_that_is_too_large_becomes_pixels(tmp_path, monkeypatch):
    Image.new("RGB", (3000, 1000), "white").save(tmp_path / "a.png")
    (tmp_path / "a.svg").write_text("<svg/>" + " " * 100)
    drawn = embed.figure(tmp_path / "a.svg", tmp_path / "a.png", "words")
    assert drawn.uri.startswith("data:image/svg+xml") and drawn[1:] == (3000, 1000, "words")
    monkeypatch.setattr(embed, "SVG_BYTES", 50)
    pixels = embed.figure(tmp_path / "a.svg", tmp_path / "a.png", "words")
    assert pixels.uri.startswith("data:image/webp") and max(decoded(pixels.uri).size) == embed.SIDE


def table():
    names = ["dataset", "row", "model", "loss", "recipe", "dice", "pixel_error"]
    lines = [
        ("real", "cell", "unet", "bce", "default", 0.8004, 0.2),
        ("real", "cell", "unet", "focal", "default", 0.7996, 0.1),
        ("real", "control", "all_background", "", "", 0.0, np.nan),
        ("drawn", "cell", "unet", "bce", "default", 0.5, 0.4),
    ]
    wide = pd.DataFrame(lines, columns=names).rename(
        columns={"dice": "test_dice_mean", "pixel_error": "test_pixel_error_mean"}
    )
    wide = wide.assign(test_dice_sd=0.01, test_dice_low=0.7, test_dice_high=0.9, test_dice_pooled=0.5)
    wide = wide.assign(test_dice_pooled_sd=np.nan, test_pixel_error_sd=np.nan, test_images=5)
    return wide.assign(val_images=0, train_images=0, seconds_mean=[10.0, 20.0, np.nan, 5.0])


def test_a_table_shows_intervals_and_marks_best_controls_and_drawn_data():
    (grid,) = grids.results("losses", table(), SETTINGS)
    assert grid.heads[:5] == ["Data set", "Network", "Loss", "Dice", "Dice 95 % interval"]
    first, second, control, drawn = grid.rows
    assert [value.text for value in first.values[3:5]] == ["0.800 ± 0.010", "0.700 to 0.900"]
    # The same three decimals: both are the best of their data set. Of the pixel error the lower one is.
    error = grid.heads.index("Pixel error")
    assert first.values[3].bold and second.values[3].bold and drawn.values[3].bold
    assert not first.values[error].bold and second.values[error].bold
    assert control.control and control.values[1].text == "all background" and not control.values[3].bold
    assert control.values[error].text == "–" and control.values[error].sort == ""
    assert drawn.values[0].text == "drawn (PHANTOM)" and first.values[0].text == "real"
    assert grid.filters == {"data set": ["real", "drawn"]}


def test_a_narrow_window_keeps_the_name_that_tells_rows_apart():
    several = [table().assign(loss=f"loss{i}") for i in range(4)]
    (grid,) = grids.results("losses", pd.concat(several, ignore_index=True), SETTINGS)
    assert grid.heads[grid.kept] == "Loss"


def few_files(results):
    """A cell that removes noise, and one that takes labels of a teacher."""
    noise = pd.DataFrame(
        {
            **{"sample": ["a", "b", "a"], "noise": ["gaussian", "gaussian", "salt_and_pepper"]},
            **{"level": [0.125, 0.125, 0.06], "psnr_noisy": [18.0, 19.0, 17.0], "psnr": [28.0, 30.0, 25.0]},
            **{"ssim_noisy": [0.1, 0.2, 0.3], "ssim": [0.7, 0.9, 0.6]},
        }
    )
    settings = SETTINGS | {
        "denoisers": [["drawn", "unet", "mse", "clean", 0]],
        "students": [
            {
                "cell": ["real", "unet", "bce", "pseudo", 1],
                "teacher": ["real", "unet", "bce", "default", 1],
                "unlabelled": "drawn",
            }
        ],
    }
    denoiser, student = results / "cells/drawn/unet/mse/clean/seed0", results / "cells/real/unet/bce/pseudo/seed1"
    (student / "pseudo").mkdir(parents=True)
    denoiser.mkdir(parents=True)
    noise.to_csv(denoiser / "denoising.csv", index=False)
    for path in ("denoising/drawn/unet/mse/clean/seed0", "pseudo/real/unet/bce/pseudo/seed1"):
        picture = results / "figures" / f"{path}.png"
        picture.parent.mkdir(parents=True)
        Image.new("RGB", (2400, 600), "white").save(picture)
    found = {"white": [0.05, 0.235], "computed": {"images": 2}, "confidence": None, "images": 20, "accepted": 15}
    (student / "pseudo/range.json").write_text(json.dumps(found))
    return settings


def told(grid, row):
    return dict(zip(grid.heads, [value.text for value in grid.rows[row].values], strict=True))


def test_noise_removed_and_labels_believed_are_told(tmp_path):
    found = few_labels(few_files(tmp_path), tmp_path)
    first, second = told(found.noise, 0), told(found.noise, 1)
    assert (first["Noise"], first["Level"], first["Images"]) == ("gaussian", "0.125", "2")
    assert (first["PSNR with noise, dB"], first["PSNR without, dB"]) == ("18.5", "29.0")
    assert (first["SSIM with noise"], first["SSIM without"]) == ("0.150", "0.800")
    assert first["Data set"] == "drawn (PHANTOM)" and second["Noise"] == "salt and pepper"
    labels = told(found.accepted, 0)
    assert (labels["Labelled by it"], labels["Accepted"], labels["Accepted, %"]) == ("20", "15", "75")
    assert labels["White allowed, %"] == "5.0 to 23.5" and labels["Range from"] == "2 training masks"
    assert labels["Teacher"] == "real/unet/bce/default/seed1" and labels["Least confidence"] == "–"
    assert [decoded(picture.uri).size for picture in (*found.denoised, *found.sheets)] == [(1200, 300)] * 2


def test_a_study_without_few_labels_shows_none(tmp_path):
    assert few_labels(SETTINGS | {"denoisers": [], "students": []}, tmp_path) == FewLabels(None, [], None, [], 0)


def test_labels_that_were_all_refused_or_none_at_all(tmp_path):
    settings = few_files(tmp_path)
    path = tmp_path / "cells/real/unet/bce/pseudo/seed1/pseudo/range.json"
    path.write_text(json.dumps({"white": None, "computed": None, "confidence": 0.9, "images": 0, "accepted": 0}))
    labels = told(few_labels(settings, tmp_path).accepted, 0)
    assert (labels["Accepted, %"], labels["White allowed, %"]) == ("no image", "any")
    assert (labels["Range from"], labels["Least confidence"]) == ("the config", "0.90")


def test_scores_by_share_of_the_labels():
    names = ["dataset", "row", "model", "loss", "recipe", "share", "labelled_images", "mean", "sd", "low", "high"]
    lines = [
        ("real", "cell", "unet", "bce", "default", 0.5, 2.5, 0.6, 0.02, 0.5, 0.7),
        ("real", "control", "all_background", "", "", np.nan, np.nan, 0.0, 0.0, 0.0, 0.0),
    ]
    wide = pd.DataFrame(lines, columns=names).assign(metric="dice", test_images=4.0, seeds=2)
    grid = by_share("shares", wide, SETTINGS)
    cell, control = told(grid, 0), told(grid, 1)
    assert (cell["Share of the labels, %"], cell["Labelled training images"]) == ("50", "2.5")
    assert (cell["Dice"], cell["Dice 95 % interval"], cell["Test images"]) == ("0.600 ± 0.020", "0.500 to 0.700", "4")
    assert control["Share of the labels, %"] == "–" and grid.rows[1].control


def test_the_code_of_each_network_has_its_own_fingerprint():
    def run(code, device="CPU"):
        record = {"git": None, "device": device, "threads": 1, "precision": "bf16", "interruptions": 0}
        return record | {"code": code}

    cells = [Cell("real", model, "bce", "default", seed) for model in ("unet", "encdec") for seed in (0, 1)]
    codes = ("aa", "aa", "bb", "cc")
    facts = dict(code_of({cell: run(code) for cell, code in zip(cells, codes, strict=True)}))
    assert facts["fingerprint of the training code, unet"] == "aa"
    assert facts["fingerprint of the training code, encdec"] == "bb (1 training); cc (1 training)"
    assert facts["device"] == "CPU, 1 thread, bf16"


def test_the_front_holds_what_nothing_beats():
    plots = pareto("losses", table(), SETTINGS)
    assert [(plot.dataset, plot.phantom) for plot in plots] == [("real", False), ("drawn", True)]
    # focal is slower and worse than bce.
    assert [point.front for point in plots[0].points] == [True, False]
    drawing = pareto_svg(plots[1])
    assert "PHANTOM" in drawing and 'role="img"' in drawing and "1: unet/bce, 0.500 after 5 s" in drawing


@pytest.mark.parametrize("seconds", [(5.0,), (5.0, 5.0), (0.5, 40_000.0)])
def test_a_plot_is_drawn_for_any_times(seconds):
    points = [Point(f"row {i}", s, 0.5, np.nan, np.nan, True) for i, s in enumerate(seconds)]
    drawing = pareto_svg(Scores("real", False, "Dice", points))
    places = [float(x) for x in re.findall(r'cx="([\d.-]+)"', drawing)]
    assert len(places) == len(seconds) and all(0 < x < 640 for x in places)
    assert drawing.count('class="tick"') >= 4


def test_costs_are_summed_over_trainings():
    runs = pd.DataFrame(
        {
            **{"dataset": "drawn", "model": "unet", "loss": "bce", "recipe": "default", "seed": [0, 1]},
            **{"seconds": [1800.0, 5400.0], "host": [500.0, 700.0], "gpu": [0.0, 900.0], "parameters": 1234},
            **{"flops": 2e9, "rate": [10.0, 30.0], "device": ["CPU", "GPU"]},
        }
    )
    assert spent(runs) == Spent(2, 2.0, 1.5, 700.0, 900.0, ["CPU", "GPU"])
    grid = cost_grid(runs, SETTINGS)
    told = dict(zip(grid.heads, [value.text for value in grid.rows[0].values], strict=True))
    assert told["Data set"] == "drawn (PHANTOM)" and told["Seconds"] == "3600 ± 2546"
    assert told["Peak memory, MB"] == "700" and told["Peak GPU memory, MB"] == "900"
    assert told["Weights"] == "1,234" and told["GFLOP/image, forward"] == "2" and told["Images/s"] == "20.0"


def scores(cells, images):
    """Dice of each image of each cell; the last cell sees the order turned round."""
    samples = [f"s{i:03d}" for i in range(images)]
    subsets = ["test"] * (images - 10) + ["val"] * 10
    ranks = np.linspace(0, 1, images)
    return {
        cell: pd.DataFrame({"sample": samples, "subset": subsets, "dice": ranks[::-1] if cell.seed == 9 else ranks})
        for cell in cells
    }


def source(images, strata):
    rows = {f"s{i:03d}": {"stratum": strata[i % len(strata)]} for i in range(images)}
    return gallery.Source(Path(), rows, binary("disc"), "full")


def test_the_gallery_has_worst_median_and_best_of_every_stratum():
    cells = [Cell("real", model, "bce", "default", 0) for model in ("a", "b")]
    chosen = gallery.choose(scores(cells, 60), {"real": source(60, ["x", "y"])})
    assert chosen[cells[0]] == chosen[cells[1]]
    own = chosen[cells[0]]
    assert {"s000", "s001", "s048", "s049"} <= set(own)  # of 50 test images, of either stratum
    assert len([name for name in own if name < "s050"]) == gallery.EACH["test"]
    assert len([name for name in own if name >= "s050"]) == gallery.EACH["val"]


def test_the_gallery_is_bounded_however_many_cells_there_are():
    cells = [Cell("real", f"m{i}", "bce", "default", seed) for i in range(60) for seed in (0, 9)]
    chosen = gallery.choose(scores(cells, 40), {"real": source(40, ["x"])})
    assert sum(map(len, chosen.values())) <= gallery.PREDICTIONS
    assert 0 < len(chosen) < len(cells) and list(chosen) == cells[: len(chosen)]
    assert {"s000", "s029"} <= set(chosen[cells[1]])  # the cell's own best and worst


def test_pictures_shrink_until_they_fit(monkeypatch):
    noise = np.random.default_rng(1).integers(0, 256, (300, 384), dtype=np.uint8)
    cell = Cell("real", "unet", "bce", "default", 0)
    found = gallery.Arrays({"real/a": np.stack([noise] * 3, axis=2)}, {"real/a": noise // 255}, {(cell, "a"): noise})
    side, coded = gallery.fitting(found, {"real": source(1, ["x"])})
    assert side == 384 and decoded(coded[f"{cell.path} a"]).size == (384, 300)
    monkeypatch.setattr(gallery, "BYTES", 100_000)
    side, coded = gallery.fitting(found, {"real": source(1, ["x"])})
    assert side < 384 and sum(map(len, coded.values())) <= 100_000
    assert decoded(coded[f"{cell.path} a"]).size == decoded(coded["truth real/a"]).size


def test_the_drawn_flow_names_rules_of_the_workflow():
    rules = "\n".join(path.read_text() for path in Path("rules").glob("*.smk"))
    known = set(re.findall(r"(?m)^rule (\w+):", rules))
    steps = {name for stage in STAGES for name, each in stage if each}
    assert steps <= known
    assert {name for arrow in ARROWS for name in arrow} <= steps | {"raw files", "this report"}
    cells = [["real", "unet", "bce", "default", seed] for seed in range(3)]
    settings = {"experiments": {"losses": {"cells": cells}}, "ancestors": [], "datasets": {"real": {}}}
    drawing = flow_svg(settings)
    assert "train × 3" in drawing and "split × 3" in drawing and "index × 1" in drawing


def test_settings_are_plain_values_without_the_place_of_the_data():
    config = {
        "study": "s",
        "datasets": {"ph2": {"root": "/somewhere/else"}},
        "models": {"unet": {}},
        "losses": {"bce": {}},
        "recipes": {"default": {}},
        "experiments": {"e": {"question": "Which?", "datasets": ["ph2"], "models": ["unet"], "losses": ["bce"]}},
    }
    settings = settings_of(load_study(config))
    assert json.loads(json.dumps(settings)) == settings
    assert "/somewhere/else" not in json.dumps(settings)
    assert settings["experiments"]["e"]["cells"] == [["ph2", "unet", "bce", "default", 0]]


def test_networks_at_every_policy_are_a_table_with_the_best_of_each(tmp_path):
    row = {"dataset": "real", "row": "cell", "model": "unet", "recipe": "default", "test_dice_low": 0.1}
    row |= {"test_dice_high": 0.9, "test_dice_sd": 0.01, "test_pixel_error_mean": 0.1, "test_pixel_error_sd": 0.0}
    row |= {"test_dice_pooled": 0.5, "test_dice_pooled_sd": 0.0}
    made = [
        row | {"loss": loss, "policy": policy, "threshold_low": low, "threshold_high": high, "test_dice_mean": mean}
        for loss, policy, low, high, mean in (
            *(("bce", "fixed", 0.5, 0.5, 0.6), ("focal", "fixed", 0.5, 0.5, 0.1)),
            *(("bce", "otsu", 0.25, 0.5, 0.6), ("focal", "otsu", 0.3, 0.3, 0.7)),
        )
    ]
    grid = grids.policies("losses-policies", pd.DataFrame(made), SETTINGS)
    assert grid.heads[:6] == ["Data set", "Network", "Loss", "Threshold", "Dice", "Dice 95 % interval"]
    assert [line.values[3].text for line in grid.rows] == ["0.5", "0.5", "0.250 to 0.500, Otsu", "0.300, Otsu"]
    assert [line.values[4].bold for line in grid.rows] == [True, False, False, True]
    assert grid.filters == {"chosen": ["fixed, 0.5", "Otsu"]}


def test_the_order_at_other_thresholds_is_the_first_sentence(tmp_path):
    pairs = pd.DataFrame({"dataset": ["real"], "metric": ["dice"], "with_best": [1], "sentence": ["a is better."]})
    names = {"dataset": "real", "row": "cell", "model": "unet", "recipe": "default", "gain": 0, "threshold_low": 0.5}
    means = (("a", "fixed", 0.5), ("b", "fixed", 0.4), ("a", "otsu", 0.5), ("b", "otsu", 0.6))
    policies = pd.DataFrame([names | {"loss": a, "policy": b, "test_dice_mean": c} for a, b, c in means])
    first, second = collected._sentences(pairs, policies, SETTINGS)["real"]
    assert (
        first.startswith("On real, the order of the rows by Dice depends on the threshold") and second == "a is better."
    )
    assert collected._sentences(pairs, None, SETTINGS) == {"real": ["a is better."]}
    assert collected._sentences(None, policies, SETTINGS) == {}


def test_embedded_values_cannot_end_their_element():
    text = str(embedded({"a": "</script><!-- \u2028"}))
    assert "<" not in text and "\u2028" not in text and json.loads(text) == {"a": "</script><!-- \u2028"}


class Page(HTMLParser):
    """What a page shows and where it points to."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data)


def content(phantoms=()):
    from segstudy.report.content import Content, Experiment, Facts

    picture = Picture("data:image/webp;base64,AAAA", 8, 6, 'curves of "losses" <1>')
    (grid,) = grids.results("losses", table(), SETTINGS)
    published = grids.reference("losses-reference0", PUBLISHED)
    experiment = Experiment(
        *("losses", "Which <loss>?", "words", ["drive: split <as> given."], bool(phantoms), [grid], [published]),
        *(picture, picture, grid._replace(key="losses-policies"), picture, picture),
        *(
            grid._replace(key="losses-shares"),
            None,  # no external test sets
            None,  # no corruptions
            {"real": [f"sentence {i}" for i in range(7)]},
            [grid._replace(key="losses-strata"), grid._replace(key="losses-annotators")],
            picture,
            None,
            picture,
            None,
            [(Scores("real", False, "Dice", [Point("unet/bce", 5.0, 0.5, 0.4, 0.6, True)]), Markup("<svg></svg>"))],
        ),
    )
    shown = {"side": 384, "datasets": {}, "samples": {}, "cells": [], "left_out": 3}
    made = Made(
        "a: 1\n", [("torch", "2")], [("git commit", "abc")], [("x", "1")], [Remark("a", "b", "")], ["snakemake"]
    )
    return Content(
        *(
            "s",
            list(phantoms),
            [Facts("real", "Real", "task", bool(phantoms), [("images", "9")], Markup("<p>card</p>"), picture, [])],
        ),
        *(
            [picture],
            [experiment],
            shown,
            [picture],
            FewLabels(grid._replace(key="noise"), [picture], grid._replace(key="accepted"), [picture], 2),
            grid._replace(key="trainings"),
            Spent(1, 1.0, 0.0, 500.0, 0.0, ["CPU"]),
            grid._replace(key="cost"),
            Markup("<svg></svg>"),
            made,
        ),
    )


def test_the_page_needs_nothing_else_and_every_picture_has_words():
    text = render(content())
    page = Page(text)
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("data:", "#")), (tag, attributes)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert images and all(image["alt"] == 'curves of "losses" <1>' for image in images)
    assert not re.search(r"https?://(?!www\.w3\.org)", text) and "@import" not in text and "url(" not in text
    assert "Which <loss>?" in "".join(page.text)  # escaped in the source
    assert "drive: split <as> given." in page.text and "By threshold" in page.text
    heads = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert heads[0] == 1 and all(b <= a + 1 for a, b in pairwise(heads))
    identifiers = [a["id"] for _, a in page.tags if "id" in a]
    assert len(set(identifiers)) == len(identifiers)
    assert "2 more pictures of this kind" in text and "0.500, 5 s" in "".join(page.text)
    assert "3 cells of the study are not shown" in text and "2 more sentences on real" in text


def test_what_came_out_on_external_test_sets_stands_with_what_came_out():
    page = content()
    experiment = page.experiments[0]
    figure, rows = experiment.ranking, experiment.results[0]
    part = ExternalPart(["unet loses 0.1 of Dice on chase."], figure, rows, figure)
    text = render(page._replace(experiments=[experiment._replace(external=part)]))
    assert text.count("unet loses 0.1 of Dice on chase.") == 2
    assert text.index(">Results</h2>") < text.index("unet loses 0.1") < text.index(">Tables</h2>")


def test_the_page_says_that_data_are_drawn():
    marks = {}
    for name, phantoms in (("real", []), ("drawn", ["real"])):
        page = Page(render(content(phantoms)))
        marks[name] = [attributes for _, attributes in page.tags if attributes.get("class") == "tag"]
        banners = [attributes for tag, attributes in page.tags if attributes.get("role") == "note"]
        assert len(banners) == len(phantoms)
    assert not marks["real"]
    assert len(marks["drawn"]) == 7  # the experiment in six sections, and the data set
    text = "".join(page.text)
    assert "PHANTOM data: the images of real are drawn" in text and "report (PHANTOM data)" in text


def test_the_paper_takes_in_every_table_and_figure(tmp_path):
    for name in ("a.tex", "a.strata.tex", "ab.tex"):
        (tmp_path / name).write_text(f"% {name}\n")
    for experiment in ("a", "ab"):
        (tmp_path / experiment).mkdir()
        Image.new("RGB", (8, 4)).save(tmp_path / experiment / "ranking.png")
    tables = [tmp_path / name for name in ("a.tex", "a.strata.tex", "ab.tex")]
    figures = [tmp_path / experiment / "ranking.png" for experiment in ("a", "ab")]
    sections = experiment_sections({"a": "Is 5 % enough?", "ab": "Why?"}, tables, figures, ["ab"])
    gather("s", sections, tmp_path / "paper")
    text = (tmp_path / "paper/content.tex").read_text()
    inputs = re.findall(r"\\input\{\\paper/([^}]*)\}", text)
    pictures = re.findall(r"\\includegraphics\[.*\]\{\\paper/([^}]*)\}", text)
    assert inputs == ["tables/a.tex", "tables/a.strata.tex", "tables/ab.tex"]
    assert pictures == ["figures/a-ranking.png", "figures/ab-ranking.png"]
    assert all((tmp_path / "paper" / path).is_file() for path in inputs + pictures)
    assert r"Is 5 \% enough?" in text and text.count("PHANTOM data.") == 1


def test_the_gallery_tells_void_from_what_lies_outside():
    ids = np.array([[1, 1, 0, 0], [1, 1, 0, 0]], np.uint8)
    void, roi = ids < 0, np.ones(ids.shape, bool)
    void[:, 1:3], roi[:, 2:] = True, False
    labels = binary("disc")._replace(void=(255,))
    for region, expected in (("roi", [1, 254, 255, 255]), ("full", [1, 254, 254, 0])):
        levels = gallery.truth_levels(Truth(ids, roi, void), region, labels, (4, 2))
        assert levels.dtype == np.uint8 and levels.tolist() == [expected] * 2
    assert gallery.truth_levels(Truth(ids, None), "roi", labels, (4, 2)).tolist() == ids.tolist()
