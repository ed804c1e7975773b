"""A finished study's network on images, by the command."""

import json

CELL = "drive/unet/focal/default/seed0"


def test_the_studys_own_test_images_come_out_byte_for_byte(finished, tmp_path):
    drawn = next(finished.file("resources/phantoms/tiny/drive").rglob("test/images"))
    given = (str(drawn), "--roi", str(drawn.parent / "mask"), "--out", str(tmp_path / "out"))
    outcome = finished.run("segstudy", "predict", CELL, *given)
    assert outcome.code == 0, outcome.text
    cell = finished.file(f"results/tiny/cells/{CELL}")
    found = sorted((tmp_path / "out/masks").iterdir())
    assert found
    for mask in found:
        for folder in ("masks", "probabilities"):
            own = cell / folder / f"{mask.stem.removesuffix('_test')}.png"
            assert own.read_bytes() == (tmp_path / "out" / folder / mask.name).read_bytes()
    usage = json.loads((cell / "usage.json").read_text())
    assert (
        usage["phantom"] and usage["field_of_view"] and usage["training_images"]["images"] == usage["subsets"]["train"]
    )
