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
        **OF_GPU,
        mem_mb=JOBS.prediction_mb,
        runtime=JOBS.corrupted_minutes,
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
