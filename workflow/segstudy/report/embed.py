"""Pictures as data URIs: a page that holds its own images opens anywhere, from disk, without a network."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from segstudy.data.images.decode import opened

SVG_BYTES = 600_000  # a drawing that is larger is shown as pixels
SIDE = 1600  # pixels of the longer side of an embedded figure
QUALITY = 82  # of WebP: no difference is seen at this size
PHOTO_QUALITY = 75


class Picture(NamedTuple):
    """An image of the page: data URI, size, and description."""

    uri: str
    width: int
    height: int
    alt: str


def uri_of(content: bytes, kind: str) -> str:
    """Return the data URI of a file's content; `kind` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def picture(path: str | Path, alt: str, side: int = SIDE, height: int | None = None) -> Picture:
    """Return an image file as WebP, at most `side` pixels wide and `height` high (`side` unless told)."""
    with opened(path, drawn=True) as stored:
        image = stored.convert("RGB")
    image.thumbnail((side, height or side), Image.Resampling.LANCZOS)
    return Picture(uri_of(_saved(image, format="WEBP", quality=QUALITY, method=4), "image/webp"), *image.size, alt)


def figure(svg: str | Path, png: str | Path, alt: str) -> Picture:
    """Return a figure that is there as drawing and as pixels: the drawing, unless it has more than SVG_BYTES."""
    content = Path(svg).read_bytes()
    if len(content) > SVG_BYTES:
        return picture(png, alt)
    with opened(png, drawn=True) as image:
        width, height = image.size
    return Picture(uri_of(content, "image/svg+xml"), width, height, alt)


def photo(array: np.ndarray) -> str:
    """Return the data URI of an image uint8 (H, W, 3), WebP with losses that do not show."""
    return uri_of(_saved(Image.fromarray(array), format="WEBP", quality=PHOTO_QUALITY, method=4), "image/webp")


def exact(array: np.ndarray) -> str:
    """Return the data URI of levels uint8 (H, W) whose values come back as they are: WebP without losses."""
    image = Image.fromarray(array).convert("RGB")
    return uri_of(_saved(image, format="WEBP", lossless=True, quality=40, method=2), "image/webp")


def _saved(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, **options)  # type: ignore[arg-type]
    return stream.getvalue()
