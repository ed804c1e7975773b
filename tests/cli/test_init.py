"""`segstudy init`: a folder becomes a study file that loads."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image
from scipy.ndimage import gaussian_filter, maximum_filter

from segstudy.cli import app
from segstudy.cli import init as init_command
from segstudy.config.layout import Layout
from segstudy.config.load import load_study, read_config
from segstudy.core.errors import StudyError
from segstudy.data import find_layout
from segstudy.data.find_annotators import counted
from segstudy.data.find_layout import layouts
from segstudy.data.images.read_masks import read_mask
from segstudy.data.index import build_index
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
    outlined = squares(1, 2)
    outlined[(outlined == 0) & (maximum_filter(outlined, 3) > 0)] = 255
    assert init(capsys, folder(here / "voc", [outlined] * 6))[0] == 0
    assert written(here, "voc")[1]["ignore"] == 255 and 255 not in written(here, "voc")[1]["classes"].values()


COLOURS = np.array([[0, 0, 0], [128, 128, 128], [0, 128, 192]])
OF_COLOURS = {"Sky": "#808080", "Side_walk": "#0080c0", "Car": "#400080"}
TABLES = {
    "class_dict.csv": ("name, r, g, b\nVoid,0,0,0\nSky,128,128,128\nSide walk,0,128,192\nCar,64,0,128\n", OF_COLOURS),
    "label_colors.txt": ("0 0 0\t\tVoid\n128 128 128\t\tSky\n0 128 192\tSide walk\n64 0 128\tCar\n", OF_COLOURS),
    "x/labelmap.txt": (
        "# label:color_rgb\nbackground:0,0,0::\nSky:128,128,128::\nSide walk:0,128,192::\nCar:64,0,128::\n",
        {"background": "#000000", **OF_COLOURS},
    ),
    "_classes.csv": (
        "Pixel Value, Class\n0, background\n1, Sky\n2, Side walk\n3, Car\n",
        {"background": 0, "Sky": 1, "Side_walk": 2, "Car": 3},
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_classes_names_them(here, capsys, name):
    text, classes = TABLES[name]
    labels = np.random.default_rng(0).integers(0, 3, (5, 6)).repeat(8, axis=0).repeat(8, axis=1)
    root = folder(here / "streets", [labels if classes["Sky"] == 1 else COLOURS[labels]] * 6)
    (root / name).parent.mkdir(exist_ok=True)
    (root / "classes_of_others.csv").write_text("name,r,g,b\nA,1,2,3\nB,4,5,6\n")
    (root / name).write_text(text)
    code, said = init(capsys, root)
    dataset = written(here, "streets")[1]
    assert code == 0 and dataset["classes"] == classes and f"named in {name}" in said
    assert dataset.get("ignore") == (None if "background" in classes else "#000000")


def test_a_table_that_lacks_a_value_names_none(here, capsys):
    root = folder(here / "odd", [squares(1, 2, 7)] * 6)
    (root / "classes.csv").write_text("value,name\n0,background\n1,cell\n2,wall\n")
    assert init(capsys, root)[0] == 0
    assert list(written(here, "odd")[1]["classes"]) == ["class_1", "class_2", "class_7"]


@pytest.mark.parametrize("values", [(85, 170, 255), (1, 2, 255)])
def test_255_that_is_no_outline_is_asked_about(here, capsys, values):
    code, said = init(capsys, folder(here / "greys", [squares(*values)] * 6))
    text, dataset, _ = written(here, "greys")
    assert code == 1 and "not known: The masks hold values" in said and not {"classes", "ignore"} & set(dataset)
    assert "class_255: 255}  # several kinds of objects" in text and "# ignore: 255" in text


def test_many_classes_in_one_mask_are_no_numbered_objects(here, capsys):
    many = np.kron(np.tile(np.arange(30).reshape(5, 6), (2, 2)), np.ones((4, 4)))  # each class lies in four places
    code, said = init(capsys, folder(here / "scenes", [many, squares(1, 29), squares(3), squares(7, 9)]))
    dataset = written(here, "scenes")[1]
    assert code == 1 and "not known: The masks hold values 1, 2, 3" in said and "above_zero" not in dataset


def lossy(mask, quality):
    """What JPEG makes of a mask."""
    stream = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


@pytest.mark.parametrize("quality", [75, 98, 100])
def test_masks_that_were_jpeg_once_are_cut_at_half(here, capsys, quality):
    disc = 255 * (np.hypot(*np.mgrid[-20:20, -24:24]) < 11)
    code, said = init(capsys, folder(here / "once", [lossy(np.roll(disc, i), quality) for i in range(6)]))
    assert code == 0, said
    assert not {"classes", "ignore", "above_zero"} & set(written(here, "once")[1])


def test_soft_edges_beside_another_white_are_cut_at_half(here, capsys):
    soft = gaussian_filter(squares(255), 2)
    assert init(capsys, folder(here / "soft", [*[soft] * 5, squares(254)]))[0] == 0
    assert not {"classes", "ignore", "above_zero"} & set(written(here, "soft")[1])
    code, said = init(capsys, folder(here / "odd", [*[soft] * 5, squares(1, 2)]))
    text, dataset, _ = written(here, "odd")
    assert code == 1 and "above_zero" not in dataset and "not known: The masks hold values 1, 2 beside 0" in said
    assert "# exceptions: [{kind: mask_of_values, reason: " in text


def test_masks_of_two_polarities_are_said(here, capsys):
    masks = [squares(255)] * 4 + [255 - squares(255)] * 3
    code, said = init(capsys, folder(here / "mixed", masks))
    assert code == 0 and "masks: 3 of 7 masks look inverted beside the others" in said
    assert "# To know: 3 of 7 masks look inverted" in written(here, "mixed")[0]


def test_an_object_of_another_value_that_fills_its_image_is_an_object(here, capsys):
    root = folder(here / "twos", [*[squares(2)] * 5, np.full(SIZE, 2)])
    assert init(capsys, root)[0] == 0
    assert written(here, "twos")[1]["above_zero"] is True


@pytest.mark.parametrize(("answer", "chosen"), [(1, {}), (2, {"mask_suffix": "_cup"}), (3, {"mask_suffix": "_disc"})])
def test_two_sets_of_masks_in_one_folder_are_a_choice(here, capsys, monkeypatch, answer, chosen):
    root = folder(here / "eye", [squares(255)] * 6, suffix="_disc")
    folder(root, [squares(255)] * 5, suffix="_cup")  # one image has no cup
    code, said = init(capsys, root)
    assert code == 1 and "can be read in 3 ways" in said and "layout.mask_suffix" in said
    terminal = io.StringIO(f"{answer}\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    assert init(capsys, root)[0] == 0
    layout = written(here, "eye")[1]["layout"]
    assert layout == {"images": "images", "masks": "masks"} | chosen


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


@pytest.mark.parametrize(
    ("image", "mask", "expected"),
    [
        ("train/{}_sat", "train/{}_mask", {"images": "train", "masks": "train", "image_suffix": "_sat"}),
        ("images/{}_image", "masks/{}_mask", {"images": "images", "masks": "masks", "image_suffix": "_image"}),
        ("T{0}/a_{0}", "T{0}/a_{0}_mask", {"images": ".", "masks": "."}),
        ("raw/T{0}/a", "raw/T{0}/a_mask", {"images": "raw", "masks": "raw"}),
        ("im/train/T{0}/{0}_8bit", "gt/train/T{0}/{0}_mask", {"images": "im/train", "masks": "gt/train"}),
        ("p{}/pics/a", "p{}/truth/a_mask", {"images": "pics", "masks": "truth"}),
        ("p{}/pics/a_sat", "p{}/truth/a_mask", {"images": "pics", "masks": "truth", "image_suffix": "_sat"}),
    ],
)
def test_endings_and_trees_of_folders(tmp_path, image, mask, expected):
    for i in range(4):
        write(tmp_path / f"{image.format(i)}.png", np.random.default_rng(i).integers(0, 255, (*SIZE, 3)))
        write(tmp_path / f"{mask.format(i)}.png", squares(255))
    if "8bit" in image:
        write(tmp_path / "gt/train/T0/x_mask.png", squares(255))
        write(tmp_path / "im/train/T0/x_8bit.png", np.random.default_rng(7).integers(0, 255, (*SIZE, 3)))
        expected = {**expected, "image_suffix": "_8bit"}
    ways = layouts(tmp_path)
    assert [(reader, layout.model_dump(exclude_defaults=True)) for reader, layout, _ in ways] == [
        ("folder", {**expected, "mask_suffix": "_mask"})
    ]
    assert len(build_index("folder", tmp_path, layout=ways[0][1])) == (5 if "8bit" in image else 4)


def photo(path, seed=0):
    write(path, np.random.default_rng(seed).integers(0, 255, (*SIZE, 3)))


def ways_of(root):
    return [layout.model_dump(exclude_defaults=True) for _, layout, _ in layouts(root)]


def test_a_folder_for_each_image_with_other_names_of_masks(tmp_path):
    """The Data Science Bowl 2018 calls all files by hashes: half of their signs are numbers."""
    for i in range(4):
        photo(tmp_path / f"train/{i}f{i}/images/{i}f{i}.png", i)
        for j in range(3):
            write(tmp_path / f"train/{i}f{i}/masks/{j}a{i}{j}.png", squares(255))
    assert ways_of(tmp_path) == [{}] and (build_index("folder", tmp_path)["mask"] != "").sum() == 4


def test_masks_of_other_images_with_the_same_names_are_no_way(tmp_path):
    for film in ("01", "02"):
        for i in range(3):
            photo(tmp_path / f"{film}/t{i:03d}.png", i)
            write(tmp_path / f"{film}_ST/SEG/man_seg{i:03d}.png", squares(1, 2, 3))
    pairs = [(way["images"], way["masks"]) for way in ways_of(tmp_path)]
    assert pairs == [("01", "01_ST/SEG"), ("02", "02_ST/SEG")]
    assert all(f"images {images}/t*, masks {masks}/man_seg*" in str(layouts(tmp_path)) for images, masks in pairs)


def test_one_mask_that_is_called_like_one_of_many_images_is_no_way(tmp_path):
    for i in range(5):
        photo(tmp_path / f"pictures/e{i}.png", i)
        write(tmp_path / f"drawn/e{i}/e{i}_disc.png", squares(255))
    with pytest.raises(StudyError, match="no masks are found that are called like images") as caught:
        layouts(tmp_path)
    assert "pictures (e0, ...: 5)" in caught.value.where


def test_label_maps_of_colours_and_middle_greys_are_masks(tmp_path):
    colours = np.array([[0, 0, 0], [128, 128, 128], [128, 64, 128], [0, 128, 192]], np.uint8)
    labels = np.random.default_rng(0).integers(0, 4, (5, 6)).repeat(8, axis=0).repeat(8, axis=1)
    for i in range(4):
        photo(tmp_path / f"stills/a{i}.png", i)
        write(tmp_path / f"colours/a{i}_L.png", colours[labels])
        write(tmp_path / f"ids/a{i}_ids.png", np.array([7, 8, 11, 26])[labels])
    found = {(way["masks"], way["mask_suffix"]) for way in ways_of(tmp_path)}
    assert found == {("colours", "_L"), ("ids", "_ids")}


def test_masks_beside_jpeg_of_their_names(tmp_path):
    for i in range(4):
        photo(tmp_path / f"crop/a{i}.jpg", i)
        write(tmp_path / f"crop/a{i}.png", squares(255))
    assert ways_of(tmp_path) == [{"images": "crop", "masks": "crop"}]
    assert (build_index("folder", tmp_path, layout=layouts(tmp_path)[0][1])["mask"] != "").sum() == 4


def test_folders_of_lossy_masks_are_no_images(tmp_path):
    for i in range(4):
        photo(tmp_path / f"jpeg_images/a{i}.jpg", i)
        write(tmp_path / f"jpeg_masks/seg{i}.jpg", 50 + squares(20, 60, 100))
        write(tmp_path / f"png_masks/seg{i}.png", 50 + squares(20, 60, 100))
    assert [(way["images"], way["masks"]) for way in ways_of(tmp_path)] == [("jpeg_images", "png_masks")]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("train.csv", b"ImageId,EncodedPixels\na.png,1 4\n", "run lengths in a table"),
        ("ann/a.png.json", b'{"objects": [{"geometryType": "bitmap"}]}', "JSON files of Supervisely"),
        ("xml/a.xml", b'<Annotations><Annotation><Regions><Region Id="1">', "outlines of a slide viewer"),
        ("truth/deep/down/there/a.mat", b"MATLAB", "files of MATLAB"),
        ("labels/a.npy", b"NUMPY", "arrays of NumPy"),
        ("case/a_seg.nii.gz", b"", "volumes"),
    ],
)
def test_labels_that_are_not_read_are_named(tmp_path, name, content, told):
    for i in range(3):
        photo(tmp_path / f"pictures/a{i}.png", i)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StudyError, match=f"the labels are {told}, which are not read") as caught:
        layouts(tmp_path)
    assert caught.value.where.endswith(name) and caught.value.remedy


def test_folders_of_patients_are_looked_at_once(tmp_path, monkeypatch):
    """Files are called alike in all of them: compared each with each, a thousand patients would take an hour."""
    looked_at = []
    monkeypatch.setattr(find_layout, "read_mask", lambda path: looked_at.append(path) or read_mask(path))
    for i in range(12):
        for name in "ab":
            write(tmp_path / f"p{i}/pics/{name}.png", np.random.default_rng(i).integers(0, 255, (*SIZE, 3)))
            write(tmp_path / f"p{i}/truth/{name}.png", squares(255))
    ((_, layout, words),) = layouts(tmp_path)
    assert (layout.images, layout.masks) == ("pics", "truth") and "in each of 12 folders" in words
    assert len(looked_at) == len({*looked_at}), "of each folder the first files, once"
    assert len(build_index("folder", tmp_path, layout=layout)) == 24


def test_masks_of_two_people_in_folders_of_patients(tmp_path):
    for i in range(3):
        write(tmp_path / f"p{i}/pics/a.png", np.random.default_rng(i).integers(0, 255, (*SIZE, 3)))
        for person in (1, 2):
            write(tmp_path / f"p{i}/rater_{person}/a.png", moved(person))
    ((_, layout, words),) = layouts(tmp_path)
    assert layout.model_dump(exclude_defaults=True) == {
        "images": "pics",
        "masks": "rater_1",
        "annotator_masks": ["rater_2"],
    }
    assert words == "images in pics, masks in rater_1, rater_2, in each of 3 folders"
    assert list(build_index("folder", tmp_path, layout=layout)["second_mask"]) == [
        f"p{i}/rater_2/a.png" for i in range(3)
    ]


def test_names_of_hashes_are_not_compared_each_with_each(tmp_path):
    names = {tmp_path / part: [f"{part}{n:04x}x{n}" for n in range(5000)] for part in "ab"}
    asked = []
    assert find_layout._prefixed(tmp_path, names, lambda *name: asked.append(name)) == []
    assert len(asked) <= find_layout.PREFIXES**2


def test_a_nearer_picture_of_the_same_name_hides_no_images(tmp_path):
    """Drawings of the masks upon the images lie beside the masks: which of both the images are, nobody can know."""
    folder(tmp_path, [squares(255)] * 4, images="photos", labels="seg/drawn")
    folder(tmp_path, [squares(255)] * 4, images="seg/overlays", labels="seg/drawn")
    assert {layout.images for _, layout, _ in layouts(tmp_path)} == {"photos", "seg/overlays"}


WORDS = {"train": 3, "val": 2, "test": 2}


@pytest.mark.parametrize(
    ("images", "masks", "expected"),
    [
        ("x/{word}/{i}", "x/{word}/{i}_mask", ("x/{subset}", "x/{subset}")),
        ("Task1_{word}_Input/{i}", "Task1_{word}_Truth/{i}_seg", ("Task1_{subset}_Input", "Task1_{subset}_Truth")),
        ("tiff/{word}/{i}", "tiff/{word}_labels/{i}", ("tiff/{subset}", "tiff/{subset}_labels")),
        ("{word}/{i}", "{word}annot/{i}", ("{subset}", "{subset}annot")),
        (
            "pics/{letter}. {word} Set/{i}",
            "gt/{letter}. {word} Set/MA/{i}",
            ("pics/*. {subset} Set", "gt/*. {subset} Set/MA"),
        ),
        ("u_{word}/seq{i}/Images/0", "u_{word}/seq{i}/Labels/0", ("u_{subset}/seq*/Images", "u_{subset}/seq*/Labels")),
        ("{word}/R{i}/im/{i}", "{word}/R{i}/gt/{i}", ("{subset}/R*/im", "{subset}/R*/gt")),
    ],
)
def test_folders_that_differ_in_the_name_of_a_subset_are_one_data_set(tmp_path, images, masks, expected):
    for word, count in WORDS.items():
        for i in range(count):
            number = i + 10 * count if "seq" in images else i  # films are numbered through
            texts = {"word": word.title(), "i": number, "letter": word[-1]}
            photo(tmp_path / f"{images.format(**texts)}.png", 100 * count + i)
            write(tmp_path / f"{masks.format(**texts)}.png", np.roll(squares(255), i))
    ((_, layout, words),) = layouts(tmp_path)
    assert (layout.images, layout.masks) == expected and "train 3" in words
    index = build_index("folder", tmp_path, layout=layout)
    assert dict(index["official_subset"].value_counts()) == WORDS and (index["mask"] != "").all()


@pytest.mark.parametrize(
    ("images", "masks", "expected"),
    [
        ("Slide_0{p}/0{p}_{i}", "GT_0{p}/0{p}_{i}", ("Slide_*", "GT_*")),
        ("im_part_{p}/{p}{i}", "masks/{p}{i}_seg", ("im_part_*", "masks")),
        ("0{p}/t{i}", "0{p}_ST/SEG/man_seg{i}", ("*", "*_ST/SEG")),
    ],
)
def test_folders_of_parts_are_one_data_set(tmp_path, images, masks, expected):
    for p in (1, 2, 3):
        for i in range(3):
            photo(tmp_path / f"{images.format(p=p, i=i)}.png", 10 * p + i)
            write(tmp_path / f"{masks.format(p=p, i=i)}.png", squares(255))
    ((_, layout, _),) = layouts(tmp_path)
    assert (layout.images, layout.masks) == expected
    index = build_index("folder", tmp_path, layout=layout)
    assert len(index) == 9 and all(
        Path(image).stem[-1] in Path(mask).stem and (masks[0] == "m" or image[6:8] in mask or image[:2] in mask)
        for image, mask in zip(index["image"], index["mask"], strict=True)
    )


def test_one_data_set_in_two_formats_is_no_data_set_of_two_parts(tmp_path):
    for ending in ("png", "tif"):
        for i in range(3):
            photo(tmp_path / f"{ending}/Original/{i}.{ending}", i)
            write(tmp_path / f"{ending}/Truth/{i}.{ending}", squares(255))
    assert {way["images"] for way in ways_of(tmp_path)} == {"png/Original", "tif/Original"}


def test_groups_are_guessed_as_the_reader_finds_them(here, capsys):
    root = here / "slides"
    for p in range(6):
        for i in range(3):
            photo(root / f"Slide_0{p}/0{p}_{i}.png", 10 * p + i)
            write(root / f"GT_0{p}/0{p}_{i}.png", squares(255))
    code, said = init(capsys, root)
    layout = Layout(**written(here, "slides")[1]["layout"])
    assert code == 0 and "groups GUESSED from names (series): 6" in said
    assert build_index("folder", root, layout=layout)["group"].nunique() == 6


def test_test_images_without_masks_are_no_test_set(here, capsys):
    root = folder(here / "roofs", [squares(255)] * 8, images="train/images", labels="train/gt")
    photo(root / "test/images/x.png", 9)
    code, said = init(capsys, root)
    text, dataset, _ = written(here, "roofs")
    assert code == 0 and dataset["split"] == {"repeat": "kfold", "folds": 5}, said
    assert "None of the test images has a mask: other images are drawn as test set." in text


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
    assert code == 1 and "no masks are found" in said and not (here / "studies/empty.yaml").exists()


@pytest.mark.parametrize(
    ("folder_name", "name"),
    [
        ("yes", "images_yes"),
        ("NULL", "images_null"),
        ("L" * 120, "l" * 100),
        ("2 eyes", "images_2_eyes"),
        ("on-", "images_on"),
    ],
)
def test_names_of_folders_become_names_of_studies(here, folder_name, name):
    found = init_command._study_name(here / folder_name)
    assert found == name and init_command._check_name(found, ()) is None


@pytest.mark.parametrize("name", ["yes", "12", "a b", "n" * 101, "-x"])
def test_a_name_that_a_study_cannot_have(here, capsys, name):
    code, said = init(capsys, folder(here / "photos", [squares(255)]), f"--name={name}")
    assert code == 1 and "cannot be the name of a study" in said and "where:   --name" in said


def test_a_data_set_of_config_yaml_lends_its_keys_to_no_other(here, capsys):
    Path("config.yaml").write_text("study: exercise\ndatasets: {ph2: {root: PH2, size: {height: 288, width: 384}}}\n")
    root = folder(here / "PH2", [squares(255)] * 4)
    code, said = init(capsys, root, "--name=ph2")
    assert code == 1 and "config.yaml has a data set 'ph2'" in said
    code, said = init(capsys, root)
    assert code == 0 and list(yaml.safe_load(Path("studies/my_ph2.yaml").read_text())["datasets"]) == ["my_ph2"], said


@pytest.mark.parametrize(("part", "told"), [("$HOME", "name of a variable"), (os.fsdecode(b"gr\xf6n"), "no UTF-8")])
def test_paths_that_a_study_file_cannot_hold(here, capsys, part, told):
    code, said = init(capsys, folder(here / part / "photos", [squares(255)]))
    assert code == 1 and told in said and not list(here.glob("studies/*"))


def test_names_of_files_never_begin_a_line_of_the_study(here, capsys):
    root = folder(here / "a\nstudy: other", [squares(255)] * 4)
    (root / "x\nlosses: {}.csv").write_text("a,b")
    code, said = init(capsys, root, "--name=mine")
    assert code == 0, said
    text, _, study = written(here, "mine")
    assert study.study == "mine" and study.root("mine") == root and "x\\nlosses: {}.csv" in text


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


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["masks_10", "masks_2", "masks_1", "rois"], [["masks_1", "masks_2", "masks_10"]]),
        (["_manual1", "_manual2"], [["_manual1", "_manual2"]]),
        (["first_reader", "Second reader", "third"], [["first_reader", "Second reader", "third"]]),
        (["b", "a", "gt_b", "gt_a"], [["a", "b"], ["gt_a", "gt_b"]]),
        (["_1stHO", "_1st", "_2nd"], []),  # two firsts
        (["images", "masks", "masks2x"], []),
    ],
)
def test_names_that_count(names, groups):
    assert counted(names) == groups


def moved(columns):
    """A mask with a square that is moved to the right."""
    return np.roll(squares(255), columns, axis=1)


@pytest.mark.parametrize(
    ("places", "layout"),
    [
        (
            [("masks_1", ""), ("masks_2", ""), ("masks_3", "")],
            {"images": "images", "masks": "masks_1", "annotator_masks": ["masks_2", "masks_3"]},
        ),
        (
            [("masks", ""), ("masks_2", ""), ("masks_3", "")],
            {"images": "images", "masks": "masks", "annotator_masks": ["masks_2", "masks_3"]},
        ),
        (
            [("drawn/annotator_a", ""), ("drawn/annotator_b", ""), ("drawn/annotator_c", "")],
            {
                "images": "images",
                "masks": "drawn/annotator_a",
                "annotator_masks": ["drawn/annotator_b", "drawn/annotator_c"],
            },
        ),
        (
            [("drawn", "_1stHO"), ("drawn", "_2ndHO"), ("drawn", "_3rd")],
            {"images": "images", "masks": "drawn", "mask_suffix": "_1stHO", "annotator_suffixes": ["_2ndHO", "_3rd"]},
        ),
        (
            [("expert_anna", "_seg"), ("expert_ben", "_seg")],
            {
                "images": "images",
                "masks": "expert_anna",
                "mask_suffix": "_seg",
                "annotator_masks": ["expert_ben"],
            },
        ),
    ],
)
def test_masks_of_several_annotators(here, capsys, places, layout):
    root = here / "people"
    for number, (labels, suffix) in enumerate(places):
        folder(root, [moved(2 * number)] * 6, labels=labels, suffix=suffix)
    (root / places[1][0] / f"img_00{places[1][1]}.png").unlink()  # who has not drawn an image has not drawn it
    code, said = init(capsys, root)
    text, dataset, study = written(here, "people")
    assert code == 0, said
    assert dataset["layout"] == layout and f"{len(places)} annotators; the first's masks are learned" in said
    assert (
        "`truth: majority` joins them all" in text
        and len(study.datasets["people"].layout.annotators) == len(places) - 1
    )


def test_folders_that_count_kinds_of_objects_are_no_annotators(here, capsys):
    """Masks of three kinds of lesions lie in folders that count, and do not overlap."""
    for number in range(3):
        folder(here / "kinds", [moved(12 * number)] * 6, labels=f"lesions_{number + 1}")
    code, said = init(capsys, here / "kinds")
    assert code == 1 and "can be read in 3 ways" in said


@pytest.mark.parametrize("name", ["coco", "labelme", "cvat", "label_studio", "voc", "mmseg", "nnunet", "huggingface"])
def test_a_folder_in_each_format_is_known_with_its_classes(here, capsys, name):
    expected = getattr(formats, name)(here / name)
    code, said = init(capsys, here / name)
    text, dataset, study = written(here, name)
    assert dataset["reader"] == expected["reader"] == name
    assert "2 images, 2 of them with masks" in text
    if name == "huggingface":  # nothing there names classes, and 255 is no outline
        assert code == 1 and "# ignore: 255" in text and not {"classes", "ignore", "exceptions"} & set(dataset)
        return
    assert code == 0, said
    assert study.datasets[name].several and study.experiments["first"].losses == ["cross_entropy"]
    by_name = {"cvat": "void", "label_studio": "void"}
    assert dataset.get("ignore") == by_name.get(name), "the other files say it themselves"
    assert "void" not in study.datasets[name].classes
    assert "nucleus" in text or "class_2" in text


@pytest.mark.parametrize("damaged", [["im_1"], ["im_1", "im_2"]])
def test_a_damaged_picture_is_named_as_it_lies_in_the_folder(here, capsys, damaged):
    """Annotations are drawn in a temporary folder, which is gone when the message is read."""
    formats.coco(here / "coco")
    for name in damaged:
        path = here / "coco" / "images" / f"{name}.png"
        path.write_bytes(path.read_bytes()[:20])
    code, said = init(capsys, here / "coco")
    assert code == 1 and "converted" not in said
    assert all(str(here / "coco/images" / name) in said.replace("\n", "") for name in damaged)


def test_a_class_that_is_none_by_its_name_is_void_and_an_empty_image_is_declared(here, capsys):
    def renamed(content):
        content["categories"][1]["name"] = "cell" * 40  # longer than a name of files may be
        content["categories"][2]["name"] = "Don't care"
        content["annotations"] = [a for a in content["annotations"] if a["image_id"] == 1 and not a["iscrowd"]]

    root = here / "crowd"
    formats.coco(root)
    path = root / "annotations/instances.json"
    content = json.loads(path.read_text())
    renamed(content)
    path.write_text(json.dumps(content))
    code, said = init(capsys, root)
    text, dataset, study = written(here, "crowd")
    assert code == 0 and dataset["ignore"] == "Don_t_care" and "ignore: by its name no class" in said
    assert study.datasets["crowd"].ignore == [2, 255] and study.datasets["crowd"].classes == {("cell" * 40)[:90]: 1}
    (exception,) = dataset["exceptions"]
    assert exception["kind"] == "mask_constant" and exception["samples"] == ["im_2"]
    assert "1 of 2 images hold no object. Not labelled yet?" in text
    sliver = content["annotations"][0] | {"id": 99, "image_id": 2, "segmentation": [[5.6, 3, 5.9, 3, 5.9, 9]]}
    content["annotations"].append(sliver)  # whether this image holds an object nobody knows
    path.write_text(json.dumps(content))
    (here / "studies" / "crowd.yaml").unlink()
    code, said = init(capsys, root)
    assert (
        code == 0 and "exceptions" not in written(here, "crowd")[1] and "annotations: they draw nothing in im_2" in said
    )


@pytest.mark.parametrize(
    ("values", "choices"),
    [
        ((1, 2), ["# classes: {background: 2, class_1: 1}\n    # ignore: 3  # 2 is the background", "and no 0"]),
        ((128, 255), ["# ignore: 128  # one kind of object, 255"]),
        ((254, 255), ["# ignore: 254  # one kind of object, 255"]),
    ],
)
def test_other_void_is_asked_about(here, capsys, values, choices):
    masks = [squares(*values)] * 6
    if 2 in values:  # 1 is the object, 2 what is around it, 3 its outline
        masks = [np.where(mask == 0, 2, np.where(mask == 2, 3, mask)) for mask in masks]
        for mask in masks:
            mask[6:19, 13:22] = 2  # an outline is thin
    code, said = init(capsys, folder(here / "pets", masks))
    text, dataset, _ = written(here, "pets")
    assert code == 1 and "not known: The masks hold values" in said and not {"classes", "ignore"} & set(dataset)
    assert all(choice in text for choice in choices), text


def test_photographs_whose_notes_count_and_files_that_stop_the_study_are_said(here, capsys):
    root, random = here / "phone", np.random.default_rng(0)
    for i in range(4):
        picture = Image.fromarray(random.integers(0, 255, (*SIZE, 3)).astype(np.uint8)).transpose(
            Image.Transpose.ROTATE_90
        )
        exif = picture.getexif()
        exif[274] = 6
        (root / "images").mkdir(parents=True, exist_ok=True)
        picture.save(root / f"images/{i}.jpg", exif=exif)
        write(root / f"masks/{i}.png", squares(255))
    code, said = init(capsys, root)
    assert code == 0 and written(here, "phone")[1]["orientation"] == "apply" and "to mend" not in said
    write(root / "masks/2.png", np.zeros((40, 49)))
    code, said = init(capsys, root, "--force")
    assert "to mend, or the study stops: 1 images, such as 2: size_mismatch: mask is 49x40" in said


def test_which_of_many_channels_is_asked(here, capsys):
    root, random = here / "bands", np.random.default_rng(0)
    for i in range(4):
        (root / "images").mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 255, (*SIZE, 5)).astype(np.uint8)
        tifffile.imwrite(root / f"images/{i}.tif", pixels, photometric="minisblack", planarconfig="contig")
        write(root / f"masks/{i}.png", squares(255))
    code, said = init(capsys, root)
    assert code == 1 and "not known: The image has 5 channels" in said
    assert "    # channels: [1, 2, 3]  # the first three are" in written(here, "bands")[0]


def test_pages_are_found_in_any_file(here, capsys):
    root = folder(here / "films", [squares(255)] * 4)
    for place in ("images", "masks"):
        first = Image.open(root / place / "img_02.png")
        first.save(root / place / "img_02.tif", save_all=True, append_images=[first, first])
        (root / place / "img_02.png").unlink()
    assert init(capsys, root)[0] == 0
    text, dataset, _ = written(here, "films")
    assert dataset["layout"]["pages"] is True and "6 images, 6 of them" in text
