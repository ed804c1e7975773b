# One cell: train a network, predict at the original size.


rule train:
    """Train one cell; killed and started again, it continues where it was."""
    input:
        store=f"{DATA}/store",
        split=f"{DATA}/splits/seed{{seed}}.csv",
        checked=f"{DATA}/checks/seed{{seed}}.json",
        index=index_if_needed,
        encoder=encoder_of,
        start=start_of,
        chain=chain_of,
        unlabelled=of_unlabelled("store"),
        unlabelled_split=of_unlabelled("splits/seed{seed}.csv"),
        teacher=teacher_model_of,
        targets=of_teacher("targets.npy"),
        accepted=accepted_of,
        believed=believed_of,
    output:
        model=f"{CELL}/model.safetensors",
        history=f"{CELL}/history.csv",
        run=f"{CELL}/run.json",
    log:
        log_of("train", NAMES),
    benchmark:
        benchmark_of("train", NAMES)
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=training_mb,
        runtime=training_minutes,
        disk_mb=cell_disk_mb,
        gpu=GPU,
    params:
        settings=settings_of,
        sources=sources_of,
        resume=f"{RESULTS}/resume/{NAMES}",
        code=training_code("segstudy.training.cell"),
    script:
        "../workflow/scripts/train.py"


rule denoised:
    """How much noise a denoising cell removes: figures, and pictures to look at."""
    input:
        model=f"{CELL}/model.safetensors",
        store=f"{DATA}/store",
        split=f"{DATA}/splits/seed{{seed}}.csv",
        index=f"{DATA}/index.csv",
    output:
        table=f"{CELL}/denoising.csv",
        png=report(
            f"{RESULTS}/figures/denoising/{NAMES}.png",
            caption="../workflow/report/denoised.rst",
            category="Denoising",
            subcategory="{dataset}",
            labels={
                "model": "{model}",
                "loss": "{loss}",
                "recipe": "{recipe}",
                "seed": "{seed}",
            },
        ),
    log:
        log_of("denoised", NAMES),
    benchmark:
        benchmark_of("denoised", NAMES)
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=longer(60),
        gpu=GPU,
    params:
        title=lambda wildcards: cell_of(wildcards).path,
        phantom=lambda wildcards: wildcards.dataset in PHANTOMS,
        network=network_of,
        code=network_code("segstudy.figures.denoising"),
    script:
        "../workflow/scripts/denoised.py"


rule predict:
    """Probabilities and masks of every labelled image, at its original size."""
    input:
        model=f"{CELL}/model.safetensors",
        store=f"{DATA}/store",
        split=f"{DATA}/splits/seed{{seed}}.csv",
        index=f"{DATA}/index.csv",
    output:
        probabilities=probabilities_in(CELL),
        masks=directory(f"{CELL}/masks"),
        thresholds=f"{CELL}/thresholds.json",
        usage=f"{CELL}/usage.json",
    log:
        log_of("predict", NAMES),
    benchmark:
        benchmark_of("predict", NAMES)
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=prediction_mb,
        runtime=evaluation_minutes,
        disk_mb=cell_disk_mb,
        gpu=GPU,
    params:
        reader=reader_of,
        labels=labels_of,
        root=root_of,
        flips=False,
        phantom=lambda wildcards: wildcards.dataset in PHANTOMS,
        prediction=dataset_block("prediction"),
        evaluation=STUDY.evaluation.of_prediction,
        reading=reader_code(),
        network=network_of,
        code=network_code(
            "segstudy.inference.predict", "segstudy.inference.preprocessing"
        ),
    script:
        "../workflow/scripts/predict.py"
