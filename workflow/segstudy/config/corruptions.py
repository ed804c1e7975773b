"""Corruptions of test images: kinds, and the strengths at which trained networks are measured."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from segstudy.config.base import Distinct, Options

Share = Annotated[float, Field(gt=0, le=1)]

# The strength at which an image is as it was: a point of each curve.
CLEAN = {
    **dict.fromkeys(("gaussian_noise", "salt_and_pepper", "speckle", "blur"), 0.0),
    **{"brightness": 1.0, "jpeg": 100.0, "resolution": 1.0},
}


def _strengths(what: str) -> Any:
    return Field([], description=f"strengths: {what}")


class Corruptions(Options):
    """Test images are corrupted at these strengths, and every trained cell is measured on them; none by default."""

    gaussian_noise: Annotated[list[Share], Distinct] = _strengths("standard deviation, of intensities 0..1")
    salt_and_pepper: Annotated[list[Share], Distinct] = _strengths("share of the pixels set to 0 or 1, half each")
    speckle: Annotated[list[Share], Distinct] = _strengths("standard deviation of a factor around 1")
    blur: Annotated[list[Annotated[float, Field(gt=0, le=100)]], Distinct] = _strengths(
        "standard deviation of a Gaussian, in pixels of the raw image"
    )
    brightness: Annotated[list[Annotated[float, Field(gt=0, le=10)]], Distinct] = _strengths(
        "factor of the intensities; below 1 darker"
    )
    jpeg: Annotated[list[Annotated[int, Field(ge=1, le=99)]], Distinct] = _strengths("quality, 1 to 99")
    resolution: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Distinct] = _strengths(
        "factor of height and width; the image is brought back to its size"
    )

    @model_validator(mode="after")
    def _changes_something(self) -> Corruptions:
        if 1 in self.brightness:
            raise ValueError("brightness 1 leaves the image as it is, which every curve holds anyway")
        return self

    @property
    def levels(self) -> list[tuple[str, float]]:
        """Every (kind, strength), kinds in the order of CLEAN, from weak to strong."""
        return [
            (kind, float(strength))
            for kind, clean in CLEAN.items()
            for strength in sorted(getattr(self, kind), key=lambda value: (abs(value - clean), value))
        ]
