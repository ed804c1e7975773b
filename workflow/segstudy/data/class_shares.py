"""Share of the images that each class covers, for data sets with several classes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from segstudy.core.markup import element, markdown_text
from segstudy.data.images.label_map import Labels, spelt


def class_shares(labels: Labels, pixels: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return one record per id of `labels` that has values, background first.

    Args:
        labels: of the data set.
        pixels: (N, ids), pixels of each id in each image, without void; all 0 where there is no mask.

    Returns:
        `name`, `values` (as text), `colour` (#rrggbb), `images` (number that show it); of the share of an image that is
        the class, over all labelled images, `mean` and `maximum` (None without any).
    """
    counts = pixels[pixels.any(axis=1)]
    shares = counts / counts.sum(axis=1, keepdims=True)
    return [
        {
            "name": name,
            "values": spelt(labels.values[index]),
            "colour": "#{:02x}{:02x}{:02x}".format(*labels.colours[index]),
            "images": int(np.count_nonzero(counts[:, index])),
            "mean": round(float(shares[:, index].mean()), 6) if len(shares) else None,
            "maximum": round(float(shares[:, index].max()), 6) if len(shares) else None,
        }
        for index, name in enumerate(labels.names)
        if labels.values[index]
    ]


def class_table(records: list[dict[str, Any]], labelled: int) -> list[str]:
    """Return the lines of a Markdown table of `class_shares`."""
    head = (
        f"| colour | class | values in the masks | mean share of an image | largest | seen in, of {labelled} images |"
    )
    lines = [head, "|---|---|---|---|---|---|"]
    for record in records:
        mean, largest = ("" if record[key] is None else f"{record[key]:.1%}" for key in ("mean", "maximum"))
        words = (record["name"], record["values"], mean, largest, record["images"])
        lines.append(f"| `{record['colour']}` | {' | '.join(map(markdown_text, words))} |")
    return lines


def with_swatches(body: Markup) -> Markup:
    """Return the HTML of a card in which the cells of `class_table` that name a colour show it.

    Of all cells only these are code: free text never is.
    """
    parts = re.split("<td><code>(#[0-9a-f]{6})</code></td>", body)
    parts[1::2] = [element("td", swatch(colour)) for colour in parts[1::2]]
    return Markup("").join(map(Markup, parts))


def swatch(colour: str) -> Markup:
    """Return a small picture of a colour #rrggbb."""
    drawn = element("rect", width="100%", height="100%", fill=colour)
    return element("svg", element("title", colour), drawn, class_="swatch", role="img", aria_label=colour)
