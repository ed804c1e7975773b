"""The table of annotators on the page: a row for each comparison, the difference where it belongs, sentences below."""

import math

import pandas as pd

from segstudy.report.annotators import annotators

SETTINGS = {"datasets": {"eyes": {"phantom": None}}}


def line(model, against, mean, metric="dice", verdict="", **changes):
    row = {
        "dataset": "eyes",
        "phantom": 0,
        "class": "vessel",
        "row": "cell",
        "model": model,
        "loss": "bce",
        "recipe": "default",
    }
    row |= {"against": against, "metric": metric, "mean": mean, "sd": math.nan, "low": mean - 0.1, "high": mean + 0.1}
    return row | {"images": 20, "seeds": 1, "undefined": 0, "verdict": verdict or math.nan} | changes


def test_the_grid():
    human = {"row": "human", "loss": "", "recipe": ""}
    table = pd.DataFrame(
        [
            line("unet", "human 1", 0.8),
            line("unet", "agreed", 0.9),
            line("unet", "humans", 0.75),
            line("unet", "humans", -0.05, "dice_difference", "within"),
            line("unet", "humans", 0.94, "williams_index"),
            line("human 1", "human 2", 0.8, **human),
            line("humans", "humans", 0.8, **human),
        ]
    )
    grid = annotators("x-annotators", table, SETTINGS)
    texts = {(row.values[1].text, row.values[3].text): [value.text for value in row.values] for row in grid.rows}
    assert list(texts) == [
        *(("unet", "human 1"), ("unet", "agreed pixels"), ("unet", "mean of humans")),
        *(("human 1", "human 2"), ("humans", "all pairs")),
    ]
    difference = grid.heads.index("Difference")
    assert texts["unet", "mean of humans"][difference:] == ["-0.050 (-0.150 to +0.050)", "within", "20"]
    assert texts["unet", "human 1"][difference : difference + 2] == ["–", "–"]
    assert [row.control for row in grid.rows] == [False] * 3 + [True] * 2
    assert len(grid.notes) == 2 and "within the humans' spread" in grid.notes[1] and "index 0.940" in grid.notes[1]
