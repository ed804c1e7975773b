"""The part of the report on external test sets, and the figure in it."""

import pandas as pd
from PIL import Image

from segstudy.figures.matrix import draw_matrix
from segstudy.report.external import external_part
from segstudy.tables.external import COLUMNS


def rows():
    """Two networks at home and on one external test set, of which the second network has no value there."""
    fixed = {"trained_on": "drive", "loss": "bce", "recipe": "default", "class": "vessel", "region": "roi"}
    fixed |= {"row": "cell", "policy": "fixed", "metric": "dice", "phantom": 1, "seeds": 2}
    lines = []
    for model, home, away in (("unet", 0.8, 0.6), ("wnet", 0.7, None)):
        for name, value in (("drive", home), ("chase", away)):
            own = name == "drive"
            line = {"model": model, "tested_on": name, "pair": f"drive → {name}", "own": int(own), "mean": value}
            ends = {} if value is None else {"low": value - 0.1, "high": value + 0.1}
            drop = {} if own or value is None else {"drop": 0.2, "drop_low": 0.15, "drop_high": 0.25}
            rank = {"rank": 1 + (model == "wnet"), "first": float(model == "unet"), "images": 20}
            lines.append(fixed | line | ends | drop | rank | ({} if own else {"tau": 1.0}))
    return pd.DataFrame(lines).reindex(columns=COLUMNS)


def test_the_report_shows_the_heat_map_the_rows_and_the_sentences(tmp_path):
    results = tmp_path / "results/tiny"
    figures = results / "figures/elsewhere"
    figures.mkdir(parents=True)
    (results / "tables").mkdir()
    assert external_part("elsewhere", results) is None
    rows().to_csv(results / "tables/elsewhere.external.csv", index=False)
    draw_matrix(rows(), "elsewhere", {kind: figures / f"matrix.{kind}" for kind in ("svg", "png")})
    Image.new("RGB", (40, 30)).save(figures / "external_strips.png")
    part = external_part("elsewhere", results)
    assert [row.values[0].text for row in part.grid.rows] == [
        "drive, own test images (PHANTOM)", "drive → chase (PHANTOM)",
    ] * 2  # fmt: skip
    texts = [value.text for value in part.grid.rows[1].values]
    assert texts[3:] == ["0.600", "0.500 to 0.700", "0.200", "0.150 to 0.250", "1", "100", "20"]
    assert part.grid.filters == {"tested on": ["drive", "chase"]}
    control = {"row": "control", "model": "second_human", "loss": "", "recipe": "", "tested_on": "chase", "own": 0}
    control |= {"trained_on": "drive", "pair": "drive → chase", "mean": 0.7, "phantom": 0}
    more = pd.concat([rows(), pd.DataFrame([control])]).reindex(columns=COLUMNS)
    more.to_csv(results / "tables/elsewhere.external.csv", index=False)
    with_control = external_part("elsewhere", results)
    last = with_control.grid.rows[-1]
    assert [value.text for value in last.values] == [
        *["drive → chase", "second human", "–", "0.700", "–", "–", "–", "–", "–", "–"],
    ]
    assert last.control and with_control.grid.filters["rows"] == ["networks", "controls"]
    assert with_control.sentences == part.sentences
    assert part.sentences[0].startswith(
        "Trained on drive (PHANTOM), unet, the best there, loses 0.200 of Dice on chase"
    )
    assert part.figure.uri.startswith("data:image/svg+xml") and "Heat map of Dice" in part.figure.alt
    assert (part.strips.width, part.strips.height) == (40, 30)


def test_the_heat_map_is_wider_for_more_test_sets_and_the_same_twice(tmp_path):
    sets = [rows().replace({"chase": name}) for name in ("chase", "stare", "hrf")]
    more = pd.concat([sets[0], *(part[part["own"] == 0] for part in sets[1:])])
    outputs = [{kind: tmp_path / f"{n}.{kind}" for kind in ("svg", "png")} for n in range(3)]
    for table, paths in zip((rows(), more, rows()), outputs, strict=True):
        draw_matrix(table, "elsewhere", paths)
    widths = [Image.open(paths["png"]).width for paths in outputs]
    assert widths[1] > widths[0]
    assert outputs[0]["png"].read_bytes() == outputs[2]["png"].read_bytes()
