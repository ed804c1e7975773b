"""Networks on external test sets: values, drops, orders, and what is said of them."""

import json

import numpy as np
import pandas as pd
import pytest

from segstudy.config.cell import Cell
from segstudy.config.datasets import DatasetConfig
from segstudy.core.errors import StudyError
from segstudy.evaluation.bootstrap import bootstrap_difference, bootstrap_interval
from segstudy.tables.external import External, external_rows, kendall, leak_words
from segstudy.tables.external_text import content, drop_panel, matrix_panel, sentences
from segstudy.tables.render import markdown
from segstudy.tables.variants import Variant
from tests.helpers import results

LEAKS = {"chase": "copies sought among 20 pairs with images that the networks have seen: none"}
SETS = {"drive": DatasetConfig(reader="drive", scale=12), "chase": DatasetConfig(reader="chase", scale=30)}
# Dice 0.9, 0.8 of unet and 0.7, 0.6 of wnet at home (two images), elsewhere unet 0.4 and wnet 0.5 (three images).
HOME = {"unet": [90, 80], "wnet": [70, 60]}
AWAY = {"unet": [45, 40, 35], "wnet": [55, 50, 45]}


def rows_of(values):
    """Return counts whose Dice is the value / 100: TP hits, as many false pixels on both sides."""
    return [(f"i{n}", value, 100 - value, 100 - value, 1000) for n, value in enumerate(values)]


def made(folder, home=None, away=None, metric="dice", **changes):
    cells, external, files = [], [], []
    for model, values in (home or HOME).items():
        cell = Cell("drive", model, "bce", "default", 0)
        cells.append((cell, results.write(folder, f"{model}.csv", rows_of(values))))
        item = External(cell, "chase")
        path = results.write(folder, f"{model}_chase.csv", rows_of((away or AWAY)[model]))
        external.append(item)
        files.append((item.as_cell, path))
    inputs = results.inputs([*cells, *files], regions={"drive": "roi", "drive → chase": "roi"}, **changes)
    return inputs, external_rows(inputs, external, metric)


def test_means_drops_and_ranks_are_those_of_the_images(tmp_path):
    _, rows = made(tmp_path)
    table = rows.set_index(["model", "tested_on"])
    assert table["mean"].round(6).to_dict() == {
        ("unet", "drive"): 0.85, ("wnet", "drive"): 0.65, ("unet", "chase"): 0.4, ("wnet", "chase"): 0.5,
    }  # fmt: skip
    assert table.loc[("unet", "chase"), "drop"] == pytest.approx(0.45)
    assert table.loc[("wnet", "chase"), "drop"] == pytest.approx(0.15)
    assert np.isnan(table.loc[("unet", "drive"), "drop"])
    assert table["rank"].to_dict() == {
        ("unet", "drive"): 1, ("wnet", "drive"): 2, ("unet", "chase"): 2, ("wnet", "chase"): 1,
    }  # fmt: skip
    assert set(table.loc[(slice(None), "chase"), "tau"]) == {-1.0}
    low, high = bootstrap_interval(np.array([[0.45, 0.40, 0.35]]))
    assert table.loc[("unet", "chase"), ["low", "high"]].tolist() == pytest.approx([low, high])
    assert set(rows["pair"]) == {"drive → drive", "drive → chase"} and set(rows["images"]) == {2, 3}


def test_controls_and_variants_stand_beside_the_networks_without_a_rank(tmp_path):
    def otsu(name, values):
        return results.write(tmp_path, f"{name}.csv", rows_of(values), control="otsu", policy="none")

    pair = "drive → chase"
    controls = [("drive", 0, otsu("otsu", [50, 40])), (pair, 0, otsu("otsu_chase", [25, 20, 15]))]
    flips = Variant(Cell("drive", "unet", "bce", "default + flips", 0), "default", (0,), True)
    away = flips._replace(cell=flips.cell._replace(dataset=pair))
    variants = [
        (flips, results.write(tmp_path, "flips.csv", rows_of([95, 85]))),
        (away, results.write(tmp_path, "flips_chase.csv", rows_of([60, 55, 50]))),
    ]
    inputs, rows = made(tmp_path, controls=controls, variants=variants)
    table = rows[rows["tested_on"] == "chase"].set_index(["row", "model"])
    assert list(table.index) == [("cell", "unet"), ("cell", "wnet"), ("gain", "unet"), ("control", "otsu")]
    assert table["mean"].tolist() == pytest.approx([0.4, 0.5, 0.55, 0.2])
    assert table["drop"].tolist() == pytest.approx([0.45, 0.15, 0.35, 0.25])
    assert table["rank"].tolist()[:2] == [2, 1] and table["rank"].isna().tolist()[2:] == [True, True]
    assert len(list(sentences(rows))) == 2 and "flips" not in " ".join(sentences(rows))
    text = markdown(content(inputs, rows, SETS, LEAKS))
    assert "| drive | *otsu* | *control* |  | 0.450 (0.400 to 0.500) | 0.200 (0.150 to 0.250) |" in text
    assert "| drive | unet | bce | default + flips | 0.900 (0.850 to 0.950) | 0.550 (0.500 to 0.600) |" in text
    order = text.split("Order of the networks on every")[1]
    assert "otsu" not in order and "+ flips" not in order
    assert "'+ flips': the same networks" in text and "Controls learn, where they do, from the training images" in text


def test_data_sets_stand_in_the_order_of_the_experiment(tmp_path):
    cells = [Cell(name, "unet", "bce", "default", 0) for name in ("drive", "chase")]
    own = [(cell, results.write(tmp_path, f"{cell.dataset}.csv", rows_of([90, 80]))) for cell in cells]
    external = [External(cells[1], "drive"), External(cells[0], "chase")]
    away = [(item.as_cell, results.write(tmp_path, f"{item.name}_.csv", rows_of([50, 40]))) for item in external]
    rows = external_rows(results.inputs([*own, *away]), external, "dice")
    assert list(rows["pair"]) == ["drive → drive", "drive → chase", "chase → chase", "chase → drive"]
    assert drop_panel(rows, ["model"], []).heads == matrix_panel(rows, ["model"], []).heads == ("drive", "chase")


def test_of_a_measure_where_lower_is_better_a_drop_is_more_of_it(tmp_path):
    _, rows = made(tmp_path, metric="pixel_error")
    table = rows.set_index(["model", "tested_on"])
    values = table["mean"]
    drop = values["unet", "chase"] - values["unet", "drive"]
    assert table.loc[("unet", "chase"), "drop"] == pytest.approx(drop) and drop > 0
    assert table.loc[("unet", "drive"), "rank"] == 1


def test_the_interval_of_a_difference_has_the_spread_of_both_sides():
    draw = np.random.default_rng(3)
    first, second = draw.normal(0.8, 0.05, (1, 40)), draw.normal(0.6, 0.1, (1, 25))
    low, high = bootstrap_difference(first, second)
    error = np.sqrt(first.var() / 40 + second.var() / 25)
    assert (low + high) / 2 == pytest.approx(first.mean() - second.mean(), abs=0.005)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.08)


def test_seeds_are_drawn_together_since_they_are_the_same_networks():
    """What a seed adds everywhere is in no difference: drawn apart, it would be in every one."""
    seeds = np.array([[0.0], [0.3], [0.6]])
    first, second = seeds + np.linspace(0.1, 0.2, 30), seeds + np.linspace(0, 0.1, 20)
    low, high = bootstrap_difference(first, second)
    assert 0.08 < low < 0.1 < high < 0.12


@pytest.mark.parametrize(
    ("first", "second", "tau"),
    [((1, 2, 3, 4), (1, 3, 2, 4), 4 / 6), ((1, 1, 2), (3, 2, 1), -2 / 6**0.5), ((1,), (2,), np.nan)],
)
def test_kendalls_tau_counts_pairs_in_the_same_order_and_in_another(first, second, tau):
    """By hand: (concordant - discordant) / sqrt of the pairs that do not tie on either side."""
    assert kendall(first, second) == pytest.approx(tau, nan_ok=True)


def test_the_sentences_say_the_drop_of_the_best_and_that_the_order_does_not_hold(tmp_path):
    _, rows = made(tmp_path)
    said = list(sentences(rows))
    assert said[0].startswith("Trained on drive, unet, the best there, loses 0.450 of Dice on chase (95 % interval 0.")
    assert "the order of the 2 networks does not hold on chase (Kendall's tau -1.00): wnet is first in 100%" in said[1]
    assert said[1].endswith("on drive unet is, in 100%.")


def test_the_sentences_say_that_an_order_holds_and_what_is_not_settled(tmp_path):
    _, rows = made(tmp_path, away={"unet": [90, 50, 85], "wnet": [80, 75, 60]})
    said = list(sentences(rows))
    assert "unet, the best there, shows no drop on chase (drop of Dice 0.100, 95 % interval -0." in said[0]
    assert "the order of the 2 networks holds on chase (Kendall's tau 1): unet is first in " in said[1]
    assert "of the resamples, which these images do not settle; on drive" in said[1]


def test_the_tables_show_the_matrix_the_drop_and_the_order(tmp_path):
    inputs, rows = made(tmp_path)
    text = markdown(content(inputs, rows, SETS, LEAKS))
    assert "| Data set | Model | Loss | drive | chase |" in text
    assert "| drive | unet | bce | **0.850 (0.800 to 0.900)** | 0.400 (0.350 to 0.450) |" in text
    assert "| drive | wnet | bce | 2 (0%) | 1 (" in text
    assert "resized so that 30 of their pixels are as long as 12 on drive" in text
    assert "copies sought among 20 pairs with images that the networks have seen: none." in text
    assert "all 3 images that have a mask" in text and "One seed" in text and "PHANTOM" not in text
    alone = SETS | {"chase": DatasetConfig(reader="chase", scale=30, external_images="test")}
    assert "the 3 test images of its own split" in markdown(content(inputs, rows, alone, LEAKS))


def test_external_images_without_a_field_of_view_are_said_to_count_in_full(tmp_path):
    inputs, rows = made(tmp_path)
    for path in tmp_path.glob("*_chase.csv"):  # two of three images get a field of view
        table = pd.read_csv(path)
        inside = table[table["sample"].isin(["i0", "i1"])].assign(region="roi")
        pd.concat([table, inside]).to_csv(path, index=False)
    assert "original resolution of the masks, inside the field of view (1 without one in full); copies" in markdown(
        content(inputs, rows.assign(region="roi"), SETS, LEAKS)
    )


def test_one_network_has_no_order(tmp_path):
    inputs, rows = made(tmp_path, {"unet": [90, 80]}, {"unet": [45, 40]})
    text = markdown(content(inputs, rows, SETS, LEAKS))
    assert "Order of the networks" not in text and "loses 0.425 of Dice on chase" in text
    assert rows["tau"].isna().all()


def test_leak_checks_are_summed_by_test_set_and_say_what_was_accepted(tmp_path):
    folder = tmp_path / "checks/external/chase/drive"
    folder.mkdir(parents=True)
    accepted = [[], [{"reason": "a known copy"}]]
    for seed, items in enumerate(accepted):
        (folder / f"seed{seed}.json").write_text(json.dumps({"pairs_compared": 700, "accepted": items}))
    words = leak_words([folder / "seed0.json"])
    assert words == {"chase": "copies sought among 700 pairs with images that the networks have seen: none"}
    both = leak_words(sorted(folder.iterdir()))["chase"]
    assert "1,400 pairs" in both and both.endswith("copies that are known and accepted (a known copy)")


def test_networks_without_test_images_of_their_own_have_nothing_to_drop_from(tmp_path):
    cell = Cell("drive", "unet", "bce", "default", 0)
    item = External(cell, "chase")
    away = (item.as_cell, results.write(tmp_path, "a.csv", rows_of([50, 40])))
    own = pd.read_csv(results.write(tmp_path, "o.csv", rows_of([50, 40])))
    own[own["subset"] != "test"].to_csv(tmp_path / "o.csv", index=False)
    inputs = results.inputs([(cell, tmp_path / "o.csv"), away])
    with pytest.raises(StudyError, match="networks of drive have no test image of their own"):
        external_rows(inputs, [item], "dice")
