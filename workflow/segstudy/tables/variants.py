"""Rows that need no training: predictions averaged over mirror images (TTA), and ensembles of all seeds."""

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


class Variant(NamedTuple):
    """A row that needs no training."""

    cell: Cell  # its name in the tables: the recipe says what was done
    recipe: str  # of the networks
    seeds: tuple[int, ...]  # several: an ensemble
    flips: bool

    @property
    def key(self) -> tuple[str, ...]:
        """Its row in the tables: row, model, loss, recipe."""
        return ("cell", self.cell.model, self.cell.loss, self.cell.recipe)

    @property
    def base(self) -> tuple[str, ...]:
        """The row of its networks alone."""
        return (*self.key[:3], self.recipe)


def variant_of(values: Sequence) -> Variant:
    """Return a variant from the plain lists of a Snakemake parameter."""
    cell, recipe, seeds, flips = values
    return Variant(Cell(*cell), recipe, tuple(seeds), flips)


def variants_of(cells: Sequence[Cell], flips: bool, together: bool) -> list[Variant]:
    """Return the variants of `cells`, in their order: with mirror images, and ensembles of two seeds or more."""
    rows = [Variant(c._replace(recipe=c.recipe + FLIPPED), c.recipe, (c.seed,), True) for c in cells if flips]
    if together:
        for first in dict.fromkeys(cell._replace(seed=0) for cell in cells):
            seeds = tuple(cell.seed for cell in cells if cell._replace(seed=0) == first)
            for flipped in (False, True)[: 1 + flips]:
                recipe = first.recipe + FLIPPED * flipped + TOGETHER.format(len(seeds))
                row = Variant(first._replace(recipe=recipe, seed=seeds[0]), first.recipe, seeds, flipped)
                rows += [row] if len(seeds) > 1 else []
    return rows


def variant_words(variants: Sequence[Variant]) -> list[str]:
    """Return the sentences of a caption on these rows."""
    flipped, together = any(row.flips for row in variants), any(len(row.seeds) > 1 for row in variants)
    return [FLIPS_WORDS] * flipped + [TOGETHER_WORDS] * together
