"""`segstudy init`: a folder becomes a study file that loads."""

import io

import numpy as np
import pytest
import yaml
from PIL import Image

from segstudy.cli import app
from segstudy.config.load import load_study, read_config
from tests.helpers import formats

SIZE = (40, 48)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def folder(root, masks, names=None, images="images", labels="masks", suffix=""):
    random = np.random.default_rng(0)
    for i, mask in enumerate(masks):
        name = names[i] if names else f"img_{i:02d}"
        write(root / images / f"{name}.png", random.integers(0, 255, (*SIZE, 3)))
        write(root / labels / f"{name}{suffix}.png", mask)
    return root


def squares(*values):
    """A mask with a square of each value, on 0."""
    mask = np.zeros(SIZE)
    for i, value in enumerate(values):
        mask[5:20, 2 + 11 * i : 11 + 11 * i] = value
    return mask


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    return tmp_path


def init(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        app.main(["init", *map(str, arguments)])
    said = capsys.readouterr()
    return end.value.code, said.out + said.err


def written(here, name):
    path = here / f"studies/{name}.yaml"
    text = path.read_text()
    study = load_study(read_config(path), [path])
    return text, yaml.safe_load(text)["datasets"][name], study


def test_images_and_masks_of_any_name(here, capsys):
    root = folder(here / "My Cells", [squares(255)] * 8, images="raw/photos", labels="drawn", suffix="_seg")
    code, said = init(capsys, root)
    text, dataset, study = written(here, "my_cells")
    assert code == 0, said
    assert dataset["layout"] == {"images": "raw/photos", "masks": "drawn", "mask_suffix": "_seg"}
    assert dataset["split"] == {"repeat": "kfold", "folds": 5}, "few images: each is tested once"
    assert len(study.cells) == 10 and "of training on this machine" in said and "8 of them with masks" in text


def test_numbered_objects_classes_and_void_are_told_apart(here, capsys):
    numbered = [squares(*range(1, 2 + i % 4)) for i in range(12)]
    assert init(capsys, folder(here / "numbered", numbered))[0] == 0
    assert written(here, "numbered")[1]["above_zero"] is True
    assert init(capsys, folder(here / "classes", [squares(1, 2, 7)] * 6))[0] == 0
    assert written(here, "classes")[1]["classes"] == {"class_1": 1, "class_2": 2, "class_7": 7}
    assert written(here, "classes")[2].experiments["first"].losses == ["cross_entropy"]
    assert init(capsys, folder(here / "voc", [squares(1, 2, 255)] * 6))[0] == 0
    assert written(here, "voc")[1]["ignore"] == 255 and 255 not in written(here, "voc")[1]["classes"].values()


def test_what_is_not_known_stands_in_the_file_and_stops(here, capsys):
    code, said = init(capsys, folder(here / "border", [squares(1, 255)] * 6))
    text, dataset, _ = written(here, "border")
    assert code == 1 and "not known: The masks hold values 1, 255 beside 0" in said
    assert "ignore" not in dataset and "# CHOOSE" in text
    assert "    # ignore: 255  # one kind of object, 1" in text and "    # above_zero: true" in text


@pytest.mark.parametrize("labels", ["drawn", "photos"])
def test_names_that_begin_differently(here, capsys, labels):
    root, random = here / "numbers", np.random.default_rng(0)
    for i in range(6):
        write(root / f"photos/img_{i}.png", random.integers(0, 255, (*SIZE, 3)))
        write(root / f"{labels}/mask_{i}.png", squares(255))
    code, said = init(capsys, root)
    assert code == 0, said
    layout = written(here, "numbers")[1]["layout"]
    assert layout == {"images": "photos", "masks": labels, "image_prefix": "img_", "mask_prefix": "mask_"}


def test_groups_are_guessed_and_said(here, capsys):
    names = [f"{person:02d}_{side}" for person in range(6) for side in ("left", "right")]
    code, said = init(capsys, folder(here / "eyes", [squares(255)] * 12, names))
    text, dataset, _ = written(here, "eyes")
    assert code == 0 and "groups GUESSED from names (eyes of one person): 6" in said
    assert "group_pattern" in dataset["layout"] and "6 groups of 2 to 2 images (00, 01, 02, ...)" in text


def test_an_existing_file_stays_and_a_missing_folder_is_said(here, capsys):
    root = folder(here / "cells", [squares(255)] * 6)
    (here / "studies/cells.yaml").write_text("mine")
    code, said = init(capsys, root)
    assert code == 1 and "this study file exists" in said and (here / "studies/cells.yaml").read_text() == "mine"
    assert init(capsys, root, "--force")[0] == 0
    code, said = init(capsys, here / "nowhere")
    assert code == 1 and "no such folder" in said
    (here / "empty").mkdir()
    code, said = init(capsys, here / "empty")
    assert code == 1 and "no folder of images" in said and not (here / "studies/empty.yaml").exists()


def test_two_people_s_masks_are_a_choice(here, capsys, monkeypatch):
    root = folder(here / "twice", [squares(255)] * 6, labels="anna")
    folder(root, [squares(255)] * 6, labels="ben")
    code, said = init(capsys, root)
    assert (
        code == 1 and "can be read in 2 ways: images in images, masks in anna; images in images, masks in ben" in said
    )
    terminal = io.StringIO("7\n2\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    assert init(capsys, root)[0] == 0
    assert written(here, "twice")[1]["layout"]["masks"] == "ben"


@pytest.mark.parametrize("name", ["coco", "labelme", "cvat", "label_studio", "voc", "mmseg", "nnunet", "huggingface"])
def test_a_folder_in_each_format_is_known_with_its_classes(here, capsys, name):
    expected = getattr(formats, name)(here / name)
    code, said = init(capsys, here / name)
    assert code == 0, said
    text, dataset, study = written(here, name)
    assert dataset["reader"] == expected["reader"] == name
    assert study.datasets[name].several and study.experiments["first"].losses == ["cross_entropy"]
    assert dataset.get("ignore") == (255 if name == "huggingface" else None), "the other files say it themselves"
    assert "2 images, 2 of them with masks" in text and ("nucleus" in text or "class_2" in text)
