"""The contact sheet: what is on it, what it says of each pseudo-label, and that drawn data say so."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.data.images import drawing
from segstudy.data.images.prediction_files import write_probability
from segstudy.figures import pseudo_sheet
from segstudy.figures.pseudo_sheet import draw_contact_sheet, evenly


@pytest.fixture
def sheet(tmp_path):
    """Twelve photographs of which ten are accepted; each mask is a dark square on grey."""
    (tmp_path / "p").mkdir()
    rows = []
    for i in range(12):
        image = np.full((60, 80, 3), 128, np.uint8)
        image[20:40, 10:30] = 20
        Image.fromarray(image).save(tmp_path / f"{i}.png")
        write_probability(tmp_path / f"p/{i}.png", np.where(image[..., 0] == 20, 0.9, 0.1))
        rows.append({"sample": str(i), "image": f"{i}.png", "roi": ""})
    pd.DataFrame(rows).to_csv(tmp_path / "index.csv", index=False)
    reasons = [""] * 10 + ["too much white (0.2000 > 0.1500)", "too much white (0.3 > 0.15); too unsure (0.6 < 0.8)"]
    table = pd.DataFrame({"sample": [str(i) for i in range(12)], "white": np.arange(12) / 50, "confidence": 0.9})
    table = table.assign(accepted=[int(not words) for words in reasons], reason=reasons)
    table.to_csv(tmp_path / "accepted.csv", index=False)
    selection = {"white": [0.0, 0.19], "region": "full", "confidence": None, "computed": {"images": 7}}
    (tmp_path / "range.json").write_text(json.dumps(selection))
    return tmp_path


def draw(sheet, name="sheet.png", **more):
    files = (sheet / "accepted.csv", sheet / "range.json", sheet / "p", sheet / "index.csv", sheet)
    draw_contact_sheet(*files, sheet / name, title="photos", **more)
    return Image.open(sheet / name)


@pytest.fixture
def pages(monkeypatch):
    made = []
    page = pseudo_sheet._page
    monkeypatch.setattr(pseudo_sheet, "_page", lambda *parts: made.append(parts) or page(*parts))
    return made


def test_eight_of_each_kind_at_most_evenly_over_the_range(sheet, pages):
    draw(sheet)
    title, words, sections, phantom = pages[0]
    assert (title, phantom) == ("photos", False)
    assert words == "accepted: share of white of the whole image 0.0000 to 0.1900 (computed from 7 training masks)"
    (accepted, shown), (rejected, others) = sections
    assert accepted == "10 of 12 accepted, 8 of them shown" and rejected == "2 of 12 rejected"
    assert [tile.lines[0] for tile in shown] == ["0", "1", "3", "4", "5", "6", "8", "9"]
    assert [tile.lines for tile in others] == [
        ("10", "white 0.200, confidence 0.900", "too much white"),
        ("11", "white 0.220, confidence 0.900", "too much white, too unsure"),
    ]
    assert not any(tile.lines[2] for tile in shown)


def test_the_outline_lies_where_the_image_has_the_object(sheet, pages):
    draw(sheet)
    tile = np.asarray(pages[0][2][0][1][0].picture)
    cyan = (tile == pseudo_sheet.OUTLINE).all(axis=2)
    rows, columns = np.nonzero(cyan)
    assert tile.shape[:2] == (300, 400)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (100, 199, 50, 149)
    assert (tile[110:190, 60:140] == 20).all()


def test_a_sheet_without_rejected_ones_is_drawn_too(sheet, pages):
    table = pd.read_csv(sheet / "accepted.csv", keep_default_na=False)
    table[table["accepted"] == 1].to_csv(sheet / "accepted.csv", index=False)
    draw(sheet)
    assert pages[0][2][1] == ("0 of 10 rejected", [])


def test_drawn_data_say_so_and_the_bytes_are_the_same_each_time(sheet, monkeypatch):
    marked = []
    monkeypatch.setattr(drawing, "watermarked", lambda page: marked.append(page) or page)
    draw(sheet, "a.png")
    draw(sheet, "b.png")
    assert (sheet / "a.png").read_bytes() == (sheet / "b.png").read_bytes() and not marked
    draw(sheet, "c.png", phantom=True)
    assert len(marked) == 1


def test_no_row_is_shown_twice():
    table = pd.DataFrame({"sample": list("cab"), "white": [0.3, 0.1, 0.2]})
    assert [row["sample"] for row in evenly(table, 8)] == ["a", "b", "c"]
    assert evenly(table[:0], 8) == []


def test_the_measures_below_narrow_images_are_not_cut(sheet, monkeypatch):
    """Of the names of samples the end matters, and stays; of the measures everything does."""
    narrow = [Image.open(sheet / f"{i}.png").crop((0, 0, 35, 60)) for i in range(12)]
    for i, image in enumerate(narrow):
        image.save(sheet / f"{i}.png")
        write_probability(sheet / f"p/{i}.png", np.where(np.array(image)[..., 0] == 20, 0.9, 0.1))
    written, fitting = [], drawing.fitting

    def noting(text, *how):
        written.append(fitting(text, *how))
        return written[-1]

    monkeypatch.setattr(drawing, "fitting", noting)
    draw(sheet)
    assert "white 0.000, confidence 0.900" in written and not any(
        "confidence" in text and text.startswith("...") for text in written
    )
