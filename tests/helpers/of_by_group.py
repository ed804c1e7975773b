"""Helpers of the tests of strata, which other tests use too."""

import pandas as pd

from segstudy.tables.by_group import compare_strata
from tests.helpers.of_results import PROTOCOL

STRATA = {"a": "nevus", "b": "nevus", "c": "mela_noma", "d": "", "t": "nevus"}


def write_index(folder, name, strata):
    table = pd.DataFrame({"sample": list(strata), "stratum": list(strata.values())})
    table.to_csv(folder / f"{name}.index.csv", index=False)
    return folder / f"{name}.index.csv"


def run(folder, cells, controls, strata=None, protocols=None):
    names = list(dict.fromkeys(cell.dataset for cell, _ in cells))
    strata = strata or {"ph2": STRATA}
    outputs = {name: folder / f"out.{name}" for name in ("csv", "md", "tex", "html")}
    compare_strata(
        cells,
        controls,
        {name: write_index(folder, name, strata[name]) for name in names},
        experiment="base_line",
        question="For whom?",
        policy="fixed",
        regions=dict.fromkeys(names, "roi"),
        protocols=protocols or dict.fromkeys(names, PROTOCOL),
        outputs=outputs,
    )
    return {name: path.read_text() for name, path in outputs.items()} | {"table": pd.read_csv(outputs["csv"])}
