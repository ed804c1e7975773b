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
from PIL import Image

from segstudy.config import Cell
from segstudy.config.study import load_study
from segstudy.labels import binary
from segstudy.report import embed, gallery, grids
from segstudy.report.cost import Point, Scores, Spent, cost_grid, pareto, spent
from segstudy.report.drawings import ARROWS, STAGES, flow_svg, pareto_svg
from segstudy.report.embed import Picture
from segstudy.report.made import Made, Remark
from segstudy.report.page import embedded, render
from segstudy.report.paper import gather
from segstudy.report.settings import settings_of

SETTINGS = {
    "datasets": {"real": {"several": False, "phantom": None}, "drawn": {"several": False, "phantom": {"images": 9}}},
    "evaluation": {"metrics": ["dice", "pixel_error"], "headline": "fixed"},
}


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


def test_the_front_holds_what_nothing_beats():
    plots = pareto("losses", table(), SETTINGS)
    assert [(plot.dataset, plot.phantom) for plot in plots] == [("real", False), ("drawn", True)]
    # focal is slower and worse than bce.
    assert [point.front for point in plots[0].points] == [True, False]
    drawing = pareto_svg(plots[1])
    assert "PHANTOM" in drawing and 'role="img"' in drawing and "unet/bce/default, 0.500 after 5 s" in drawing


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
    found = gallery.Found({"real/a": np.stack([noise] * 3, axis=2)}, {"real/a": noise // 255}, {(cell, "a"): noise})
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
    experiment = Experiment(
        *("losses", "Which <loss>?", "words", bool(phantoms), [grid], picture, picture, picture),
        *(
            {"real": [f"sentence {i}" for i in range(7)]},
            [grid._replace(key="losses-strata")],
            picture,
            None,
            picture,
            None,
            [("real", "<svg></svg>")],
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
            [Facts("real", "Real", "task", bool(phantoms), [("images", "9")], "<p>card</p>", picture)],
        ),
        *(
            [picture],
            [experiment],
            shown,
            [picture],
            [picture],
            grid._replace(key="trainings"),
            Spent(1, 1.0, 0.0, 500.0, 0.0, ["CPU"]),
            grid._replace(key="cost"),
            "<svg></svg>",
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
    heads = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert heads[0] == 1 and all(b <= a + 1 for a, b in pairwise(heads))
    identifiers = [a["id"] for _, a in page.tags if "id" in a]
    assert len(set(identifiers)) == len(identifiers)
    assert "3 cells of the study are not shown" in text and "2 more sentences on real" in text


def test_the_page_says_that_data_are_drawn():
    marks = {}
    for name, phantoms in (("real", []), ("drawn", ["real"])):
        page = Page(render(content(phantoms)))
        marks[name] = [attributes for _, attributes in page.tags if attributes.get("class") == "tag"]
        banners = [attributes for tag, attributes in page.tags if attributes.get("role") == "note"]
        assert len(banners) == len(phantoms)
    assert not marks["real"]
    assert len(marks["drawn"]) == 6  # the experiment in five sections, and the data set
    text = "".join(page.text)
    assert "PHANTOM data: the images of real are drawn" in text and "report (PHANTOM data)" in text


def test_the_paper_takes_in_every_table_and_figure(tmp_path):
    for name in ("a.tex", "a.strata.tex", "ab.tex"):
        (tmp_path / name).write_text(f"% {name}\n")
    for experiment in ("a", "ab"):
        (tmp_path / experiment).mkdir()
        (tmp_path / experiment / "ranking.png").write_bytes(b"png")
    tables = [tmp_path / name for name in ("a.tex", "a.strata.tex", "ab.tex")]
    figures = [tmp_path / experiment / "ranking.png" for experiment in ("a", "ab")]
    gather("s", {"a": "Is 5 % enough?", "ab": "Why?"}, tables, figures, ["ab"], tmp_path / "paper")
    text = (tmp_path / "paper/report.tex").read_text()
    inputs = re.findall(r"\\input\{\\paper/([^}]*)\}", text)
    pictures = re.findall(r"\\includegraphics\[.*\]\{\\paper/([^}]*)\}", text)
    assert inputs == ["tables/a.tex", "tables/a.strata.tex", "tables/ab.tex"]
    assert pictures == ["figures/a-ranking.png", "figures/ab-ranking.png"]
    assert all((tmp_path / "paper" / path).is_file() for path in inputs + pictures)
    assert r"Is 5 \% enough?" in text and text.count("PHANTOM data.") == 1
