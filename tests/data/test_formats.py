"""The same masks written in each format give the same store; what each format says of classes, subsets and void."""

import numpy as np
import pytest

from segstudy.config.datasets import CONVERTED, READERS
from segstudy.config.load import load_study
from segstudy.data.convert import convert
from segstudy.data.index import build_index
from segstudy.data.readers.registry import labels_of, reader_module
from segstudy.data.store import build_store
from tests.helpers import formats
from tests.helpers.raw_data import contents


def study_of(root, block):
    return load_study(
        {
            "study": "x",
            "datasets": {"d": {"root": str(root), **block}},
            "models": {"unet": {}},
            "losses": {"cross_entropy": {}},
            "recipes": {"default": {}},
            "experiments": {
                "e": {"question": "Which?", "datasets": ["d"], "models": ["unet"], "losses": ["cross_entropy"]}
            },
        }
    )


def indexed(root, block, work):
    """Convert and index a data set as the rules do; return its index, the folder of its files and its labels."""
    study = study_of(root, block)
    options = study.datasets["d"]
    if options.reader in CONVERTED:
        convert(options.reader, root, options.layout, work / "converted")
        root = work / "converted"
    settings = study.dataset_settings("d", "classes", "inverted", "ignore")
    return build_index(options.reader, root, layout=options.layout), root, labels_of(options.reader, **settings)


def store_of(root, block, work):
    """Return hashes of the arrays and tables of a store, its classes, and the index."""
    index, root, labels = indexed(root, block, work)
    build_store(index, root, work / "store", "native", "rgb", "any", labels, 1)
    files = contents(work / "store")
    del files["store.json"]  # which values are void is recorded there, and differs
    assert {"images.npy", "masks.npy", "counted.npy", "geometry.csv"} <= set(files)
    return files | {"classes": labels.names}, index


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    root = tmp_path_factory.mktemp("own")
    return store_of(root, formats.folder(root), tmp_path_factory.mktemp("work"))[0]


def test_the_drawing_is_right():
    drawn = formats.mask("im_1")
    assert [int(np.count_nonzero(drawn == value)) for value in (1, 2, 255)] == [12 * 12 - 24, 24, 48]
    assert int(np.count_nonzero(formats.mask("im_2") == 1)) == 14 * 4 + 4 * 12


@pytest.mark.parametrize("case", formats.WRITERS)
def test_every_format_gives_the_same_store(case, tmp_path, own):
    block = formats.WRITERS[case](tmp_path / "raw")
    module = reader_module(block["reader"])
    assert module.recognises(tmp_path / "raw") and case.startswith(block["reader"])
    others = [r for r in READERS if r != block["reader"] and reader_module(r).recognises(tmp_path / "raw")]
    assert others == []
    stored, index = store_of(tmp_path / "raw", block, tmp_path)
    assert list(index["sample"]) == list(formats.IMAGES)
    assert stored == own
