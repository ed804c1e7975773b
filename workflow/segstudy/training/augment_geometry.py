"""Augmentation of whole batches of training images, as tensor operations on their device.

Geometry (flips, rotation, shift, scale, shear, crop) moves image, mask and roi alike, by ONE resampling at the size
of the crop; flips and crops alone resample nothing. Intensities change in the image alone (`recolour`). All random
numbers come from a CPU generator: a training has the same changes on any device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn import functional

from segstudy.config.recipes import Augmentation
from segstudy.core.errors import StudyError
from segstudy.training.augment_intensity import Colours, draw_colours, recolour

# One random number for each of these and each sample, whatever the options: switching one change on or off leaves
# the others as they were.
DRAWS = (
    *(
        "flip_horizontal",
        "flip_vertical",
        "rotation",
        "shear",
        "scale",
        "shift_y",
        "shift_x",
        "crop_y",
        "crop_x",
    ),
    *("brightness", "contrast", "saturation", "blur"),
)

# Pixels around a crop's bounding box that bilinear sampling and rounding may touch.
MARGIN = 3


class Plan(NamedTuple):
    """The changes of a batch of B images, drawn but not yet applied."""

    size: tuple[int, int]  # of the result: height, width
    window: tuple[int, int]  # of the part of the source that is needed: height, width
    corners: list[tuple[int, int]]  # top, left of each sample's window
    flips: list[list[int]]  # dimensions to flip, of each sample; used where `affine` is None
    transposed: list[bool]  # whether rows and columns are exchanged after that, of each sample; likewise
    affine: torch.Tensor | None  # (B, 2, 3): offset (x, y) from the result's centre -> window in [-1, 1]
    colours: Colours


@torch.no_grad()
def augment(
    images: torch.Tensor,
    masks: torch.Tensor,
    rois: torch.Tensor,
    options: Augmentation,
    generator: torch.Generator,
    crop: tuple[int, int] | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return a randomly changed batch: images float32 in 0..1, masks and rois in the type they came in.

    Pixels from outside the image are 0 in image, mask and roi. With `crop`, the result has that size and lies
    inside the image wherever the (turned, scaled) crop fits, before it is shifted; a crop larger than the image is
    padded.

    Args:
        images: (B, C, H, W), uint8 0..255 or float 0..1.
        masks: (B, H, W), uint8 class ids.
        rois: (B, H, W), uint8 or bool, nonzero where pixels count.
        options: what is changed, and by how much.
        generator: a CPU generator.
        crop: (height, width) of random crops; None keeps whole images.
    """
    plan = draw_plan(len(images), (images.shape[2], images.shape[3]), options, generator, crop)
    images, masks, rois = (_windows(batch, plan) for batch in (images, masks, rois))
    return apply_plan(plan, images, masks, rois, options, generator)


@torch.no_grad()
def apply_plan(
    plan: Plan,
    images: torch.Tensor,
    masks: torch.Tensor,
    rois: torch.Tensor,
    options: Augmentation,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Apply a plan to its windows; `augment` is `draw_plan`, cutting out the windows, and this.

    Args:
        plan: of `draw_plan`, with the same options.
        images: (B, C, h, w), the windows; as the next two, in the types of `augment`.
        masks: (B, h, w).
        rois: (B, h, w).
        options: as `draw_plan` had them.
        generator: that of `draw_plan`, from which the noise is drawn next.
    """
    if plan.affine is None:
        image, mask, roi = (_sliced(batch, plan) for batch in (images, masks, rois))
    else:
        image, mask, roi = _resampled(images, masks, rois, plan, plan.affine)
    image = image.clone() if image is images and images.is_floating_point() else _unit(image)
    recolour(image, plan.colours, options, generator)
    return image, mask, roi


def draw_plan(
    samples: int,
    source: tuple[int, int],
    options: Augmentation,
    generator: torch.Generator,
    crop: tuple[int, int] | None = None,
    image_boxes: torch.Tensor | None = None,
) -> Plan:
    """Draw the changes of `samples` images of (height, width) `source`.

    Args:
        samples: how many.
        source: size of them all.
        options: what is changed, and by how much.
        generator: a CPU generator.
        crop: (height, width) of random crops; None keeps whole images.
        image_boxes: float64 (samples, 4): top, left, height, width of the image in each. Crops lie inside of it
            wherever they fit. None is all of the source.
    """
    drawn = torch.rand(samples, len(DRAWS), generator=generator, dtype=torch.float64)
    u = dict(zip(DRAWS, drawn.unbind(1), strict=True))
    flip_x, flip_y = (
        u["flip_horizontal"] < options.flip_horizontal,
        u["flip_vertical"] < options.flip_vertical,
    )
    if crop is None or image_boxes is None:
        image_boxes = torch.tensor([[0, 0, *source]], dtype=torch.float64).expand(samples, 4)
    transposed = torch.zeros(samples, dtype=torch.bool)
    if options.transpose:
        check_square(crop or source)
        transposed = torch.rand(samples, generator=generator, dtype=torch.float64) < options.transpose
    if options.rotation or options.shift or options.shear or options.scale != (1, 1):
        corners, window, affine = _affine(u, (flip_x, flip_y, transposed), source, options, crop, image_boxes)
    else:
        corners, window, affine = *_corners(u, source, crop, image_boxes), None
    return Plan(
        size=crop or source,
        window=window,
        corners=corners,
        flips=[[-1] * x + [-2] * y for x, y in zip(flip_x.tolist(), flip_y.tolist(), strict=True)],
        transposed=transposed.tolist(),
        affine=affine,
        colours=draw_colours(u, options, generator),
    )


def check_square(size: Sequence[int]) -> None:
    """Check that what is transposed keeps its size, [height, width].

    Raises:
        StudyError: height and width differ.
    """
    if size[0] != size[1]:
        raise StudyError(
            f"transpose exchanges rows and columns, and the training images are {size[0]}x{size[1]} pixels",
            where="the recipe's augmentation",
            allowed="square crops, or square images",
            remedy="a square crop: [side, side], or transpose: 0",
        )


def _between(u: torch.Tensor, low: float, high: float) -> torch.Tensor:
    return low + (high - low) * u


def _corners(
    u: dict[str, torch.Tensor], source: tuple[int, int], crop: tuple[int, int] | None, image_boxes: torch.Tensor
) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Return top-left corners, uniform over all whole positions inside the boxes, and the size of the windows.

    A box that is smaller than the window lies in its middle, as nearly as the source allows.
    """
    window = tuple(min(side, wanted) for side, wanted in zip(source, crop or source, strict=True))
    along = []
    for axis, key in enumerate(("crop_y", "crop_x")):
        first, room = image_boxes[:, axis], image_boxes[:, 2 + axis] - window[axis]
        inside, around = first + (u[key] * (room + 1)).floor(), first + (room / 2).floor()
        start = torch.where(room < 0, around, inside).clamp(0, source[axis] - window[axis])
        along.append(start.long().tolist())
    return list(zip(*along, strict=True)), (window[0], window[1])


def _affine(
    u: dict[str, torch.Tensor],
    mirrored: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    source: tuple[int, int],
    options: Augmentation,
    crop: tuple[int, int] | None,
    image_boxes: torch.Tensor,
) -> tuple[list[tuple[int, int]], tuple[int, int], torch.Tensor]:
    """Return corners and size of the windows, and the maps (B, 2, 3) from the result into them.

    A point at offset x from the centre of the image's box goes to R S F x + shift: flipped and transposed, scaled,
    sheared by x += tan(s) y, turned counter-clockwise (as one sees it; y points down). The result at offset o shows the
    source at centre + (R S F)^-1 o. `mirrored`: whether x and y are flipped, and exchanged then, of each sample.
    """
    size = crop or source
    whole = torch.tensor([source[1], source[0]], dtype=torch.float64)  # x, y: as in every vector here
    sides = image_boxes[:, [3, 2]]
    middle = image_boxes[:, [1, 0]] + sides / 2
    backward = torch.linalg.inv(_forward(u, mirrored, options))
    half = (backward.abs() @ torch.tensor([size[1], size[0]], dtype=torch.float64)) / 2  # of the bounding box
    moved = sides if crop is None else torch.tensor([size[1], size[0]], dtype=torch.float64)
    shift = torch.stack([_between(u[key], -1, 1) * options.shift for key in ("shift_x", "shift_y")], 1) * moved
    offset = -(backward @ shift[:, :, None])[:, :, 0]
    corners, window = [(0, 0)] * len(half), source
    if crop is not None:
        # A crop lies anywhere it fits, and from there it is shifted, at the border of the image beyond it.
        room = (sides / 2 - half).clamp(min=0)
        offset = offset + torch.stack([_between(u[key], -1, 1) for key in ("crop_x", "crop_y")], 1) * room
        extent = torch.minimum((2 * half.amax(0)).ceil() + 2 * MARGIN, whole)
        start = (middle + offset - extent / 2).floor().clamp(min=0).minimum(whole - extent)
        corners = [(int(y), int(x)) for x, y in start.tolist()]
        window = int(extent[1]), int(extent[0])
    else:
        start, extent = torch.zeros_like(offset), whole
    centre = (middle + offset - start) * 2 / extent - 1
    affine = torch.cat([backward * (2 / extent)[None, :, None], centre[:, :, None]], dim=2)
    return corners, window, affine.float()


def _forward(
    u: dict[str, torch.Tensor], mirrored: tuple[torch.Tensor, torch.Tensor, torch.Tensor], options: Augmentation
) -> torch.Tensor:
    """Return the matrices R S F (B, 2, 2) of (x, y)."""
    angle = torch.deg2rad(_between(u["rotation"], -options.rotation, options.rotation))
    shear = torch.tan(_between(u["shear"], -1, 1) * math.radians(options.shear))
    scale = _between(u["scale"], *options.scale)
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    turn = torch.stack([angle.cos(), angle.sin(), -angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    slant = torch.stack([one, shear, zero, one], 1).view(-1, 2, 2)
    flip_x, flip_y, transposed = mirrored
    flip = torch.stack([1 - 2.0 * flip_x, zero, zero, 1 - 2.0 * flip_y], 1).view(-1, 2, 2)
    flip = torch.where(transposed[:, None, None], flip.flip(1), flip)
    return turn @ slant @ flip * scale[:, None, None]


def _windows(batch: torch.Tensor, plan: Plan) -> torch.Tensor:
    """Return the windows (B, ..., h, w) of whole images (B, ..., H, W)."""
    height, width = plan.window
    if (height, width) == tuple(batch.shape[-2:]):
        return batch
    parts = zip(batch, plan.corners, strict=True)
    return torch.stack([image[..., top : top + height, left : left + width] for image, (top, left) in parts])


def _sliced(windows: torch.Tensor, plan: Plan) -> torch.Tensor:
    """Return windows (B, ..., h, w) flipped, and centred in zeros where they are smaller than the result."""
    if plan.window == plan.size and not any(plan.flips) and not any(plan.transposed):
        return windows
    result = windows.new_zeros((*windows.shape[:-2], *plan.size))
    top, left = (plan.size[0] - plan.window[0]) // 2, (plan.size[1] - plan.window[1]) // 2
    target = result[..., top : top + plan.window[0], left : left + plan.window[1]]
    for i, (flips, transposed) in enumerate(zip(plan.flips, plan.transposed, strict=True)):
        window = windows[i].flip(flips) if flips else windows[i]
        target[i] = window.transpose(-1, -2) if transposed else window
    return result


def _resampled(
    images: torch.Tensor, masks: torch.Tensor, rois: torch.Tensor, plan: Plan, affine: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return windows resampled at the result's pixels: the image bilinearly, mask and roi by nearest neighbour."""
    affine = affine.to(images.device, non_blocking=True)
    height, width = plan.size
    y = torch.arange(height, device=images.device) + (0.5 - height / 2)
    x = torch.arange(width, device=images.device) + (0.5 - width / 2)
    grid = torch.empty(len(images), height, width, 2, device=images.device)
    for k in range(2):  # much faster than affine_grid, which multiplies matrices of three columns
        along_y = affine[:, k, 1, None] * y + affine[:, k, 2, None]
        torch.add(along_y[:, :, None], affine[:, k, 0, None, None] * x, out=grid[..., k])
    image = functional.grid_sample(_unit(images), grid, mode="bilinear", align_corners=False)
    # Mask and roi travel as one channel; floats hold these whole numbers exactly.
    packed = masks.float().mul_(2).add_(rois != 0)
    nearest = functional.grid_sample(packed[:, None], grid, mode="nearest", align_corners=False)[:, 0].to(torch.int16)
    return image, (nearest >> 1).to(masks.dtype), (nearest & 1).to(rois.dtype)


def _unit(images: torch.Tensor) -> torch.Tensor:
    """Return images as float32 in 0..1."""
    return images.float() if images.is_floating_point() else images.float().div_(255)
