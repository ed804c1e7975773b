"""The sketch and the layer table of a network, at the size a data set has in the store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segstudy.figures.sketch import draw_sketch, write_layer_table
from segstudy.files import read_json
from segstudy.models import build
from segstudy.models.cost import count_flops, count_parameters
from segstudy.models.shapes import has_plan, layer_table
from segstudy.store import META


def sketch_network(
    settings: Mapping[str, Any], store: str | Path, title: str, outputs: Mapping[str, str | Path]
) -> None:
    """Draw a network and write its layer table, checked against a forward pass or read from it (see `layer_table`).

    Args:
        settings: kind and options of the network, as `Study.model_settings` resolves them.
        store: folder of the data set's store: its canvas is the size, its classes are the outputs.
        title: of figure and table.
        outputs: paths of `svg`, `png`, `csv` and `html`.
    """
    meta = read_json(Path(store) / "store.json", META)
    height, width = meta["canvas"]
    foreground = len(meta["classes"])
    shape = (meta["channels"], 1 if foreground == 1 else foreground + 1)
    table = layer_table(settings, *shape, height, width)
    network = build(dict(settings), *shape)
    work = count_flops(network, meta["channels"], height, width) / 1e9
    seen = "every size checked in a forward pass" if has_plan(settings) else "sizes as a forward pass shows them"
    footnote = (
        f"one image of {meta['channels']} x {height} x {width}: {count_parameters(network):,} parameters, "
        f"{work:.2f} GFLOP forward (a multiply-add is two); {seen}"
    )
    draw_sketch(table, title, outputs["svg"], outputs["png"], footnote)
    write_layer_table(table, outputs["csv"], outputs["html"], caption=f"{title}: {footnote}")
