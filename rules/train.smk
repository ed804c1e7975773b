# One cell: train a network, predict at the original size.


rule train:
    """Train one cell; killed and started again, it continues where it was."""
    input:
        store=DATA + "/store",
        split=DATA + "/splits/seed{seed}.csv",
        checked=DATA + "/checks/seed{seed}.json",
    output:
        model=CELL + "/model.safetensors",
        history=CELL + "/history.csv",
        run=CELL + "/run.json",
    log:
        log_of("train", NAMES),
    benchmark:
        benchmark_of("train", NAMES)
    threads: 1
    resources:
        mem_mb=8000,
        runtime=240,
        gpu=GPU,
    params:
        settings=settings_of,
        resume=RESULTS + "/resume/" + NAMES,
        code=network_code("segstudy.cells"),
    script:
        "../workflow/scripts/train.py"


rule predict:
    """Probabilities and masks of every labelled image, at its original size."""
    input:
        model=CELL + "/model.safetensors",
        store=DATA + "/store",
        split=DATA + "/splits/seed{seed}.csv",
        index=DATA + "/index.csv",
    output:
        probabilities=directory(CELL + "/probabilities"),
        masks=directory(CELL + "/masks"),
        thresholds=CELL + "/thresholds.json",
    log:
        log_of("predict", NAMES),
    benchmark:
        benchmark_of("predict", NAMES)
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=GPU,
    params:
        root=root_of,
        evaluation=STUDY.evaluation.model_dump(mode="json", exclude={"controls"}),
        code=network_code("segstudy.inference"),
    script:
        "../workflow/scripts/predict.py"
