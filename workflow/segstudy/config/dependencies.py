"""Recipes that build on other cells: rounds and shares of labels spelt out, and which cell needs which.

What a config says shortly is turned into plain recipes: `with_rounds` makes of `rounds: 3` of recipe `pseudo` also
`pseudo_round1` and `pseudo_round2`, each the teacher of the next; `with_shares` makes of `labels: [0.1, 1]` of an
experiment also `<recipe>_labels10` of each of its recipes, and of those that they learn from on the same data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from segstudy.config.auto_keys import AUTO, OF_RECIPE
from segstudy.config.base import MOST_CELLS
from segstudy.config.cell import Cell
from segstudy.config.recipes import Recipe
from segstudy.config.semi_supervised import Source
from segstudy.config.study import Study, auto_of
from segstudy.core.errors import StudyError

# Losses that compare an image with an image.
DENOISING_LOSSES = ("mse", "smooth_l1")


def with_share(recipe: str, share: float) -> str:
    """Return the name of a recipe that uses this share of the labels."""
    return recipe if share == 1 else f"{recipe}_labels{share * 100:g}"


def share_of(study: Study, cell: Cell) -> tuple[str, float]:
    """Return the name that a cell's recipe has without its share of the labels, and that share."""
    share = study.recipes[cell.recipe].labels
    return cell.recipe.removesuffix(with_share("", share)), share


def with_rounds(study: Study) -> Study:
    """Return the study with a recipe for every round that is asked for.

    Raises:
        StudyError: a recipe of that name is defined already.
    """
    recipes = dict(study.recipes)
    for name, recipe in study.recipes.items():
        for number in range(1, recipe.pseudo_labels.rounds if recipe.pseudo_labels else 1):
            _add(recipes, f"{name}_round{number}", _round(name, recipe, number))
        if recipe.pseudo_labels:
            recipes[name] = _round(name, recipe, recipe.pseudo_labels.rounds)
    return study.model_copy(update={"recipes": recipes})


def with_shares(study: Study) -> Study:
    """Return the study with a recipe for every share of labels that is asked for.

    Raises:
        StudyError: a recipe of that name is defined already.
    """
    recipes, experiments = dict(study.recipes), {}
    for name, experiment in study.experiments.items():
        wanted = [(item, share) for item in experiment.recipes for share in experiment.labels]
        try:
            for item, share in wanted:
                _share(recipes, item, share)
        except RecursionError:
            raise StudyError(
                f"the recipes of experiments.{name} follow each other in too long a chain",
                remedy="shorten the chain of start_from and teachers",
            ) from None
        changes = {"recipes": [with_share(item, share) for item, share in wanted]}
        if experiment.only:
            changes["only"] = [with_share(row, share) for row in experiment.only for share in experiment.labels]
        experiments[name] = experiment.model_copy(update=changes)
    return study.model_copy(update={"recipes": recipes, "experiments": experiments})


def _round(name: str, recipe: Recipe, number: int) -> Recipe:
    """Return what a recipe is in one of its rounds: from the second on, its teacher is the round before."""
    pseudo = recipe.pseudo_labels
    assert pseudo is not None
    teacher = pseudo.teacher if number == 1 else Source(recipe=f"{name}_round{number - 1}")
    return recipe.model_copy(update={"pseudo_labels": pseudo.model_copy(update={"teacher": teacher, "rounds": 1})})


def _share(recipes: dict[str, Recipe], name: str, share: float) -> None:
    """Add a recipe with this share of the labels, and with it what it learns from on its own data set."""
    recipe, new = recipes[name], with_share(name, share)
    if new == name or recipe.denoising or (new in recipes and recipes[new].labels == share):
        return
    changes: dict[str, Any] = {"labels": share}
    _add(recipes, new, recipe.model_copy(update=changes))  # before what it names: a circle of recipes comes back here

    def known(source: Source) -> Source:
        if source.dataset or source.recipe not in recipes or recipes[source.recipe].denoising:
            return source
        _share(recipes, source.recipe, share)
        return source.model_copy(update={"recipe": with_share(source.recipe, share)})

    if recipe.start_from:
        changes["start_from"] = known(recipe.start_from)
    if recipe.pseudo_labels:
        changes["pseudo_labels"] = recipe.pseudo_labels.model_copy(
            update={"teacher": known(recipe.pseudo_labels.teacher)}
        )
    recipes[new] = recipe.model_copy(update=changes)


def _add(recipes: dict[str, Recipe], name: str, recipe: Recipe) -> None:
    if name in recipes:
        raise StudyError(
            f"the config defines a recipe '{name}', which another's rounds or an experiment's labels make too",
            remedy="give it another name",
        )
    recipes[name] = recipe


@cache
def sources(study: Study, cell: Cell) -> dict[str, Cell]:
    """Return the cells that a cell needs: `start` (whose weights it starts from), `teacher` (who labels images)."""
    recipe = study.recipe(cell.dataset, cell.recipe)
    named = {"start": recipe.start_from, "teacher": recipe.pseudo_labels and recipe.pseudo_labels.teacher}
    return {role: _cell(study, cell, source) for role, source in named.items() if source}


@cache
def ancestors(study: Study) -> list[Cell]:
    """Return the cells of no experiment that others start from or learn from, directly or not; once."""
    return needed_by(study, study.cells)


def trained_cells(study: Study) -> list[Cell]:
    """Return every cell that is trained: those of the experiments, and those that they build on."""
    return [*study.cells, *ancestors(study)]


def trained_recipes(study: Study) -> list[tuple[str, str]]:
    """Return (data set, recipe) of those cells, once."""
    return list(dict.fromkeys((cell.dataset, cell.recipe) for cell in trained_cells(study)))


@cache
def planned_keys(study: Study) -> dict[str, list[str]]:
    """Return what a config leaves to the plan of each data set: `size`, `epochs`, `models.unet.depth`, ..."""
    keys = {name: dict.fromkeys(sorted(options.auto)) for name, options in study.datasets.items()}
    used = dict.fromkeys((cell.dataset, cell.model, cell.recipe) for cell in trained_cells(study))
    for dataset, model, recipe in used:
        written = study.written_recipe(dataset, recipe)
        keys[dataset] |= {key: None for key in OF_RECIPE if written[key] == AUTO}
        keys[dataset] |= {f"models.{model}.{key}": None for key in sorted(auto_of(study.models[model].options))}
    return {name: list(own) for name, own in keys.items()}


def needed_by(study: Study, cells: Sequence[Cell]) -> list[Cell]:
    """Return every cell that these need, directly or not, and that is not one of them; once.

    Raises:
        StudyError: a cell needs itself.
    """
    found: dict[Cell, None] = {}
    done: set[Cell] = set()
    for cell in cells:
        if cell in done:
            continue
        # Depth first without recursion: a chain may be longer than Python's stack is deep.
        path, waiting = {cell: None}, [iter(sources(study, cell).values())]
        while waiting:
            source = next(waiting[-1], None)
            if source is None:
                waiting.pop()
                last, _ = path.popitem()
                done.add(last)
                if path:
                    found.setdefault(last)
                continue
            if source in path:
                steps = [step.recipe for step in path]
                raise StudyError(
                    f"the recipes need each other in a circle: {_circle([*steps, source.recipe])} "
                    f"(of {source.dataset}/{source.model})",
                    remedy="let one of them start from chance, or have a teacher that was not made by it",
                )
            if source in done:
                found.setdefault(source)
            else:
                path[source] = None
                waiting.append(iter(sources(study, source).values()))
        if len(found) > MOST_CELLS:
            raise StudyError(
                f"the recipes need more than {MOST_CELLS:,} cells that others start or learn from",
                remedy="shorten the chains of start_from and teachers, or divide the study",
            )
    own = set(cells)
    return [cell for cell in found if cell not in own]


def _circle(steps: list[str]) -> str:
    """Return the steps from where the last one stood before, a long way round shortened."""
    around = steps[steps.index(steps[-1]) :]
    return " -> ".join(around if len(around) <= 12 else [*around[:6], "...", *around[-5:]])


def used_datasets(study: Study) -> list[str]:
    """Return every data set that some cell trains on or is tested on, once; the external test sets come last."""
    external = [name for experiment in study.experiments.values() for _, name in experiment.external]
    return list(dict.fromkeys([*learned_datasets(study), *external]))


def learned_datasets(study: Study) -> list[str]:
    """Return every data set that some cell trains on, once; those whose labels are not read come last."""
    cells = trained_cells(study)
    unlabelled = [name for cell in cells if (name := unlabelled_of(study, cell))]
    return list(dict.fromkeys([*(cell.dataset for cell in cells), *unlabelled]))


def _cell(study: Study, cell: Cell, source: Source) -> Cell:
    dataset, loss = source.dataset or cell.dataset, source.loss
    if loss is None and study.recipes[source.recipe].denoising:
        loss = next((name for name, choice in study.losses.items() if choice.kind in DENOISING_LOSSES), cell.loss)
    seed = cell.seed if source.seed is None else source.seed
    return Cell(dataset, source.model or cell.model, loss or cell.loss, source.recipe, seed)


def unlabelled_of(study: Study, cell: Cell) -> str | None:
    """Return the data set whose images a cell sees without their masks; None if there is none."""
    recipe = study.recipe(cell.dataset, cell.recipe)
    block = recipe.pseudo_labels or recipe.consistency
    return block.unlabelled if block else None


class Seen(NamedTuple):
    """Images that a cell's weights or labels were made of, by the split of their data set."""

    dataset: str
    seed: int  # of the split
    subsets: tuple[str, ...]
    by: str  # path of the cell that saw them
    how: str  # in words
    chosen_by: bool = False  # the best epoch was chosen on them, nothing learned from them


LEARNED = ("train", "unlabelled")


def seen(study: Study, cell: Cell) -> list[Seen]:
    """Return what the sources of a cell have seen, and theirs in turn, and what it is shown without labels itself."""
    found: list[Seen] = []
    for source in [*needed_by(study, [cell]), cell]:
        recipe = study.recipe(source.dataset, source.recipe)
        if source != cell and recipe.denoising:
            found.append(Seen(source.dataset, source.seed, LEARNED, source.path, "learned to remove noise from it"))
        elif source != cell:
            found.append(Seen(source.dataset, source.seed, ("train",), source.path, "was trained on it"))
            found.append(Seen(source.dataset, source.seed, ("val",), source.path, "chose its best epoch on it", True))
        unlabelled = unlabelled_of(study, source)
        if unlabelled:
            how = "learned from it without its mask"
            found.append(Seen(unlabelled, source.seed, LEARNED, source.path, how))
    return found
