"""A cell: one training of a study, by the names that make up its path."""

from __future__ import annotations

from typing import NamedTuple


class Cell(NamedTuple):
    """One training: the names that make up its path."""

    dataset: str
    model: str
    loss: str
    recipe: str
    seed: int

    @property
    def path(self) -> str:
        """Folder of the cell below `results/<study>/cells/`."""
        return f"{self.dataset}/{self.model}/{self.loss}/{self.recipe}/seed{self.seed}"
