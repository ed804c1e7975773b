"""Which studies have a table of annotators: told by the reader, the layout, or a column of a folder's table."""

import pytest

from segstudy.config.load import load_study
from segstudy.study import annotators, targets

BLOCKS = {
    "models": {"unet": {}},
    "losses": {"dice": {}},
    "recipes": {"default": {}},
    "experiments": {"e": {"question": "Which?", "datasets": ["d"], "models": ["unet"], "losses": ["dice"], "seeds": 2}},
}


def study_of(**block):
    return load_study({"study": "x", "datasets": {"d": block}, **BLOCKS})


def asked(**block):
    study = study_of(**block)
    wanted = "results/x/tables/e.annotators.html" in targets.tables(study)
    assert wanted == bool(annotators.masks(study, "e")) == annotators.annotated(study, "d")
    return wanted


@pytest.mark.parametrize(
    ("block", "wanted"),
    [
        *(({"reader": reader, "root": "r"}, True) for reader in ("drive", "chase", "stare")),
        *(({"reader": reader, "root": "r"}, False) for reader in ("ph2", "hrf", "folder", "cmp")),
        ({"reader": "folder", "root": "r", "layout": {"second_suffix": "_2nd"}}, True),
        ({"reader": "folder", "root": "r", "layout": {"annotator_masks": ["b", "c"]}}, True),
        ({"reader": "folder", "root": "r", "layout": {"second_masks": "b"}, "classes": {"x": 1, "y": 2}}, True),
    ],
)
def test_what_the_config_tells(block, wanted):
    assert asked(**block) == wanted


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        ("sample,second_mask", True),
        ("# eyes\r\n\r\nsample,mask_3", True),
        ('"sample";"Mask_3"', True),
        ("sample\tmask_2\tx", True),
        ("sample,mask,gr", False),
    ],
)
def test_what_the_table_of_a_folder_tells(tmp_path, head, wanted, encoding):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/samples.csv").write_text(f"{head}\r\na,second_mask\r\n", encoding=encoding)
    assert asked(reader="folder", root=str(tmp_path)) == wanted


def test_one_job_an_experiment_reads_each_split_once():
    study = study_of(reader="drive", root="r", truth="union")
    assert annotators.splits(study, "e") == [f"results/x/data/d/splits/seed{seed}.csv" for seed in (0, 1)]
    assert [path.rsplit("/", 2)[1] for path in annotators.masks(study, "e")] == ["seed0", "seed1"]
    assert annotators.settings(study, "e")["d"]["root"] == "results/x/data/d/converted"
