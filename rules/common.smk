# What all rules share: the validated study and its paths.
import gc
import json
import os
import re
import shlex
import sys
from functools import cache
from pathlib import Path

# The graph of a large study is millions of objects that all stay: to look through them for garbage again and again is
# a quarter of the time of `snakemake -n`.
gc.set_threshold(200_000, 20, 20)

# The code of this checkout, whatever else is installed: what is fingerprinted must be what runs.
PACKAGE = str(Path(str(workflow.current_basedir)).parent / "workflow")
sys.path.insert(0, PACKAGE)
SEARCHED = [PACKAGE, *filter(None, [os.environ.get("PYTHONPATH")])]
os.environ.update(PYTHONPATH=os.pathsep.join(SEARCHED))

from segstudy.runtime import fingerprint

from segstudy.runtime import locks
from segstudy.config import dependencies
from segstudy.config.cell import Cell
from segstudy.config.load import load_study
from segstudy.runtime.environment import caches
from segstudy.config.losses import loss_modules
from segstudy.core.errors import StudyError

# A home folder that cannot be written keeps neither Snakemake's copies of scripts nor matplotlib's fonts.
os.environ.update(caches(os.environ))

OVERLAYS = [os.path.relpath(path) for path in workflow.overwrite_configfiles]
OVERRIDES = workflow.config_settings.config_args or []

# For run.json: how the config of this run was chosen.
CHOSEN = [
    *(["--configfile", *OVERLAYS] if OVERLAYS else []),
    *(["--config", *OVERRIDES] if OVERRIDES else []),
]
os.environ.update(SEGSTUDY_CONFIG=shlex.join(CHOSEN))

try:
    STUDY = load_study(
        config, ["config.yaml", *OVERLAYS], workflow.config_settings.config
    )
except StudyError as error:
    # The message alone: a traceback through Snakemake helps nobody here.
    sys.exit(f"\nError: {error}\n")

# For the jobs: how large the pictures of each data set may be.
LIMITS = {name: dataset.max_megapixels for name, dataset in STUDY.datasets.items()}
os.environ.update(SEGSTUDY_MAX_MEGAPIXELS=json.dumps(LIMITS))
if "--unlock" in sys.argv:
    locks.forget_runs()
elif workflow.is_main_process and not workflow.dryrun:
    # Beside Snakemake's lock, which does not say whose it is: this process, until it ends.
    plugin = workflow.executor_plugin
    locks.record(plugin.name if plugin else "local")

RESULTS = f"results/{STUDY.study}"
DATA = f"{RESULTS}/data/{{dataset}}"
CELL = f"{RESULTS}/cells/{{dataset}}/{{model}}/{{loss}}/{{recipe}}/seed{{seed}}"
ENSEMBLE = (
    f"{RESULTS}/ensembles/{{dataset}}/{{model}}/{{loss}}/{{recipe}}/seeds{{seeds}}"
)
NAMES = "{dataset}/{model}/{loss}/{recipe}/seed{seed}"
PSEUDO = f"{RESULTS}/pseudo/{{unlabelled}}/{NAMES}"  # the names are the teacher's


PHANTOMS = [name for name, dataset in STUDY.datasets.items() if dataset.phantom]


def one_of(names):
    return "|".join(re.escape(name) for name in names)


wildcard_constraints:
    dataset=one_of(STUDY.datasets),
    unlabelled=one_of(STUDY.datasets),
    model=one_of(STUDY.models),
    loss=one_of(STUDY.losses),
    recipe=one_of(STUDY.recipes),
    experiment=one_of(STUDY.experiments),
    seed=r"\d+",
    seeds=r"\d+(-\d+)+",
    views="|/tta",


def log_of(rule, names):
    return f"{RESULTS}/logs/{rule}/{names}.log"


def benchmark_of(rule, names):
    return f"{RESULTS}/benchmarks/{rule}/{names}.jsonl"
