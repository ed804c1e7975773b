"""The formula of every loss, one function each.

A loss is found by the name of its function; its keyword arguments are the options in
`segstudy.config.losses`. In all formulas y is the mask, z the logit, p = sigmoid(z), m the region that counts
(roi), and "mean" is the mean over the counted pixels of the batch, sum(m * .) / sum(m): an image without a
counted pixel adds nothing, and a batch without one has loss 0. S0, S1, S3 and S4 are the source documents named
in docs/losses.md.

Shapes: logits float (B, K, H, W), K = 1 for the binary losses; target (B, H, W) class ids, 0 and 1 for those;
roi (B, H, W), 0.0 or 1.0 in the type of the logits. Multiplied rather than filled by a mask: that is several
times faster on a CPU.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional

TINY = 1e-7  # keeps 0/0 of an empty Dice at 1 when smooth is 0; far below one pixel
IGNORED = -100  # class id that cross-entropy skips


def bce(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
    """Binary cross-entropy on logits: mean of max(z, 0) - z*y + log(1 + exp(-|z|)) (S1, S3, S4).

    S1's z - z*y + log(1 + exp(-z)) is the same function, but its exp overflows for z < -88 in float32. With
    z_y = z where y = 1 and -z where y = 0, both are -log sigmoid(z_y): nothing cancels, the digits of a small loss
    stay (torch's binary_cross_entropy_with_logits adds z to log sigmoid(z) and loses them).
    """
    z, y = _binary(logits, target)
    return _mean(-functional.logsigmoid(z * (2 * y - 1)), roi)


def bce_probability(logits: Tensor, target: Tensor, roi: Tensor, *, epsilon: float) -> Tensor:
    """Binary cross-entropy on sigmoid outputs: mean of -y log q - (1 - y) log(1 - q), q = clamp(p, e, 1 - e).

    The baseline of S3, to compare with `bce`. Where the clamp binds, the gradient is 0: a pixel that is
    confidently wrong (|z| > 16 for e = 1e-7) teaches nothing.
    """
    z, y = _binary(logits, target)
    p_y = 1 - y + (2 * y - 1) * z.sigmoid()  # p where y = 1, 1 - p where y = 0: one logarithm does for both
    return _mean(-p_y.clamp(epsilon, 1 - epsilon).log(), roi)


def weighted_bce(logits: Tensor, target: Tensor, roi: Tensor, *, positive_weight: float) -> Tensor:
    """Binary cross-entropy with a weighted foreground: mean of -w y log p - (1 - y) log(1 - p) (S0, S1).

    `inverse_frequency` is w = background pixels / foreground pixels of the training masks: both classes then
    weigh the same in total.
    """
    z, y = _binary(logits, target)
    return _mean(-functional.logsigmoid(z * (2 * y - 1)) * (1 + (positive_weight - 1) * y), roi)


def focal(
    logits: Tensor, target: Tensor, roi: Tensor, *, gamma: float, alpha: float | None, form: str = "balanced"
) -> Tensor:
    """Focal loss: mean of -a_t (1 - p_t)^gamma log p_t (Lin et al. 2017; S4).

    p_t = p and a_t = alpha where y = 1, p_t = 1 - p and a_t = 1 - alpha where y = 0; no a_t where alpha is None.
    `form="positive"` is S1's definition, which focuses the foreground alone:
    mean of -(1 - p)^gamma y log p - (1 - y) log(1 - p).
    """
    z, y = _binary(logits, target)
    z_t = z * (2 * y - 1)
    log_p = functional.logsigmoid(z_t)
    # exp(gamma * log(1 - p_t)) with log(1 - p_t) = log p_t - z_t, and not a power: that of an underflowed sigmoid
    # has no finite gradient for gamma < 1.
    exponent = gamma * (log_p - z_t)
    if form == "positive":
        exponent = exponent * y
    values = -exponent.exp() * log_p
    return _mean(values if alpha is None else values * (1 - alpha + (2 * alpha - 1) * y), roi)


def dice(logits: Tensor, target: Tensor, roi: Tensor, *, form: str, smooth: float, batch: bool) -> Tensor:
    """Soft Dice loss, 1 - (2 I + s) / (D + s) with s = `smooth`.

    `sum`: I = sum(p*y), D = sum(p) + sum(y); `square`: D = sum(p^2) + sum(y^2) (both S4); `mean`: I and D of
    `sum` as means over the counted pixels, which with s = 1 is S1's 1 - (mean(2py) + 1) / (mean(p + y) + 1).

    One Dice per image, averaged over the images that have counted pixels, or one over the whole batch
    (`batch`). Several classes: p = softmax(z), y one-hot; the mean over the foreground classes.
    """
    if logits.shape[1] == 1:
        p, y = logits.sigmoid(), target.unsqueeze(1)
    else:
        p = logits.softmax(dim=1)[:, 1:]
        y = target.unsqueeze(1) == torch.arange(1, logits.shape[1], device=target.device).view(1, -1, 1, 1)
    m = roi.unsqueeze(1)
    p, y = p * m, y.to(p.dtype) * m
    axes = (0, 2, 3) if batch else (2, 3)
    overlap = (p * y).sum(axes)
    total = (p.square() if form == "square" else p).sum(axes) + y.sum(axes)
    counted = m.sum(axes)
    if form == "mean":
        overlap, total = overlap / counted.clamp(min=1), total / counted.clamp(min=1)
    values = 1 - (2 * overlap + smooth + TINY) / (total + smooth + TINY)
    return _mean(values, (counted > 0).to(values.dtype).expand_as(values))


def total_variation(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
    """Regulariser: (sum |p_{i+1,j} - p_{i,j}| + sum |p_{i,j+1} - p_{i,j}|) / counted pixels (S1: contiguity).

    A pair of neighbours counts where both lie inside the roi. S1 takes sums in both parts of the loss; both
    are divided by the number of pixels here, which leaves the balance between them as it is.
    """
    p = logits[:, 0].sigmoid()
    down = (p[:, 1:] - p[:, :-1]).abs() * (roi[:, 1:] * roi[:, :-1])
    right = (p[:, :, 1:] - p[:, :, :-1]).abs() * (roi[:, :, 1:] * roi[:, :, :-1])
    return (down.sum() + right.sum()) / roi.sum().clamp(min=1)


def bce_tv(logits: Tensor, target: Tensor, roi: Tensor, *, weight: float) -> Tensor:
    """`bce` + weight * `total_variation` (S1)."""
    return bce(logits, target, roi) + weight * total_variation(logits, target, roi)


def centered(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
    """Regulariser: 1 - p at pixel (H // 2, W // 2), mean over the images where that pixel counts (S1)."""
    row, column = roi.shape[1] // 2, roi.shape[2] // 2
    return _mean(torch.sigmoid(-logits[:, 0, row, column]), roi[:, row, column])


def sparsity(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
    """Regulariser: mean of p (S1's L1 term)."""
    return _mean(logits[:, 0].sigmoid(), roi)


def smooth_l1(logits: Tensor, target: Tensor, roi: Tensor, *, beta: float) -> Tensor:
    """Mean of d^2 / (2 beta) where d = |p - y| < beta, else d - beta / 2 (S3)."""
    z, y = _binary(logits, target)
    return _mean(functional.smooth_l1_loss(z.sigmoid(), y, beta=beta, reduction="none"), roi)


def mse(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
    """Mean of (p - y)^2 (S4)."""
    z, y = _binary(logits, target)
    return _mean(functional.mse_loss(z.sigmoid(), y, reduction="none"), roi)


def cross_entropy(
    logits: Tensor, target: Tensor, roi: Tensor, *, class_weights: tuple[float, ...] | None = None
) -> Tensor:
    """Softmax cross-entropy: sum(m w_y * -log softmax(z)_y) / sum(m w_y), w = 1 without weights (S1).

    `inverse_frequency` is w_c proportional to 1 / (training pixels of class c), scaled to mean 1 over the
    classes that occur; a class without a training pixel gets 0. The sum is divided by the weights, not by the
    pixels, as in torch.nn.CrossEntropyLoss: its size does not depend on which classes a batch shows.
    """
    ids = torch.where(roi > 0, target.long(), IGNORED)
    if class_weights is None:
        return functional.cross_entropy(logits, ids, reduction="none").sum() / roi.sum().clamp(min=1)
    weights = _constant(class_weights, logits.device, logits.dtype)
    # reduction="none": on CUDA the reduced forms add with atomics, which deterministic mode refuses.
    values = functional.cross_entropy(logits, ids, weights, reduction="none", ignore_index=IGNORED)
    used = (weights[ids.clamp(min=0)] * roi).sum()
    return values.sum() / torch.where(used > 0, used, 1.0)


def _binary(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return z and y as (B, H, W) of one float type."""
    return logits[:, 0], target.to(logits.dtype)


def _mean(values: Tensor, counts: Tensor) -> Tensor:
    """Mean of `values` where `counts` is 1 and not 0; 0, with zero gradient, where it is 1 nowhere."""
    return (values * counts).sum() / counts.sum().clamp(min=1)


@functools.lru_cache(maxsize=16)
def _constant(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return `values` on the device, copied there once: every copy from the host makes the device wait."""
    with torch.inference_mode(False):  # made during a validation, it must still serve the training
        return torch.tensor(values, device=device, dtype=dtype)
