"""Losses that are means over pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from segstudy.losses.common import IGNORED, binary, constant, mean


def bce(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
    """Binary cross-entropy on logits: mean of max(z, 0) - z*y + log(1 + exp(-|z|)) (S1, S3, S4).

    S1's z - z*y + log(1 + exp(-z)) is the same function, but its exp overflows for z < -88 in float32. With
    z_y = z where y = 1 and -z where y = 0, both are -log sigmoid(z_y): nothing cancels, the digits of a small loss
    stay (torch's binary_cross_entropy_with_logits adds z to log sigmoid(z) and loses them).
    """
    z, y = binary(logits, target)
    return mean(_expected(lambda y: -functional.logsigmoid(z * (2 * y - 1)), y, target), roi)


def bce_probability(logits: Tensor, target: Tensor, roi: Tensor, *, epsilon: float) -> Tensor:
    """Binary cross-entropy on sigmoid outputs: mean of -y log q - (1 - y) log(1 - q), q = clamp(p, e, 1 - e).

    The baseline of S3, to compare with `bce`. Where the clamp binds, the gradient is 0: a pixel that is
    confidently wrong (|z| > 16 for e = 1e-7) teaches nothing.
    """
    z, y = binary(logits, target)
    p = z.sigmoid()

    def values(y: Tensor) -> Tensor:
        p_y = 1 - y + (2 * y - 1) * p  # p where y = 1, 1 - p where y = 0: one logarithm does for both
        return -p_y.clamp(epsilon, 1 - epsilon).log()

    return mean(_expected(values, y, target), roi)


def weighted_bce(logits: Tensor, target: Tensor, roi: Tensor, *, positive_weight: float) -> Tensor:
    """Binary cross-entropy with a weighted foreground: mean of -w y log p - (1 - y) log(1 - p) (S0, S1).

    `inverse_frequency` is w = background pixels / foreground pixels of the training masks: both classes then
    weigh the same in total.
    """
    z, y = binary(logits, target)

    def values(y: Tensor) -> Tensor:
        return -functional.logsigmoid(z * (2 * y - 1)) * (1 + (positive_weight - 1) * y)

    return mean(_expected(values, y, target), roi)


def focal(
    logits: Tensor, target: Tensor, roi: Tensor, *, gamma: float, alpha: float | None, form: str = "balanced"
) -> Tensor:
    """Focal loss: mean of -a_t (1 - p_t)^gamma log p_t (Lin et al. 2017; S4).

    p_t = p and a_t = alpha where y = 1, p_t = 1 - p and a_t = 1 - alpha where y = 0; no a_t where alpha is None.
    `form="positive"` is S1's definition, which focuses the foreground alone:
    mean of -(1 - p)^gamma y log p - (1 - y) log(1 - p).

    Several classes: p_t = softmax(z)_y, a_t = 1 - alpha for the background and alpha for every other class.
    """
    if logits.shape[1] == 1:
        z, y = binary(logits, target)

        def of_mask(y: Tensor) -> Tensor:
            z_t = z * (2 * y - 1)
            log_p = functional.logsigmoid(z_t)
            return _focused(log_p, log_p - z_t, y, gamma, alpha, form)

        return mean(_expected(of_mask, y, target), roi)
    y = (target > 0).to(logits.dtype)
    ids = torch.where(roi > 0, target.long(), IGNORED)
    log_p = -functional.cross_entropy(logits, ids, reduction="none", ignore_index=IGNORED)
    truth = ids.unsqueeze(1) == torch.arange(logits.shape[1], device=ids.device).view(1, -1, 1, 1)
    log_rest = logits.masked_fill(truth, -torch.inf).logsumexp(1) - logits.logsumexp(1)
    return mean(_focused(log_p, log_rest, y, gamma, alpha, form), roi)


def _focused(log_p: Tensor, log_rest: Tensor, y: Tensor, gamma: float, alpha: float | None, form: str) -> Tensor:
    """Return the values of `focal`, given log p_t and log(1 - p_t)."""
    # exp(gamma * log(1 - p_t)) and not a power: that of an underflowed probability has no finite gradient for
    # gamma < 1.
    exponent = gamma * log_rest
    if form == "positive":
        exponent = exponent * y
    values = -exponent.exp() * log_p
    return values if alpha is None else values * (1 - alpha + (2 * alpha - 1) * y)


def _expected(values: Callable[[Tensor], Tensor], y: Tensor, target: Tensor) -> Tensor:
    """Return the values for the mask y; where the target holds probabilities (floats), those expected under them.

    That is y values(1) + (1 - y) values(0), the definition of every loss here whose formula is for y in {0, 1}.
    """
    if not target.is_floating_point():
        return values(y)
    return y * values(torch.ones_like(y)) + (1 - y) * values(torch.zeros_like(y))


def smooth_l1(logits: Tensor, target: Tensor, roi: Tensor, *, beta: float) -> Tensor:
    """Mean of d^2 / (2 beta) where d = |p - y| < beta, else d - beta / 2 (S3)."""
    z, y = binary(logits, target)
    return mean(functional.smooth_l1_loss(z.sigmoid(), y, beta=beta, reduction="none"), roi)


def mse(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
    """Mean of (p - y)^2 (S4)."""
    z, y = binary(logits, target)
    return mean(functional.mse_loss(z.sigmoid(), y, reduction="none"), roi)


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
    weights = constant(class_weights, logits.device, logits.dtype)
    # reduction="none": on CUDA the reduced forms add with atomics, which deterministic mode refuses.
    values = functional.cross_entropy(logits, ids, weights, reduction="none", ignore_index=IGNORED)
    used = (weights[ids.clamp(min=0)] * roi).sum()
    return values.sum() / torch.where(used > 0, used, 1.0)
