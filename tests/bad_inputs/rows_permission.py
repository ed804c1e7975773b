"""Files and folders that a user may not read or write: named, with what to do, and nothing else is lost.

The rows run as a user without rights over others' files, also where the tests run as root.
"""

from collections.abc import Callable
from pathlib import Path

from tests.bad_inputs.changes import CHECK, make, study
from tests.bad_inputs.row import Row
from tests.bad_inputs.rows_damage import CELL, COMPARE, MEASURE, PREDICT_NEW, RESULTS

RUN, MODEL, COUNTS, THRESHOLDS = (
    f"{CELL}/{name}" for name in ("run.json", "model.safetensors", "counts.csv", "thresholds.json")
)
STATUS = "segstudy status study.yaml"
PREDICT_OWN = f"segstudy predict {CELL} raw/own --out out"


def mode(name: str, permitted: int = 0) -> Callable[[Path], None]:
    return lambda folder: (folder / name).chmod(permitted)


def row(name: str, base: str, setup: Callable[[Path], object], command: str, *words: str, code: int = 1) -> Row:
    return Row(name, base, setup, command, code, words, unprivileged=True)


def own_images(name: str, permitted: int = 0) -> Callable[[Path], None]:
    """Use the folder of images and masks in an experiment, and close a part of it."""

    def setup(folder: Path) -> None:
        study(experiments={"lesion_losses": {"datasets": ["own"]}})(folder)
        mode(f"raw/own/{name}", permitted)(folder)

    return setup


READ_ONLY = 0o555
MAKE_OWN = make(f"{RESULTS}/data/own/index.csv")
NOT_WRITABLE = ("this folder cannot be written", "check owner, mode")

ROWS = [
    row("config-unreadable", "config", mode("study.yaml"), CHECK, "'study.yaml' is not readable", code=2),
    row("raw-folder-unreadable", "config", own_images(""), MAKE_OWN, "no permission", "raw/own", "owner"),
    row("images-unreadable", "config", own_images("images"), MAKE_OWN, "no permission", "images", "owner"),
    row("image-unreadable", "config", own_images("images/im3.png"), MAKE_OWN, "no permission", "im3.png"),
    row("mask-unreadable", "config", own_images("masks/im3.png"), MAKE_OWN, "no permission", "im3.png"),
    row("counts-unreadable", "finished", mode(COUNTS), COMPARE, "no permission", COUNTS),
    row("thresholds-unreadable", "finished", mode(THRESHOLDS), MEASURE, "no permission", THRESHOLDS),
    row("model-unreadable", "finished", mode(MODEL), PREDICT_NEW, "no permission", MODEL, "check the owner and mode"),
    row("new-images-unreadable", "finished", mode("raw/own/images"), PREDICT_OWN, "no permission", "images"),
    row("run-unreadable-status", "finished", mode(RUN), STATUS, "no permission to read run.json", "1 damaged", code=0),
    row("run-unreadable-plan", "finished", mode(RUN), "segstudy plan study.yaml", "Longest chain", code=0),
    row("cell-unreadable-status", "finished", mode(CELL), STATUS, "no permission", RUN),
    row("folder-read-only", "config", mode(".", READ_ONLY), "segstudy run study.yaml", *NOT_WRITABLE),
    row("results-read-only", "finished", mode(RESULTS, READ_ONLY), "segstudy run study.yaml", *NOT_WRITABLE, RESULTS),
    row(
        "tables-read-only",
        "finished",
        mode(f"{RESULTS}/tables", READ_ONLY),
        "segstudy run study.yaml -- --forcerun compare",
        *NOT_WRITABLE,
        f"{RESULTS}/tables",
    ),
    row(
        "out-read-only",
        "finished",
        lambda folder: (folder / "closed").mkdir(mode=READ_ONLY),
        f"segstudy predict {CELL} resources/phantoms/tiny/lesions --out closed/out",
        "no permission",
        "closed",
    ),
]
