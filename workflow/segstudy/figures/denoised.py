"""Denoising: PSNR and SSIM of validation images before and after, and pictures of some."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from segstudy.config.recipes import Recipe
from segstudy.core import files, rng
from segstudy.core.files import atomic_path
from segstudy.core.progress import track
from segstudy.data.images import drawing
from segstudy.data.images.drawing import GAP, INK, LINE, MARGIN, MUTED, PAPER, TEXT, TITLE, WARN
from segstudy.data.store import Store, open_store
from segstudy.models.model_checks import check_told
from segstudy.models.model_file import load_model
from segstudy.runtime.device import choose_device
from segstudy.training.inputs import load_inputs
from segstudy.training.step import make_forward
from segstudy.training.tasks.denoising import Noise, add_noise, middle_levels

COLUMNS = ["sample", "noise", "level", "psnr_noisy", "psnr", "ssim_noisy", "ssim"]
MEASURED, SHOWN = 48, 3  # images at most: SSIM of a megapixel takes a third of a second


class Pair(NamedTuple):
    """An image with noise and without it again, float32 (H, W, C) in 0..1."""

    noisy: np.ndarray
    denoised: np.ndarray


def measure_denoising(
    model: Path,
    store: Path,
    split: Path,
    index: Path,
    outputs: Mapping[str, Path],
    title: str,
    phantom: bool = False,
    network_name: str = "",
) -> None:
    """Measure a denoising cell on the images that chose its best epoch; draw some of them.

    Every kind of noise the cell has learned from, at the middle of its range of levels; at most 48 images, spread
    evenly over all. PSNR and SSIM are scikit-image's, of intensities in 0..1, at the store's size, inside the roi.

    Args:
        split: CSV with sample, subset.
        index: CSV with sample, group.
        outputs: `table` (CSV with COLUMNS) and `png`.
        network_name: that the study names for this cell.
    """
    device = choose_device()
    trained, meta = load_model(model, device, named=network_name)
    check_told(meta, model, "seed")
    opened, recipe = open_store(store), Recipe.model_validate(meta["settings"]["recipe"])
    assert recipe.denoising is not None
    inputs = load_inputs(opened, split, recipe, meta["seed"], index)
    assert inputs.names is not None
    chosen = evenly(np.asarray(inputs.val_rows), MEASURED)
    shown_rows = set(evenly(chosen, SHOWN).tolist())
    forward = make_forward(trained, meta["normalisation"], device, torch.float32)
    table: list[dict[str, Any]] = []
    rows: list[PictureRow] = []
    for row in track(chosen.tolist(), "measure noise removed"):
        clean, inside = framed(opened, row)
        for noise in middle_levels(recipe.denoising):
            pair = removed(
                forward, opened.images[row], noise, rng.generator(meta["seed"], "denoised", step=row), device
            )
            noisy, denoised = (image[rectangle(opened.rois[row])] for image in pair)
            before, after = (quality(clean, image, inside) for image in (noisy, denoised))
            noise_kind, level = noise
            figures = {"psnr_noisy": before[0], "psnr": after[0], "ssim_noisy": before[1], "ssim": after[1]}
            table.append({"sample": inputs.names[row], "noise": noise_kind, "level": level, **figures})
            if row in shown_rows:
                denoised = denoised * inside[..., None]  # no loss looked at the rest
                rows.append(PictureRow(inputs.names[row], noise_kind, level, (clean, noisy, denoised), before, after))
    draw_denoised(rows, outputs["png"], title=title, phantom=phantom)
    files.write_csv(outputs["table"], pd.DataFrame(table, columns=COLUMNS).round(6))


def evenly(rows: np.ndarray, number: int) -> np.ndarray:
    """Return at most `number` of the rows, spread evenly."""
    return rows[np.linspace(0, len(rows) - 1, min(number, len(rows))).round().astype(int)]


@torch.inference_mode()
def removed(
    forward: Callable[[Tensor], Tensor], image: np.ndarray, noise: Noise, draws: torch.Generator, device: torch.device
) -> Pair:
    """Add noise to an image uint8 (H, W, C), let the network remove it, return both."""
    clean = torch.from_numpy(np.array(image)).to(device).permute(2, 0, 1)[None].float().div_(255)
    noisy = add_noise(clean, [noise], draws)
    denoised = forward(noisy.clone()).float().sigmoid()  # the pass changes its images in place
    images = (tensor[0].permute(1, 2, 0).cpu().numpy() for tensor in (noisy, denoised))
    return Pair(*images)


def rectangle(roi: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of the smallest rectangle that holds a roi (H, W)."""
    inside = [np.flatnonzero(roi.any(axis=axis)) for axis in (1, 0)]
    vertical, horizontal = (slice(int(places[0]), int(places[-1]) + 1) for places in inside)
    return vertical, horizontal


def framed(store: Store, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of the store as float32 (h, w, C) in 0..1 and its roi as bool (h, w), without the padding."""
    place = rectangle(store.rois[row])
    return (store.images[row][place] / 255).astype(np.float32), store.rois[row][place] > 0


def quality(clean: np.ndarray, image: np.ndarray, inside: np.ndarray) -> tuple[float, float]:
    """Return PSNR in dB and SSIM of an image (H, W, C) in 0..1, over the pixels `inside` (H, W) of it.

    SSIM is the mean, over these pixels and the channels, of its map with windows of 7x7 pixels.
    """
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    psnr = peak_signal_noise_ratio(clean[inside], image[inside], data_range=1)
    _, ssim = structural_similarity(clean, image, data_range=1, channel_axis=-1, full=True)
    return float(psnr), float(ssim[inside].mean())


HEADS = ("clean", "with noise", "noise removed")
UNITS = {"gaussian": "standard deviation", "salt_and_pepper": "share of the pixels", "speckle": "standard deviation"}


class PictureRow(NamedTuple):
    """One image and one kind of noise: pictures float32 (H, W, C) in 0..1 in the order of HEADS."""

    sample: str
    kind: str
    level: float
    pictures: tuple[np.ndarray, np.ndarray, np.ndarray]
    before: tuple[float, float]  # PSNR, SSIM of the noisy image
    after: tuple[float, float]


def draw_denoised(rows: Sequence[PictureRow], png: str | Path, *, title: str, phantom: bool = False) -> None:
    """Draw a row of three pictures for each image and kind of noise, the kinds one after the other.

    Args:
        rows: at least one.
    """
    ordered = [row for kind in dict.fromkeys(row.kind for row in rows) for row in rows if row.kind == kind]
    sizes = [drawing.tile_size(row.pictures[0].shape) for row in ordered]
    column = max(width for width, _ in sizes)
    large, small = ImageFont.load_default(TITLE), ImageFont.load_default(TEXT)
    title = f"PHANTOM data: {title}" if phantom else title
    across = round(max(len(HEADS) * (column + GAP) - GAP, large.getlength(title)))
    head = 2 * TITLE + LINE
    kinds = len({row.kind for row in ordered})
    tall = head + kinds * 2 * LINE + sum(height + LINE + GAP for _, height in sizes) + 2 * MARGIN
    page = Image.new("RGB", (across + 2 * MARGIN, tall), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), title, WARN if phantom else INK, font=large)
    for i, words in enumerate(HEADS):
        draw.text((MARGIN + i * (column + GAP), MARGIN + 2 * TITLE), words, MUTED, font=small)
    top, last = MARGIN + head, ""
    for row, size in zip(ordered, sizes, strict=True):
        if row.kind != last:
            words = f"{row.kind.replace('_', ' ')}, {UNITS[row.kind]} {row.level:.3g}"
            draw.text((MARGIN, top + LINE // 2), words, INK, font=small)
            top, last = top + 2 * LINE, row.kind
        below = (row.sample, *(f"PSNR {psnr:.1f} dB, SSIM {ssim:.3f}" for psnr, ssim in (row.before, row.after)))
        for i, (picture, words) in enumerate(zip(row.pictures, below, strict=True)):
            left = MARGIN + i * (column + GAP)
            page.paste(_picture(picture, size), (left, top))
            draw.text((left, top + size[1] + 4), drawing.fitting(words, small, column), MUTED, font=small)
        top += size[1] + LINE + GAP
    page = drawing.watermarked(page) if phantom else page
    with atomic_path(png) as temporary:
        page.save(temporary, format="PNG")


def _picture(image: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Return an image (H, W, C) at the size of a tile, one channel as grey."""
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    whole = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return whole.convert("RGB").resize(size, drawing.resampling(image.shape, size))
