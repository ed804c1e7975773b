"""Small drawn fundus photographs in the layouts in which CHASE_DB1 and STARE are released."""

import gzip
import io

import numpy as np
from PIL import Image

from segstudy.data.phantoms.drive import draw_fundus

SHAPE = (96, 100)  # height, width
STARE = (1, 44, 139, 162, 324)  # numbers of photographs of the release


def fundus(number):
    """A drawn photograph, always the same for a number."""
    return draw_fundus(np.random.default_rng([7, number]), SHAPE)


def chase(root, children=(1, 10, 11, 14)):
    """Write both eyes of children into a flat folder; return how a study names it."""
    root.mkdir(parents=True)
    for child in children:
        for eye in "LR":
            drawn = fundus(2 * child + (eye == "R"))
            name = f"Image_{child:02d}{eye}"
            drawn.picture.save(root / f"{name}.jpg", quality=95)
            for which, vessels in (("1stHO", drawn.vessels), ("2ndHO", drawn.second)):
                Image.fromarray(vessels).save(root / f"{name}_{which}.png")  # 1-bit, as in the release
    return {"reader": "chase", "root": str(root)}


def stare(root, packed=True, numbers=STARE):
    """Write photographs and the labels of both persons, packed by gzip as in the release; return the block."""
    for number in numbers:
        drawn = fundus(100 + number)
        parts = {"stare-images": ("", drawn.picture), "labels-ah": (".ah", drawn.vessels)}
        for folder, (ending, picture) in (parts | {"labels-vk": (".vk", drawn.second)}).items():
            image = Image.fromarray(picture.astype(np.uint8) * 255) if ending else picture
            stream = io.BytesIO()
            image.save(stream, "PPM")
            path = root / folder / f"im{number:04d}{ending}.ppm{'.gz' * packed}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(stream.getvalue(), mtime=0) if packed else stream.getvalue())
    return {"reader": "stare", "root": str(root)}
