"""A network as one graph that other programs run: uint8 pixels in, probabilities out, as ONNX or a torch program.

The scaling of intensities and the sigmoid (or softmax) are part of the graph, so that no program can get them wrong.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from segstudy.core.errors import StudyError, first_line
from segstudy.core.files import atomic_path
from segstudy.inference.predict import logits_of
from segstudy.models.blocks import Pad
from segstudy.models.probabilities import channel_statistics, probabilities
from segstudy.runtime.job import full_disk

INPUT, OUTPUT = "image", "probability"
FILES = {"onnx": "model.onnx", "torch": "model.pt2"}
# Largest difference between a probability of the exported graph and the network's own. The same float32 sums in another
# order differ by about 1e-6 in small networks and by up to 3e-5 in deep ones.
TOLERANCE = 1e-4
# Open heights and widths are multiples of one of these, the first that a network needs no padding for: it pads by
# arithmetic on the size, which a graph with open sizes cannot repeat. Canvases are multiples of 16.
UNITS = (16, 32, 64)
LONGEST = 16384
PIP = "pip install -c constraints.txt -e '.[export]'"

Run = Callable[[np.ndarray], np.ndarray]  # uint8 (B, H, W, C) -> float32 (B, K, H, W)


class Sizes(NamedTuple):
    """Which images a graph takes."""

    unit: int | None  # heights and widths are multiples of it; None: they are the canvas's
    canvas: tuple[int, int]

    @property
    def words(self) -> str:
        """The same as a sentence."""
        if self.unit:
            return f"any batch; height and width any multiple of {self.unit}, from {2 * self.unit} to {LONGEST}"
        return f"any batch; height {self.canvas[0]}, width {self.canvas[1]}"


class Exported(NamedTuple):
    """A written graph, and how far it is from the network."""

    path: Path
    sizes: Sizes
    difference: float  # largest, over all probabilities of the images it was checked on


class Deployed(nn.Module):
    """The network between pixels and probabilities.

    Args:
        network: normalised images (B, C, H, W) -> logits (B, K, H, W).
        normalisation: `mean` and `std` of each channel, intensities in 0..1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, normalisation: dict[str, Sequence[float]]) -> None:
        super().__init__()
        self.network = network
        for key, values in zip(("mean", "std"), channel_statistics(normalisation), strict=True):
            self.register_buffer(key, values)

    def forward(self, image: Tensor) -> Tensor:
        """Uint8 (B, H, W, C) -> float32 (B, K, H, W): the sigmoid of one logit, or the softmax over several."""
        x = image.permute(0, 3, 1, 2).float().div(255).sub(self.mean).div(self.std)
        return probabilities(logits_of(self.network, x))


def export(
    model: Deployed, kind: str, path: Path, canvas: tuple[int, int], images: Sequence[np.ndarray], name: str
) -> Exported:
    """Write a graph with the most freedom of size that gives the network's own probabilities.

    Tried are open heights and widths, in multiples of a unit that the network needs no padding for, then the canvas
    alone. What is written is read again and run on the images, and on noise of other sizes where sizes are open.

    Args:
        model: in evaluation mode, on the CPU.
        kind: `onnx` or `torch`.
        canvas: (height, width) of the study.
        images: uint8 (H, W, C) each, the first on the study's canvas.

    Raises:
        StudyError: a package is missing; the network cannot be exported, or gives other probabilities than it should.
    """
    check_packages(kind)
    padded = max((part.multiple for part in model.modules() if isinstance(part, Pad)), default=1)
    unit = next((unit for unit in UNITS if unit % padded == 0), None)
    fits = unit is not None and not any(side % unit for image in images for side in image.shape[:2])
    first: Exception | None = None
    for sizes in [Sizes(unit, canvas)] * fits + [Sizes(None, canvas)]:
        checked = [image for image in images if sizes.unit or image.shape[:2] == canvas]
        try:
            with _quiet(), atomic_path(path) as temporary:
                run = _write(model, kind, temporary, sizes, images[0].shape[2])
                difference = max(_difference(model, run, batch) for batch in _batches(checked, sizes))
                if difference > TOLERANCE:
                    raise ValueError(f"probabilities differ by {difference:.2g}, allowed are {TOLERANCE:g}")
        except Exception as error:  # torch and onnxruntime raise whatever they like
            if full := full_disk(error):
                raise full from error
            first = first or error
        else:
            return Exported(path, sizes, difference)
    assert first is not None, "at least the canvas was tried"
    raise StudyError(
        f"network '{name}' cannot be exported as {kind}: {first_line(first)}",
        allowed="networks whose operations the format has, with heights and widths open or fixed to the canvas",
        remedy=f"export the other format (--format {'torch' if kind == 'onnx' else 'onnx'}), or use `segstudy predict`",
    ) from first


def check_packages(kind: str) -> None:
    """Stop where a package that a format needs is not installed.

    Raises:
        StudyError: naming it, and the command that installs it.
    """
    if kind != "onnx":
        return
    import importlib.util

    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise StudyError(
            f"the ONNX format needs {', '.join(missing)}", remedy=f"{PIP}, or leave it out: --format torch"
        )


def _write(model: Deployed, kind: str, path: Path, sizes: Sizes, channels: int) -> Run:
    """Write the graph; return what runs the file."""
    unit = sizes.unit
    high, wide = (4 * unit, 5 * unit) if unit else sizes.canvas
    example = torch.zeros((2, high, wide, channels), dtype=torch.uint8)
    dimension = torch.export.Dim
    shape: dict[int, Any] = {0: dimension("batch", min=1, max=1024)}
    if unit:
        shape |= {axis: unit * dimension(side, min=2, max=LONGEST // unit) for axis, side in ((1, "high"), (2, "wide"))}
    with torch.no_grad():
        program = torch.export.export(model, (example,), dynamic_shapes={INPUT: shape}, strict=False)
        if kind == "torch":
            # Not into the file: on a full disk torch's own writer ends the whole process.
            stream = io.BytesIO()
            torch.export.save(program, stream)
            path.write_bytes(stream.getvalue())
            again = torch.export.load(path).module()
            return lambda batch: again(torch.from_numpy(batch)).detach().numpy()
        graph = torch.onnx.export(program, dynamo=True, verbose=False, input_names=[INPUT], output_names=[OUTPUT])
    assert graph is not None, "dynamo returns the program"
    graph.save(path)
    import onnx
    from onnxruntime import InferenceSession, SessionOptions

    onnx.checker.check_model(path, full_check=True)
    options = SessionOptions()
    options.log_severity_level = 4  # a size that fails is told by the exception
    session = InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda batch: np.asarray(session.run([OUTPUT], {INPUT: batch})[0])


def _batches(images: Sequence[np.ndarray], sizes: Sizes) -> Iterator[np.ndarray]:
    """Yield uint8 (B, H, W, C): the images, one alone and two together, and noise of other sizes."""
    for image in images:
        yield image[None]
    yield np.stack([images[0], images[0][::-1]])
    if sizes.unit:
        draw, unit = np.random.default_rng(0), sizes.unit
        for shape in ((1, 2 * unit, 3 * unit), (3, 7 * unit, 2 * unit)):
            yield draw.integers(0, 256, (*shape, images[0].shape[2]), dtype=np.uint8)


def _difference(model: Deployed, run: Run, batch: np.ndarray) -> float:
    with torch.no_grad():
        own = model(torch.from_numpy(np.ascontiguousarray(batch))).numpy()
    found = run(np.ascontiguousarray(batch))
    if found.shape != own.shape or not np.isfinite(found).all():
        raise ValueError(f"the graph gives {found.shape} for {batch.shape}, the network {own.shape}")
    return float(np.abs(found - own).max())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch's exporters tell on the way from the terminal; errors come as exceptions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(before)
