# What costs no training: predictions averaged over mirror images, and over the seeds of a row.


use rule predict as predict_flips with:
    output:
        probabilities=probabilities_in(f"{CELL}/tta"),
        masks=directory(f"{CELL}/tta/masks"),
        thresholds=f"{CELL}/tta/thresholds.json",
    log:
        log_of("predict_flips", NAMES),
    benchmark:
        benchmark_of("predict_flips", NAMES)
    params:
        reader=reader_of,
        labels=labels_of,
        root=root_of,
        flips=True,
        prediction=dataset_block("prediction"),
        evaluation=STUDY.evaluation.of_prediction,
        reading=reader_code(),
        network=network_of,
        code=network_code("segstudy.inference.predict"),


use rule measure as measure_flips with:
    input:
        probabilities=f"{CELL}/tta/probabilities",
        masks=f"{CELL}/tta/masks",
        thresholds=f"{CELL}/tta/thresholds.json",
        index=f"{DATA}/index.csv",
        split=f"{DATA}/splits/seed{{seed}}.csv",
    output:
        counts=f"{CELL}/tta/counts.csv",
        histograms=f"{CELL}/tta/histograms.npz",
    log:
        log_of("measure_flips", NAMES),
    benchmark:
        benchmark_of("measure_flips", NAMES)


rule ensemble:
    """The mean of the probabilities of the networks of several seeds."""
    input:
        members=members_of,
        index=f"{DATA}/index.csv",
        split=common_split,
    output:
        probabilities=probabilities_in(f"{ENSEMBLE}{{views}}"),
        masks=directory(f"{ENSEMBLE}{{views}}/masks"),
        thresholds=f"{ENSEMBLE}{{views}}/thresholds.json",
    log:
        log_of(
            "ensemble",
            f"{{dataset}}/{{model}}/{{loss}}/{{recipe}}/seeds{{seeds}}{{views}}",
        ),
    benchmark:
        benchmark_of(
            "ensemble",
            f"{{dataset}}/{{model}}/{{loss}}/{{recipe}}/seeds{{seeds}}{{views}}",
        )
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(60),
    params:
        reader=reader_of,
        labels=labels_of,
        root=root_of,
        evaluation=STUDY.evaluation.of_prediction,
        code=reader_code("segstudy.inference.ensemble"),
    script:
        "../workflow/scripts/ensemble.py"


use rule measure as measure_ensemble with:
    input:
        probabilities=f"{ENSEMBLE}{{views}}/probabilities",
        masks=f"{ENSEMBLE}{{views}}/masks",
        thresholds=f"{ENSEMBLE}{{views}}/thresholds.json",
        index=f"{DATA}/index.csv",
        split=common_split,
    output:
        counts=f"{ENSEMBLE}{{views}}/counts.csv",
        histograms=f"{ENSEMBLE}{{views}}/histograms.npz",
    log:
        log_of(
            "measure_ensemble",
            f"{{dataset}}/{{model}}/{{loss}}/{{recipe}}/seeds{{seeds}}{{views}}",
        ),
    benchmark:
        benchmark_of(
            "measure_ensemble",
            f"{{dataset}}/{{model}}/{{loss}}/{{recipe}}/seeds{{seeds}}{{views}}",
        )
