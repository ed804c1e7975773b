"""How an exported model is used, in a dozen lines of Python that need numpy, Pillow and onnxruntime alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

IN_COLOUR = {
    "rgb": '.convert("RGB")',
    "grey": '.convert("RGB").convert("L")',
    "green": '.convert("RGB").getchannel("G")',
}


def snippet(how: Mapping[str, Any]) -> str:
    """Return the lines for what preprocessing.json says: image.png in, mask.png out.

    The store takes colours first, then the size; the mask is decided at the original size, as in a study.
    """
    channels, several = len(how["input"]["channels"]), len(how["output"]["classes"]) > 1
    resized = how["size"] != "native"
    place = f"canvas[top : top + small.height, left : left + small.width{', 0' if channels == 1 else ''}] = small"
    found = "found = found[:, top : top + small.height, left : left + small.width]"
    lines = [
        "import json",
        "import numpy as np, onnxruntime",
        "from PIL import Image",
        "",
        'how = json.load(open("preprocessing.json"))',
        f'image = Image.open("image.png"){IN_COLOUR[how["colour"]]}',
        *(_resizing(how["size"]) if resized else ["small = image"]),
        f'canvas = np.zeros((*how["canvas"], {channels}), np.uint8)',
        "top, left = (canvas.shape[0] - small.height) // 2, (canvas.shape[1] - small.width) // 2",
        place,
        'session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])',
        'found = session.run(None, {"image": canvas[None]})[0][0]',
        found,
    ]
    if resized:
        lines.append(
            "found = np.stack([Image.fromarray(p).resize(image.size, Image.Resampling.BILINEAR) for p in found])"
        )
    if several:
        lines.append("mask = found.argmax(axis=0).astype(np.uint8)  # the number of the class in preprocessing.json")
    else:
        lines.append('mask = (found[0] >= how["threshold"]).astype(np.uint8) * 255')
    return "\n".join([*lines, 'Image.fromarray(mask).save("mask.png")']) + "\n"


def _resizing(size: Mapping[str, int]) -> list[str]:
    if "long_side" in size:
        factor = 'factor = how["size"]["long_side"] / max(image.size)'
    else:
        factor = 'factor = min(how["size"]["height"] / image.height, how["size"]["width"] / image.width)'
    sides = "int(side * factor + 0.5) for side in image.size"
    return [factor, f"small = image.resize(tuple({sides}), Image.Resampling.LANCZOS)"]
