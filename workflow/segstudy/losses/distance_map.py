"""Exact Euclidean distance maps of masks, where the masks are: nothing is copied to the host.

scipy's distance_transform_edt is the usual tool. On a GPU it makes every step wait for a copy of the masks, and a
map drawn in advance does not fit a mask that augmentation turns and scales anew in each epoch.
"""

from __future__ import annotations

import torch
from torch import Tensor


def signed_distance(region: Tensor, counted: Tensor) -> Tensor:
    """Return how far each pixel lies from the outline of the region, in pixels: positive outside, <= 0 inside.

    Outside: the distance to the nearest pixel of the region. Inside: 1 - the distance to the nearest pixel that is
    not of it, so that the outermost pixels of the region lie on the outline; this is what the authors of the boundary
    loss compute. Pixels that do not count belong to neither. Where the region has no counted pixel, or nothing
    else has, there is no outline: 0 everywhere.

    Args:
        region: bool (..., H, W).
        counted: bool, of a shape that broadcasts to it.
    """
    outside = squared_distance(region & counted).sqrt()
    inside = squared_distance(~region & counted).sqrt()
    distance = torch.where(region, 1 - inside, outside)
    return torch.where(outside.isfinite() & inside.isfinite(), distance, 0.0)


def squared_distance(sites: Tensor) -> Tensor:
    """Return float32 squared distances to the nearest site: sites bool (..., H, W); infinite without one.

    d^2(i, j) = min over k of g^2(k, j) + (i - k)^2, with g the distance to the nearest site within row k. The
    minimum is taken over all rows k: H passes over the image, exact up to 4096 pixels a side.
    """
    height, width = sites.shape[-2:]
    columns = torch.arange(width, device=sites.device, dtype=torch.float32)
    before = columns - torch.where(sites, columns, -torch.inf).cummax(-1).values
    after = torch.where(sites, columns, torch.inf).flip(-1).cummin(-1).values.flip(-1) - columns
    in_row = torch.minimum(before, after).square()
    rows = torch.arange(height, device=sites.device, dtype=torch.float32)
    nearest, candidate = torch.full_like(in_row, torch.inf), torch.empty_like(in_row)
    for row in range(height):
        torch.add(in_row[..., row : row + 1, :], (rows - row).square().unsqueeze(-1), out=candidate)
        torch.minimum(nearest, candidate, out=nearest)
    return nearest
