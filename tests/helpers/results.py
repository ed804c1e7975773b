"""Helpers of the tests of tables, which other tests use too."""

import json

import pandas as pd

from segstudy.tables.columns import SEVEN
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.results import compare

COLUMNS = ["sample", "subset", "class", "region", "policy", "threshold", "tp", "fp", "fn", "tn"]


PROTOCOL = {"split": "20 % test & 10 % validation", "size": "10x10 pixels, seen at 8_8", "phantom": False}


def write(folder, name, rows, control=None, policy="fixed", region="full"):
    """Write counts of test images given as (sample, tp, fp, fn, tn), and of one train image."""
    lines = [
        [sample, "test", "lesion", region, policy, "" if control else 0.5, *counts] for sample, *counts in rows
    ] + [["t", "train", "lesion", region, policy, "" if control else 0.5, 10, 0, 0, 90]]
    table = pd.DataFrame(lines, columns=COLUMNS)
    if control:
        table.insert(0, "control", control)
    path = folder / name
    table.to_csv(path, index=False)
    return path


def write_run(path, seconds=(30.0, 8.0, 2.0), devices=("AMD EPYC",)):
    """Write what the tables read of a run.json: seconds of steps, validation and saving, and a start per device."""
    parts = dict(zip(("steps", "validation", "saving"), seconds, strict=True))
    starts = [{"epoch": 1, "step": 0, "device": device, "threads": 1} for device in devices]
    path.write_text(json.dumps({"seconds": parts | {"total": 1.0}, "starts": starts}))
    return path


def inputs(cells, controls=(), outputs=None, protocols=None, **changes):
    """The inputs of an experiment's tables and figures; drawn are the data sets whose protocol says so."""
    protocols = protocols or {"ph2": PROTOCOL, "drive": PROTOCOL}
    options = {"experiment": "base_line", "policy": "fixed", "outputs": outputs or {}, "protocols": protocols}
    options |= {"phantoms": [name for name, protocol in protocols.items() if protocol["phantom"]]}
    return ExperimentInputs(cells=cells, controls=controls, **(options | changes))


def paths(folder, *kinds, name="x"):
    """Where a table or a figure goes, by kind."""
    return {kind: folder / f"{name}.{kind}" for kind in kinds or ("csv", "md", "tex", "html")}


def texts(outputs):
    """What a table function has written, and its csv as `table`."""
    written = {kind: path.read_text(encoding="utf-8") for kind, path in outputs.items()}
    return written | {"table": pd.read_csv(outputs["csv"])}


def run(folder, cells, controls, protocols=None, runs=None, metrics=SEVEN, tolerance=2, **changes):
    outputs = paths(folder / "out") | {"tidy": folder / "out/x.tidy.csv"}
    options = {"question": "Do 50 % of skips & more matter?", "regions": {"ph2": "roi", "drive": "roi"}} | changes
    runs = runs or [write_run(folder / f"run{i}.json") for i in range(len(cells))]
    compare(inputs(cells, controls, outputs, protocols, **options), runs, metrics, tolerance)
    made = texts(outputs)
    return made | {"wide": made["table"], "long": pd.read_csv(outputs["tidy"])}


def markdown_row(text, name, panel="Test images"):
    lines = text.split(f"## {panel}")[1].split("\n## ")[0].splitlines()
    head, row = (next(line for line in lines if key in line) for key in ("| Model |", f"| {name} |"))
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in (head, row))
    return dict(zip(*cells, strict=True))


def latex_row(text, name):
    """Return a row of the first panel by column, as LaTeX spells it."""
    panel = text.split(r"\bottomrule")[0]
    head, row = (next(line for line in panel.splitlines() if line.startswith(key)) for key in ("Model &", f"{name} &"))
    cells = ([cell.strip() for cell in line.removesuffix(r"\\").split(" & ")] for line in (head, row))
    return dict(zip(*cells, strict=True))
