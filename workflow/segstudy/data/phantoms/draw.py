"""Draw a stand-in for a data set, in its official layout, for people without the real data.

Each data set has a module `<reader>` with `FOLDER`, the top folder of the layout, and `draw(folder, options)`, which
fills it. Phantoms are a small but real task: distractors, soft borders and low contrast have to be told apart.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from segstudy.config.datasets import Phantom
from segstudy.core.errors import StudyError
from segstudy.core.files import atomic_folder, write_json
from segstudy.data.phantoms import drive, ebhi, ph2, phc
from segstudy.data.phantoms import folder as phantom_folder
from segstudy.runtime.raw_folder import listing

LISTING = "phantom.json"

# One line a reader that can be drawn.
DRAWERS: dict[str, ModuleType] = {
    "ph2": ph2,
    "drive": drive,
    "ebhi": ebhi,
    "phc": phc,
    "folder": phantom_folder,
}


def draw(reader: str, out: str | Path, options: Phantom) -> None:
    """Draw the phantom of data set `reader` into the folder `out`, replacing one drawn there before.

    The same options give the same pictures, byte for byte. `phantom.json`, written last, holds the options and
    the path, size and time of every file, so that a later change of any of them is seen.

    Raises:
        StudyError: no phantom is known for the reader, or `out` holds something that is no phantom.
    """
    out = Path(out)
    if reader not in DRAWERS:
        raise StudyError(
            f"no phantom can be drawn for '{reader}'",
            allowed=", ".join(DRAWERS),
            remedy="remove 'phantom:' from the data set's config and set its root to real data",
        )
    drawer = DRAWERS[reader]
    _check_replaceable(out)
    with atomic_folder(out) as folder:
        drawer.draw(folder / drawer.FOLDER, options)
        settings = options.model_dump(mode="json")
        write_json(folder / LISTING, {"reader": reader, "options": settings, "files": listing(folder)}, sealed=False)


def _check_replaceable(out: Path) -> None:
    """Refuse to replace a folder in which anything but a phantom lies; Snakemake may have removed the listing."""
    known = {LISTING, *(drawer.FOLDER for drawer in DRAWERS.values())}
    if out.exists():
        strange = sorted(p.name for p in out.iterdir() if p.name not in known and p.name[0] != ".")
        if strange:
            raise StudyError(
                f"this folder holds more than a phantom: {', '.join(strange[:5])}",
                where=out,
                remedy="move these files away; a phantom replaces its whole folder",
            )
