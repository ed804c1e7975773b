"""The config of a study: parse it, validate it, enumerate its cells. Knows nothing of torch or Snakemake."""

from segstudy.config.cell import Cell
from segstudy.config.load import load_study
from segstudy.config.study import Experiment, Study

__all__ = ["Cell", "Experiment", "Study", "load_study"]
