"""Names that lead outside, links in the way of a deletion, and pictures that are too large."""

import zlib
from pathlib import Path

from tests.bad_inputs.changes import without_sums
from tests.bad_inputs.row import Row

CELL = "results/tiny/cells/lesions/unet/bce/default/seed0"


def _linked_cells(folder: Path) -> None:
    outside = folder / "precious/seed0"
    outside.mkdir(parents=True)
    (outside / "run.json").write_text("{}")
    link = folder / "results/tiny/cells/lesions/unet/old/default"
    link.parent.mkdir(parents=True)
    link.symlink_to(folder / "precious", target_is_directory=True)


def _sample_outside(folder: Path) -> None:
    index = folder / "results/tiny/data/lesions/splits/seed0.csv"
    head, first, *rows = index.read_text().splitlines()
    place = head.split(",").index("sample")
    cells = first.split(",")
    cells[place] = "../../outside"
    index.write_text("\n".join([head, ",".join(cells), *rows]) + "\n")


def _bomb(folder: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    head = chunk(b"IHDR", (22_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0]))
    (folder / "new").mkdir()
    (folder / "new/bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(9))))


ROWS = [
    Row(
        name="clean-link-to-outside",
        base="finished",
        setup=_linked_cells,
        command="segstudy clean study.yaml --yes --only cells",
        code=0,
        words=("results/tiny/cells/lesions/unet/old/default is a link", "behind it stay"),
        kept=("precious/seed0/run.json", f"{CELL}/model.safetensors"),
    ),
    Row(
        name="split-names-sample-outside",
        base="finished",
        setup=_sample_outside,
        command=f"snakemake --cores 1 --configfile study.yaml --force -- {CELL}/thresholds.json",
        code=1,
        words=("'../../outside' is no sample name", "splits/seed0.csv, row 2, column sample"),
        absent=("results/tiny/outside.png", "results/tiny/cells/outside.png"),
    ),
    Row(
        name="predict-decompression-bomb",
        base="finished",
        setup=_bomb,
        command=f"segstudy predict {CELL} new --out found",
        code=1,
        words=("the picture has 484 megapixels (22000x22000)", "--max-megapixels allows 200", "new/bomb.png"),
        absent=("found/masks/bomb.png",),
    ),
]
ROWS = [row._replace(setup=without_sums(row.setup)) if row.base == "finished" else row for row in ROWS]
