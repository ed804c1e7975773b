"""One look for all figures drawn with matplotlib, and the same bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.style
from cycler import cycler

from segstudy.core.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

mpl.use("Agg")

WIDTH = 8.0  # inches; at 100 dpi the 800 pixels of a page in the report, where 9 points are still read easily
PNG_DPI = 200
INK, MUTED, GRID = "#1b1f24", "#5b6570", "#dde1e6"
# Okabe and Ito, "Color Universal Design" (2008), without the yellow, which does not show as a thin line on white;
# then five of Paul Tol's "muted" set for studies with more than seven losses.
PALETTE = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#1b1f24"),
    *("#882255", "#999933", "#332288", "#888888", "#44AA99"),
)
MARKERS = ("o", "s", "^", "D", "v", "<", ">", "p", "h")
LOOK = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.pad": 3.5,
    "ytick.major.pad": 3.5,
    "legend.fontsize": 8.5,
    "legend.title_fontsize": 8.5,
    "figure.titlesize": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": MUTED,
    "axes.prop_cycle": cycler(color=PALETTE),
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.8,
    "patch.linewidth": 0.8,
    "patch.edgecolor": "white",
    "patch.force_edgecolor": True,
    "legend.frameon": True,
    "svg.hashsalt": "segstudy",
    "svg.fonttype": "path",
}


def use_style() -> None:
    """Set seaborn's white grid with this project's fonts, colours and a fixed salt for the ids inside SVG."""
    mpl.style.use(["seaborn-v0_8-whitegrid", LOOK])  # matplotlib's copy: to import seaborn takes 0.7 s in every figure


def colours(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for each name; the palette starts again after twelve."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}


def markers(names: Sequence[str]) -> dict[str, str]:
    """Return a marker for each name; colour and marker together tell 36 names apart."""
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(names)}


def bare(axes: Axes) -> None:
    """Take away the frame above and to the right, which carry no scale."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def watermark(figure: Figure) -> None:
    """Write PHANTOM across a figure whose numbers come from drawn data."""
    look: dict[str, Any] = {"fontsize": 64, "fontweight": "bold", "color": "#b00020", "alpha": 0.10, "zorder": 100}
    figure.text(0.5, 0.5, "PHANTOM", rotation=24, ha="center", va="center", **look)


def dataset_title(dataset: str, phantoms: Collection[str]) -> str:
    """Return a data set's name, with a warning where its images are drawn."""
    return f"{dataset} (PHANTOM)" if dataset in phantoms else dataset


def key(label: str, **options: Any) -> Artist:
    """Return an entry of a legend: a line or a marker, grey unless it has a colour."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **{"color": MUTED, "label": label} | options)


def legend_below(figure: Figure, handles: Sequence[Artist], most: int = 4) -> None:
    """Put a legend below everything, in as many columns as fit into the figure, `most` at the most."""
    for columns in range(min(most, len(handles)), 0, -1):
        legend = figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def finish(
    figure: Figure,
    title: str,
    keys: Sequence[Artist],
    outputs: Mapping[str, str | Path],
    phantom: bool,
    most: int = 4,
) -> None:
    """Put title and legend on a figure, and PHANTOM on one of drawn data; write it to `svg` and `png` of `outputs`.

    Drawn data are named first in the title, since a title outlives its watermark.
    """
    figure.suptitle(f"PHANTOM data: {title}" if phantom else title, x=0.01, ha="left", weight="bold")
    legend_below(figure, keys, most)
    if phantom:
        watermark(figure)
    save(figure, outputs["svg"], outputs["png"])


def save(figure: Figure, svg: str | Path, png: str | Path) -> None:
    """Write a figure as SVG and as PNG (200 dpi), atomically and with no date inside, then close it."""
    from matplotlib import pyplot

    with atomic_path(svg) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": "segstudy"})
    figure.set_layout_engine("none")  # everything has its place: to find it again for the PNG takes as long as to draw
    with atomic_path(png) as temporary:
        figure.savefig(temporary, format="png", dpi=PNG_DPI, metadata={"Software": "segstudy"})
    pyplot.close(figure)


def save_small(figure: Figure, png: str | Path) -> None:
    """Write a figure of the documentation as a PNG of 32 colours, atomically, then close it."""
    from matplotlib import pyplot
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120)
    with atomic_path(png) as temporary:
        Image.open(drawn).convert("RGB").quantize(32, dither=Image.Dither.NONE).save(temporary, "png", optimize=True)
    pyplot.close(figure)
