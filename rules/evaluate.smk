# Counts first: every number of the study is derived from these files.


rule measure:
    """Count true and false positives and negatives of every image at its original size."""
    input:
        probabilities=f"{CELL}/probabilities",
        masks=f"{CELL}/masks",
        thresholds=f"{CELL}/thresholds.json",
        index=f"{DATA}/index.csv",
        split=f"{DATA}/splits/seed{{seed}}.csv",
    output:
        counts=f"{CELL}/counts.csv",
        histograms=f"{CELL}/histograms.npz",
    log:
        log_of("measure", NAMES),
    benchmark:
        benchmark_of("measure", NAMES)
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=evaluation_minutes,
    params:
        labels=labels_of,
        root=root_of,
        reader=reader_of,
        measures=measures_of,
        oracle="oracle" in STUDY.evaluation.policies,
        code=reader_code("segstudy.evaluation.measure"),
    script:
        "../workflow/scripts/measure.py"


rule controls:
    """Count the same for what needs no training: constant answers, chance, Otsu, a second human."""
    input:
        index=f"{DATA}/index.csv",
        checked=f"{DATA}/checks/images.json",
        split=f"{DATA}/splits/seed{{seed}}.csv",
    output:
        counts=f"{RESULTS}/controls/{{dataset}}/seed{{seed}}.csv",
    log:
        log_of("controls", "{dataset}/seed{seed}"),
    benchmark:
        benchmark_of("controls", "{dataset}/seed{seed}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(60),
    params:
        labels=labels_of,
        root=root_of,
        reader=reader_of,
        controls=STUDY.evaluation.controls,
        measures=measures_of,
        code=reader_code("segstudy.evaluation.baselines"),
    script:
        "../workflow/scripts/controls.py"
