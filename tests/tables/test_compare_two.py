"""`segstudy compare`: two cells or rows on the images they share, against the study's own table and by hand."""

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from typer.testing import CliRunner

from segstudy.cli.app import app
from segstudy.config.load import load_study
from segstudy.core.errors import StudyError
from segstudy.evaluation.aggregate import METRICS
from segstudy.tables import compare_two
from segstudy.tables.captions import protocols
from segstudy.tables.pairwise import compare_pairs
from tests.helpers.results import inputs, paths

CONFIG = {
    "study": "small",
    "datasets": {"ph2": {"phantom": {"images": 16}}, "drive": {"phantom": {"images": 10}}},
    "models": {"unet": {}, "encdec": {}},
    "losses": {"bce": {}},
    "recipes": {"default": {"epochs": 20}},
    "evaluation": {"tta": "flips"},
    "experiments": {
        "all": {
            "question": "Which one is better?",
            **{"datasets": ["ph2", "drive"], "models": ["unet", "encdec"], "losses": ["bce"], "seeds": 2},
        }
    },
}
STUDY = load_study(CONFIG)
CELLS = {f"{cell.dataset}/{cell.model}/{cell.seed}": cell for cell in STUDY.cells}


def counts(folder, seed, lead=0, images="abcdefgh", subset="test"):
    """Write counts of 100 pixels, 20 of them foreground; `lead` more of these are found."""
    draw = np.random.default_rng(seed)
    found = np.clip(draw.integers(8, 16, len(images)) + lead, 0, 20)
    false = draw.integers(0, 6, len(images))
    table = pd.DataFrame({"sample": list(images), "tp": found, "fp": false, "fn": 20 - found, "tn": 80 - false})
    table = table.assign(**{"subset": subset, "class": "lesion", "region": "full", "policy": "fixed", "threshold": 0.5})
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "counts.csv", index=False)
    return table


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(CONFIG))
    folder = tmp_path / "results/small"
    for number, (name, cell) in enumerate(CELLS.items()):
        if cell.dataset == "ph2":
            counts(folder / "cells" / cell.path, number, lead=6 * ("unet" in name))
    return folder


def compared(results, first, second, metric="dice"):
    return compare_two.compare(STUDY, *(compare_two.side(STUDY, results, name) for name in (first, second)), metric)


def values(results, name, metric="dice"):
    table = pd.read_csv(results / "cells" / CELLS[name].path / "counts.csv", index_col="sample")
    return METRICS[metric].function(table)


def test_two_rows_have_the_numbers_of_the_studys_own_table(results, tmp_path):
    cells = [(c, results / "cells" / c.path / "counts.csv") for c in STUDY.cells if c.dataset == "ph2"]
    outputs = paths(tmp_path)
    captions = protocols({"ph2": STUDY.datasets["ph2"]}, [])
    options = {"experiment": "all", "question": "Which?", "regions": {"ph2": "full"}}
    compare_pairs(inputs(cells, [], outputs, captions, **options), "dice")
    row = pd.read_csv(outputs["csv"]).iloc[0]
    found = compared(results, "ph2/unet/bce/default", "ph2/encdec/bce/default")
    numbers = ["mean_a", "mean_b", "difference", "low", "high", "p", "p_seeds"]
    for key in [*numbers, "rank_biserial", "dz", "images", "seeds"]:
        assert found.pair[key] == pytest.approx(row[key]), key
    assert found.pair["verdict"] == row["verdict"] == "first"
    assert found.text == row["sentence"].replace("Holm p", "p")


def test_two_cells_by_hand(results):
    found = compared(results, CELLS["ph2/unet/0"].path, CELLS["ph2/encdec/0"].path)
    differences = values(results, "ph2/unet/0") - values(results, "ph2/encdec/0")
    assert found.pair["difference"] == pytest.approx(differences.mean())
    assert found.pair["p"] == pytest.approx(stats.wilcoxon(differences).pvalue)
    assert found.pair["p_seeds"] == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert "one seed: the luck of these trainings" in found.text and "ph2 (PHANTOM)" in found.text
    shown = found.images.set_index("sample")["difference"]
    assert shown.to_dict() == pytest.approx(differences.to_dict())
    assert list(shown) == sorted(shown, reverse=True)


def test_two_seeds_of_a_row_are_told_apart(results):
    found = compared(results, CELLS["ph2/unet/0"].path, CELLS["ph2/unet/1"].path)
    assert "default/seed0" in found.text and "default/seed1" in found.text
    difference = values(results, "ph2/unet/0").mean() - values(results, "ph2/unet/1").mean()
    assert found.pair["difference"] == pytest.approx(difference)


def test_a_cell_beside_a_row_uses_its_own_seed(results):
    found = compared(results, CELLS["ph2/unet/1"].path, "ph2/encdec/bce/default")
    difference = values(results, "ph2/unet/1") - values(results, "ph2/encdec/1")
    assert found.left_out == [0] and found.pair["difference"] == pytest.approx(difference.mean())


def test_a_row_without_training_is_a_row(results):
    for seed in (0, 1):
        counts(results / "cells" / CELLS[f"ph2/unet/{seed}"].path / "tta", 20 + seed, lead=4)
    found = compared(results, "ph2/unet/bce/default + flips", "ph2/unet/bce/default")
    assert found.pair["gain"] and found.pair["seeds"] == 2 and "one seed" not in found.text


def test_an_image_without_a_value_is_counted_as_left_out(results):
    folder = results / "cells" / CELLS["ph2/unet/0"].path
    table = pd.read_csv(folder / "counts.csv")
    table.loc[0, ["tp", "fp"]] = 0  # nothing predicted: no precision
    table.to_csv(folder / "counts.csv", index=False)
    found = compared(results, CELLS["ph2/unet/0"].path, CELLS["ph2/encdec/0"].path, metric="precision")
    assert (found.pair["images"], found.pair["undefined"]) == (7, 1)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("ph2/unet/bce/default", "drive/unet/bce/default", "different data sets"),
        ("ph2/unet/bce/default", "ph2/unet/bce/default", "with itself"),
        ("drive/unet/bce/default", "drive/encdec/bce/default", "not measured yet"),
        ("ph2/unett/bce/default", "ph2/encdec/bce/default", "Did you mean 'ph2/unet/bce/default'"),
        ("results/other/cells/ph2/unet/bce/default/seed0", "ph2/encdec/bce/default", "of study 'other'"),
    ],
)
def test_what_cannot_be_compared_is_refused(results, first, second, words):
    with pytest.raises(StudyError, match=words):
        compared(results, first, second)


def test_other_test_images_are_refused(results):
    counts(results / "cells" / CELLS["ph2/unet/1"].path, 5, images="abcdxyz")
    with pytest.raises(StudyError, match=r"not the same: 4 of ph2/unet/bce/default/seed0 alone, 3 of"):
        compared(results, CELLS["ph2/unet/0"].path, CELLS["ph2/unet/1"].path)
    for name in ("ph2/unet/0", "ph2/encdec/0"):
        counts(results / "cells" / CELLS[name].path, 5, subset="val")
    with pytest.raises(StudyError, match="no test images"):
        compared(results, CELLS["ph2/unet/0"].path, CELLS["ph2/encdec/0"].path)


def test_the_command_prints_the_verdict_and_writes_every_image(results, tmp_path):
    folder = f"results/small/cells/{CELLS['ph2/unet/0'].path}"
    words = ["compare", f"{folder}/model.safetensors", CELLS["ph2/encdec/0"].path, "study.yaml", "--csv", "images.csv"]
    done = CliRunner(env={"COLUMNS": "120"}).invoke(app, [*words, "--images", "2"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "Dice on ph2: PHANTOM (drawn) data, 8 test images, whole images" in done.output
    written = pd.read_csv(tmp_path / "images.csv")
    assert len(written) == 8
    best = written.iloc[0]
    assert f"{best['first']:.4f}" in done.output and done.output.count("first better") == 2


def test_lower_is_better_where_it_is(results):
    words = ["compare", "ph2/unet/bce/default", "ph2/encdec/bce/default", "study.yaml", "--metric", "pixel_error"]
    done = CliRunner(env={"COLUMNS": "120"}).invoke(app, [*words, "--images", "1"], catch_exceptions=False)
    first = next(line for line in done.output.splitlines() if "first better" in line)
    assert float(first.split()[-1]) < 0
    found = compared(results, "ph2/unet/bce/default", "ph2/encdec/bce/default", metric="pixel_error")
    assert float(first.split()[-1]) == pytest.approx(found.images["difference"].min(), abs=1e-4)
