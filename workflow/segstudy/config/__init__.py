"""The config of a study: parse it, validate it, enumerate its cells. Knows nothing of torch or Snakemake."""

from segstudy.config.study import Cell, Experiment, Study, load_study

__all__ = ["Cell", "Experiment", "Study", "load_study"]
