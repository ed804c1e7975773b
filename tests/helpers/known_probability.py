"""Images whose red channel is a known probability, and the network that reads it."""

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

PLAIN = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
META = {"in_channels": 3, "outputs": 1, "normalisation": PLAIN}


class Oracle(nn.Module):
    """Predict the red channel as the probability."""

    def forward(self, images):
        return torch.logit(images[:, :1], eps=1e-6)


def write_images(folder, subsets):
    """Write an image, mask and roi for each subset into `folder`/raw; return index and split. Unlabelled: no mask.

    The masks are red >= 150, which a threshold tells apart exactly.
    """
    rng = np.random.default_rng(0)
    root = folder / "raw"
    root.mkdir()
    rows = []
    for number, subset in enumerate(subsets):
        height, width = 30 + number, 44 - number
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        roi = np.zeros((height, width), np.uint8)
        roi[8:-8, 12:-12] = 255
        pictures = {"": image, "_mask": (image[:, :, 0] >= 150).astype(np.uint8) * 255, "_roi": roi}
        for suffix, picture in pictures.items():
            Image.fromarray(picture).save(root / f"{number}{suffix}.png")
        mask = "" if subset == "unlabelled" else f"{number}_mask.png"
        row = {"sample": str(number), "image": f"{number}.png", "mask": mask, "roi": f"{number}_roi.png"}
        rows.append(row | {"width": width, "height": height})
    index = pd.DataFrame(rows)
    return index, pd.DataFrame({"sample": index["sample"], "subset": subsets})
