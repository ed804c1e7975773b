"""Rows that cost no training: an image's mirrored views averaged, and the networks of all seeds together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from segstudy.config.cell import Cell

FLIPPED = " + flips"
TOGETHER = ", {} seeds together"
FLIPS_WORDS = (
    "'+ flips': the same networks; their probabilities are the mean over the image and its mirror images (left-right, "
    "top-bottom, both)."
)
TOGETHER_WORDS = (
    "'seeds together': one prediction, the mean of the probabilities of the networks of these seeds. Thresholds are "
    "chosen anew on its own probabilities. No such row is trained, so it has no time of its own."
)


class Gain(NamedTuple):
    """A row beside that of a recipe: how tables name it (the recipe says what was done), and what it is made of."""

    cell: Cell
    recipe: str  # of the networks
    seeds: tuple[int, ...]  # several: together
    flips: bool

    @property
    def key(self) -> tuple[str, ...]:
        """Its row in the tables: row, model, loss, recipe."""
        return ("cell", self.cell.model, self.cell.loss, self.cell.recipe)

    @property
    def base(self) -> tuple[str, ...]:
        """The row of the networks that it is made of."""
        return (*self.key[:3], self.recipe)


def gain_of(values: Sequence) -> Gain:
    """Return a row from what Snakemake made of it as a parameter: lists."""
    cell, recipe, seeds, flips = values
    return Gain(Cell(*cell), recipe, tuple(seeds), flips)


def gains_of(cells: Sequence[Cell], flips: bool, together: bool) -> list[Gain]:
    """Return the rows beside those of `cells`, in their order; those of one seed have nothing to stand together."""
    rows = [Gain(c._replace(recipe=c.recipe + FLIPPED), c.recipe, (c.seed,), True) for c in cells if flips]
    if together:
        for first in dict.fromkeys(cell._replace(seed=0) for cell in cells):
            seeds = tuple(cell.seed for cell in cells if cell._replace(seed=0) == first)
            for flipped in (False, True)[: 1 + flips]:
                recipe = first.recipe + FLIPPED * flipped + TOGETHER.format(len(seeds))
                row = Gain(first._replace(recipe=recipe, seed=seeds[0]), first.recipe, seeds, flipped)
                rows += [row] if len(seeds) > 1 else []
    return rows


def gain_words(cells: Sequence[Cell]) -> list[str]:
    """Return what a caption says of these rows."""
    recipes = {cell.recipe for cell in cells}
    flipped = any(FLIPPED in recipe for recipe in recipes)
    together = any(recipe.endswith(TOGETHER.partition("{}")[2]) for recipe in recipes)
    return [FLIPS_WORDS] * flipped + [TOGETHER_WORDS] * together
