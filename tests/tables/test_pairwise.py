"""Comparisons of an experiment from counts to sentences, and its ranking drawn, on constructed studies."""

import re
from io import StringIO
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from segstudy.config.cell import Cell
from segstudy.config.evaluation import NEEDS
from segstudy.config.load import load_study, read_config
from segstudy.config.study import Evaluation
from segstudy.core.errors import StudyError
from segstudy.evaluation.aggregate import METRICS
from segstudy.figures import ranking as drawn
from segstudy.figures import style
from segstudy.study.summary import SENTENCES, _sentences, show
from segstudy.tables.pairwise import PAIRS, compare_pairs, shown_pairs
from segstudy.tables.pairwise_text import sentence, sides
from segstudy.tables.ranking import rank_rows
from segstudy.tables.variants import variants_of
from tests.helpers.results import PROTOCOL, inputs, paths, texts

ROOT = Path(__file__).resolve().parents[2]


def counts(dice, control=None):
    """Counts of test images with the given Dice (multiples of 0.001), and of a training image that nobody may use."""
    rows = []
    for sample, value in {**dice, "train": 0.001}.items():
        tp = round(1000 * value)
        row = {"sample": sample, "subset": "train" if sample == "train" else "test", "class": "vessel"}
        row |= {"region": "full", "policy": "none" if control else "fixed", "threshold": "" if control else 0.5}
        rows.append(({"control": control} if control else {}) | row | {"tp": tp, "fp": 1000 - tp, "fn": 1000 - tp})
    return pd.DataFrame(rows).assign(tn=9000)


def study(folder, rows, controls=None, dataset="drive"):
    """Write counts; `rows` maps (model, loss, seed) to the Dice of each image."""
    cells = []
    for (model, loss, seed), dice in rows.items():
        path = folder / f"{dataset}-{model}-{loss}-{seed}.csv"
        counts(dice).to_csv(path, index=False)
        cells.append((Cell(dataset, model, loss, "default", seed), path))
    made = []
    for seed in sorted({seed for *_, seed in rows}) if controls else []:
        path = folder / f"{dataset}-controls-{seed}.csv"
        pd.concat([counts(dice, name) for name, dice in controls.items()]).to_csv(path, index=False)
        made.append((dataset, seed, path))
    return cells, made


def images(base, gain=0.0, count=12):
    """Dice of images of which each is harder than the one before, and gains a little more."""
    return {f"s{i}": round(base - 0.02 * i + gain * (1 + 0.05 * i), 3) for i in range(count)}


def compare(folder, cells, controls, phantom=False, metric="dice", **changes):
    outputs = paths(folder / "out")
    protocols = {cell.dataset: PROTOCOL | {"phantom": phantom} for cell, _ in cells}
    compare_pairs(inputs(cells, controls, outputs, protocols, question="Which?", **changes), metric)
    return texts(outputs)


@pytest.fixture
def three(tmp_path):
    """unet/bce is 0.1 better than encdec on every image; unet/dice differs from unet/bce to and fro."""
    to_and_fro = {name: value + 0.004 * (-1) ** i for i, (name, value) in enumerate(images(0.9).items())}
    rows = {("encdec", "bce"): images(0.9, -0.1), ("unet", "bce"): images(0.9), ("unet", "dice"): to_and_fro}
    both = {(*key, seed): dice for key, dice in rows.items() for seed in (0, 1)}
    return study(tmp_path, both, {"all_background": dict.fromkeys(images(0.9), 0.0), "second_human": images(0.85)})


def test_pairs_have_their_numbers_and_controls_are_none_of_them(tmp_path, three):
    made = compare(tmp_path, *three)
    table = made["table"]
    names = list(zip(table["model_a"] + "/" + table["loss_a"], table["model_b"] + "/" + table["loss_b"], strict=True))
    assert names == [("encdec/bce", "unet/bce"), ("encdec/bce", "unet/dice"), ("unet/bce", "unet/dice")]
    gains = np.array([0.1 * (1 + 0.05 * i) for i in range(12)])
    first = table.iloc[0]
    assert first["difference"] == pytest.approx(-gains.mean(), abs=1e-3)
    assert first["mean_b"] == pytest.approx(np.mean(list(images(0.9).values())))
    assert first["low"] < -gains.mean() < first["high"] < 0
    assert first["p"] == pytest.approx(2 / 2**12)  # all twelve images one way
    assert first["p_holm"] == pytest.approx(3 * first["p"])
    assert (first["rank_biserial"], first["verdict"], first["family"]) == (-1, "second", 3)
    assert (first["images"], first["seeds"], first["seeds_agree"]) == (12, 2, 2)
    assert list(table["verdict"]) == ["second", "second", "open"]


def test_an_interval_wider_than_dice_allows_is_cut_and_the_caption_says_so(tmp_path, three):
    rows = {("unet", "bce", seed): images(0.9) for seed in (0, 1)}
    rows |= {("encdec", "bce", 0): images(0.9), ("encdec", "bce", 1): images(0.4)}
    (tmp_path / "wide").mkdir()
    made = compare(tmp_path, *study(tmp_path / "wide", rows))
    pair = made["table"].iloc[0]
    assert (pair["low"], pair["high"], pair["verdict"]) == (-1, 1, "open")
    cut = "Intervals are cut at -1 and 1, the largest differences of Dice"
    assert "95 % interval -1.000 to 1.000" in pair["sentence"]
    assert cut in made["md"] and cut in made["html"] and "Intervals are cut at" in made["tex"]
    assert cut not in compare(tmp_path, *three)["md"]


def test_the_words_say_what_the_numbers_do_in_every_format(tmp_path, three):
    made = compare(tmp_path, *three)
    first, _, last = made["table"]["sentence"]
    assert re.fullmatch(
        r"On drive at threshold 0.5, unet is better than encdec \(bce\) by 0.128 of Dice "
        r"\(95 % interval 0.1\d\d to 0.1\d\d, Holm p = 0.001, n = 12\)\.",
        first,
    )
    assert re.fullmatch(
        r"On drive at threshold 0.5, bce and dice \(unet\) cannot be told apart "
        r"\(difference 0.000, 95 % interval -0.00\d to 0.00\d, n = 12\)\.",
        last,
    )
    for kind in ("md", "html"):
        assert first in made[kind] and last in made[kind] and "signed-rank test" in made[kind]
    assert first.replace("%", r"\%") in made["tex"]
    assert made["tex"].count("{") == made["tex"].count("}")
    row = next(line for line in made["md"].splitlines() if line.startswith("| drive | encdec/bce | unet/bce |"))
    assert "| **-0.128** |" in row and "| 2 of 2 |" in row and "| <0.001 | <0.001 | 0.001 | -1.000 |" in row


def test_drawn_data_are_named_in_every_sentence(tmp_path, three):
    made = compare(tmp_path, *three, phantom=True)
    assert made["table"]["sentence"].str.startswith("On drive (PHANTOM) at threshold 0.5, ").all()
    assert "(PHANTOM data: drive)" in made["md"]


def test_too_few_images_for_the_test_are_said_so(tmp_path):
    rows = {("unet", loss, 0): images(0.9, gain, 5) for loss, gain in (("bce", 0), ("dice", 0.05))}
    made = compare(tmp_path, *study(tmp_path, rows))
    assert made["table"]["p"].item() == pytest.approx(0.0625)
    assert made["table"]["verdict"].item() == "disagree"
    assert "n = 5, too few for the test to reach 0.05" in made["md"]
    assert "With 5 images and 1 pair no corrected p can be below 0.062" in made["md"]
    assert "One seed: what is compared are these trainings" in made["md"]
    made = compare(tmp_path, *study(tmp_path, {key: images(0.9, 0.05 * i, 6) for i, key in enumerate(rows)}))
    assert made["table"]["verdict"].item() == "second" and "too few" not in made["md"]


def test_where_less_is_better_the_one_with_less_is(tmp_path, three):
    made = compare(tmp_path, *three, metric="pixel_error")
    first = made["table"].iloc[0]
    assert first["difference"] > 0 and first["verdict"] == "second"
    assert "unet is better than encdec (bce) by 0.0" in first["sentence"] and "of Pixel error" in first["sentence"]


def test_splits_of_their_own_are_paired_within_the_seed(tmp_path):
    """Each seed tests other images but one; that one counts once."""
    rows = {}
    for loss, gain in (("bce", 0.0), ("dice", 0.05)):
        whole = images(0.9, gain, 15)
        rows |= {("unet", loss, 0): dict(list(whole.items())[:8]), ("unet", loss, 1): dict(list(whole.items())[7:])}
    found = compare(tmp_path, *study(tmp_path, rows))["table"].iloc[0]
    assert (found["images"], found["seeds"]) == (15, 2)
    gains = [0.05 * (1 + 0.05 * i) for i in range(15)]
    assert found["difference"] == pytest.approx(-(np.mean(gains[:8]) + np.mean(gains[7:])) / 2, abs=1e-3)
    assert found["p"] == pytest.approx(2 / 2**15)


def test_many_rows_show_the_pairs_of_the_best_and_of_the_first():
    names = [("cell", f"n{i}", "bce", "default") for i in range(11)]
    pairs, best = shown_pairs(names, {name: float(i != 4) * i for i, name in enumerate(names)}, "higher")
    assert best == names[10] and len(pairs) == 2 * 10 - 1 and all({names[0], best} & set(pair) for pair in pairs)
    pairs, best = shown_pairs(names[:10], dict.fromkeys(names[:10], 0.5) | {names[3]: 0.1}, "lower")
    assert best == names[3] and len(pairs) == PAIRS


def test_the_correction_is_over_pairs_that_are_not_shown_too(tmp_path):
    rows = {(f"n{i}", "bce", 0): images(0.9, 0.01 * i) for i in range(11)}
    made = compare(tmp_path, *study(tmp_path, rows))
    assert len(made["table"]) == 19 and set(made["table"]["family"]) == {55}
    assert "Of 55 pairs, all of them tested, those with the best and with the first row are shown." in made["md"]
    assert "7 sentences more stand in the column 'sentence' of the csv." in made["md"]


def test_names_are_what_tells_two_rows_apart():
    pair = {f"{name}_{side}": f"{name[0]}" for name in ("model", "loss", "recipe") for side in "ab"}
    assert sides(pair | {"recipe_b": "long"}) == ("r", "long", " (m, l)")
    assert sides(pair | {"loss_b": "dice"}) == ("l", "dice", " (m, r)")
    assert sides(pair | {"loss_b": "dice", "model_b": "unet"}) == ("m/l", "unet/dice", " (r)")


def pair(**changes):
    names = {"model_a": "unet", "model_b": "unet", "loss_a": "bce", "loss_b": "dice"}
    names |= {"recipe_a": "default", "recipe_b": "default", "dataset": "drive", "phantom": 0, "metric": "dice"}
    numbers = {"difference": -0.02, "low": -0.03, "high": -0.01, "p_holm": 0.02, "images": 20, "family": 3}
    return names | numbers | {"seeds": 3, "seeds_agree": 3, "verdict": "second", "gain": 0, "at": ""} | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "dice is better than bce (unet) by 0.020 of Dice (95 % interval 0.010 to 0.030, Holm p = 0.020, n = 20)."),
        ({"seeds_agree": 2, "p_holm": 1e-5}, "Holm p < 0.001, n = 20, in 2 of 3 seeds)."),
        ({"verdict": "open", "high": 0.01}, "dice and bce (unet) cannot be told apart (difference 0.020, "),
        ({"verdict": "open", "difference": -1e-4, "high": 0.01}, "difference 0.0001, 95 % interval -0.0100 to 0.0300"),
        ({"verdict": "disagree", "p_holm": 0.2}, "interval 0.010 to 0.030, which leaves out 0, but Holm p = 0.200"),
        ({"verdict": "disagree", "high": 0.01}, "which holds 0, but Holm p = 0.020 (n = 20); neither is shown to be"),
        ({"seeds": 1, "seeds_agree": 1}, "n = 20, one seed: the luck of these trainings is in no interval)."),
        ({"seeds": 1, "seeds_agree": 1, "gain": 1}, "Holm p = 0.020, n = 20)."),  # the same trainings on both sides
        ({"verdict": "open", "images": 1}, "cannot be told apart: too few images have a value"),
    ],
)  # fmt: skip
def test_sentences(changes, words):
    assert words in sentence(pair(**changes))
    assert sentence(pair(**changes)).startswith("On drive, ")
    assert words in sentence(pair(**changes, at="Otsu's thresholds"))
    assert sentence(pair(**changes, at="Otsu's thresholds")).startswith("On drive at Otsu's thresholds, ")


def with_variants(folder, cells):
    """Flips gain 0.02 on every image of every seed of unet/bce; both seeds together 0.03, counted under the first."""
    bases = [cell for cell, _ in cells if cell[1:3] == ("unet", "bce")]
    found = []
    for variant in variants_of(bases, flips=True, together=True):
        path = folder / f"variant-{variant.cell.recipe}-{variant.cell.seed}.csv"
        more = 0.03 if len(variant.seeds) > 1 else 0.02
        counts({name: value + more for name, value in images(0.9).items()}).to_csv(path, index=False)
        found.append((variant, path))
    return found


def test_rows_without_training_are_compared_with_their_networks_alone(tmp_path, three):
    without = compare(tmp_path, *three)["table"]
    made = compare(tmp_path, *three, variants=with_variants(tmp_path, three[0]))
    table = made["table"]
    pd.testing.assert_frame_equal(table[table["gain"] == 0], without)  # the others' family is what it was
    gained = table[table["gain"] == 1].set_index("recipe_a")
    recipes = ["default + flips", "default, 2 seeds together", "default + flips, 2 seeds together"]
    assert list(gained.index) == recipes and set(gained["recipe_b"]) == {"default"}
    assert list(gained["difference"]) == pytest.approx([0.02, 0.03, 0.03])
    assert set(gained["family"]) == {3} and set(gained["seeds"]) == {2} and set(gained["verdict"]) == {"first"}
    assert gained["p_holm"].iloc[0] == pytest.approx(3 * 2 / 2**12)
    said = "On drive at threshold 0.5, default, 2 seeds together is better than default (unet, bce) by 0.030 of Dice "
    said += "(95 % interval"
    for kind in ("md", "html", "tex"):
        assert said.replace("%", r"\%" if kind == "tex" else "%") in made[kind]
        assert "Dice on drive, without training" in made[kind] and "in a family of tests of its own" in made[kind]
    assert "without training" not in compare(tmp_path, *three)["md"]


def test_one_row_and_what_it_gains_can_be_compared(tmp_path):
    cells, _ = study(tmp_path, {("unet", "bce", seed): images(0.9, 0.01 * seed) for seed in (0, 1)})
    table = compare(tmp_path, cells, [], variants=with_variants(tmp_path, cells))["table"]
    assert len(table) == 3 and table["gain"].all()
    # The better of the two seeds has 0.01 * (1 + 0.05 i) more; the ensemble is compared with the mean of both.
    ahead = np.mean([0.01 * (1 + 0.05 * i) for i in range(12)]) / 2
    assert table["difference"].iloc[1] == pytest.approx(0.03 - ahead, abs=1e-3)


def test_one_row_alone_cannot_be_compared(tmp_path):
    with pytest.raises(StudyError, match="no two rows with test images"):
        compare(tmp_path, *study(tmp_path, {("unet", "bce", 0): images(0.9)}))
    assert not (tmp_path / "out").exists()


def test_the_terminal_shows_a_handful_of_sentences_the_best_rows_first(tmp_path, three):
    compare(tmp_path, *three)
    table = pd.read_csv(tmp_path / "out" / "x.csv")
    said = _sentences(tmp_path / "out" / "x.csv")
    assert sorted(said) == sorted(table["sentence"])
    rows = {(f"n{i}", "bce", 0): images(0.9, 0.01 * i) for i in range(5)}
    compare(tmp_path, *study(tmp_path, rows))
    said = _sentences(tmp_path / "out" / "x.csv")
    assert len(said) == SENTENCES + 1 and said[-1].startswith("(5 more: ")
    assert all("n4 is better than" in text for text in said[:4])
    with pytest.raises(StudyError, match="not there yet"):
        _sentences(tmp_path / "none.csv")


def test_the_ranking_has_the_means_of_the_table_and_controls_without_a_rank(three):
    rows = rank_rows(inputs(*three), "dice")
    assert list(rows["mean"]) == sorted(rows["mean"], reverse=True)
    human = rows[rows["model"] == "second_human"].iloc[0]
    assert human["mean"] == pytest.approx(np.mean(list(images(0.85).values()))) and np.isnan(human["rank"])
    networks = rows[rows["row"] == "cell"].set_index(["model", "loss"])
    assert networks.loc[("unet", "bce"), "rank"] == networks.loc[("unet", "dice"), "rank"] == 1.5
    assert networks["first"].sum() == pytest.approx(1) and networks.loc[("encdec", "bce"), "first"] == 0
    error = rank_rows(inputs(*three), "pixel_error")
    assert list(error["mean"]) == sorted(error["mean"])
    assert error[error["row"] == "cell"]["model"].iloc[-1] == "encdec"


def test_rows_without_training_stand_in_the_ranking_and_compete_with_nobody(tmp_path, three):
    plain = rank_rows(inputs(*three), "dice")
    outputs = paths(tmp_path, "svg", "png", "csv")
    with_all = inputs(*three, outputs, variants=with_variants(tmp_path, three[0]))
    rows = rank_rows(with_all, "dice")
    gained = rows[rows["row"] == "gain"].set_index("recipe")
    assert len(gained) == 3 and gained[["rank", "rank_low", "rank_high", "first"]].isna().all(axis=None)
    assert gained.loc["default + flips", "seeds"] == 2 and gained.loc["default, 2 seeds together", "seeds"] == 1
    best = np.mean(list(images(0.9).values()))
    assert gained.loc["default, 2 seeds together", "mean"] == pytest.approx(best + 0.03)
    rest = rows[rows["row"] != "gain"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, plain)
    drawn.draw_ranking(with_all, "dice")
    text = outputs["svg"].read_text()
    assert "<!-- unet, bce + flips 0.810 -->" in text and "<!-- without training -->" in text


def test_the_ranking_is_drawn_with_floor_and_human(tmp_path, three, request):
    outputs, again = (paths(tmp_path, "svg", "png", "csv", name=name) for name in ("r", "again"))
    drawn.draw_ranking(inputs(*three, outputs, phantoms=["drive"]), "dice")
    assert Image.open(outputs["png"]).width == style.WIDTH * style.PNG_DPI
    text = outputs["svg"].read_text()
    for words in ("unet, bce 0.790", "all background 0.000", "second human 0.740", "drive (PHANTOM)", "PHANTOM"):
        assert f"<!-- {words} -->" in text
    figures = request.getfixturevalue("figures")
    drawn.draw_ranking(inputs(*three, again, phantoms=["drive"]), "dice")
    assert again["csv"].read_bytes() == outputs["csv"].read_bytes()
    whole, near, share = figures[0].axes
    lines = [
        line.get_xdata()[0] for line in whole.lines if np.ptp(line.get_xdata()) == 0 and len(line.get_xdata()) == 2
    ]
    assert any(x == pytest.approx(0.74) for x in lines) and whole.get_xlim() == (-0.03, 1.03)
    assert near.get_xlim()[0] > 0.5 and len(share.patches) == 3


def test_the_ranking_without_test_images_says_so(tmp_path):
    path = tmp_path / "none.csv"
    counts({}).to_csv(path, index=False)
    with pytest.raises(StudyError, match="no test image to rank by"):
        rank_rows(inputs([(Cell("drive", "unet", "bce", "default", 0), path)]), "dice")


def test_the_summary_of_a_study_says_what_its_numbers_support(tmp_path, three):
    study_of = load_study(read_config(ROOT / "config.yaml", ROOT / "studies/demo.yaml"), [])
    tidy = [
        {"dataset": "drive", "row": "cell", "model": "unet", "loss": loss, "recipe": "default", "class": "vessel"}
        | {"subset": "test", "region": "full", "policy": "fixed", "metric": metric, "averaging": "image", "mean": 0.5}
        for loss in ("bce", "focal")
        for metric in study_of.evaluation.metrics
    ]
    tables = tmp_path / "tables"
    tables.mkdir()
    for name in study_of.experiments:
        pd.DataFrame(tidy).to_csv(tables / f"{name}.tidy.csv", index=False)
    console = Console(record=True, width=250, file=StringIO())
    with pytest.raises(StudyError, match="not there yet"):
        show(study_of, tmp_path, console)
    made = compare(tmp_path, *three, phantom=True)
    for name in study_of.experiments:
        made["table"].to_csv(tables / f"{name}.comparisons.csv", index=False)
    show(study_of, tmp_path, console)
    text = console.export_text()
    assert all(said in text for said in made["table"]["sentence"])
    for head in ("Dice", "acc.", "sens.", "spec.", "error", "mean over images at threshold 0.5"):
        assert head in text
    assert "depends on the threshold" not in text


def test_the_summary_says_first_where_the_threshold_decides_and_fits_a_narrow_window(tmp_path, three):
    study_of = load_study(read_config(ROOT / "config.yaml", ROOT / "studies/demo.yaml"), [])
    (tmp_path / "tables").mkdir()
    names = {"dataset": "drive", "row": "cell", "model": "unet", "recipe": "default", "class": "vessel"}
    rows = [names | {"loss": loss, "metric": metric, "mean": 0.5} for loss in ("bce", "weighted_bce")
            for metric in study_of.evaluation.metrics]  # fmt: skip
    tidy = pd.DataFrame(rows).assign(subset="test", region="full", policy="fixed", averaging="image")
    means = (("a", "fixed", 0.5), ("b", "fixed", 0.4), ("a", "validation", 0.5), ("b", "validation", 0.6))
    named = [dict(zip(("loss", "policy", "test_dice_mean"), row, strict=True)) for row in means]
    policies = pd.DataFrame([names | {"threshold_low": 0.5} | row for row in named])
    for name in study_of.experiments:
        tidy.to_csv(tmp_path / f"tables/{name}.tidy.csv", index=False)
        policies.assign(gain=0).to_csv(tmp_path / f"tables/{name}.thresholds.csv", index=False)
        compare(tmp_path, *three)["table"].to_csv(tmp_path / f"tables/{name}.comparisons.csv", index=False)
    console = Console(record=True, width=80, file=StringIO())
    show(study_of, tmp_path, console)
    text = " ".join(console.export_text().split())
    first = "On drive (PHANTOM), the order of the rows by Dice depends on the threshold: at threshold 0.5 a 0.500, "
    assert first in text and text.find(first) < text.find("On drive at threshold 0.5, ")
    assert "drive unet weighted_bce 0.500 0.500 0.500 0.500 0.500 0.500 0.500" in text


def test_every_metric_of_pixel_counts_can_be_compared():
    allowed = get_args(Evaluation.model_fields["comparison"].annotation)
    assert set(allowed) == {name for name in METRICS if not NEEDS[name]}
