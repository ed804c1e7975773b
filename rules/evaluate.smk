# Counts first: every number of the study is derived from these files.


rule measure:
    """Count true and false positives and negatives of every image at its original size."""
    input:
        probabilities=CELL + "/probabilities",
        thresholds=CELL + "/thresholds.json",
        index=DATA + "/index.csv",
        split=DATA + "/splits/seed{seed}.csv",
    output:
        counts=CELL + "/counts.csv",
    log:
        log_of("measure", NAMES),
    benchmark:
        benchmark_of("measure", NAMES)
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        root=root_of,
        reader=reader_of,
        code=reader_code("segstudy.evaluation"),
    script:
        "../workflow/scripts/measure.py"


rule controls:
    """Count the same for what needs no training: all background, chance, Otsu, a second human."""
    input:
        index=DATA + "/index.csv",
        checked=DATA + "/checks/images.json",
        split=DATA + "/splits/seed{seed}.csv",
    output:
        counts=RESULTS + "/controls/{dataset}/seed{seed}.csv",
    log:
        log_of("controls", "{dataset}/seed{seed}"),
    benchmark:
        benchmark_of("controls", "{dataset}/seed{seed}")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        root=root_of,
        reader=reader_of,
        controls=STUDY.evaluation.controls,
        code=reader_code("segstudy.controls"),
    script:
        "../workflow/scripts/controls.py"
