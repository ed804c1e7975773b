"""Drawn stand-ins of data sets that no study draws: the tests of their readers, and of several classes, need them."""

from pathlib import Path

from segstudy.config.datasets import Phantom
from segstudy.data.phantoms.draw import DRAWERS as OF_STUDIES
from tests.helpers.phantoms import cmp, hrf, rfmid

DRAWERS = OF_STUDIES | {"cmp": cmp, "hrf": hrf, "rfmid": rfmid}


def draw(reader: str, out: Path, options: Phantom) -> None:
    """Draw a data set into `out`, in its official layout; `phantom.json` is not written."""
    DRAWERS[reader].draw(Path(out) / DRAWERS[reader].FOLDER, options)


def drawn(reader: str, out: Path, **options: int) -> dict[str, str]:
    """Draw a data set into `out`; return its `reader` and `root` as a study names them."""
    draw(reader, out, Phantom(**options))
    return {"reader": reader, "root": str(out)}
