# What all rules share: the validated study and its paths.
import gc
import json
import os
import re
import shlex
import sys
from pathlib import Path

# The graph of a large study is millions of objects that all stay: to look through them for garbage again and again is
# a quarter of the time of `snakemake -n`.
gc.set_threshold(200_000, 20, 20)

# The code of this checkout, whatever else is installed: what is fingerprinted must be what runs.
PACKAGE = str(Path(str(workflow.current_basedir)).parent / "workflow")
sys.path.insert(0, PACKAGE)
SEARCHED = [PACKAGE, *filter(None, [os.environ.get("PYTHONPATH")])]
os.environ.update(PYTHONPATH=os.pathsep.join(SEARCHED))

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.config.load import load_study
from segstudy.runtime.environment import caches, check_place
from segstudy.core.errors import StudyError
from segstudy.models.library_check import check_networks
from segstudy.runtime import locks
from segstudy.runtime.raw_folder import check_triggers
from segstudy.study import (
    annotators,
    cell_inputs,
    experiments,
    external,
    lookups,
    targets,
)
from segstudy.study.job_requests import GALLERY_MINUTES, GPU, JobRequests
from segstudy.study.named_targets import accept_rule_names
from segstudy.study.plan_wishes import plan_wishes

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
    check_place(str(workflow.current_basedir), os.getcwd())
    STUDY = load_study(
        config, ["config.yaml", *OVERLAYS], workflow.config_settings.config
    )
    # Jobs have been told, and environments of their own may hold what this process lacks.
    if workflow.is_main_process and not workflow.deployment_settings.deployment_method:
        check_networks(STUDY, [Path("config.yaml"), *map(Path, OVERLAYS)])
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

accept_rule_names(workflow, STUDY)
try:
    JOBS = JobRequests(STUDY, workflow.resource_settings)
except StudyError as error:
    sys.exit(f"\nError: {error}\n")
for name, count in JOBS.scheduled.items():
    workflow.register_resource(name, count)
WHOLE_GPU = JOBS.whole_gpu
# For the plans: where trainings run, which is no parameter, since the same plan holds on every machine.
TRAININGS = {"gpu": JOBS.estimates.gpu, "threads": JOBS.estimates.threads}
os.environ.update(SEGSTUDY_TRAININGS=json.dumps(TRAININGS))
PHANTOMS = lookups.drawn(STUDY)
CONVERTED = lookups.converted(STUDY)
PLANNED = lookups.planned(STUDY)

# Checks, and what they read, go before any other job that is ready: what stops a study is known before it trains.
CHECKS_FIRST = 50

RESULTS = str(paths.results(STUDY.study))
DATA = f"{RESULTS}/{paths.DATA}"
INDEX = f"{RESULTS}/{paths.INDEX}"
SPLIT = f"{RESULTS}/{paths.SPLIT}"
STORE = f"{RESULTS}/{paths.STORE}"
IMAGES_CHECK = f"{RESULTS}/{paths.IMAGES_CHECK}"
SPLIT_CHECK = f"{RESULTS}/{paths.SPLIT_CHECK}"
NETWORKS_CHECK = f"{RESULTS}/{paths.NETWORKS_CHECK}"
CELL = f"{RESULTS}/{paths.CELL}"
FLIPS = f"{CELL}/{paths.FLIPS}"
EXTERNAL = f"{RESULTS}/{paths.EXTERNAL}"
EXTERNAL_FLIPS = f"{RESULTS}/{paths.EXTERNAL_FLIPS}"
ENSEMBLE = f"{RESULTS}/{paths.ENSEMBLE}{{views}}"
ENSEMBLE_EXTERNAL = f"{RESULTS}/{paths.ENSEMBLE_EXTERNAL}{{views}}"
PSEUDO = f"{RESULTS}/{paths.PSEUDO}"  # the names are the teacher's
TABLE = f"{RESULTS}/{paths.TABLE}"
FIGURE = f"{RESULTS}/{paths.FIGURE}"


def one_of(names):
    return "|".join(re.escape(name) for name in names)


wildcard_constraints:
    dataset=one_of(STUDY.datasets),
    unlabelled=one_of(STUDY.datasets),
    external=one_of(STUDY.datasets),
    model=one_of(STUDY.models),
    loss=one_of(STUDY.losses),
    recipe=one_of(STUDY.recipes),
    experiment=one_of(STUDY.experiments),
    seed=r"\d+",
    seeds=r"\d+(-\d+)+",
    views=f"|/{paths.FLIPS}",
