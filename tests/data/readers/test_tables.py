"""Tables of samples as spreadsheets and pandas write them, and where they may lie."""

import pytest

from segstudy.config.datasets import Phantom
from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.data.index import build_index
from segstudy.data.phantoms.draw import draw
from segstudy.data.readers import folder_table
from segstudy.data.readers.folder_table import _below
from tests.data.readers.test_folder import listed, mask, pairs, picture, refused, study, table
from tests.helpers.raw_data import said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings(tmp_path, encoding):
    pairs(tmp_path, ("a", "b"))
    (tmp_path / "samples.csv").write_bytes("sample,group\r\na,Jürgen\r\nb,Jörg\r\n".encode(encoding))
    frame = listed(tmp_path)
    assert list(frame["group"]) == ["Jürgen", "Jörg"]
    assert bool(said(frame, "no UTF-8; read as Windows-1252, it says Jürgen, Jörg")) == (encoding == "cp1252")


def test_an_encoding_that_is_not_known_is_refused(tmp_path):
    pairs(tmp_path, ("a", "b"))
    (tmp_path / "samples.csv").write_bytes(b"sample,group\na,\x81\x8d\nb,x\n")
    assert "encoding of this table is not known" in refused(tmp_path)


@pytest.mark.parametrize("header", [",sample,group,", "Unnamed: 0,sample,group,,", ",sample,group"])
def test_index_columns_and_empty_columns(tmp_path, header):
    pairs(tmp_path, ("a", "b"))
    table(tmp_path, header, "0,a,x,,", "1,b,y,")
    assert list(listed(tmp_path)["group"]) == ["x", "y"]
    table(tmp_path, "sample,group,", "a,x,note", "b,y,")
    assert "column 3 of the table has no name and holds 'note'" in refused(tmp_path)


@pytest.mark.parametrize("above", ["\n", "# eyes of children\r\n\r\n", ",,\n", "sep=;\n"])
def test_lines_above_the_header(tmp_path, above):
    pairs(tmp_path, ("a", "b"))
    path = tmp_path / "samples.csv"
    path.write_text(f"{above}sample;subset\na;Train\nb;TEST\n")
    assert list(listed(tmp_path)["official_subset"]) == ["train", "test"]
    lines = above.count("\n")
    path.write_text(f"{above}sample;subset\na;dev\n")
    assert f"row {lines + 2}, column subset" in refused(tmp_path)
    path.write_text(f"{above}sample;dog\na;dev\n")
    assert f"row {lines + 1}" in refused(tmp_path)


@pytest.mark.parametrize("name", ["Samples.csv", "samples.CSV", "samples.tsv", "sample.csv"])
def test_another_spelling_of_the_tables_name(tmp_path, name):
    pairs(tmp_path, ("a", "b"))
    (tmp_path / name).write_text("sample,group\na,x\nb,x\n")
    frame = listed(tmp_path)
    assert list(frame["group"]) == ["x", "x"] and frame.attrs["repairs"] == []
    (tmp_path / "SAMPLE.TSV").write_text("sample,group\na,x\nb,x\n")
    assert "there are 2 tables of samples" in refused(tmp_path)
    table(tmp_path, "sample,group", "a,1", "b,2")
    frame = listed(tmp_path)
    assert list(frame["group"]) == ["1", "2"] and said(frame, f"tables that are not read: SAMPLE.TSV, {name}")


def test_tables_of_other_names_are_said(tmp_path):
    pairs(tmp_path / "train", ("a", "b"))
    pairs(tmp_path / "test", ("c",))
    for place in ("metadata.xlsx", "train/patients.csv"):
        (tmp_path / place).write_text("a,b")
    assert said(listed(tmp_path), "tables that are not read: metadata.xlsx, train/patients.csv;", "layout.table")


def test_lost_zeros(tmp_path):
    pairs(tmp_path, ("001", "002", "010"))
    table(tmp_path, "sample,group", "1,x", "2.0,y", "010,z")
    assert dict(listed(tmp_path)["group"]) == {"001": "x", "002": "y", "010": "z"}
    pairs(tmp_path, ("0001",))
    assert "several images are called '1'" in refused(tmp_path)


def test_a_number_without_zeros_that_two_images_have_is_refused(tmp_path):
    for subset in ("train", "val"):
        pairs(tmp_path / subset, ("001", "002"))
    table(tmp_path, "sample,group", "1,x", "2,y")
    assert "several images are called '1': train/images/001.png, val/images/001.png" in refused(tmp_path)


def test_a_file_is_looked_for_until_it_is_found(tmp_path, monkeypatch):
    """In thousands of folders of patients, a path below the root is looked at once."""
    for number in range(8):
        pairs(tmp_path / f"p{number}", ("a",))
    table(tmp_path, "image,mask", *(f"p{n}/images/a.png,p{n}/masks/a.png" for n in range(8)))
    looked_at = []
    monkeypatch.setattr(folder_table, "_below", lambda *place: looked_at.append(place) or _below(*place))
    assert len(listed(tmp_path)) == 8 and len(looked_at) == 16


def test_lines_within_quotes_and_paths_of_windows(tmp_path):
    pairs(tmp_path, ("a", "b"))
    table(tmp_path, "image,group", 'images\\a.png,"x\ny"', "images\\b.png,z")
    assert list(listed(tmp_path)["group"]) == ["x\ny", "z"]


def test_a_table_in_the_root_counts_for_the_one_folder_of_data_below(tmp_path):
    pairs(tmp_path / "pictures", ("a", "b"))
    table(tmp_path, "sample,group", "a,x", "b,x")
    assert list(listed(tmp_path)["group"]) == ["x", "x"]
    table(tmp_path, "image,mask,group", "pictures/images/a.png,pictures/masks/a.png,x", "b.png,b.png,y")
    assert list(listed(tmp_path)["group"]) == ["x", "y"]
    table(tmp_path, "sample,group", "c,x")
    assert "no image is called 'c'" in refused(tmp_path)
    table(tmp_path / "pictures", "sample,group", "a,x")
    assert "there are 2 tables of samples: samples.csv, pictures/samples.csv" in refused(tmp_path)


def test_masks_that_a_table_names_are_not_left_out(tmp_path):
    pairs(tmp_path, ("a", "b"))
    for number in (1, 2):
        mask(tmp_path / "masks" / f"drawing{number}.png", number)
    table(tmp_path, "sample,mask", "a,drawing1.png", "b,")
    frame = listed(tmp_path)
    assert said(frame, "no image is called like these, left out: masks/a.png, masks/drawing2.png")
    table(tmp_path, "sample,mask,second_mask", "a,drawing1.png,a.png", "b,drawing2.png,b.png")
    assert listed(tmp_path).attrs["repairs"] == []


def test_a_mask_of_several_images_is_said(tmp_path):
    pairs(tmp_path, ("a", "b", "c"))
    table(tmp_path, "sample,mask", "a,a.png", "b,a.png", "c,c.png")
    assert said(listed(tmp_path), "one mask for several images: masks/a.png (2 images)")


def test_a_folder_for_each_image(tmp_path):
    lines = []
    for name in ("a", "b"):
        picture(tmp_path / name / "photo.png", ord(name))
        for number in (1, 2):
            mask(tmp_path / name / "masks" / f"{number}.png", number)
        lines.append(f"{name}/photo.png,{name}/masks/*")
    table(tmp_path, "image,mask", *lines)
    frame = listed(tmp_path)
    assert list(frame.index) == ["a_photo", "b_photo"] and frame.loc["b_photo", "mask"] == "b/masks/*"


def test_images_in_the_root_itself(tmp_path):
    for name in ("a", "b"):
        picture(tmp_path / f"{name}.png")
        mask(tmp_path / "masks" / f"{name}.png")
    table(tmp_path, "sample,group", "a,1", "b,2")
    frame = listed(tmp_path, images=".")
    assert list(frame["mask"]) == ["masks/a.png", "masks/b.png"] and frame.attrs["repairs"] == []


def test_a_table_gives_groups_to_every_reader(tmp_path):
    draw("drive", tmp_path / "d", Phantom(images=4, height=32, width=32))
    root = tmp_path / "d" / "DRIVE"
    before = build_index("drive", root)
    first, second = before["sample"][:2]
    table(root, "sample,group,stratum", f"{first},p,ill", f"{second},p,")
    frame = build_index("drive", root, layout=Layout(table="samples.csv"))
    assert list(frame["group"]) == ["p", "p", *before["group"][2:]] and frame["stratum"][0] == "ill"
    assert said(frame, "samples.csv does not name", "whose groups stay")
    frame = build_index("drive", root)
    assert list(frame["group"]) == list(before["group"]) and said(frame, "samples.csv is not read", "layout.table")
    table(root, "sample,mask", f"{first},x.png")
    with pytest.raises(StudyError, match="this reader knows its files itself"):
        build_index("drive", root, layout=Layout(table="samples.csv"))
    with pytest.raises(StudyError, match="no such table"):
        build_index("drive", root, layout=Layout(table="patients.csv"))
    assert study(reader="drive", layout={"table": "x.csv"}).datasets["mine"].layout.table == "x.csv"


def test_later_keys_at_their_default_leave_the_settings_as_they_were():
    older = {"images", "masks", "rois", "table", "mask_suffix", "group_pattern"}
    assert set(Layout().model_dump(mode="json")) == older
    assert Layout(pages=True).model_dump(mode="json")["pages"] is True
    assert Layout.model_validate(Layout(mask_prefix="m").model_dump(mode="json")) == Layout(mask_prefix="m")
