"""Which folders and files of a data set hold what, where names alone do not say it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from segstudy.config.base import Below, Distinct, Options, added_key

USUAL_TABLE = "samples.csv"
SUBSET, ANY = "{subset}", "*"  # in names of folders: a word such as train or test, and any letters
_SPELLINGS = re.compile(r"samples?\.(csv|tsv)", re.IGNORECASE)  # of the usual table's name


class Layout(Options):
    """Names of folders and files; all are below the root. Readers of annotation files follow those that they have."""

    images: Below | None = Field(
        None,
        description="folder of the images; by default images, image, imgs or img. Several folders: {subset} stands for "
        "the name of an official subset, * for any letters, and in the other folders for the same ones. Reader "
        "huggingface: column of images",
    )
    masks: Below | None = Field(
        None,
        description="folder of the masks; by default masks, mask, labels, label, ... Readers of annotation files: the "
        "file, or the folder of such files. Reader huggingface: column of masks",
    )
    rois: Below | None = Field(
        None, description="folder of the regions of interest; by default rois or roi, if it exists"
    )
    table: Below | None = Field(
        None,
        description="table of samples; by default samples.csv (or Samples.CSV, samples.tsv, sample.csv), if it exists. "
        "For other readers: groups and strata by sample",
    )
    mask_suffix: str | None = Field(
        None, description="suffix of a mask's name behind the image's name, for instance _mask; '' for none"
    )
    mask_prefix: str = added_key("", description="what stands before the image's name in a mask's name, such as mask_")
    image_prefix: str = added_key("", description="what stands before the rest of an image's name, such as img_")
    image_suffix: str = added_key(
        "", description="what stands behind the rest of an image's name, such as _sat beside a mask's _mask"
    )
    second_masks: Below | None = added_key(None, description="folder of a second person's masks")
    second_suffix: str | None = added_key(
        None,
        description="suffix of a second person's masks, in second_masks or, without it, among the masks",
    )
    annotator_masks: Annotated[list[Below], Distinct] = added_key(
        [], description="folders of the masks of a second, third, ... annotator, instead of second_masks"
    )
    annotator_suffixes: list[str] = added_key(
        [],
        description="suffixes of the masks of a second, third, ... annotator, in annotator_masks or, without them, "
        "among the masks",
    )
    pages: bool = added_key(False, description="each page of a TIFF or GIF is an image of its own; a file is one group")
    group_pattern: str | None = Field(
        None, description="regular expression; its match in a sample's name (or the part in brackets) is the group"
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

    @model_validator(mode="after")
    def _annotators_once(self) -> Layout:
        folders, suffixes = self.annotator_masks, self.annotator_suffixes
        if (folders or suffixes) and (self.second_masks is not None or self.second_suffix is not None):
            raise ValueError(
                "second_masks and second_suffix are for two annotators, annotator_masks and annotator_suffixes for any "
                "number: name the second one in the lists, and leave the others out"
            )
        if folders and suffixes and len(folders) != len(suffixes):
            raise ValueError(
                f"annotator_masks names {len(folders)} folders and annotator_suffixes {len(suffixes)} suffixes: one of "
                "each for every annotator after the first"
            )
        named = [(self.masks, self.mask_suffix), *self.annotators]
        twice = next((pair for pair in named if named.count(pair) > 1), None)
        if twice:
            raise ValueError(f"two annotators have the same masks: folder {twice[0]}, suffix {twice[1]!r}")
        return self

    @model_validator(mode="after")
    def _same_parts(self) -> Layout:
        images = self.images or ""
        for key in ("masks", "rois", "second_masks", "annotator_masks"):
            value = getattr(self, key) or ()
            for pattern in (value,) if isinstance(value, str) else value:
                extra = SUBSET if SUBSET in pattern and SUBSET not in images else ""
                extra = ANY if pattern.count(ANY) not in (0, images.count(ANY)) else extra
                if extra:
                    raise ValueError(
                        f"{key} '{pattern}' has another number of '{extra}' than images '{images}': in both it stands "
                        "for the same part of a name"
                    )
        return self

    @property
    def patterned(self) -> bool:
        """Whether `images` stands for several folders."""
        return SUBSET in (self.images or "") or ANY in (self.images or "")

    @property
    def annotators(self) -> list[tuple[str | None, str | None]]:
        """Folder and suffix of the masks of the second annotator, the third, ...; None: those of the first's masks."""
        folders: list[str | None] = [*self.annotator_masks]
        suffixes: list[str | None] = [*self.annotator_suffixes]
        if self.second_masks is not None or self.second_suffix:
            folders, suffixes = [self.second_masks], [self.second_suffix]
        count = max(len(folders), len(suffixes))
        return list(zip(folders or [None] * count, suffixes or [None] * count, strict=True))

    def bare(self, image: str) -> str:
        """Return what an image's name shares with those of its masks: without `image_prefix` and `image_suffix`."""
        return image.removeprefix(self.image_prefix).removesuffix(self.image_suffix)

    def tables_in(self, folder: Path) -> list[Path]:
        """Return the tables of samples in a folder: the named one, else `samples.csv`, else its other spellings."""
        named = folder / (self.table or USUAL_TABLE)
        if os.path.isfile(named):  # False, no error, where one may not look into the folder
            return [named]
        if self.table or not os.access(folder, os.R_OK | os.X_OK):
            return []
        return sorted(folder / name for name in os.listdir(folder) if _SPELLINGS.fullmatch(name))
