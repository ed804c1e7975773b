"""Annotation files as other tools write them: names of pictures, kinds of shapes, lists, what is refused."""

import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.data.convert import convert
from segstudy.data.find_layout import layouts
from segstudy.data.index import build_index
from segstudy.data.readers import named_pictures
from segstudy.data.readers.registry import reader_module
from tests.helpers import formats

SQUARE = [(4.0, 6.0), (12.0, 6.0), (12.0, 10.0), (4.0, 10.0)]


def index_of(reader, root, work):
    convert(reader, root, Layout(), work / "converted")
    return build_index(reader, work / "converted", layout=Layout())


def refused(reader, root, work):
    with pytest.raises(StudyError) as caught:
        index_of(reader, root, work)
    return " ".join(str(caught.value).split())


def drawn(index, work, row=0):
    return np.asarray(Image.open(work / "converted" / index["mask"].iloc[row]))


def write_pictures(root, *names):
    for name in names:
        formats.save(root / name, formats.picture("im_1"))


def write_coco(root, *names, **changes):
    outline = [[value for point in SQUARE for value in point]]
    images = [{"id": n, "file_name": name, "height": 24, "width": 32} for n, name in enumerate(names)]
    annotations = [{"id": n, "image_id": n, "category_id": 1, "segmentation": outline} for n in range(len(names))]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cell"}]} | changes
    root.mkdir(exist_ok=True)
    (root / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    return content


def write_labelme(path, *shapes, picture=None, **changes):
    listed = [{"label": "cell", "shape_type": kind, "points": points} for kind, points in shapes]
    content = {"version": "5.5.0", "flags": {}, "shapes": listed, "imagePath": picture or f"{path.stem}.png"}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | {"imageData": None, "imageHeight": 24, "imageWidth": 32} | changes))


def test_a_picture_of_another_folder_is_none_of_the_same_name(tmp_path):
    root = tmp_path / "raw"
    write_pictures(root, "2019/000.png", "2020/000.png", "2020/001.png")
    write_coco(root, "2019/000.png", "2019/001.png")
    message = refused("coco", root, tmp_path)
    assert "1 of 2 images that the annotations name are not below the root: 2019/001.png" in message
    assert "of that file name: 2020/001.png" in message and "annotations.json" in message
    write_pictures(root, "2019/001.png")
    assert list(index_of("coco", root, tmp_path)["sample"]) == ["000", "001"]


def test_labelme_names_a_picture_beside_its_file(tmp_path):
    root = tmp_path / "raw"
    write_pictures(root, *(f"p1/{n}.png" for n in (1, 2)), *(f"p2/{n}.png" for n in (1, 2, 3)))
    for name in ("p1/1", "p1/2", "p1/3", "p2/1", "p2/2", "p2/3"):
        write_labelme(root / f"{name}.json", ("polygon", SQUARE))
    message = refused("labelme", root, tmp_path)
    assert "1 of 6 images that the annotations name are not below the root: p1/3.png" in message
    (root / "p2" / "3.json").unlink()
    assert "p1/3.png (of that file name: p2/3.png)" in refused("labelme", root, tmp_path)


def test_pictures_that_were_moved_are_found_where_file_names_are_unique(tmp_path):
    root = tmp_path / "raw"
    write_pictures(root, "train/a.png", "train/b.png", "val/c.png")
    write_coco(root, "train/a.png", "train/b.png", "train/c.png")
    said = index_of("coco", root, tmp_path).attrs["repairs"]
    assert any("in another folder than their names say: train/c.png (of that file name: val/c.png)" in s for s in said)
    write_coco(root, "/home/somebody/train/a.png", "/data/images/b.png", "c.png")
    assert index_of("coco", root, tmp_path / "2").attrs["repairs"] == []


def test_two_annotations_of_one_picture_are_named(tmp_path):
    root = tmp_path / "raw"
    write_pictures(root, "pictures/1.png")
    for folder in ("a", "b"):
        write_labelme(root / folder / "1.json", ("polygon", SQUARE))
    message = refused("labelme", root, tmp_path)
    assert "pictures/1.png is annotated twice, in a/1.json too" in message and "b/1.json" in message


def test_accents_of_two_characters_are_those_of_one(tmp_path):
    stored = unicodedata.normalize("NFD", "é1.png")
    assert len(stored) == 7
    write_pictures(tmp_path / "raw", f"ordré/{stored}")
    write_coco(tmp_path / "raw", "ordré/é1.png")
    assert len(index_of("coco", tmp_path / "raw", tmp_path)) == 1


def test_boxes_of_four_corners_are_drawn_and_unknown_kinds_refused(tmp_path):
    root = tmp_path / "raw"
    write_pictures(root, "1.png", "2.png", "3.png")
    diamond = [[8.0, 2.0], [14.0, 8.0], [8.0, 14.0], [2.0, 8.0]]
    write_labelme(root / "1.json", ("rotation", diamond))
    write_labelme(root / "2.json", ("rectangle", SQUARE))
    write_labelme(root / "3.json", ("point", [[3, 3]]), ("line", [[3, 3], [5, 5]]))
    index = index_of("labelme", root, tmp_path)
    rows, columns = np.mgrid[:24, :32] + 0.5
    inside = abs(columns - 8) + abs(rows - 8) < 6
    on_the_edge = abs(columns - 8) + abs(rows - 8) == 6  # which of these belong to it is the library's choice
    assert (drawn(index, tmp_path)[~on_the_edge] == inside[~on_the_edge]).all()
    assert (drawn(index, tmp_path, 1)[6:10, 4:12] == 1).all() and drawn(index, tmp_path, 1).sum() == 32
    assert index.attrs["repairs"] == ["2 points and lines are no areas and are left out"]
    assert json.loads((tmp_path / "converted" / "converted.json").read_text())["blank"] == ["3"]
    write_labelme(root / "3.json", ("cuboid", SQUARE + SQUARE))
    assert "3: a shape of 'cell' is of the kind 'cuboid', known are polygon, rotation" in refused(
        "labelme", root, tmp_path
    )


def test_shapes_that_draw_nothing_are_named(tmp_path):
    write_pictures(tmp_path / "raw", "a.png", "b.png")
    content = write_coco(tmp_path / "raw", "a.png", "b.png")
    content["annotations"][1]["segmentation"] = [[5.6, 3, 5.9, 3, 5.9, 9]]
    write_coco(tmp_path / "raw", **content)
    said = index_of("coco", tmp_path / "raw", tmp_path).attrs["repairs"]
    assert said == ["shapes that draw no pixel, because they are empty or thinner than one, in: b"]
    assert json.loads((tmp_path / "converted" / "converted.json").read_text())["blank"] == ["b"]


def test_what_tools_leave_out_is_taken_from_the_picture(tmp_path):
    coco, labelme = tmp_path / "coco", tmp_path / "labelme"
    write_pictures(coco, "a.png")
    content = write_coco(coco, "a.png")
    content["annotations"][0]["iscrowd"] = content["images"][0]["height"] = None
    del content["images"][0]["width"]
    write_coco(coco, **content)
    write_pictures(labelme, "a.png")
    write_labelme(labelme / "a.json", ("polygon", SQUARE), imageHeight=None)
    data = formats.base64_of(formats.picture("im_1"))
    write_labelme(labelme / "b.json", ("polygon", SQUARE), imageHeight=None, imageWidth=None, imageData=data)
    for reader, root in (("coco", coco), ("labelme", labelme)):
        index = index_of(reader, root, tmp_path / reader)
        for row in range(len(index)):
            mask = drawn(index, tmp_path / reader, row)
            assert mask.shape == (24, 32) and mask.sum() == 32 and (mask[6:10, 4:12] == 1).all()


def test_pictures_of_one_file_name_in_many_folders_are_not_compared_each_with_each(tmp_path, monkeypatch):
    names = [f"p{n}/pictures/img.png" for n in range(12)]
    write_pictures(tmp_path / "raw", *names)
    write_coco(tmp_path / "raw", *names)
    compared = []
    monkeypatch.setattr(named_pictures, "_common", lambda *paths: compared.append(paths) or 0)
    index = index_of("coco", tmp_path / "raw", tmp_path)
    rows = json.loads((tmp_path / "converted" / "converted.json").read_text())["images"]
    assert len(index) == 12 and sorted(row["title"] for row in rows) == sorted(f"p{n}/img" for n in range(12))
    assert not compared


def test_a_picture_beside_its_labelme_file_is_the_one(tmp_path):
    write_pictures(tmp_path / "raw", "p1/img.png", "p1/copies/img.png", "p2/img.png")
    for patient in ("p1", "p2"):
        write_labelme(tmp_path / "raw" / patient / "img.json", ("polygon", SQUARE))
    index = index_of("labelme", tmp_path / "raw", tmp_path)
    assert len(index) == 2 and "1 pictures that no annotation names are left out: p1/copies/img.png" in str(index.attrs)


def test_a_class_called_void_keeps_its_place_in_labelmes_list(tmp_path):
    formats.voc(tmp_path)
    (tmp_path / "class_names.txt").write_text("__ignore__\n_background_\nvoid\nnucleus\n")
    reader = reader_module("voc")
    assert reader.classes(tmp_path, Layout()) == {"nucleus": 2} and reader.void(tmp_path, Layout()) == [1, 255]


def test_a_parquet_table_of_patients_beside_pictures_is_no_hugging_face_data_set(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    formats.folder(tmp_path / "own")
    parquet.write_table(pyarrow.table({"patient": [1, 2]}), tmp_path / "own" / "patients.parquet")
    assert [reader for reader, _, _ in layouts(tmp_path / "own")] == ["folder"]
    formats.huggingface(tmp_path / "hub")
    write_pictures(tmp_path / "hub", "readme/look.png")
    assert [reader for reader, _, _ in layouts(tmp_path / "hub")] == ["huggingface"]


def test_a_byte_order_mark_is_passed_over(tmp_path):
    root = tmp_path / "raw"
    write_pictures(root, "a.png")
    write_coco(root, "a.png")
    path = root / "annotations.json"
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert len(index_of("coco", root, tmp_path)) == 1
    formats.voc(tmp_path / "voc")
    names = tmp_path / "voc" / "class_names.txt"
    names.write_text("cell\nnucleus\n", encoding="utf-8-sig")
    assert reader_module("voc").classes(tmp_path / "voc", Layout()) == {"cell": 0, "nucleus": 1}


def test_more_classes_than_a_mask_holds_are_refused(tmp_path):
    root = tmp_path / "raw"
    write_pictures(root, "a.png")
    content = write_coco(root, "a.png")
    for number in (254, 255):
        categories = [{"id": n, "name": f"c{n}"} for n in range(number)]
        annotations = [content["annotations"][0] | {"id": n, "category_id": n} for n in range(number)]
        write_coco(root, "a.png", categories=categories, annotations=annotations)
        if number == 254:
            assert max(reader_module("coco").classes(root, Layout()).values()) == 254
    message = refused("coco", root, tmp_path)
    assert "shapes of 255 classes are drawn" in message and "254 classes at most" in message


def test_two_files_of_one_name_are_refused_as_in_a_folder(tmp_path):
    formats.voc(tmp_path / "voc")
    formats.save(tmp_path / "voc" / "SegmentationClass" / "im_1.jpg", formats.mask("im_1"))
    index = reader_module("voc").index(tmp_path / "voc")
    assert list(index["mask"]) == ["SegmentationClass/im_1.png", "SegmentationClass/im_2.png"]
    assert index.attrs["repairs"] == ["SegmentationClass/im_1.png is used of im_1.jpg, im_1.png"]
    formats.save(tmp_path / "voc" / "SegmentationClass" / "im_2.tif", formats.mask("im_2"))
    with pytest.raises(StudyError, match=r"several masks are called 'im_2': .*im_2.png, .*im_2.tif"):
        reader_module("voc").index(tmp_path / "voc")
    for reader, folder in (("voc", "JPEGImages"), ("mmseg", "img_dir/train"), ("nnunet", "Dataset001_Drawn/imagesTr")):
        root = tmp_path / f"{reader}_images"
        formats.WRITERS[reader](root)
        (first, *_) = sorted((root / folder).iterdir())
        formats.save(first.with_suffix(".jpg"), formats.picture("im_2"))
        with pytest.raises(StudyError, match=f"several images are called '{first.stem}': "):
            convert(reader, root, Layout(), tmp_path / "out") if reader == "nnunet" else reader_module(reader).index(
                root
            )


def test_lines_of_vocs_lists_are_names_that_may_hold_spaces(tmp_path):
    formats.voc(tmp_path)
    for folder in ("JPEGImages", "SegmentationClass"):
        (tmp_path / folder / "im_1.png").rename(tmp_path / folder / "my image 1.png")
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("my image 1\n")
    (lists / "val.txt").write_text('"im_2"\nmy image 3\n', encoding="utf-8-sig")
    index = reader_module("voc").index(tmp_path)
    assert dict(zip(index["sample"], index["official_subset"], strict=True)) == {"my_image_1": "train", "im_2": "val"}
    assert "1 masks or entries of lists without an image are left out: my image 3" in index.attrs["repairs"]
    (lists / "train.txt").unlink()
    (lists / "val.txt").write_text("im_8 im_2\n")
    assert list(reader_module("voc").index(tmp_path)["official_subset"]) == ["val", ""], "several names in a line"


def test_the_first_nnunets_dataset_json_is_read(tmp_path):
    formats.nnunet(tmp_path)
    path = tmp_path / "Dataset001_Drawn" / "dataset.json"
    labels = {"0": "background", "1": "cell", "2": "nucleus", "3": "ignore"}
    path.write_text(json.dumps({"labels": labels, "modality": {"0": "RGB"}, "numTraining": 2}))
    reader = reader_module("nnunet")
    assert reader.classes(tmp_path, Layout()) == {"cell": 1, "nucleus": 2} and reader.void(tmp_path, Layout()) == [3]
    for picture in (tmp_path / "Dataset001_Drawn" / "imagesTr").iterdir():
        picture.rename(picture.with_suffix(".nii.gz"))
    with pytest.raises(StudyError, match=r"the files end in .nii.gz: volumes"):
        reader.classes(tmp_path, Layout())


@pytest.mark.parametrize("places", [("images/train", "labels/train"), ("train/images", "train/labels")])
def test_yolos_labels_are_called_what_they_are(places, tmp_path):
    write_pictures(tmp_path / places[0], "a.png", "b.png")
    (tmp_path / places[1]).mkdir(parents=True)
    (tmp_path / places[1] / "a.txt").write_text("")
    (tmp_path / places[1] / "b.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 5e-05\n")
    with pytest.raises(StudyError, match="the labels are text files of YOLO") as caught:
        layouts(tmp_path)
    assert str(caught.value.where).endswith("b.txt") and "COCO" in caught.value.remedy


def test_what_is_wrong_in_an_annotation_file_is_said_with_its_place(tmp_path):
    formats.cvat(tmp_path / "cvat")
    path = tmp_path / "cvat" / "annotations.xml"
    path.write_text(path.read_text().replace(' width="32"', "", 1))
    message = refused("cvat", tmp_path / "cvat", tmp_path / "1")
    assert f"<image> 'im_1.png' has no number 'width' where: {path}" in message
    formats.label_studio(tmp_path / "label_studio")
    path = tmp_path / "label_studio" / "project-1.json"
    path.write_text(path.read_text().replace('["cell"]', '["cell", "nucleus"]'))
    assert f"no label, or several where: {path}, task 1" in refused("label_studio", path.parent, tmp_path / "2")
    path = tmp_path / "labelme" / "a.json"
    write_labelme(path, ("polygon", SQUARE), imageData="AAAA", imageHeight=None)
    message = refused("labelme", path.parent, tmp_path / "3")
    assert f"no picture that can be read: it is no image where: {path}, imageData" in message


def test_cvat_for_video_is_called_what_it_is(tmp_path):
    formats.cvat(tmp_path)
    (tmp_path / "annotations.xml").write_text(
        '<annotations><version>1.1</version><track id="0" label="cell"><box frame="0"/></track></annotations>'
    )
    with pytest.raises(StudyError, match="this is CVAT for video") as caught:
        reader_module("cvat").classes(tmp_path, Layout())
    assert "CVAT for images 1.1" in caught.value.remedy


def test_annotation_files_three_levels_down_are_known(tmp_path):
    """LIVECell: LIVECell_dataset_2021/annotations/LIVECell/livecell_coco_train.json."""
    path = tmp_path / "a/b/c/coco_train.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"images": [], "annotations": [], "categories": []}')
    assert [reader for reader, *_ in layouts(tmp_path)] == ["coco"]
