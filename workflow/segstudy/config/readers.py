"""Which readers there are, and what is known of each. Light: jobs that parse no config import it too."""

from __future__ import annotations

# One line a reader; the module of the same name in `segstudy.data.readers` does the reading.
READERS: tuple[str, ...] = (
    *("ph2", "drive", "chase", "stare", "cmp", "ebhi", "hrf", "phc", "rfmid", "folder"),
    *("coco", "labelme", "cvat", "label_studio", "voc", "mmseg", "nnunet", "huggingface"),
)
# Readers of annotations, whose masks are drawn.
ANNOTATIONS: tuple[str, ...] = ("coco", "labelme", "cvat", "label_studio", "nnunet", "huggingface")
# Readers of releases without a field of view, which is computed, and of packed pictures, which are unpacked.
COMPLETED: tuple[str, ...] = ("chase", "stare")
# Readers whose data sets rule `convert` converts first: what is missing is made, what is there is linked.
CONVERTED: tuple[str, ...] = (*ANNOTATIONS, *COMPLETED)
# Readers of files that name the classes: `classes:` may pick them by name (see config/classes_in_files.py).
CLASSES_IN_FILES: tuple[str, ...] = ("coco", "labelme", "cvat", "label_studio", "voc", "mmseg", "nnunet")
# Readers that follow `layout:` where names alone do not say which file is what.
WITH_LAYOUT: tuple[str, ...] = ("folder", "voc", "mmseg", *ANNOTATIONS)
# Readers whose data sets can be drawn, with `phantom:`.
DRAWN: tuple[str, ...] = ("ph2", "drive", "ebhi", "phc", "folder")
# Readers whose data sets may have masks of several annotators.
ANNOTATED: tuple[str, ...] = ("drive", "chase", "stare", "folder")
# Readers whose index never has strata: an experiment on these alone has no table by stratum.
WITHOUT_STRATA: tuple[str, ...] = ("drive", "chase", "stare", "phc")
# Readers of several foreground classes: an experiment with one of these has a table by class.
SEVERAL_CLASSES: tuple[str, ...] = ("cmp",)
