"""The results tree is spelt in one module, and the rules and the commands agree on it."""

import re
from pathlib import Path

import pytest

from segstudy.config import paths
from segstudy.config.cell import Cell

RESULTS = Path("results/demo")
CELL = Cell("drive", "unet", "bce", "default", 3)
NAMES = "drive/unet/bce/default/seed3"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (paths.cell(RESULTS, CELL), f"cells/{NAMES}"),
        (paths.of_cell(RESULTS, paths.RESUME, CELL), f"resume/{NAMES}"),
        (paths.of_cell(RESULTS, paths.PUBLISHED, CELL), f"resume/{NAMES}.published"),
        (paths.of_cell(RESULTS, paths.GALLERY, CELL), f"figures/gallery/{NAMES}.jpg"),
        (paths.of_cell(RESULTS, paths.CHAIN_CHECK, CELL), f"checks/chains/{NAMES}.json"),
        (paths.ensemble(RESULTS, CELL, (0, 1, 2)), "ensembles/drive/unet/bce/default/seeds0-1-2"),
        (paths.pseudo(RESULTS, "rfmid", CELL), f"pseudo/rfmid/{NAMES}"),
        (paths.split(RESULTS, "drive", 3), "data/drive/splits/seed3.csv"),
        (paths.controls(RESULTS, "drive", 3), "controls/drive/seed3.csv"),
        (paths.table(RESULTS, "losses", "strata.md"), "tables/losses.strata.md"),
        (paths.figures(RESULTS, "losses"), "figures/losses"),
        (paths.log(RESULTS, "train", CELL.path), f"logs/train/{NAMES}.log"),
        (paths.log_of_split(RESULTS, "split", "drive", 3), "logs/split/drive/seed3.log"),
    ],
)
def test_every_kind_of_file_has_its_place(path, expected):
    assert path == RESULTS / expected


def test_the_names_of_a_cell_are_its_path():
    assert paths.NAMES.format(**CELL._asdict()) == CELL.path == NAMES


def test_checks_are_those_of_splits_and_of_each_data_set_once():
    found = [str(path.relative_to(RESULTS)) for path in paths.checks(RESULTS, [("ph2", 0), ("ph2", 1), ("drive", 0)])]
    assert found == [
        *("data/ph2/checks/seed0.json", "data/ph2/checks/seed1.json", "data/drive/checks/seed0.json"),
        *("data/ph2/checks/images.json", "data/drive/checks/images.json"),
    ]


def test_the_way_back_from_a_cell(tmp_path):
    results = tmp_path / "results/demo"
    cell, resume = paths.cell(results, CELL), paths.of_cell(results, paths.RESUME, CELL)
    assert paths.in_study(cell) and paths.results_of_cell(cell) == results
    assert not paths.in_study(tmp_path / "copied/away")
    assert paths.below(resume) == results / "resume"
    assert paths.published(resume) == paths.of_cell(results, paths.PUBLISHED, CELL), "measuring removes what is kept"


@pytest.mark.parametrize("pattern", [paths.CELL, paths.RESUME, paths.PSEUDO, paths.LOG.replace("{names}", paths.NAMES)])
def test_a_pattern_for_anything_finds_what_was_put_there(tmp_path, pattern):
    names = CELL._asdict() | {"unlabelled": "rfmid", "rule": "train"}
    paths.path(tmp_path, pattern, **names).mkdir(parents=True)
    assert len(list(tmp_path.glob(paths.anywhere(pattern)))) == 1
    assert len(list(tmp_path.glob(paths.anywhere(pattern, **CELL._asdict())))) == 1
    assert not list(tmp_path.glob(paths.anywhere(pattern, seed=4)))


@pytest.mark.parametrize(
    ("wildcards", "names"),
    [
        ({"seed", "recipe", "loss", "model", "dataset"}, paths.NAMES),
        ({"unlabelled", "seed", "recipe", "loss", "model", "dataset"}, f"{{unlabelled}}/{paths.NAMES}"),
        ({"dataset", "model", "loss", "recipe", "seeds", "views"}, f"{paths.SEEDS}{{views}}"),
        ({"experiment"}, "{experiment}"),
        (set(), ""),
    ],
)
def test_logs_are_told_apart_by_the_wildcards_of_their_rule(wildcards, names):
    assert paths.job_names(wildcards) == names


def test_nothing_else_spells_the_tree():
    tree = re.compile(r"""["'/](cells|ensembles|resume|controls|benchmarks|logs)/[*{<]|parents\[[2-9]\]""")
    code = [
        *Path("workflow/segstudy").rglob("*.py"),
        *Path("workflow/scripts").glob("*.py"),
        *Path("rules").glob("*.smk"),
    ]
    found = [
        f"{path}: {line.strip()}"
        for path in code
        if path.parts[-2:] != ("config", "paths.py")
        for line in path.read_text().splitlines()
        if tree.search(line) and "`" not in line and '"""' not in line
    ]
    assert not found
