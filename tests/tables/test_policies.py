"""Scores at several threshold policies, and the sentence where they order the rows differently."""

import pandas as pd
import pytest

from segstudy.config.cell import Cell
from segstudy.config.evaluation import Evaluation
from segstudy.core.errors import StudyError
from segstudy.evaluation.aggregate import ARGMAX, ORACLE
from segstudy.tables.pairwise import compare_pairs
from segstudy.tables.policies import headline_name, order_sentences, policy_name, policy_scores
from segstudy.tables.results import compare
from segstudy.tables.thresholds import compare_policies
from segstudy.tables.variants import variants_of
from tests.helpers.results import inputs, markdown_row, paths, texts, write_run

# Dice of two images at a fixed and at a tuned threshold, with two seeds' tuned thresholds: a short run on DRIVE.
SHORT_RUN = {"bce": (0.511, 0.549), "focal": (0.003, 0.368), "weighted": (0.490, 0.631)}
TUNED = {0: 0.25, 1: 0.3}
FIRST = (
    "On drive, the order of the rows by Dice depends on the threshold: at threshold 0.5 bce 0.511, weighted 0.490, "
    "focal 0.003; at thresholds tuned on validation images weighted 0.631, bce 0.549, focal 0.368 (1 of 3 pairs the "
    "other way round)."
)


def counts(dice, seed):
    """Counts of two test images at the policies of `dice`, and of a validation image that no test score may use."""
    rows = []
    for policy, value in dice.items():
        threshold = {"fixed": 0.5, "validation": TUNED[seed]}.get(policy, 0.7)
        for sample, subset, value_of in (("a", "test", value + 0.001), ("b", "test", value - 0.001), ("v", "val", 1)):
            tp = round(1000 * value_of)
            row = {"sample": sample, "subset": subset, "class": "vessel", "region": "full", "policy": policy}
            rows.append(row | {"threshold": threshold, "tp": tp, "fp": 1000 - tp, "fn": 1000 - tp, "tn": 9000})
    return pd.DataFrame(rows)


def cells(folder, scores=SHORT_RUN, policies=("fixed", "validation"), model="unet"):
    made = []
    for loss, values in scores.items():
        for seed in (0, 1):
            path = folder / f"{model}-{loss}-{seed}.csv"
            counts(dict(zip(policies, values, strict=True)), seed).to_csv(path, index=False)
            made.append((Cell("drive", model, loss, "default", seed), path))
    return made


def test_the_order_of_the_rows_at_two_thresholds_is_the_first_sentence_of_every_table(tmp_path):
    runs = [write_run(tmp_path / "run.json")] * 6
    for kind, make in {
        "comparisons": lambda made: compare_pairs(made, "dice"),
        "thresholds": compare_policies,
        "main": lambda made: compare(made, runs),
    }.items():
        outputs = paths(tmp_path / kind) | ({"tidy": tmp_path / "tidy.csv"} if kind == "main" else {})
        make(inputs(cells(tmp_path), outputs=outputs, question="Which loss?"))
        made = texts(outputs)
        for text in (made["md"], made["html"], made["tex"].replace(r"\allowbreak{}", "")):
            assert FIRST in text, kind
            pairs = text.find("On drive at threshold 0.5, ")
            assert (text.find(FIRST) < pairs) == (kind == "comparisons"), "it comes before the pairs"


def test_every_policy_is_a_column_of_the_main_table_and_a_row_of_the_table_by_threshold(tmp_path):
    outputs = paths(tmp_path / "main") | {"tidy": tmp_path / "tidy.csv"}
    compare(inputs(cells(tmp_path), outputs=outputs), [write_run(tmp_path / "run.json")] * 6)
    row = markdown_row(texts(outputs)["md"], "weighted", "Test images: Dice by threshold")
    assert row["Dice at 0.5"] == "0.490 ± 0.000" and row["Dice, tuned on validation"] == "**0.631 ± 0.000**"
    assert row["Threshold, tuned on validation"] == "0.250 to 0.300"
    assert set(texts(outputs)["table"]["policy"]) == {"fixed"}, "its csv is that of the headline policy"

    outputs = paths(tmp_path / "thresholds")
    compare_policies(inputs(cells(tmp_path), outputs=outputs))
    table = texts(outputs)["table"].set_index(["loss", "policy"])
    assert len(table) == 6 and table["test_dice_mean"].to_dict() == pytest.approx(
        {(loss, policy): dice for loss, both in SHORT_RUN.items()
         for policy, dice in zip(("fixed", "validation"), both, strict=True)}
    )  # fmt: skip
    assert tuple(table.loc[("bce", "validation"), ["threshold_low", "threshold_high"]]) == (0.25, 0.3)
    assert not [name for name in table if name.startswith(("val_", "train_"))]
    text = texts(outputs)["md"]
    assert "0.250 to 0.300, tuned on validation" in text and "Dice 95 % interval" in text


def test_one_policy_alone_has_nothing_new_to_say(tmp_path):
    made = cells(tmp_path, {loss: both[:1] for loss, both in SHORT_RUN.items()}, ("fixed",))
    outputs = paths(tmp_path / "main") | {"tidy": tmp_path / "tidy.csv"}
    compare(inputs(made, outputs=outputs), [write_run(tmp_path / "run.json")] * 6)
    assert "by threshold" not in texts(outputs)["md"] and "depends on" not in texts(outputs)["md"]


def scores(means, **columns):
    """Scores as `policy_scores` returns them: policy -> mean of each row."""
    rows = [
        {"row": "cell", "dataset": "drive", "model": "unet", "loss": loss, "recipe": "default", "policy": policy}
        | {"threshold_low": 0.5, "mean": mean, "gain": 0} | columns
        for policy, values in means.items() for loss, mean in values.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_tie_as_printed_and_the_same_order_are_no_other_order():
    same = {"fixed": {"a": 0.9, "b": 0.8}, "otsu": {"a": 0.7, "b": 0.6}}
    tied = {"fixed": {"a": 0.9, "b": 0.8}, "otsu": {"a": 0.7001, "b": 0.7002}}
    other = {"fixed": {"a": 0.9, "b": 0.8}, "otsu": {"a": 0.6, "b": 0.7}}
    assert order_sentences(scores(same), "dice", "fixed") == order_sentences(scores(tied), "dice", "fixed") == {}
    assert order_sentences(scores(other), "dice", "fixed")["drive"] == (
        "On drive, the order of the rows by Dice depends on the threshold: at threshold 0.5 a 0.900, b 0.800; at "
        "Otsu's thresholds b 0.700, a 0.600 (1 of 1 pair the other way round)."
    )
    drawn = order_sentences(scores(other), "pixel_error", "otsu", ["drive"])["drive"]
    assert drawn.startswith("On drive (PHANTOM), ") and "at Otsu's thresholds a 0.600, b 0.700; at threshold" in drawn


def test_many_rows_are_named_down_to_the_sixth():
    first = {f"n{i}": 0.9 - 0.01 * i for i in range(9)}
    said = order_sentences(
        scores({"fixed": first, "otsu": {name: 1 - v for name, v in first.items()}}), "dice", "fixed"
    )
    assert "n5 0.850, 3 more; at Otsu's" in said["drive"] and "(36 of 36 pairs the other way round)" in said["drive"]


def test_the_oracle_several_classes_and_what_needs_no_training_take_no_part(tmp_path):
    made = cells(tmp_path, {loss: (*both, 0.9) for loss, both in SHORT_RUN.items()}, ("fixed", "validation", ORACLE))
    several = counts({ARGMAX: 0.5}, 0).assign(dataset="facades")
    gained = variants_of([made[0][0]], flips=True, together=False)[0]
    table = inputs([*made, (gained.cell, made[0][1])]).counts()
    both = pd.concat([table, several.assign(row="cell", model="unet", loss="ce", recipe="default", seed=0)])
    found = policy_scores(both, {"drive": "roi"}, "dice", [gained])
    assert set(found["policy"]) == {"fixed", "validation"} and set(found["dataset"]) == {"drive"}
    assert list(found.loc[found["gain"] == 1, "recipe"].unique()) == ["default + flips"]
    assert "flips" not in order_sentences(found, "dice", "fixed")["drive"]


def test_a_test_set_is_needed(tmp_path):
    made = cells(tmp_path)
    for _, path in made:
        table = pd.read_csv(path)
        table[table["subset"] != "test"].to_csv(path, index=False)
    with pytest.raises(StudyError, match="no test image of one foreground class"):
        compare_policies(inputs(made, outputs=paths(tmp_path / "out")))


def test_names_of_policies():
    assert policy_name("fixed", 0.5) == "threshold 0.5" and policy_name("fixed_0.35", 0.35) == "threshold 0.35"
    assert policy_name("training", 0.2) == "thresholds tuned on training images"
    assert policy_name(ARGMAX, float("nan")) == ""
    assert headline_name(Evaluation(fixed_threshold=[0.3, 0.5])) == "threshold 0.3"


def test_a_list_of_fixed_thresholds_is_measured_value_by_value():
    evaluation = Evaluation(fixed_threshold=[0.5, 0.3, 0.07], policies=["fixed", "otsu", "oracle"])
    assert evaluation.fixed == {"fixed": 0.5, "fixed_0.3": 0.3, "fixed_0.07": 0.07}
    assert evaluation.compared_policies == ["fixed", "fixed_0.3", "fixed_0.07", "otsu"]
    assert Evaluation(fixed_threshold=[0.4]).of_prediction == Evaluation(fixed_threshold=0.4).of_prediction
    assert Evaluation().of_prediction["fixed_threshold"] == 0.5, "a number stays a number: nothing is predicted again"
