"""What a study may not ask of a data set that has no validation images (`split.validation: 0`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segstudy.config.messages import place
from segstudy.errors import StudyError

if TYPE_CHECKING:
    from segstudy.config.study import Study

TUNED = ("validation", "otsu")  # policies whose threshold comes from validation images


def check_validation(study: Study, files: Sequence[Path]) -> None:
    """Check that nothing is chosen on validation images where there are none.

    Raises:
        StudyError: a threshold policy, or a recipe that stops early by the validation loss, needs them.
    """
    measured = {cell.dataset for cell in study.cells}
    # What learns to remove noise divides its images itself.
    trained = [cell for cell in [*study.cells, *study.ancestors] if not study.recipes[cell.recipe].denoising]
    for dataset in dict.fromkeys(cell.dataset for cell in trained):
        if study.datasets[dataset].split.validation:
            continue
        where = f"datasets.{dataset}.split.validation is 0"
        needed = [policy for policy in study.evaluation.policies if policy in TUNED]
        if needed and dataset in measured and not study.datasets[dataset].several:
            raise StudyError(
                f"evaluation.policies has '{needed[0]}', which needs validation images; {where}",
                where=place(("evaluation", "policies"), files),
                allowed="fixed, training (the threshold with the best Dice on the training images)",
                remedy=f"name these in evaluation.policies and as its headline, or give {dataset} validation images",
            )
        for recipe in dict.fromkeys(cell.recipe for cell in trained if cell.dataset == dataset):
            if study.recipe(dataset, recipe).early_stopping.patience is not None:
                raise StudyError(
                    f"recipe '{recipe}' stops early by the validation loss; {where}",
                    where=place(("recipes", recipe, "early_stopping", "patience"), files),
                    remedy=f"take out early_stopping.patience, for {dataset} alone under its 'training:', or give it "
                    "validation images",
                )
