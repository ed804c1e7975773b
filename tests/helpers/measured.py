"""Measuring with index, split, root and labels as values of their own, which tests change one by one."""

from segstudy.data.ground_truth import LabelledImages
from segstudy.evaluation import controls
from segstudy.evaluation import measure as measuring


def measure(*files, index, split, root, labels, **more):
    return measuring.measure(*files, images=LabelledImages(index, split, root, labels), **more)


def measure_controls(*, index, split, root, labels, **more):
    return controls.measure_controls(LabelledImages(index, split, root, labels), **more)
