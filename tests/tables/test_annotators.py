"""Networks against several humans: every number against scikit-learn, and which networks lie in the humans' spread."""

import itertools

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import f1_score, recall_score

from segstudy.config.cell import Cell
from segstudy.data.images.label_map import binary, several, with_void
from segstudy.evaluation.aggregate import MEAN
from segstudy.evaluation.bootstrap import bootstrap_interval
from segstudy.tables.annotators import Source, compare_annotators, verdict
from tests.helpers.results import inputs, paths, texts, write

SAMPLES = ("a", "b", "c", "d")
NETWORKS = [Cell("mine", model, "dice", "default", seed) for model in ("good", "bad") for seed in (0, 1)]


def drawing(folder, name, array):
    path = folder / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8) * (255 if array.dtype == bool else 1)).save(path)
    return path


@pytest.fixture
def study(tmp_path):
    """Images of 12x12 that three humans have drawn, d by one alone, and masks of two networks and two seeds."""
    random = np.random.default_rng(3)
    noisy = lambda mask, rate: mask ^ (random.random(mask.shape) < rate)
    truth = {sample: random.random((12, 12)) < 0.4 for sample in SAMPLES}
    columns = ("mask", "second_mask", "mask_3")
    drawn = {(s, c): noisy(truth[s], 0.1) for s in SAMPLES for c in columns if s != "d" or c == "mask"}
    for (sample, column), mask in drawn.items():
        drawing(tmp_path / "raw" / column, sample, mask)
    field = np.zeros((12, 12), bool)
    field[:, 2:] = True
    drawing(tmp_path / "raw", "roi", field)
    rows = [
        {"sample": s, "image": f"{s}.png", "roi": "roi.png", "subset": "test"}
        | {c: f"{c}/{s}.png" if (s, c) in drawn else "" for c in columns}
        for s in SAMPLES
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "index.csv", index=False)
    pd.DataFrame(rows)[["sample", "subset"]].to_csv(tmp_path / "split.csv", index=False)
    predicted = {
        (cell, s): noisy(truth[s], 0.05 if cell.model == "good" else 0.4) for cell in NETWORKS for s in SAMPLES
    }
    for (cell, sample), mask in predicted.items():
        drawing(tmp_path / "cells" / f"{cell.model}{cell.seed}", sample, mask)
    return tmp_path, drawn, predicted, field


def compared(folder, cells=NETWORKS, labels=None, truth="first", region="roi"):
    counts = write(folder, "counts.csv", [(sample, 5, 1, 1, 30) for sample in SAMPLES], region=region)
    made = inputs(
        [(cell, counts) for cell in cells],
        outputs=paths(folder / "out"),
        protocols={"mine": {"split": "test", "size": "12x12", "phantom": False}},
        regions={"mine": region},
    )
    splits = dict.fromkeys((0, 1), folder / "split.csv")
    source = Source(folder / "index.csv", splits, folder / "raw", labels or binary("x"), truth)
    masks = [(cell, folder / "cells" / f"{cell.model}{cell.seed}") for cell in cells]
    compare_annotators(made, masks, {"mine": source})
    written = texts(made.outputs)
    table = written["table"].fillna({"loss": "", "recipe": ""})
    return written, table.set_index(["model", "against", "metric"])


def test_every_dice_is_that_of_scikit_learn(study):
    folder, drawn, predicted, field = study
    _, table = compared(folder)
    humans = {f"human {k}": column for k, column in enumerate(("mask", "second_mask", "mask_3"), start=1)}

    def scores(one, other, where, score=f1_score):
        return [score(other[s][where[s]], one[s][where[s]]) for s in "abc"]

    inside = dict.fromkeys("abc", field)
    of = {human: {s: drawn[s, column] for s in "abc"} for human, column in humans.items()}
    pairs = {pair: scores(of[pair[0]], of[pair[1]], inside) for pair in itertools.combinations(humans, 2)}
    for (one, other), values in pairs.items():
        for key in ((one, other, "dice"), (other, one, "dice")):
            assert table.loc[key, "mean"] == pytest.approx(np.mean(values))
    sensitivity = scores(of["human 1"], of["human 2"], inside, recall_score)
    assert table.loc[("human 1", "human 2", "sensitivity"), "mean"] == pytest.approx(np.mean(sensitivity))
    majority = {s: sum(mask[s].astype(int) for mask in of.values()) >= 2 for s in "abc"}
    votes = {s: sum(mask[s].astype(int) for mask in of.values()) for s in "abc"}
    agreed = {s: field & np.isin(votes[s], (0, 3)) for s in "abc"}
    spread = np.mean([*pairs.values()], axis=0)
    assert table.loc[("humans", "humans", "dice"), "mean"] == pytest.approx(spread.mean())
    for model in ("good", "bad"):
        masks = [{s: predicted[cell, s] for s in "abc"} for cell in NETWORKS if cell.model == model]
        for human, mask in of.items():
            values = np.array([scores(seed, mask, inside) for seed in masks])
            assert table.loc[(model, human, "dice"), "mean"] == pytest.approx(values.mean())
            assert table.loc[(model, human, "dice"), "sd"] == pytest.approx(values.mean(axis=1).std(ddof=1))
        for against, wanted, where in (("consensus", majority, inside), ("agreed", majority, agreed)):
            values = np.array([scores(seed, wanted, where) for seed in masks])
            assert table.loc[(model, against, "dice"), "mean"] == pytest.approx(values.mean()), against
        n = np.array([np.mean([scores(seed, mask, inside) for mask in of.values()], axis=0) for seed in masks])
        difference = table.loc[(model, "humans", "dice_difference")]
        assert difference["mean"] == pytest.approx((n - spread).mean())
        assert (difference["low"], difference["high"]) == pytest.approx(bootstrap_interval(n - spread))
        assert table.loc[(model, "humans", "williams_index"), "mean"] == pytest.approx(n.mean() / spread.mean())
    assert set(table["images"]) == {3} and table.loc[("good", "humans", "dice"), "seeds"] == 2


def test_the_readable_table_says_who_lies_in_the_spread(study):
    written, table = compared(study[0])
    assert table.loc[("bad", "humans", "dice_difference"), "verdict"] == "below"
    assert table.loc[("good", "humans", "dice_difference"), "verdict"] in ("within", "above")
    for kind in ("md", "tex", "html"):
        assert "bad/dice on mine lies below the humans" in written[kind].replace(r"\allowbreak{}", "")
    lines = written["md"].splitlines()
    assert [line for line in lines if line.startswith("| mine | bad | dice |") and line.endswith("| below |")]
    assert next(line for line in lines if line.startswith("| mine | *human 2* | *human* |")).count("–") == 5
    assert "Human against human on mine: mean Dice" in written["md"] and "3 annotators, 3 images" in written["md"]
    assert "a tie being background" in written["md"]


@pytest.mark.parametrize(("low", "high", "word"), [(-0.2, -0.1, "below"), (-0.1, 0.0, "within"), (0.1, 0.2, "above")])
def test_a_verdict_follows_from_the_interval(low, high, word):
    assert verdict(low, high) == word and verdict(float("nan"), float("nan")) == ""


def test_void_of_one_human_counts_for_neither(study):
    """Of the second human's mask the last rows are void: as if the image were smaller for whoever meets it."""
    folder, drawn, predicted, _ = study
    second = {s: drawn[s, "second_mask"].astype(np.uint8) * 255 for s in "abc"}
    for sample, array in second.items():
        array[8:] = 128
        drawing(folder / "raw/second_mask", sample, array)
    _, table = compared(folder, labels=with_void(binary("x"), 128), region="full")
    scores = [f1_score(drawn[s, "second_mask"][:8].ravel(), drawn[s, "mask"][:8].ravel()) for s in "abc"]
    assert table.loc[("human 1", "human 2", "dice"), "mean"] == pytest.approx(np.mean(scores))
    cell = NETWORKS[0]
    with_three = [f1_score(drawn[s, "mask_3"].ravel(), predicted[cell, s].ravel()) for s in "abc"]
    _, one = compared(folder, [cell], with_void(binary("x"), 128), region="full")
    assert one.loc[("good", "human 3", "dice"), "mean"] == pytest.approx(np.mean(with_three))
    alike = {s: np.all([drawn[s, c] == drawn[s, "mask"] for c in ("second_mask", "mask_3")], axis=0) for s in "abc"}
    for mask in alike.values():
        mask[8:] = False
    agreed = [f1_score(drawn[s, "mask"][alike[s]], predicted[cell, s][alike[s]]) for s in "abc"]
    assert one.loc[("good", "agreed", "dice"), "mean"] == pytest.approx(np.mean(agreed))


def test_with_a_joined_truth_the_consensus_is_that_mask(study):
    folder, drawn, _, field = study
    index = pd.read_csv(folder / "index.csv", keep_default_na=False)
    index["mask_1"] = index["mask"]
    for sample in "abc":
        union = np.any([drawn[sample, c] for c in ("mask", "second_mask", "mask_3")], axis=0)
        drawing(folder / "raw/joined", sample, union)
        index.loc[index["sample"] == sample, "mask"] = f"joined/{sample}.png"
    index.to_csv(folder / "index.csv", index=False)
    written, table = compared(folder, truth="union")
    unions = {s: np.any([drawn[s, c] for c in ("mask", "second_mask", "mask_3")], axis=0) for s in "abc"}
    scores = [f1_score(unions[s][field], drawn[s, "mask"][field]) for s in "abc"]
    assert table.loc[("human 1", "consensus", "dice"), "mean"] == pytest.approx(np.mean(scores))
    assert "what any annotator of an image calls object" in written["md"] and set(table["truth"]) == {"union"}


def test_several_classes_are_told_each_and_in_the_mean(tmp_path):
    """Two classes, three humans, a network: every Dice against scikit-learn, and the mean of those defined."""
    random = np.random.default_rng(5)
    labels = several({"cup": 100, "disc": 200})
    names = [f"i{k}" for k in range(4)]
    truth = {name: random.integers(0, 2 if name == "i0" else 3, (10, 10)) for name in names}  # i0 has no disc
    change = lambda ids, rate, most: np.where(random.random(ids.shape) < rate, random.integers(0, most, ids.shape), ids)
    columns = ("mask", "second_mask", "mask_3")
    drawn = {(n, c): change(truth[n], 0.2, 2 if n == "i0" else 3) for n in names for c in columns}
    for (name, column), ids in drawn.items():
        drawing(tmp_path / "raw" / column, name, ids * 100)
    predicted = {name: change(truth[name], 0.1, 2 if name == "i0" else 3) for name in names}
    for name, ids in predicted.items():
        drawing(tmp_path / "cells/good0", name, ids)
    rows = [
        {"sample": n, "image": "", "roi": "", "subset": "test"} | {c: f"{c}/{n}.png" for c in columns} for n in names
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "index.csv", index=False)
    pd.DataFrame(rows)[["sample", "subset"]].to_csv(tmp_path / "split.csv", index=False)
    written, _ = compared(tmp_path, [Cell("mine", "good", "dice", "default", 0)], labels, region="full")
    table = written["table"].set_index(["class", "model", "against", "metric"])["mean"]
    assert list(dict.fromkeys(written["table"]["class"])) == [MEAN, "cup", "disc"]

    def scores(number, one, other, names):
        return [f1_score((other[n] == number).ravel(), (one[n] == number).ravel()) for n in names]

    humans = {f"human {k}": {n: drawn[n, c] for n in names} for k, c in enumerate(columns, start=1)}
    for human, ids in humans.items():
        cup, disc = scores(1, predicted, ids, names), scores(2, predicted, ids, names[1:])
        assert table["cup", "good", human, "dice"] == pytest.approx(np.mean(cup))
        assert table["disc", "good", human, "dice"] == pytest.approx(np.mean(disc))
        both = [cup[0], *np.mean([cup[1:], disc], axis=0)]
        assert table[MEAN, "good", human, "dice"] == pytest.approx(np.mean(both))
    votes = {n: np.stack([humans[h][n] for h in humans]) for n in names}
    consensus = {n: np.select([(v == k).sum(axis=0) >= 2 for k in (1, 2)], [1, 2], 0) for n, v in votes.items()}
    disc = scores(2, predicted, consensus, names[1:])
    assert table["disc", "good", "consensus", "dice"] == pytest.approx(np.mean(disc))
    text = written["md"]
    assert f"mine, {MEAN}, " in text
    assert "mine, cup, " in text and "mine, disc, " in text and text.count("Human against human on mine") == 1


def test_without_a_second_human_the_table_says_so(study):
    folder = study[0]
    index = pd.read_csv(folder / "index.csv", keep_default_na=False).assign(second_mask="", mask_3="")
    index.to_csv(folder / "index.csv", index=False)
    written, table = compared(folder)
    assert table.empty and "No test image has the masks of two annotators: mine." in written["md"]
    assert "No test image" in written["tex"] and "No test image" in written["html"]
