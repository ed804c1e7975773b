"""Recipes that build on other cells: rounds and shares of labels spelt out, and which cell needs which.

What a config says shortly is turned into plain recipes: `with_rounds` makes of `rounds: 3` of recipe `pseudo` also
`pseudo_round1` and `pseudo_round2`, each the teacher of the next; `with_shares` makes of `labels: [0.1, 1]` of an
experiment also `<recipe>_labels10` of each of its recipes, and of those that they learn from on the same data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from segstudy.config.cells import Cell
from segstudy.config.few_labels import Source
from segstudy.config.limits import MOST_CELLS
from segstudy.config.messages import place
from segstudy.config.recipes import Recipe
from segstudy.errors import StudyError, nearest

if TYPE_CHECKING:
    from segstudy.config.study import Study

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


def sources(study: Study, cell: Cell) -> dict[str, Cell]:
    """Return the cells that a cell needs: `start` (whose weights it starts from), `teacher` (who labels images)."""
    recipe = study.recipe(cell.dataset, cell.recipe)
    named = {"start": recipe.start_from, "teacher": recipe.pseudo_labels and recipe.pseudo_labels.teacher}
    return {role: _cell(study, cell, source) for role, source in named.items() if source}


def ancestors(study: Study, cells: Sequence[Cell]) -> list[Cell]:
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
    for source in [*ancestors(study, [cell]), cell]:
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


def check_chains(study: Study, files: Sequence[Path]) -> None:
    """Check that what recipes name exists and fits, and that no cell needs itself.

    Raises:
        StudyError: naming the key.
    """
    for name, recipe in study.recipes.items():
        for key, section, item in _references(recipe):
            known = getattr(study, section)
            if item not in known:
                raise StudyError(
                    f"recipes.{name}.{'.'.join(key)} names '{item}', which nothing defines.{nearest(item, known)}",
                    where=place(("recipes", name, *key), files),
                    allowed=", ".join(known),
                    remedy=f"define it under '{section}:' or use one of these names",
                )
        if recipe.pseudo_labels and study.recipes[recipe.pseudo_labels.teacher.recipe].denoising:
            raise StudyError(
                f"the teacher of recipe '{name}' is a denoising recipe, which predicts no masks",
                where=place(("recipes", name, "pseudo_labels", "teacher"), files),
                remedy="name a recipe that segments; it may start_from the denoising one",
            )
    for name, experiment in study.experiments.items():
        for item in experiment.recipes:
            if study.recipes[item].denoising:
                raise StudyError(
                    f"experiments.{name}.recipes names '{item}', which learns to remove noise and predicts no masks",
                    where=place(("experiments", name, "recipes"), files),
                    remedy=f"name a recipe with 'start_from: {{recipe: {item}}}' instead; it is trained for it",
                )
    for cell in [*study.cells, *ancestors(study, study.cells)]:
        denoising, kind = study.recipes[cell.recipe].denoising, study.losses[cell.loss].kind
        if denoising and kind not in DENOISING_LOSSES:
            raise StudyError(
                f"recipe '{cell.recipe}' removes noise, which loss '{cell.loss}' ({kind}) cannot teach",
                where=place(("recipes", cell.recipe, "denoising"), files),
                allowed=f"a loss of the kind {' or '.join(DENOISING_LOSSES)}",
                remedy="define one ('losses: {mse: {}}') or name it as the 'loss' of start_from",
            )
        if study.recipe(cell.dataset, cell.recipe).pseudo_labels and study.datasets[cell.dataset].several:
            raise StudyError(
                f"recipe '{cell.recipe}' uses pseudo-labels, which are binary; {cell.dataset} has several classes",
                where=place(("recipes", cell.recipe, "pseudo_labels"), files),
            )


def _references(recipe: Recipe) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield key, section and name of everything that a recipe refers to."""
    named: dict[tuple[str, ...], Source | None] = {("start_from",): recipe.start_from}
    if recipe.pseudo_labels:
        named[("pseudo_labels", "teacher")] = recipe.pseudo_labels.teacher
        yield ("pseudo_labels", "unlabelled"), "datasets", recipe.pseudo_labels.unlabelled
    if recipe.consistency:
        yield ("consistency", "unlabelled"), "datasets", recipe.consistency.unlabelled
    for key, source in named.items():
        for part, section in (("recipe", "recipes"), ("dataset", "datasets"), ("model", "models"), ("loss", "losses")):
            item = getattr(source, part) if source else None
            if item:
                yield (*key, part), section, item
