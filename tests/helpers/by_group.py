"""Helpers of the tests of strata, which other tests use too."""

import pandas as pd

from segstudy.tables.by_group import compare_strata
from tests.helpers.results import PROTOCOL, inputs, paths, texts

STRATA = {"a": "nevus", "b": "nevus", "c": "mela_noma", "d": "", "t": "nevus"}


def write_index(folder, name, strata):
    table = pd.DataFrame({"sample": list(strata), "stratum": list(strata.values())})
    table.to_csv(folder / f"{name}.index.csv", index=False)
    return folder / f"{name}.index.csv"


def run(folder, cells, controls, strata=None, protocols=None):
    names = list(dict.fromkeys(cell.dataset for cell, _ in cells))
    strata, outputs = strata or {"ph2": STRATA}, paths(folder)
    options = {"regions": dict.fromkeys(names, "roi"), "protocols": protocols or dict.fromkeys(names, PROTOCOL)}
    indexes = {name: write_index(folder, name, strata[name]) for name in names}
    compare_strata(inputs(cells, controls, outputs, question="For whom?", **options), indexes)
    return texts(outputs)
