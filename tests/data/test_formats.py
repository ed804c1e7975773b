"""The same masks written in each format give the same store; what each format says of classes, subsets and void."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from segstudy.config.load import load_study
from segstudy.config.readers import CONVERTED, READERS
from segstudy.core.errors import StudyError
from segstudy.data.convert import convert
from segstudy.data.images.label_map import read_ids
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
            "losses": {"dice": {}},
            "recipes": {"default": {}},
            "experiments": {"e": {"question": "Which?", "datasets": ["d"], "models": ["unet"], "losses": ["dice"]}},
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


def refused(root, block, tmp_path):
    """Return the message with which a data set is refused, when its config is read or when it is converted."""
    with pytest.raises(StudyError) as caught:
        indexed(root, block, tmp_path)
    return " ".join(str(caught.value).split())


def coco_with(root, change):
    """Write COCO whose content is changed before."""
    block = formats.coco(root)
    path = root / "annotations" / "instances.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return block


BAD_COCO = {
    "unknown-category": (
        lambda c: c["annotations"][0].update(category_id=5),
        ("categories", "5", "7 (cell), 9 (nucleus)"),
    ),
    "no-such-image": (lambda c: c["annotations"][0].update(image_id=99), ("annotation", "is of image 99")),
    "size-of-counts": (
        lambda c: c["annotations"][0].update(segmentation={"size": [4, 4], "counts": [3, 13]}),
        ("im_1: annotation 10: run lengths of a mask of [4, 4]", "[24, 32]"),
    ),
    "sum-of-counts": (
        lambda c: c["annotations"][0].update(segmentation={"size": [24, 32], "counts": [3, 13]}),
        ("run lengths add up to 16 pixels, the image has 768",),
    ),
    "text-of-counts": (
        lambda c: c["annotations"][0].update(segmentation={"size": [24, 32], "counts": "abc"}),
        ("im_1: annotation 10: run lengths that",),
    ),
    "outside": (
        lambda c: c["annotations"][0].update(segmentation=[[40, 3, 50, 3, 50, 9]]),
        ("a polygon lies outside the image: x 40 to 50, y 3 to 9, the image is 32x24",),
    ),
    "far-outside": (
        lambda c: c["annotations"][0].update(segmentation=[[1, 3, 1e9, 3, 1, 9]]),
        ("a polygon lies outside the image: x 1 to 1e+09",),
    ),
    "two-points": (lambda c: c["annotations"][0].update(segmentation=[[1, 3, 5, 3]]), ("a polygon of 2 points",)),
    "odd": (lambda c: c["annotations"][0].update(segmentation=[[1, 3, 5]]), ("a polygon of 3 numbers",)),
    "box-alone": (lambda c: c["annotations"][0].update(segmentation=[]), ("has no outline (a box alone is no mask)",)),
    "huge-image": (lambda c: c["images"][0].update(height=10**6, width=10**6), ("1e+06 megapixels", "allows 200")),
    "no-number": (lambda c: c["images"][0].update(height="x"), ("no COCO file: images.0.height", "integer")),
    "outside-of-root": (
        lambda c: c["images"][0].update(file_name="../../../etc/passwd.png"),
        ("1 of 2 images that the annotations name are not below the root: passwd",),
    ),
}


@pytest.mark.parametrize("case", BAD_COCO)
def test_bad_coco_is_refused_with_the_reason(case, tmp_path):
    change, words = BAD_COCO[case]
    message = refused(tmp_path / "raw", coco_with(tmp_path / "raw", change), tmp_path)
    assert all(word in message for word in words), message
    assert not (tmp_path / "converted").exists(), "nothing half made stays"


def test_every_bad_annotation_is_named_at_once(tmp_path):
    def change(content):
        for annotation in content["annotations"]:
            annotation["segmentation"] = [[1, 3, 5, 3]]

    message = refused(tmp_path / "raw", coco_with(tmp_path / "raw", change), tmp_path)
    assert "of 2 of 2 images cannot be drawn: im_1: annotation" in message and "im_2: annotation" in message


@pytest.mark.parametrize("case", ["coco-polygons", "labelme", "label_studio", "nnunet"])
def test_a_file_that_is_cut_is_named(case, tmp_path):
    root = tmp_path / "raw"
    block = formats.WRITERS[case](root)
    path = sorted(root.rglob("*.json"))[0]
    path.write_bytes(path.read_bytes()[:-40])
    message = refused(root, block, tmp_path)
    assert str(path) in message and "EOF while parsing" in message and "cut off" in message


def test_other_files_that_are_cut_or_of_another_layout(tmp_path):
    root = tmp_path / "cvat"
    block = formats.cvat(root)
    whole = (root / "annotations.xml").read_text()
    (root / "annotations.xml").write_text(whole[:-60])
    assert "this is no CVAT file" in refused(root, block, tmp_path)
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    (root / "annotations.xml").write_text(whole.replace("<annotations>", f"{bomb}<annotations>", 1))
    assert "the XML file has a document type" in refused(root, block, tmp_path)
    (root / "annotations.xml").write_text(whole.replace("0, 24", "0, 25"))
    assert "mask 'nucleus': its run lengths add up to 25 pixels, its box has 4x6" in refused(root, block, tmp_path)

    root = tmp_path / "table"
    block = formats.huggingface(root)
    path = next(root.rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    assert "the table cannot be read" in refused(root, block, tmp_path)

    root = tmp_path / "volumes"
    block = formats.nnunet(root)
    path = next(root.rglob("dataset.json"))
    path.write_text(path.read_text().replace('".png"', '".nii.gz"'))
    assert "end in .nii.gz: volumes" in refused(root, block, tmp_path)

    root = tmp_path / "brush"
    block = formats.label_studio(root)
    path = root / "project-1.json"
    tasks = json.loads(path.read_text())
    strokes = [r for task in tasks for r in task["annotations"][0]["result"] if r["type"] == "brushlabels"]
    del strokes[0]["value"]["rle"][-3:]
    path.write_text(json.dumps(tasks))
    assert "im_1: brushlabels 'nucleus': run lengths that are cut" in refused(root, block, tmp_path)


@pytest.mark.parametrize(("case", "library"), [("coco-polygons", "pycocotools"), ("huggingface-arrow", "pyarrow")])
def test_a_library_that_is_not_installed_is_named_with_its_extra(case, library, tmp_path, monkeypatch):
    block = formats.WRITERS[case](tmp_path / "raw")
    for name in (library, f"{library}.mask", f"{library}.ipc"):
        monkeypatch.setitem(sys.modules, name, None)
    message = refused(tmp_path / "raw", block, tmp_path)
    assert (
        f"{library}, which is not installed" in message and "pip install -c constraints.txt -e '.[formats]'" in message
    )


def test_classes_are_picked_and_merged_by_their_names(tmp_path):
    def settings(**more):
        return study_of(tmp_path, {"reader": "coco", **more}).dataset_settings("d", "classes", "ignore")

    formats.coco(tmp_path)
    assert settings() == {"classes": {"cell": 1, "nucleus": 2}, "ignore": [255]}
    picked = settings(classes={"core": "nucleus"})
    assert picked["classes"] == {"core": [2], "background": [0, 1]}
    merged = settings(classes={"object": ["cell", "nucleus"]})
    assert merged["classes"] == {"object": [1, 2]}
    assert not study_of(tmp_path, {"reader": "coco", "classes": {"object": ["cell", "nucleus"]}}).datasets["d"].several
    dropped = settings(ignore="nucleus")
    assert dropped == {"classes": {"cell": 1}, "ignore": [2, 255]}, "crowds are void beside it"
    with pytest.raises(StudyError, match=r"the files name no class 'nucleous'. Did you mean 'nucleus'\?"):
        settings(classes={"core": "nucleous"})


def test_an_id_is_the_same_as_a_number_and_as_text(tmp_path):
    def change(content):
        for annotation in content["annotations"]:
            annotation["image_id"] = str(annotation["image_id"])

    index, root, labels = indexed(tmp_path, coco_with(tmp_path, change), tmp_path / "work")
    drawn = read_ids(root / index["mask"].iloc[0], labels).array
    assert np.array_equal(drawn, np.where(formats.mask("im_1") == 255, 0, formats.mask("im_1")))


def test_masks_of_0_and_255_in_folders_of_subsets_are_one_object(tmp_path):
    for subset in ("train", "val"):
        for name in formats.IMAGES:
            formats.save(tmp_path / "images" / subset / f"{subset}_{name}.png", formats.picture(name))
            formats.save(
                tmp_path / "masks" / subset / f"{subset}_{name}.png", np.uint8(255) * (formats.mask(name) == 1)
            )
    assert reader_module("mmseg").proposal(tmp_path) == {"classes": {"class_255": 255}}
    with pytest.raises(StudyError, match=r"classes: \{class_255: 255\}"):
        study_of(tmp_path, {"reader": "mmseg"})
    options = study_of(tmp_path, {"reader": "mmseg", "classes": {"cell": 255}}).datasets["d"]
    assert not options.several and not options.ignore


def test_vocs_colour_of_void_is_proposed_as_void(tmp_path):
    formats.voc(tmp_path, colours=True)
    (tmp_path / "labelmap.txt").unlink()
    proposed = reader_module("voc").proposal(tmp_path)
    assert proposed["ignore"] == "#e0e0c0" and set(proposed["classes"].values()) == {"#800000", "#008000"}
    assert study_of(tmp_path, {"reader": "voc", **proposed}).datasets["d"].ignore == ["#e0e0c0"]
    without_void = study_of(tmp_path, {"reader": "voc", "classes": {**proposed["classes"], "rim": "#e0e0c0"}})
    assert without_void.datasets["d"].ignore == [], "255, which is void in VOC's numbers, is no colour"


def test_names_of_classes_become_names_of_files(tmp_path):
    def change(content):
        content["categories"][1]["name"] = "Red blood cell (old)"
        content["categories"][2]["name"] = "細胞"

    block = coco_with(tmp_path, change)
    assert study_of(tmp_path, block).datasets["d"].classes == {"Red_blood_cell_old": 1, "class_2": 2}
    named = block | {"classes": {"blood": "Red blood cell (old)"}}
    assert study_of(tmp_path, named).datasets["d"].classes == {"blood": [1], "background": [0, 2]}


def test_masks_whose_classes_nothing_names_are_asked_for(tmp_path):
    block = formats.mmseg(tmp_path)
    del block["classes"]
    with pytest.raises(StudyError, match="nothing says which classes") as caught:
        study_of(tmp_path, block)
    assert "classes: {class_1: 1, class_2: 2}" in caught.value.remedy
    assert reader_module("mmseg").proposal(tmp_path) == {"classes": {"class_1": 1, "class_2": 2}}


def test_several_coco_files_are_the_official_subsets(tmp_path):
    root = tmp_path / "raw"
    formats.coco(root)
    (root / "annotations" / "instances.json").unlink()
    for name, subset in (("im_1", "train"), ("im_2", "val")):
        content = formats.coco_file([name])
        (root / "annotations" / f"instances_{subset}2017.json").write_text(json.dumps(content))
    formats.save(root / "test2017" / "im_3.png", formats.picture("im_3"))
    formats.save(root / "spare" / "im_9.png", formats.picture("im_3"))
    content = formats.coco_file(["im_1"]) | {"annotations": []}
    content["images"][0]["file_name"] = "im_3.png"
    (root / "annotations" / "image_info_test2017.json").write_text(json.dumps(content))
    index, _, _ = indexed(root, {"reader": "coco"}, tmp_path)
    assert list(zip(index["sample"], index["official_subset"], index["mask"] != "", strict=True)) == [
        ("im_1", "train", True),
        ("im_2", "val", True),
        ("im_3", "test", False),
    ]
    assert any("1 pictures that no annotation names are left out: spare/im_9.png" in r for r in index.attrs["repairs"])
    (root / "annotations" / "instances_more_train.json").write_text(json.dumps(formats.coco_file(["im_1"])))
    assert "im_1.png is annotated twice" in refused(root, {"reader": "coco"}, tmp_path)


def test_an_annotation_of_one_image_changes_the_mask_of_that_image_alone(tmp_path):
    block = formats.coco(tmp_path / "raw")
    before, _, _ = indexed(tmp_path / "raw", block, tmp_path)
    path = tmp_path / "raw" / "annotations" / "instances.json"
    content = json.loads(path.read_text())
    content["annotations"][-1]["segmentation"][0][0] += 4
    path.write_text(json.dumps(content, indent=4))
    after, _, _ = indexed(tmp_path / "raw", block, tmp_path)
    changed = before["mask_sha256"] != after["mask_sha256"]
    assert list(changed) == [False, True] and (before["image_sha256"] == after["image_sha256"]).all()


def test_shapes_that_overlap_are_drawn_by_a_rule_and_named_on_the_card(tmp_path):
    """COCO: the smaller is on top, whatever the order; LabelMe: the later; void lies below all."""
    index, root, _ = indexed(tmp_path / "raw", formats.coco(tmp_path / "raw"), tmp_path)
    assert any("shapes of different classes overlap in 1 of 2 images (up to 3.1%" in r for r in index.attrs["repairs"])

    formats.labelme(tmp_path / "me")
    path = tmp_path / "me" / "im_1.json"
    content = json.loads(path.read_text())
    content["shapes"].reverse()  # now the box is drawn upon the nucleus
    path.write_text(json.dumps(content))
    index, root, _ = indexed(tmp_path / "me", {"reader": "labelme"}, tmp_path)
    drawn = np.asarray(Image.open(root / "masks" / "im_1.png"))
    assert not (drawn == 2).any() and int((drawn == 1).sum()) == 144 and int((drawn == 255).sum()) == 48


def test_brush_strokes_are_read_as_label_studio_wrote_them():
    """A mask that label-studio-sdk 2.1.2 has encoded (`brush.mask2rle`): a box of 5x3 pixels with a hole."""
    from segstudy.data.readers.label_studio import unpacked

    written = [0, 0, 0, 192, 57, 27, 254, 39, 0, 194, 127, 246, 192, 35, 255, 140, 2, 223, 253, 176, 12, 39, 255, 144]
    drawn = np.zeros((6, 8), int)
    drawn[1:4, 2:7], drawn[2, 3] = 255, 0
    values = unpacked(bytes([*written, 192, 0]), 6 * 8 * 4).reshape(6, 8, 4)
    assert (values == drawn[..., None]).all()


def test_ade20k_is_read_with_its_names_and_its_void(tmp_path):
    for half, name in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        formats.save(tmp_path / "images" / half / f"{name}.jpg", formats.picture("im_1"))
        formats.save(tmp_path / "annotations" / half / f"{name}.png", formats.mask("im_2"))
    (tmp_path / "objectInfo150.txt").write_text(
        "Idx\tRatio\tTrain\tVal\tName\n1\t0.2\t1\t1\twall\n2\t0.1\t1\t1\tbuilding, edifice\n"
    )
    study = study_of(tmp_path, {"reader": "mmseg"})
    assert study.dataset_settings("d", "classes", "ignore") == {"classes": {"wall": 1, "building": 2}, "ignore": [0]}
    index, _, labels = indexed(tmp_path, {"reader": "mmseg"}, tmp_path)
    assert list(index["official_subset"]) == ["train", "val"] and labels.void == (0,)


def test_vocs_own_release_needs_no_list_of_classes(tmp_path):
    top = tmp_path / "VOCdevkit" / "VOC2012"
    formats.voc(top)
    (top / "class_names.txt").unlink()
    sets = top / "ImageSets" / "Segmentation"
    sets.mkdir(parents=True)
    (sets / "train.txt").write_text("im_1\n")
    (sets / "val.txt").write_text("im_2\n")
    (sets / "trainval.txt").write_text("im_1\nim_2\n")
    formats.save(top / "JPEGImages" / "im_7.png", formats.picture("im_1"))
    index, _, labels = indexed(tmp_path, {"reader": "voc"}, tmp_path)
    assert labels.names[:3] == ("background", "aeroplane", "bicycle") and len(labels.names) == 21
    assert list(index["official_subset"]) == ["train", "val"] and labels.void == (255,)
    assert any("1 images without a mask, in no list, are left out: im_7" in r for r in index.attrs["repairs"])
