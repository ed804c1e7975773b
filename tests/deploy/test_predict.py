"""`segstudy predict`: a trained network on files that its study has never seen."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from PIL import Image, ImageOps
from scipy import stats
from scipy.ndimage import label

from segstudy.cli.app import main
from segstudy.core.checksums import unseal
from segstudy.core.errors import StudyError
from segstudy.data.images.orientation import note_orientation, orientation_of, turned_back, turned_upright
from segstudy.data.images.overlay import FOUND, overlay
from segstudy.data.images.prediction_files import read_classes, read_probability
from segstudy.data.images.read import stored_values
from segstudy.deploy import predict
from segstudy.deploy.predict import chosen_device, listed, predict_images
from segstudy.deploy.trained_cell import find_cell, open_cell
from segstudy.inference import new_images
from segstudy.inference.out_of_distribution import CHANCE, FLOORS, summary, traits, unlike
from tests.helpers import trained_cell

KINDS = {
    "native": {},
    "tiles": {"tile": (32, 32)},
    "grey": {"colour": "grey", "size": {"long_side": 32}},
    "classes": {"classes": ("left", "right"), "size": {"height": 48, "width": 64}},
    "roi": {"roi": True},
    "deep": {"reading": "range 0 2047"},  # of one file alone it would be 0..1023
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a function that makes a cell of a kind, once."""
    return trained_cell.maker(tmp_path_factory, KINDS)


def root_of(cell):
    return cell.parents[7]


def same(a, b):
    return a.read_bytes() == b.read_bytes()


@pytest.mark.parametrize("kind", list(KINDS))
def test_images_of_the_study_come_out_byte_for_byte(made, tmp_path, kind):
    cell = made(kind)
    root = root_of(cell)
    given = [root / "raw/im4.png", root / "raw/im8.png"]
    predict_images(open_cell(cell), given, tmp_path, roi=root / "roi" if kind == "roi" else None)
    for name in ("im4", "im8"):
        for folder in ("probabilities", "masks"):
            assert same(tmp_path / folder / f"{name}.png", cell / folder / f"{name}.png"), (folder, name)
    masks = [np.asarray(Image.open(tmp_path / f"masks/{name}.png")) for name in ("im4", "im8")]
    assert all(len(np.unique(mask)) > 1 for mask in masks)  # not the same because there is nothing


def test_one_image_alone_is_what_it_is_among_all(made, tmp_path):
    cell = open_cell(made())
    predict_images(cell, [root_of(cell.folder) / "raw"], tmp_path / "all", overlays=False)
    predict_images(cell, [root_of(cell.folder) / "raw/im5.png"], tmp_path / "one", overlays=False)
    assert same(tmp_path / "all/probabilities/im5.png", tmp_path / "one/probabilities/im5.png")
    assert not (tmp_path / "all/overlays").exists()


def test_the_table_counts_what_the_mask_shows(made, tmp_path):
    cell = open_cell(made())
    table = predict_images(cell, [root_of(cell.folder) / "raw/im4.png"], tmp_path)
    mask = np.asarray(Image.open(tmp_path / "masks/im4.png")) > 0
    probability = read_probability(tmp_path / "probabilities/im4.png")
    components, count = label(mask, np.ones((3, 3)))
    line = table.iloc[0]
    assert (line["width"], line["height"], line["class"]) == (mask.shape[1], mask.shape[0], "square")
    assert (line["area_px"], line["share"]) == (mask.sum(), mask.mean())
    assert (line["components"], line["largest_component_px"]) == (count, max(np.bincount(components.flat)[1:]))
    assert line["mean_probability"] == pytest.approx(probability[mask].mean(), abs=1e-6)
    assert line["policy"] == "validation" and line["threshold"] == cell.thresholds["validation"]
    written = pd.read_csv(tmp_path / "predictions.csv")
    assert list(written) == list(table) and written["area_px"].tolist() == table["area_px"].tolist()


def test_of_several_classes_each_has_its_line(made, tmp_path):
    cell = open_cell(made("classes"))
    table = predict_images(cell, [root_of(cell.folder) / "raw/im4.png"], tmp_path)
    ids = read_classes(tmp_path / "masks/im4.png", 3)
    assert table["class"].tolist() == ["left", "right"]
    assert table["area_px"].tolist() == [int((ids == 1).sum()), int((ids == 2).sum())]
    with pytest.raises(StudyError, match="a pixel gets the most probable one"):
        predict_images(cell, [root_of(cell.folder) / "raw/im4.png"], tmp_path, threshold="0.5")


def test_the_threshold_is_the_one_asked_for(made, tmp_path):
    cell = open_cell(made())
    image = [root_of(cell.folder) / "raw/im4.png"]
    tuned = cell.thresholds["validation"]
    for wanted, policy, value in (("0.25", "given", 0.25), ("fixed", "fixed", 0.5), (None, "validation", tuned)):
        line = predict_images(cell, image, tmp_path, threshold=wanted, overlays=False).iloc[0]
        assert (line["policy"], line["threshold"]) == (policy, value)
        mask = np.asarray(Image.open(tmp_path / "masks/im4.png")) > 0
        assert np.array_equal(mask, read_probability(tmp_path / "probabilities/im4.png") >= value)
    for wrong in ("otsu", "1.5", "0", "nan", "-0.2"):
        with pytest.raises(StudyError, match=f"'{wrong}' is no threshold of this cell"):
            predict_images(cell, image, tmp_path, threshold=wrong)


def test_files_that_pillow_cannot_open_are_predicted_as_in_the_study(made, tmp_path):
    cell = made("deep")
    values, _ = stored_values(root_of(cell) / "raw/im4.png")
    tifffile.imwrite(tmp_path / "im4.tif", values.astype(np.float64), photometric="rgb")
    table = predict_images(open_cell(cell), [tmp_path / "im4.tif"], tmp_path / "out", overlays=True)
    assert table["problem"].tolist() == [""]
    assert same(tmp_path / "out/probabilities/im4.png", cell / "probabilities/im4.png")


# --- orientation and formats ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_upright_is_what_pillow_does_and_is_undone(tmp_path, orientation):
    stored = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    assert orientation_of(tmp_path / "a.png") == orientation
    upright = turned_upright(stored, orientation)
    assert np.array_equal(upright, np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png"))))
    assert np.array_equal(turned_back(upright, orientation), stored)
    Image.fromarray(stored).save(tmp_path / "a.tif", tiffinfo={274: orientation})
    assert orientation_of(tmp_path / "a.tif") == orientation


@pytest.mark.parametrize("kind", ["native", "classes"])
@pytest.mark.parametrize("orientation", [3, 6, 7])
def test_a_photograph_taken_sideways_is_seen_upright(made, tmp_path, kind, orientation):
    """The mask lies on the stored pixels and notes the orientation, so that both are shown alike."""
    cell = open_cell(made(kind))
    upright = np.asarray(Image.open(root_of(cell.folder) / "raw/im4.png"))
    exif = Image.Exif()
    exif[274] = orientation
    stored = np.ascontiguousarray(turned_back(upright, orientation))
    Image.fromarray(stored).save(tmp_path / "im4.png", exif=exif)
    table = predict_images(cell, [tmp_path / "im4.png"], tmp_path / "out")
    assert (table["height"].iloc[0], table["width"].iloc[0]) == stored.shape[:2]
    for folder in ("masks", "probabilities"):
        found, known = (Image.open(place / folder / "im4.png") for place in (tmp_path / "out", cell.folder))
        assert found.size == (stored.shape[1], stored.shape[0]) and found.mode == known.mode
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(found)), np.asarray(known))
    drawn = Image.open(tmp_path / "out/overlays/im4.png")
    assert (drawn.width > drawn.height) == (upright.shape[1] > upright.shape[0])
    predict_images(cell, [tmp_path / "im4.png"], tmp_path / "plain", as_stored=True)
    plain = Image.open(tmp_path / "plain/masks/im4.png")
    assert plain.size == (stored.shape[1], stored.shape[0]) and plain.getexif().get(274) is None


def test_every_format_is_read_as_what_it_is(made, tmp_path):
    cell = open_cell(made("grey"))
    image = Image.open(root_of(cell.folder) / "raw/im4.png")
    grey = image.convert("L")
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    grey.save(folder / "grey.png")
    grey.convert("P").save(folder / "palette.gif")
    Image.merge("RGBA", [grey] * 3 + [Image.new("L", grey.size, 9)]).save(folder / "rgba.tif")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(folder / "deep/sixteen.png")
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_text("no image")
    table = predict_images(cell, [folder], folder / "out")
    assert table["file"].map(lambda name: name.rpartition("/")[2]).tolist() == [
        *("sixteen.png", "grey.png", "palette.gif", "rgba.tif"),
    ]
    known = read_probability(cell.folder / "probabilities/im4.png")  # of the colours, made grey in the same way
    for name in ("grey", "palette", "rgba", "deep/sixteen"):
        assert np.array_equal(read_probability(folder / f"out/probabilities/{name}.png"), known), name
    again = predict_images(cell, [folder], folder / "out")  # what was written there is no image of the second run
    assert len(again) == 4


def test_a_large_image_is_predicted_in_tiles_as_the_whole_would_be(made, tmp_path, monkeypatch):
    cell = open_cell(made())
    draw = np.random.default_rng(9)
    image, _ = trained_cell.picture(draw, 150, 130)
    Image.fromarray(image).save(tmp_path / "large.png")
    predict_images(cell, [tmp_path / "large.png"], tmp_path / "whole", overlays=False)
    seen = []
    plain = predict.predict_canvas

    def watched(network, images, *rest, **options):
        seen.append(images.shape)
        return plain(network, images, *rest, **options)

    monkeypatch.setattr(new_images, "predict_canvas", watched)
    for module in (predict, new_images):
        monkeypatch.setattr(module, "PIXELS_PER_PASS", 3 * 48 * 48)
    line = predict_images(cell, [tmp_path / "large.png"], tmp_path / "tiled", overlays=False).iloc[0]
    assert max(np.prod(shape[:3]) for shape in seen) <= 3 * 48 * 48 and len(seen) > 3
    assert all(shape[1:3] == (48, 48) for shape in seen)
    whole, tiled = (read_probability(tmp_path / place / "probabilities/large.png") for place in ("whole", "tiled"))
    assert whole.shape == tiled.shape == (150, 130)
    assert np.abs(whole - tiled).mean() < 0.01 and np.corrcoef(whole.flat, tiled.flat)[0, 1] > 0.99
    assert "150 pixels long, training images 47 to 48" in line["warnings"]


# --- what may go wrong ------------------------------------------------------------------------------------------------


def test_a_broken_image_does_not_stop_the_others(made, tmp_path, capsys):
    cell = made()
    shutil.copy(root_of(cell) / "raw/im4.png", tmp_path / "b.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "b.png").read_bytes()[:300])
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(cell), str(tmp_path), "--out", str(tmp_path / "out")])
    assert ended.value.code == 1
    shown = capsys.readouterr()
    assert "1 of 2 images could not be predicted" in shown.err and "1 images predicted" in shown.out
    assert "the other images are done" in shown.err
    table = pd.read_csv(tmp_path / "out/predictions.csv")
    assert "cannot be read" in table["problem"][0] and pd.isna(table["problem"][1])
    assert [p.name for p in (tmp_path / "out/masks").iterdir()] == ["b.png"]
    with pytest.raises(SystemExit):
        main(["predict", str(cell), str(tmp_path / "a.png"), "--out", str(tmp_path / "out")])
    shown = capsys.readouterr()
    assert "1 of 1 images could not be predicted" in shown.err and "other images" not in shown.err


def test_a_field_of_view_that_does_not_fit_is_said(made, tmp_path):
    cell = open_cell(made("roi"))
    given = [root_of(cell.folder) / f"raw/im{number}.png" for number in (4, 5, 6, 8)]
    roi = tmp_path / "roi"
    roi.mkdir()
    Image.new("L", (9, 9), 255).save(roi / "im4.png")
    Image.new("L", Image.open(given[1]).size, 0).save(roi / "im5_mask.gif")
    shutil.copy(root_of(cell.folder) / "roi/im8.png", roi / "im8_mask.png")
    table = predict_images(cell, given, tmp_path / "out", roi=roi)
    problems = table["problem"].tolist()
    assert problems == [
        f"im4.png is 9x9 (width x height), its mask 48x41 ({roi / 'im4.png'}, {given[0]})",
        f"the field of view is empty: no pixel counts ({roi / 'im5_mask.gif'})",
        f"there is no mask of its field of view, im6 or im6_mask ({roi})",
        "",
    ]
    outside = np.asarray(Image.open(roi / "im8_mask.png")) == 0
    assert (read_probability(tmp_path / "out/probabilities/im8.png")[outside] == 0).all()
    assert table["share"][3] == table["area_px"][3] / (~outside).sum()


def test_what_is_given_must_be_there_and_have_one_name(made, tmp_path, caplog):
    (tmp_path / "x").mkdir()
    for path in ("x/a.png", "a.png"):
        Image.new("RGB", (20, 20)).save(tmp_path / path)
    assert [p.name for p in listed([tmp_path], tmp_path / "out")] == ["a", "x/a"]
    with pytest.raises(StudyError, match=r"two images would both be 'a\.png'"):
        listed([tmp_path / "a.png", tmp_path / "x/a.png"], tmp_path / "out")
    with pytest.raises(StudyError, match="no such image or folder"):
        listed([tmp_path / "b.png"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match="there is no image"):
        listed([tmp_path / "empty"], tmp_path / "out")
    for out, told in (("x", "the folder of the images itself"), (".", "a folder above the images")):
        with pytest.raises(StudyError, match=f"--out is {told}"):
            listed([tmp_path / "x"], tmp_path / out)
    (tmp_path / "out/masks").mkdir(parents=True)
    shutil.copy(tmp_path / "a.png", tmp_path / "out/masks/a.png")
    with pytest.raises(StudyError, match="could replace some of them"):  # its result would be written over it
        listed([tmp_path / "out/masks/a.png"], tmp_path / "out")
    assert [p.name for p in listed([tmp_path], tmp_path / "out")] == ["a", "x/a"]  # below the images: left out
    for name in ("x/a.jpg", "x/b.webp", os.fsdecode(b"x/gr\xf6n.bmp")):
        Image.new("RGB", (20, 20)).save(tmp_path / name)
    (tmp_path / "x/notes.txt").write_text("x")
    (tmp_path / "x/c.png").symlink_to("nowhere")
    caplog.clear()
    seen = {p.name: p.plain for p in listed([tmp_path / "x"], tmp_path / "out")}
    assert seen == {"a.jpg": "a", "a.png": "a", "b": "b", "grön": "grön"}
    assert "2 files" in caplog.text and "c.png, notes.txt" in caplog.text
    for wrong in ("gpu", "cuda:99", "cuda:x", "mps"):
        with pytest.raises(StudyError, match=f"this machine has no device '{wrong}'"):
            chosen_device(wrong)
    assert chosen_device("cpu") == torch.device("cpu")


def test_a_cell_is_found_by_folder_file_and_path(made, tmp_path):
    cell = made()
    results = cell.parents[6]
    for name in (cell, cell / "model.safetensors", "folder/unet/bce/default/seed1"):
        assert find_cell(name, results) == cell
    opened = open_cell(cell)
    assert (opened.study, opened.cell.path) == ("small", "folder/unet/bce/default/seed1")
    shutil.copytree(results / "small", tmp_path / "results/one")
    shutil.copytree(results / "small", tmp_path / "results/two")
    with pytest.raises(StudyError, match="2 studies have a cell"):
        find_cell("folder/unet/bce/default/seed1", tmp_path / "results")
    with pytest.raises(StudyError, match="there is no trained cell 'folder/unet'"):
        find_cell("folder/unet", results)
    copy = tmp_path / "results/one/cells/folder/unet/bce/default/seed1"
    (copy / "usage.json").unlink()
    with pytest.raises(StudyError, match=r"the cell has no usage\.json"):
        open_cell(copy)
    run = json.loads((copy / "run.json").read_text())
    run["settings"]["recipe"]["denoising"] = {"noise": "gaussian"}
    unseal(copy / "run.json")
    (copy / "run.json").write_text(json.dumps(run))
    with pytest.raises(StudyError, match="removes noise"):
        open_cell(copy)


# --- unlike the training images ---------------------------------------------------------------------------------------


def test_an_image_is_unlike_where_the_prediction_interval_says_so():
    draw = np.random.default_rng(0)
    pictures = [draw.normal(100 + 10 * k, 30, (32, 32, 3)).clip(0, 255).astype(np.uint8) for k in range(8)]
    usage = {"size": "native", "colour": "rgb"}

    class Place:
        original_height, original_width = 32, 40

    known = summary([(pixels, Place) for pixels in pictures], "rgb")
    values = np.array([pixels[..., 0].mean() / 255 for pixels in pictures])
    assert known["traits"]["mean red"]["sd"] == pytest.approx(values.std(ddof=1))
    low, high = stats.t(7).ppf([CHANCE / 2, 1 - CHANCE / 2]) * values.std(ddof=1) * np.sqrt(1 + 1 / 8) + values.mean()
    for grey in range(0, 256, 3):
        pixels = np.full((32, 32, 3), grey, np.uint8)
        pixels[..., 0] += 1 if grey < 255 else 0
        words = unlike(pixels, (40, 32), known, usage)
        far = not low <= pixels[..., 0].mean() / 255 <= high
        named = any(f"mean {channel}" in words for channel in ("red", "green", "blue"))
        assert named or not far
    assert values.std(ddof=1) > FLOORS["mean"]
    for pixels in pictures:
        assert unlike(pixels, (40, 32), known, usage) == ""
    one = summary([(pictures[0], Place)], "rgb")
    assert unlike(pictures[7], (40, 32), one, usage) == ""
    assert "90 pixels long, training images 40" in unlike(pictures[3], (90, 10), known, usage)
    assert unlike(pictures[3], (90, 10), known, usage | {"size": {"long_side": 32}}) == ""


def test_real_shifts_are_seen_and_the_studys_own_images_raise_no_alarm(made, tmp_path):
    cell = open_cell(made())
    raw = root_of(cell.folder) / "raw"
    own = predict_images(cell, [raw / f"im{n}.png" for n in range(10)], tmp_path / "own", overlays=False)
    assert (own["warnings"] == "").all()
    image = Image.open(raw / "im4.png")
    shifted = {
        "grey": image.convert("L").convert("RGB"),
        "bluish": Image.merge("RGB", image.split()[::-1]),
        "dark": image.point(lambda value: value // 3),
        "blurred": image.resize((12, 10), Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC),
        "doubled": image.resize((2 * image.width, 2 * image.height)),
    }
    for name, picture in shifted.items():
        picture.save(tmp_path / f"{name}.png")
    table = predict_images(cell, [tmp_path / f"{name}.png" for name in shifted], tmp_path / "out", overlays=False)
    words = dict(zip(shifted, table["warnings"], strict=True))
    assert "a grey picture" in words["grey"] and "mean red" in words["bluish"] and "darker" in words["dark"]
    assert "more blurred" in words["blurred"] and "pixels long" in words["doubled"]


def test_traits_of_known_pixels():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[:, 1] = (255, 51, 0)
    found = traits(pixels, "rgb")
    assert found["mean red"] == 0.5 and found["sd red"] == 0.5 and found["mean green"] == pytest.approx(0.1)
    assert found["colour"] == 0.5  # mean of 0 and 1
    grey = (255 + 51) / 3 / 255
    assert found["sharpness"] == pytest.approx(np.log10(grey / 2))  # steps of `grey` to the right, of 0 down
    assert list(traits(pixels[..., :1], "green")) == ["mean green", "sd green", "sharpness"]


# --- overlays ---------------------------------------------------------------------------------------------------------


def test_an_overlay_draws_the_border_and_leaves_the_rest():
    image = np.full((1300, 1300, 3), 90, np.uint8)
    ids = np.zeros((1300, 1300), np.uint8)
    ids[200:600, 300:900] = 1
    drawn = np.asarray(overlay(image, ids, ("background", "x"), ((0, 0, 0), (1, 2, 3))))
    line = (drawn == FOUND).all(axis=2)
    expected = np.zeros_like(line)
    expected[200:600, 300:900] = True
    expected[201:599, 301:899] = False
    assert np.array_equal(line, expected) and (drawn[~line] == 90).all()
    colours = ((0, 0, 0), (200, 0, 0), (0, 200, 0))
    tinted = np.asarray(overlay(image, ids, ("background", "x", "y"), colours))
    assert tuple(tinted[400, 600]) == (123, 63, 63) and tuple(tinted[200, 500]) == (200, 0, 0)
    assert tinted.shape[0] > 1300  # the legend
    small = overlay(image[:60, :40], ids[:60, :40], ("background", "x"), colours[:2])
    assert small.size == (800, 1200)


def test_a_note_of_orientation_leaves_the_pixels(tmp_path):
    Image.fromarray(np.arange(6, dtype=np.uint16).reshape(2, 3) * 9000).save(tmp_path / "a.png")
    before = np.asarray(Image.open(tmp_path / "a.png"))
    note_orientation(tmp_path / "a.png", 8)
    with Image.open(tmp_path / "a.png") as noted:
        assert noted.getexif()[274] == 8 and np.array_equal(np.asarray(noted), before)
