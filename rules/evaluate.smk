# Counts first: every number of the study is derived from these files.


rule measure:
    """Count true and false positives and negatives of every image at its original size."""
    input:
        probabilities=f"{CELL}/probabilities",
        masks=f"{CELL}/masks",
        thresholds=f"{CELL}/thresholds.json",
        index=INDEX,
        split=SPLIT,
    output:
        counts=f"{CELL}/counts.csv",
        histograms=f"{CELL}/histograms.npz",
    resources:
        **JOBS.per_attempt(mb=4000),
        runtime=JOBS.evaluation_minutes,
    params:
        **OF_IMAGES,
        measures=of_dataset(lookups.measures),
        oracle="oracle" in STUDY.evaluation.policies,
        # Once the cell is measured, no later job of it can lose its training any more.
        published=f"{RESULTS}/{paths.PUBLISHED}",
    script:
        "../workflow/scripts/measure.py"


use rule measure as measure_flips with:
    input:
        probabilities=f"{FLIPS}/probabilities",
        masks=f"{FLIPS}/masks",
        thresholds=f"{FLIPS}/thresholds.json",
        index=INDEX,
        split=SPLIT,
    output:
        counts=f"{FLIPS}/counts.csv",
        histograms=f"{FLIPS}/histograms.npz",
    params:
        published="",


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
        mem_mb=JOBS.external_mb,
        runtime=JOBS.external_minutes,
        disk_mb=JOBS.external_disk_mb,
        gpu=GPU,
        gpu_mb=JOBS.gpu_mb,
        gpu_share=JOBS.gpu_share,
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


rule measure_corrupted:
    """Count the same on corrupted test images: noise, blur, brightness, JPEG, resolution."""
    input:
        model=f"{CELL}/model.safetensors",
        thresholds=f"{CELL}/thresholds.json",
        index=INDEX,
        split=SPLIT,
        plan=of_dataset(lookups.plan),
    output:
        counts=f"{CELL}/{paths.CORRUPTIONS}",
    resources:
        mem_mb=JOBS.prediction_mb,
        runtime=JOBS.corrupted_minutes,
        gpu=GPU,
        gpu_mb=JOBS.gpu_mb,
        gpu_share=JOBS.gpu_share,
    params:
        **OF_IMAGES,
        seen_as=of_cell(external.seen_as_own),
        network=of_cell(cell_inputs.network),
        headline=STUDY.evaluation.headline,
        levels=[list(level) for level in STUDY.evaluation.corruptions.levels],
    script:
        "../workflow/scripts/measure_corrupted.py"


rule ensemble:
    """The mean of the probabilities of the networks of several seeds."""
    input:
        members=of_seeds(f"{CELL}{{views}}/probabilities"),
        index=INDEX,
        # The same for all seeds: the config asks for it.
        split=lambda wildcards: of_seeds(SPLIT)(wildcards)[0],
    output:
        probabilities=probabilities_in(ENSEMBLE),
        masks=directory(f"{ENSEMBLE}/masks"),
        thresholds=f"{ENSEMBLE}/thresholds.json",
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_IMAGES,
        evaluation=STUDY.evaluation.of_prediction,
    script:
        "../workflow/scripts/ensemble.py"


use rule measure as measure_ensemble with:
    input:
        probabilities=f"{ENSEMBLE}/probabilities",
        masks=f"{ENSEMBLE}/masks",
        thresholds=f"{ENSEMBLE}/thresholds.json",
        index=INDEX,
        split=lambda wildcards: of_seeds(SPLIT)(wildcards)[0],
    output:
        counts=f"{ENSEMBLE}/counts.csv",
        histograms=f"{ENSEMBLE}/histograms.npz",
    params:
        published="",


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


rule controls:
    """Count the same for what needs no training: constant answers, chance, Otsu, a second human."""
    input:
        index=INDEX,
        checked=IMAGES_CHECK,
        split=SPLIT,
    output:
        counts=f"{RESULTS}/{paths.CONTROLS}",
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_IMAGES,
        controls=STUDY.evaluation.controls,
        measures=of_dataset(lookups.measures),
    script:
        "../workflow/scripts/controls.py"


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
