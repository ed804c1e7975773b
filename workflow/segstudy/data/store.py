"""The store of a data set: every image decoded and resized once, as uint8 arrays that are opened memory-mapped.

Layout in docs/file-formats.md. No tensor library is needed to build or to open it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from segstudy.core import checksums, files
from segstudy.core.arrays import RowWriter, open_array, read_array
from segstudy.core.errors import StudyError
from segstudy.core.pixel_limit import MAX_MEGAPIXELS
from segstudy.core.progress import logger, track
from segstudy.data.images.geometry import Geometry, SizeOption, canvas_size, fit, plain_size, to_canvas
from segstudy.data.images.label_map import Labels, Value, known_labels
from segstudy.data.images.read import read_image, read_reduced
from segstudy.data.images.read_masks import read_mask
from segstudy.data.images.reading import Reading, reading_of

Colour = Literal["rgb", "grey", "green"]

META = ("classes", "channels", "canvas", "samples")  # entries of store.json that every reader needs
ARRAYS = ("images", "masks", "rois")
COUNTED = "counted"  # a fourth array, where masks may hold void
FILES = ["sample", "image", "mask", "roi"]  # columns of the index that are read here

# Pixels that may be in work at once, over all threads: decoding and resizing take 10 to 15 bytes for each.
PIXELS_IN_WORK = 48_000_000


class Store(NamedTuple):
    """An opened store: arrays (N, H, W, C), (N, H, W), (N, H, W) of uint8, their geometry, and `store.json`."""

    images: np.ndarray
    masks: np.ndarray
    rois: np.ndarray
    geometry: pd.DataFrame
    meta: dict[str, Any]
    counted: np.ndarray  # as rois, without the void of the masks: where a mask has something to say

    def rows(self, samples: Iterable[str]) -> np.ndarray:
        """Return the rows (int64) of `samples`, in their order.

        Raises:
            StudyError: naming samples that the store does not hold.
        """
        known = dict(zip(self.geometry["sample"], self.geometry["row"], strict=True))
        wanted = list(samples)
        missing = [sample for sample in wanted if sample not in known]
        if missing:
            raise StudyError(
                f"the store has no sample {', '.join(map(repr, missing[:5]))}{' ...' * (len(missing) > 5)}",
                remedy="the store is older than the index or the split: run the rule preprocess again",
            )
        return np.array([known[sample] for sample in wanted], dtype=np.int64)

    def geometry_of(self, row: int) -> Geometry:
        """Return how the image of `row` lies on the canvas."""
        return Geometry(*(int(self.geometry[name].iloc[row]) for name in Geometry._fields))


def store_bytes(samples: int, canvas: tuple[int, int], channels: int, void: bool = False) -> int:
    """Return the bytes that the arrays of a store take on disk: images, masks and rois, with `void` one array more."""
    return samples * canvas[0] * canvas[1] * (channels + 2 + void)


def build_store(
    index: pd.DataFrame,
    root: Path,
    out: Path,
    size: SizeOption,
    colour: Colour,
    reader: str,
    labels: Labels,
    threads: int,
) -> None:
    """Decode and resize every image of `index` (files below `root`) into the folder `out`.

    A sample without a mask gets an empty one and `labelled` 0; without a roi file its roi is the image's
    rectangle. Void (see `Labels`) is background in the mask, and lies outside `counted`; rois belong to the image, for
    trainings that do not look at its mask. Memory is bounded by the images in work, not by the data set.

    Raises:
        StudyError: where a file cannot be read, or image, mask and roi of a sample differ in size.
    """
    if index.empty:
        raise StudyError("the index has no images, so there is nothing to store", where=root)
    sizes = list(zip(index["height"].astype(int), index["width"].astype(int), strict=True))
    canvas = canvas_size(sizes, size)
    places = [fit(original, canvas, size) for original in sizes]
    channels = 3 if colour == "rgb" else 1
    _check_space(out, store_bytes(len(index), canvas, channels, bool(labels.void)))
    known = [column for column in (*FILES, "reading") if column in index]
    samples = [dict(zip(known, row, strict=True)) for row in index[known].astype(str).itertuples(index=False)]

    with files.atomic_folder(out, sealed=True) as folder:
        shapes = {"images": (*canvas, channels)} | dict.fromkeys(_regions(labels.void), canvas)
        with _open_rows(folder, len(index), shapes) as arrays:

            def store_row(row: int) -> None:
                for array, content in zip(
                    arrays, _row(samples[row], root, places[row], canvas, colour, labels), strict=True
                ):
                    array.write(row, content)

            workers = max(1, min(threads, PIXELS_IN_WORK // max(h * w for h, w in [*sizes, canvas])))
            with ThreadPoolExecutor(workers) as pool:
                for _ in track(pool.map(store_row, range(len(index))), "preprocess", total=len(index)):
                    pass
        files.write_csv(folder / "geometry.csv", _geometry_table(samples, places), sealed=False)
        meta = {
            "reader": reader,
            "classes": list(labels.foreground),
            "channels": channels,
            "colour": colour,
            "canvas": list(canvas),
            "samples": len(index),
            "size": plain_size(size),
        }
        meta |= {"void": list(labels.void)} if labels.void else {}
        if "reading" in index:
            meta["reading"] = str(index["reading"].iloc[0])
        files.write_json(folder / "store.json", meta, sealed=False)


def open_store(path: Path | str, mmap: bool = True) -> Store:
    """Open the store in the folder `path`: memory-mapped, read-only, or (`mmap=False`) read into memory.

    Raises:
        StudyError: where there is no complete store, or an array is damaged.
    """
    path = Path(path)
    try:
        meta = files.read_json(path / "store.json", META)
        names = ("images", *_regions(meta.get("void")))
        arrays = {name: _opened(path / f"{name}.npy", mmap) for name in names}
        geometry = files.read_csv(path / "geometry.csv", ("sample", "row", "labelled", *Geometry._fields))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StudyError(
            "there is no complete store of the data set",
            where=error.filename,
            remedy=checksums.remake(path / "store.json"),
        ) from None
    try:  # a column called `row` is text in the tables; here it is a place in the arrays, and 10 comes after 9
        geometry = geometry.astype(dict.fromkeys(("row", "labelled", *Geometry._fields), "int64"))
    except (ValueError, TypeError) as error:
        raise checksums.damaged(path / "geometry.csv", f"not all of it are whole numbers ({error})") from None
    _check_together(path, arrays, geometry, meta)
    images, masks, rois = (arrays[name] for name in ARRAYS)
    return Store(images, masks, rois, geometry, meta, arrays.get(COUNTED, rois))


def _regions(void: Sequence[Value] | None) -> tuple[str, ...]:
    """Return the arrays of a store that are (N, H, W)."""
    return ("masks", "rois", COUNTED) if void else ("masks", "rois")


def _opened(path: Path, mmap: bool) -> np.ndarray:
    """Open an array in place, or read it; its size is compared with what was written, not its content."""
    array = read_array(path, mmap=True)
    return array if mmap else np.array(array)


def _check_together(
    path: Path, arrays: Mapping[str, np.ndarray], geometry: pd.DataFrame, meta: Mapping[str, Any]
) -> None:
    """Stop where the parts of a store are not of one data set.

    Raises:
        StudyError: naming the part.
    """
    canvas = (meta["samples"], *meta["canvas"])
    for name, array in arrays.items():
        shape = (*canvas, meta["channels"]) if name == "images" else canvas
        if array.dtype != np.uint8 or array.shape != shape:
            problem = f"it is {array.dtype} {array.shape}, by store.json it is uint8 {shape}"
            raise checksums.damaged(path / f"{name}.npy", problem)
    if sorted(geometry["row"]) != list(range(meta["samples"])):
        problem = f"it names {len(geometry)} rows, by store.json there are {meta['samples']}, each once"
        raise checksums.damaged(path / "geometry.csv", problem)


@contextmanager
def _open_rows(folder: Path, samples: int, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[list[RowWriter]]:
    """Yield the arrays of a store, of which a row has the given shape, open for writing; flush them at the end."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(open_array(folder / f"{name}.npy", (samples, *shape))) for name, shape in shapes.items()
        ]


def _row(
    sample: dict[str, str], root: Path, place: Geometry, canvas: tuple[int, int], colour: Colour, labels: Labels
) -> list[np.ndarray]:
    """Return image (H, W, C), mask and roi (H, W) of one sample, on the canvas; where it may be void, what counts too.

    Mask and regions are resized alike, by nearest neighbour: what is left beside void is what was there.
    """
    image, found, lies = read_fitting(root / sample["image"], place, reading_of(sample))
    check_size(sample, "image", found, place, root)
    image = to_canvas(in_colour(image, colour), lies, canvas, "image")
    mask, roi, void = np.zeros(place[:2], np.uint8), np.ones(place[:2], np.uint8), None
    if sample["mask"]:
        known = known_labels(root / sample["mask"], labels)
        mask, void = known.array, known.void
        check_size(sample, "mask", mask.shape, place, root)
    if sample["roi"]:
        roi = read_mask(root / sample["roi"], upright=labels.upright).array
        check_size(sample, "roi", roi.shape, place, root)
    planes = [mask, roi]
    if labels.void:
        planes.append(roi if void is None else (roi > 0) & ~void)
    return [image, *(to_canvas(plane, place, canvas, "mask") for plane in planes)]


def read_fitting(path: Path, place: Geometry, reading: Reading) -> tuple[np.ndarray, tuple[int, ...], Geometry]:
    """Return an image (H, W, 3), the (height, width) of its file, and how the array lies on the canvas.

    A picture above MAX_MEGAPIXELS, which the config must allow, is resized while it is read, where it shrinks.
    """
    large = place.original_height * place.original_width > MAX_MEGAPIXELS * 1e6
    if large and place.height < place.original_height and place.width < place.original_width:
        image, found = read_reduced(path, (place.height, place.width), reading)
        return image, found, place._replace(original_height=place.height, original_width=place.width)
    image = read_image(path, reading)
    return image, image.shape[:2], place


def check_size(sample: Mapping[str, str], column: str, found: tuple[int, ...], place: Geometry, root: Path) -> None:
    """Raise a StudyError if a file of a sample has another (height, width), `found`, than its image in the index."""
    if found != (place.original_height, place.original_width):
        raise StudyError(
            f"sample '{sample['sample']}': its {column} is {found[1]}x{found[0]} (width x height), "
            f"its image is {place.original_width}x{place.original_height} in the index",
            where=root / sample[column],
            allowed="image, mask and roi of a sample have one size, pixel for pixel",
            remedy="replace the file, or take the sample out of the data set; if the image itself was replaced, "
            "run the rule index again",
        )


def in_colour(image: np.ndarray, colour: Colour) -> np.ndarray:
    """Return uint8 (H, W, 3) as (H, W, C): as it is, its luma (ITU-R 601, as Pillow's 'L'), or its green channel.

    Green is where blood vessels contrast most with the retina.
    """
    if colour == "rgb":
        return image
    if colour == "green":
        return image[:, :, 1:2]
    from PIL import Image

    return np.asarray(Image.fromarray(image).convert("L"))[:, :, None]


def _geometry_table(samples: list[dict[str, str]], places: list[Geometry]) -> pd.DataFrame:
    table = pd.DataFrame(places, columns=list(Geometry._fields))
    table.insert(0, "sample", [sample["sample"] for sample in samples])
    table.insert(1, "row", range(len(samples)))
    table.insert(2, "labelled", [int(bool(sample["mask"])) for sample in samples])
    return table


def _check_space(out: Path, needed: int) -> None:
    """Say what the store takes; stop before hours of decoding if the disk cannot hold it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out.parent).free
    logger.info("the store takes %.1f MB", needed / 1e6)
    if needed > free:
        raise StudyError(
            f"the store takes {needed / 1e9:.2f} GB, the disk has {free / 1e9:.2f} GB left",
            where=out,
            remedy="free some space, or give the data set a smaller `size:` in the config",
        )
