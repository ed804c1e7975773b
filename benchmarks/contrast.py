"""A copy of DRIVE with local contrast: `python benchmarks/contrast.py DRIVE COPY`.

In each photograph of the copy the blue channel, which is dark and noisy in fundus photographs, is replaced by the green
one after contrast-limited adaptive histogram equalisation (CLAHE; tiles of an eighth of the side, clip limit 0.01).
All other files are copied. `studies/drive_folds.yaml` on the copy:
`--config study=drive_folds_contrast 'datasets={drive: {root: <COPY>}}'`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.exposure import equalize_adapthist


def main(source: Path, target: Path) -> None:
    """Write the copy."""
    shutil.copytree(source, target)
    photographs = sorted(target.glob("*/images/*.tif"))
    for path in photographs:
        pixels = np.array(Image.open(path).convert("RGB"))
        pixels[..., 2] = np.round(255 * equalize_adapthist(pixels[..., 1]))
        Image.fromarray(pixels).save(path)
    print(f"{len(photographs)} photographs in {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
