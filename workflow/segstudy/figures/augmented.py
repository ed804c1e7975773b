"""The first training samples as the network gets them: cropped and augmented, with mask and roi drawn over.

Made by the functions that a training calls, with the draws of its first epoch, so that a person sees what is learned
from, and that image, mask and roi move together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from segstudy.config.recipes import Recipe
from segstudy.core import rng
from segstudy.core.files import atomic_path
from segstudy.data.concat_arrays import Arrays
from segstudy.data.images import drawing
from segstudy.data.images.drawing import GAP, INK, LINE, MARGIN, MUTED, PAPER, TEXT, TITLE, WARN, Entries
from segstudy.data.images.label_map import Labels
from segstudy.data.store import Store, open_store
from segstudy.data.subsets import names_of, strata_of, subset_rows
from segstudy.training.added_copies import copied_rows, with_copies
from segstudy.training.augment_geometry import augment
from segstudy.training.sampler import balanced, epoch_batches

SAMPLES, ACROSS = 16, 4
# Cyan is rare in skin and retina alike; white stands out against the darkened image beyond the roi.
MASK, ROI = (0, 229, 255), (255, 255, 255)
BORDER = ("border of what counts; outside it, dimmed", ROI)


class Sample(NamedTuple):
    """What one training image became: float32 image (h, w, C) in 0..1, uint8 mask, and where it counts (h, w)."""

    name: str
    image: np.ndarray
    mask: np.ndarray
    roi: np.ndarray
    void: np.ndarray | None = None  # bool (h, w): inside the region, and yet does not count


def draw_augmented(
    store: str | Path,
    split: str | Path,
    recipe: Mapping[str, Any],
    png: str | Path,
    *,
    seed: int,
    title: str,
    labels: Labels,
    phantom: bool = False,
    index: str | Path | None = None,
) -> None:
    """Draw the first sixteen training samples of a seed's first epoch (all of them, if the epoch has fewer).

    The mask's outline is cyan, or every class laid over in its own colour, where there are several; the border of the
    roi is white; void has a colour of its own. What lies outside the roi, or was brought in from outside the image, is
    dimmed. Below each tile stands its sample.

    Args:
        store: folder of the data set's store.
        split: CSV with sample, subset.
        recipe: the recipe as this data set is trained with it, or those of its keys that shape the samples:
            `batch_size`, `crop`, `crops_per_image`, `crops_per_epoch`, `augmentation`, `balance`.
        labels: names and colours of the classes.
        index: CSV with sample, stratum; read only where the recipe balances the strata.

    Raises:
        StudyError: there is no store, or the split has no labelled training image.
    """
    strata_file = Path(index) if index else None
    samples, total = first_samples(Path(store), Path(split), Recipe.model_validate(recipe), seed, index=strata_file)
    height, width = samples[0].mask.shape
    few = "all" if len(samples) == total else f"the first {len(samples)} of the"
    what = "crops" if recipe.get("crop") else "images"
    words = f"Epoch 1 of seed {seed}: {few} {total} {what} that it learns from, {height}x{width} pixels each"
    pictures = [(sample.name, _picture(sample, labels)) for sample in samples]
    several = [*zip(labels.foreground, labels.colours[1:], strict=True), BORDER]
    legend = several if labels.several else [("outline of the mask", MASK), BORDER]
    legend += [drawing.VOID_ENTRY] if labels.void else []
    page = _page(f"PHANTOM data: {title}" if phantom else title, words, pictures, legend, phantom)
    with atomic_path(png) as temporary:
        page.save(temporary, format="PNG")


def first_samples(
    store: Path, split: Path, recipe: Recipe, seed: int, number: int = SAMPLES, index: Path | None = None
) -> tuple[list[Sample], int]:
    """Return the first `number` samples of epoch 1 in the order of training, and how many the epoch has.

    Raises:
        StudyError: there is no store, or the split has no labelled training image.
    """
    opened = open_store(store)
    samples_of = partial(_changed, opened, split, recipe, seed, number, index)
    samples, total = samples_of((opened.images, opened.masks, opened.counted))
    if opened.counted is not opened.rois:  # the same draws move the region alone
        fields, _ = samples_of((opened.images, opened.rois, opened.rois))
        both = zip(samples, fields, strict=True)
        samples = [sample._replace(void=(field.mask > 0) & (sample.roi == 0)) for sample, field in both]
    return samples, total


def _changed(
    opened: Store, split: Path, recipe: Recipe, seed: int, number: int, index: Path | None, arrays: Arrays
) -> tuple[list[Sample], int]:
    """Return the first samples of epoch 1 made of `arrays`, those of the store, and how many the epoch has."""
    rows, names = subset_rows(opened, split, "train"), names_of(opened)
    if recipe.adds_copies:
        copied = copied_rows(rows, strata_of(opened, index, rows), seed)
        arrays = with_copies(arrays, copied, recipe.augmentation, seed)
        rows = np.concatenate([rows, len(names) + np.arange(len(copied))])
        names = [*names, *(f"{names[row]} (augmented copy)" for row in copied)]
        recipe = recipe.in_training
    elif recipe.balance == "strata":
        rows = balanced(rows, strata_of(opened, index, rows), seed, 1)
    batches = epoch_batches(rows, recipe.batch_size, recipe.crops_per_image, seed, 1, recipe.crops_per_epoch)
    samples: list[Sample] = []
    for step, batch in enumerate(batches):
        if len(samples) >= number:
            break
        # The whole batch, even if not all of it is shown: how many numbers are drawn depends on its size.
        images, masks, rois = (torch.from_numpy(np.array(array[batch])) for array in arrays)
        draws = rng.generator(seed, "augment", 1, step)
        changed = augment(images.permute(0, 3, 1, 2), masks, rois, recipe.augmentation, draws, recipe.crop)
        parts = [changed[0].permute(0, 2, 3, 1), *changed[1:]]
        samples += [Sample(names[row], *(part[i].numpy() for part in parts)) for i, row in enumerate(batch.tolist())]
    return samples[:number], sum(map(len, batches))


def _picture(sample: Sample, labels: Labels) -> Image.Image:
    """Return the tile of a sample."""
    size = drawing.tile_size(sample.mask.shape)
    levels = np.broadcast_to((sample.image * 255).round().astype(np.uint8), (*sample.mask.shape, 3))
    resized = Image.fromarray(np.ascontiguousarray(levels)).resize(size, drawing.resampling(levels.shape, size))
    field = sample.roi != 0 if sample.void is None else (sample.roi != 0) | sample.void
    inside = drawing.share(field, size)
    picture = np.asarray(resized).astype(np.float32) * (0.4 + 0.6 * inside)
    picture = drawing.painted(picture, sample.void)
    border = drawing.outline((inside[..., 0] > 0.5).astype(np.uint8))
    if labels.several:
        flat = drawing.flat(sample.mask, labels.colours, size)
        there = drawing.flat((sample.mask > 0).astype(np.uint8), ((0, 0, 0), (1, 1, 1)), size)
        picture = np.where(there > 0, 0.55 * picture + 0.45 * flat, picture)
        picture[border] = ROI
    else:
        ids = (drawing.share(sample.mask > 0, size)[..., 0] > 0.4).astype(
            np.uint8
        )  # under a half: thin vessels stay whole
        picture[border] = ROI
        thick = drawing.outline(ids)
        thin = 2 * thick.sum() > np.count_nonzero(ids)  # a vessel is to stay visible between its two borders
        picture[drawing.outline(ids, width=1) if thin else thick] = MASK
    return Image.fromarray(picture.round().clip(0, 255).astype(np.uint8))


def _page(
    title: str, words: str, pictures: Sequence[tuple[str, Image.Image]], legend: Entries, phantom: bool
) -> Image.Image:
    """Put the tiles together, ACROSS in a row, each with its name below."""
    width, height = pictures[0][1].size
    line, column, rows = LINE, width + GAP, -(-len(pictures) // ACROSS)
    large, small = ImageFont.load_default(TITLE), ImageFont.load_default(TEXT)
    across = round(max(ACROSS * column - GAP, large.getlength(title), small.getlength(words), 900))
    down = 2 * TITLE + 1.5 * line + rows * (height + line + GAP) + drawing.legend_height(legend, across)
    page = Image.new("RGB", (across + 2 * MARGIN, round(down) + 2 * MARGIN), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), title, WARN if phantom else INK, font=large)
    draw.text((MARGIN, MARGIN + 1.6 * TITLE), words, MUTED, font=small)
    top = round(MARGIN + 2 * TITLE + 1.5 * line)
    for i, (name, picture) in enumerate(pictures):
        left, upper = MARGIN + i % ACROSS * column, top + i // ACROSS * (height + line + GAP)
        page.paste(picture, (left, upper))
        draw.text((left, upper + height + 4), drawing.fitting(name, small, width), INK, font=small)
    drawing.legend(draw, top + rows * (height + line + GAP), legend, across)
    return drawing.watermarked(page) if phantom else page
