# External test sets (`tested_on`): the checks that no network has seen them, and what is measured on them.


# What reading the images and masks of an external test set takes, and what it is measured by.
OF_EXTERNAL_IMAGES = {
    "reader": of_external(lookups.reader),
    "root": of_external(lookups.root),
    "labels": of_external(lookups.labels),
    "measures": of_external(lookups.measures),
}
EXTERNAL_IMAGES = {
    "index": INDEX.replace("{dataset}", "{external}"),
    "images_checked": IMAGES_CHECK.replace("{dataset}", "{external}"),
    "measured": external_split,
}


rule check_external:
    """Stop here if a network has seen an image of an external test set, or a copy of one."""
    input:
        indexes=external_files("index.csv"),
        thumbnails=external_files("thumbnails.npy"),
        splits=[SPLIT],
        measured=external_split,
    output:
        checked=f"{RESULTS}/{paths.EXTERNAL_CHECK}",
    # No input of trainings, which a test set more must not repeat.
    priority: CHECKS_FIRST
    resources:
        **JOBS.per_attempt(mb=4000, minutes=30),
    params:
        seen=lambda wildcards: external.own_seen(wildcards.dataset, int(wildcards.seed)),
        datasets=lambda wildcards: [wildcards.dataset, wildcards.external],
        splits=lambda wildcards: [[wildcards.dataset, int(wildcards.seed)]],
        exceptions=of_external(lookups.block, "exceptions"),
    script:
        "../workflow/scripts/check_external.py"


use rule check_external as check_external_chain with:
    input:
        indexes=of_external_cell(external.chain_files, "index.csv"),
        thumbnails=of_external_cell(external.chain_files, "thumbnails.npy"),
        splits=of_cell(external.chain_split_files),
        measured=external_split,
    output:
        checked=f"{RESULTS}/{paths.EXTERNAL_CHAIN_CHECK}",
    params:
        seen=of_cell(cell_inputs.seen_values),
        datasets=of_external_cell(external.chain_datasets),
        splits=of_cell(external.chain_splits),


EXTERNAL_NETWORK = {
    "model": f"{CELL}/model.safetensors",
    "trained_on": INDEX,
    "checked": of_external_cell(external.checks),
    "plan": of_dataset(lookups.plan),
}


rule measure_external:
    """Predict an external test set with a cell's network and thresholds, and count as `measure` does."""
    input:
        **EXTERNAL_IMAGES,
        **EXTERNAL_NETWORK,
        thresholds=f"{CELL}/thresholds.json",
    output:
        probabilities=probabilities_in(EXTERNAL),
        masks=directory(f"{EXTERNAL}/masks"),
        counts=f"{EXTERNAL}/counts.csv",
        histograms=f"{EXTERNAL}/histograms.npz",
    resources:
        **OF_GPU,
        mem_mb=JOBS.external_mb,
        runtime=JOBS.external_minutes,
        disk_mb=JOBS.external_disk_mb,
    params:
        **OF_EXTERNAL_IMAGES,
        seen_as=of_external_cell(external.seen_as),
        flips=False,
        network=of_cell(cell_inputs.network),
        headline=STUDY.evaluation.headline,
        oracle="oracle" in STUDY.evaluation.policies,
    script:
        "../workflow/scripts/measure_external.py"


use rule measure_external as measure_external_flips with:
    input:
        **EXTERNAL_IMAGES,
        **EXTERNAL_NETWORK,
        thresholds=f"{FLIPS}/thresholds.json",
    output:
        probabilities=probabilities_in(EXTERNAL_FLIPS),
        masks=directory(f"{EXTERNAL_FLIPS}/masks"),
        counts=f"{EXTERNAL_FLIPS}/counts.csv",
        histograms=f"{EXTERNAL_FLIPS}/histograms.npz",
    params:
        flips=True,


rule ensemble_external:
    """The same of an external test set, with the thresholds of the ensemble at home, and its counts."""
    input:
        **EXTERNAL_IMAGES,
        members=of_seeds(f"{EXTERNAL}{{views}}/probabilities"),
        thresholds=f"{ENSEMBLE}/thresholds.json",
    output:
        probabilities=probabilities_in(ENSEMBLE_EXTERNAL),
        masks=directory(f"{ENSEMBLE_EXTERNAL}/masks"),
        counts=f"{ENSEMBLE_EXTERNAL}/counts.csv",
        histograms=f"{ENSEMBLE_EXTERNAL}/histograms.npz",
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_EXTERNAL_IMAGES,
        headline=STUDY.evaluation.headline,
        oracle="oracle" in STUDY.evaluation.policies,
    script:
        "../workflow/scripts/ensemble_external.py"


rule controls_external:
    """The same of an external test set: what a control learns, it learns where the networks do."""
    input:
        **EXTERNAL_IMAGES,
        own_index=INDEX,
        own_split=SPLIT,
    output:
        counts=f"{RESULTS}/{paths.EXTERNAL_CONTROLS}",
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_EXTERNAL_IMAGES,
        own=of_dataset(lookups.images),
        controls=STUDY.evaluation.controls,
    script:
        "../workflow/scripts/controls_external.py"
