"""Where a folder of one's own keeps its images and masks."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from segstudy.config.base import Below, Options


class Layout(Options):
    """What the reader `folder` cannot find out by itself; folders and table are below the root."""

    images: Below | None = Field(None, description="folder of the images; by default images, image, imgs or img")
    masks: Below | None = Field(None, description="folder of the masks; by default masks, mask, labels, label, ...")
    rois: Below | None = Field(None, description="folder of the regions that count; by default rois or roi, if there")
    table: Below | None = Field(None, description="table of samples; by default samples.csv, if there")
    mask_suffix: str | None = Field(
        None, description="what a mask's name has behind the image's, for instance _mask; '' for nothing"
    )
    group_pattern: str | None = Field(
        None, description="regular expression; what it finds in a sample's name (its brackets, if any) is the group"
    )

    @field_validator("group_pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            pattern = re.compile(value or "")
        except re.error as error:
            raise ValueError(f"'{value}' is no regular expression: {error}") from None
        if pattern.groups > 1:
            raise ValueError(f"'{value}' has {pattern.groups} pairs of brackets; one says which part names the group")
        return value
