"""Results that were emptied, cut, changed or mixed up: noticed by whatever reads them, never believed.

A row damages one file of a finished study, then runs the command, or the one job, that reads it. Snakemake is told to
run that job alone (`--allowed-rules`), so that no earlier one makes the file again.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.bad_inputs.row import Row

RESULTS = "results/tiny"
CELL = f"{RESULTS}/cells/lesions/unet/bce/default/seed0"
OTHER = f"{RESULTS}/cells/lesions/unet/dice/default/seed0"
DATA = f"{RESULTS}/data/lesions"
PLACES = (OTHER.removeprefix(f"{RESULTS}/"), CELL.removeprefix(f"{RESULTS}/"))  # written in, lies in


def emptied(name: str) -> Callable[[Path], None]:
    return lambda folder: _change(folder / name, lambda content: b"")


def halved(name: str) -> Callable[[Path], None]:
    return lambda folder: _change(folder / name, lambda content: content[: len(content) // 2])


def rows_lost(name: str, kept: int) -> Callable[[Path], None]:
    """Cut a table exactly between two rows."""
    return lambda folder: _change(folder / name, lambda content: b"".join(content.splitlines(True)[: kept + 1]))


def flipped(name: str) -> Callable[[Path], None]:
    """Change one bit in the middle."""

    def change(content: bytes) -> bytes:
        middle = len(content) // 2
        return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]

    return lambda folder: _change(folder / name, change)


def replaced(name: str, other: str) -> Callable[[Path], None]:
    return lambda folder: _change(folder / name, lambda content: (folder / other).read_bytes())


def whole(name: str, other: str) -> Callable[[Path], None]:
    """Copy a folder with its checksums onto the place of another."""

    def setup(folder: Path) -> None:
        shutil.rmtree(folder / name)
        shutil.copytree(folder / other, folder / name, copy_function=shutil.copy2)

    return setup


def a_folder(name: str) -> Callable[[Path], None]:
    def setup(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return setup


def without_sum(name: str, setup: Callable[[Path], None]) -> Callable[[Path], None]:
    """Damage a file of an earlier version, which has no sum beside it."""

    def both(folder: Path) -> None:
        path = folder / name
        for place in (path.with_name(f".{path.name}.sum"), path.parent.with_name(f".{path.parent.name}.sum")):
            place.unlink(missing_ok=True)
        setup(folder)

    return both


def first(folder: str, change: Callable[[str], Callable[[Path], None]]) -> Callable[[Path], None]:
    """Damage the first file of a folder of pictures."""

    def setup(base: Path) -> None:
        name = min(path.name for path in (base / folder).glob("*.png"))
        change(f"{folder}/{name}")(base)

    return setup


def _change(path: Path, change: Callable[[bytes], bytes]) -> None:
    content = change(path.read_bytes())
    path.unlink()  # not through a link
    path.write_bytes(content)


def job(rule: str, target: str) -> str:
    """The command that runs one job alone."""
    return (
        "snakemake --cores 1 --rerun-triggers mtime params --configfile study.yaml "
        f"--allowed-rules {rule} --force -- {RESULTS}/{target}"
    )


def remake(path: str) -> str:
    return f"snakemake --cores 1 --configfile study.yaml --force -- {path}"


COMPARE = job("compare", "tables/lesion_losses.tidy.csv")
REPORT = job("study_report", "report.html")
MEASURE = job("measure", "cells/lesions/unet/bce/default/seed0/counts.csv")
PREDICT = job("predict", "cells/lesions/unet/bce/default/seed0/thresholds.json")
TRAIN = job("train", "cells/lesions/unet/bce/default/seed0/run.json")
PREDICT_NEW = f"segstudy predict {CELL} resources/phantoms/tiny/lesions --out out"
EXPORT = f"segstudy export {CELL} --out out --format torch"
KEPT = (f"{OTHER}/counts.csv", f"{OTHER}/model.safetensors")


def row(name: str, setup: Callable[[Path], None], command: str, path: str, *words: str, code: int = 1) -> Row:
    """A row whose message names the damaged file, and the command that makes `path` again."""
    again = remake(path) if "study.yaml" in command else f"--force -- {path}"  # of a cell alone no config is known
    return Row(name, "finished", setup, command, code, ("damaged", again, *words))


counts, run, index = f"{CELL}/counts.csv", f"{CELL}/run.json", f"{DATA}/index.csv"
split, history = f"{DATA}/splits/seed0.csv", f"{CELL}/history.csv"

ROWS = [
    # counts.csv
    row("counts-emptied", emptied(counts), COMPARE, counts, "0 bytes"),
    row("counts-cut-in-a-row", halved(counts), COMPARE, counts, "whole rows"),
    row("counts-cut-between-rows", rows_lost(counts, 10), COMPARE, counts, "in 10 whole rows"),
    row("counts-header-alone", rows_lost(counts, 0), COMPARE, counts, "in 0 whole rows"),
    row("counts-one-bit", flipped(counts), COMPARE, counts, "another checksum"),
    row("counts-of-another-cell", replaced(counts, f"{OTHER}/counts.csv"), COMPARE, counts),
    row("counts-a-folder", a_folder(counts), COMPARE, counts, "a folder in the place"),
    Row(
        "counts-cut-of-an-earlier-version",
        "finished",
        without_sum(counts, rows_lost(counts, 10)),
        COMPARE,
        1,
        ("not those of the images of the split", "missing", remake(counts)),
    ),
    row("counts-cut-report", rows_lost(counts, 10), REPORT, counts),
    row("counts-cut-strata", rows_lost(counts, 10), job("strata", "tables/lesion_losses.strata.csv"), counts),
    row(
        "counts-cut-comparisons",
        rows_lost(counts, 10),
        job("comparisons", "tables/lesion_losses.comparisons.csv"),
        counts,
    ),
    row("counts-cut-ranking", rows_lost(counts, 10), job("ranking", "figures/lesion_losses/ranking.png"), counts),
    row(
        "counts-cut-compare-two",
        rows_lost(counts, 10),
        "segstudy compare lesions/unet/bce/default lesions/unet/dice/default study.yaml",
        counts,
    ),
    row("counts-cut-status", halved(counts), "segstudy status study.yaml", counts, "1 damaged", code=0),
    row("counts-cut-plan", halved(counts), "segstudy plan study.yaml", counts, "Longest chain", code=0),
    row("counts-cut-partial", rows_lost(counts, 10), "segstudy partial study.yaml", counts, "1 of 2 cells", code=0),
    row(
        "controls-cut",
        rows_lost(f"{RESULTS}/controls/lesions/seed0.csv", 8),
        COMPARE,
        f"{RESULTS}/controls/lesions/seed0.csv",
    ),
    # run.json
    row("run-emptied-status", emptied(run), "segstudy status study.yaml", run, "1 damaged", code=0),
    row("run-cut-status", halved(run), "segstudy status study.yaml", run, "1 of 2 cells done", code=0),
    row("run-a-folder-status", a_folder(run), "segstudy status study.yaml --all", run, code=0),
    row("run-cut-plan", halved(run), "segstudy plan study.yaml", run, "Longest chain", code=0),
    row("run-cut-partial", halved(run), "segstudy partial study.yaml", run, "1 of 2 cells", code=0),
    row(
        "run-cut-of-an-earlier-version",
        without_sum(run, halved(run)),
        "segstudy status study.yaml",
        run,
        "no JSON",
        code=0,
    ),
    row("run-cut-table", halved(run), COMPARE, run),
    row("run-of-another-cell-report", replaced(run, f"{OTHER}/run.json"), REPORT, run),
    row("run-cut-predict", halved(run), PREDICT_NEW, run),
    # a whole cell
    row("cell-of-another-table", whole(CELL, OTHER), COMPARE, counts, *PLACES),
    row("cell-of-another-measure", whole(CELL, OTHER), MEASURE, f"{CELL}/thresholds.json", *PLACES),
    row("cell-of-another-report", whole(CELL, OTHER), REPORT, run, *PLACES),
    row("cell-of-another-status", whole(CELL, OTHER), "segstudy status study.yaml", run, "1 damaged", *PLACES, code=0),
    row("cell-of-another-predict", whole(CELL, OTHER), PREDICT_NEW, run, *PLACES),
    # index, split and checks
    row(
        "index-cut-split", rows_lost(index, 6), job("split", "data/lesions/splits/seed0.csv"), index, "in 6 whole rows"
    ),
    row("index-cut-store", halved(index), job("preprocess", "data/lesions/store"), index),
    row("index-emptied-describe", emptied(index), job("describe", "data/lesions/card.json"), index),
    row(
        "index-cut-of-an-earlier-version",
        without_sum(index, rows_lost(index, 6)),
        job("describe", "data/lesions/card.json"),
        index,
        "lists 6 images, the folder of the data set has 12",
    ),
    row("index-one-bit-check", flipped(index), job("check_images", "data/lesions/checks/images.json"), index),
    Row("index-cut-plan", "finished", halved(index), "segstudy plan study.yaml", 0, ("Longest chain",)),
    row("split-cut-train", rows_lost(split, 6), TRAIN, split),
    row("split-cut-predict", halved(split), PREDICT, split),
    Row(
        "split-cut-of-an-earlier-version",
        "finished",
        without_sum(split, rows_lost(split, 6)),
        MEASURE,
        1,
        ("index and split do not name the same samples",),
    ),
    row(
        "samples-cut",
        halved(f"{DATA}/samples.csv"),
        job("check_split", "data/lesions/checks/seed0.json"),
        f"{DATA}/samples.csv",
    ),
    row(
        "thumbnails-cut",
        halved(f"{DATA}/thumbnails.npy"),
        job("check_split", "data/lesions/checks/seed0.json"),
        f"{DATA}/thumbnails.npy",
    ),
    row("check-emptied", emptied(f"{DATA}/checks/seed0.json"), COMPARE, f"{DATA}/checks/seed0.json"),
    row("card-cut-report", halved(f"{DATA}/card.json"), REPORT, f"{DATA}/card.json"),
    row("card-cut-describe", halved(f"{DATA}/card.json"), "segstudy describe lesions study.yaml", f"{DATA}/card.json"),
    # the store
    row("store-images-cut", halved(f"{DATA}/store/images.npy"), PREDICT, f"{DATA}/store"),
    row("store-masks-emptied", emptied(f"{DATA}/store/masks.npy"), TRAIN, f"{DATA}/store"),
    row("store-images-one-bit", flipped(f"{DATA}/store/images.npy"), TRAIN, f"{DATA}/store", "another checksum"),
    row("store-masks-for-rois", replaced(f"{DATA}/store/rois.npy", f"{DATA}/store/masks.npy"), TRAIN, f"{DATA}/store"),
    row("store-geometry-cut", rows_lost(f"{DATA}/store/geometry.csv", 4), PREDICT, f"{DATA}/store"),
    row("store-record-cut", halved(f"{DATA}/store/store.json"), TRAIN, f"{DATA}/store"),
    row(
        "store-images-cut-of-an-earlier-version",
        without_sum(f"{DATA}/store/images.npy", halved(f"{DATA}/store/images.npy")),
        PREDICT,
        f"{DATA}/store",
        "not the whole",
    ),
    # predictions
    row("thresholds-emptied", emptied(f"{CELL}/thresholds.json"), MEASURE, f"{CELL}/thresholds.json"),
    row("thresholds-cut-predict", halved(f"{CELL}/thresholds.json"), PREDICT_NEW, f"{CELL}/thresholds.json"),
    row("probability-cut", first(f"{CELL}/probabilities", halved), MEASURE, f"{CELL}/probabilities"),
    row("probability-emptied", first(f"{CELL}/probabilities", emptied), MEASURE, f"{CELL}/probabilities"),
    row("probability-one-bit", first(f"{CELL}/probabilities", flipped), MEASURE, f"{CELL}/probabilities"),
    row("usage-cut", halved(f"{CELL}/usage.json"), PREDICT_NEW, f"{CELL}/usage.json"),
    row("usage-emptied-export", emptied(f"{CELL}/usage.json"), EXPORT, f"{CELL}/usage.json"),
    row("model-one-bit", flipped(f"{CELL}/model.safetensors"), PREDICT_NEW, f"{CELL}/model.safetensors"),
    row("model-cut-export", halved(f"{CELL}/model.safetensors"), EXPORT, f"{CELL}/model.safetensors"),
    row(
        "model-of-another-cell",
        replaced(f"{CELL}/model.safetensors", f"{OTHER}/model.safetensors"),
        PREDICT,
        f"{CELL}/model.safetensors",
    ),
    row(
        "histograms-cut",
        halved(f"{CELL}/histograms.npz"),
        job("failures", "figures/lesion_losses/failures.png"),
        f"{CELL}/histograms.npz",
    ),
    row(
        "histograms-one-bit",
        flipped(f"{CELL}/histograms.npz"),
        job("failures", "figures/lesion_losses/failures.png"),
        f"{CELL}/histograms.npz",
    ),
    # histories, tables, notes of running jobs
    row("history-cut", rows_lost(history, 0), job("curves", "figures/lesion_losses/curves.png"), history),
    row("history-emptied-report", emptied(history), REPORT, history),
    row(
        "table-cut-summary",
        rows_lost(f"{RESULTS}/tables/lesion_losses.tidy.csv", 9),
        "segstudy summary study.yaml",
        f"{RESULTS}/tables/lesion_losses.tidy.csv",
    ),
    row(
        "comparisons-cut-summary",
        halved(f"{RESULTS}/tables/lesion_losses.comparisons.csv"),
        "segstudy summary study.yaml",
        f"{RESULTS}/tables/lesion_losses.comparisons.csv",
    ),
    Row(
        "benchmark-emptied-plan",
        "finished",
        emptied(f"{RESULTS}/benchmarks/predict/lesions/unet/bce/default/seed0.jsonl"),
        "segstudy plan study.yaml",
        0,
        ("Longest chain",),
    ),
    Row(
        "drawing-list-cut-plan",
        "finished",
        halved("resources/phantoms/tiny/lesions/phantom.json"),
        "segstudy plan study.yaml",
        0,
        ("Longest chain",),
    ),
]
ROWS = [one._replace(kept=KEPT) for one in ROWS]
