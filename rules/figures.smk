# Figures: derived from counts and histories.


rule curves:
    """Training curves of one experiment."""
    input:
        experiment_cells(f"{CELL}/history.csv"),
    output:
        svg=f"{RESULTS}/figures/{{experiment}}/curves.svg",
        png=report(
            f"{RESULTS}/figures/{{experiment}}/curves.png",
            caption="../workflow/report/curves.rst",
            category="Figures",
            labels={"experiment": "{experiment}", "figure": "training curves"},
        ),
    log:
        log_of("curves", "{experiment}"),
    benchmark:
        benchmark_of("curves", "{experiment}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(60),
    params:
        cells=lambda wildcards: [list(cell) for cell in cells_of(wildcards.experiment)],
        phantoms=PHANTOMS,
        rules=lambda wildcards: stopping_rules(wildcards.experiment),
        code=fingerprint.code("segstudy.figures.curves"),
    script:
        "../workflow/scripts/curves.py"


rule ablation:
    """Metrics by loss and network, with control rows."""
    input:
        counts=experiment_cells(f"{CELL}/counts.csv"),
        controls=experiment_controls,
    output:
        svg=f"{RESULTS}/figures/{{experiment}}/ablation.svg",
        png=report(
            f"{RESULTS}/figures/{{experiment}}/ablation.png",
            caption="../workflow/report/ablation.rst",
            category="Figures",
            labels={"experiment": "{experiment}", "figure": "losses and networks"},
        ),
    log:
        log_of("ablation", "{experiment}"),
    benchmark:
        benchmark_of("ablation", "{experiment}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(60),
    params:
        cells=lambda wildcards: [list(cell) for cell in cells_of(wildcards.experiment)],
        pairs=lambda wildcards: pairs_of(wildcards.experiment),
        policy=STUDY.evaluation.headline,
        regions={name: dataset.region for name, dataset in STUDY.datasets.items()},
        phantoms=PHANTOMS,
        code=fingerprint.code("segstudy.figures.ablation"),
    script:
        "../workflow/scripts/ablation.py"


rule ranking:
    """Every network between floor and human, and how often it is first."""
    input:
        counts=experiment_cells(f"{CELL}/counts.csv"),
        gains=experiment_gains,
        controls=experiment_controls,
    output:
        svg=f"{RESULTS}/figures/{{experiment}}/ranking.svg",
        png=report(
            f"{RESULTS}/figures/{{experiment}}/ranking.png",
            caption="../workflow/report/ranking.rst",
            category="Figures",
            labels={"experiment": "{experiment}", "figure": "ranking"},
        ),
        csv=f"{RESULTS}/tables/{{experiment}}.ranking.csv",
    log:
        log_of("ranking", "{experiment}"),
    benchmark:
        benchmark_of("ranking", "{experiment}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(60),
    params:
        cells=lambda wildcards: [list(cell) for cell in cells_of(wildcards.experiment)],
        gains=lambda wildcards: [list(gain) for gain in gains(wildcards.experiment)],
        pairs=lambda wildcards: pairs_of(wildcards.experiment),
        policy=STUDY.evaluation.headline,
        metric=STUDY.evaluation.comparison,
        regions={name: dataset.region for name, dataset in STUDY.datasets.items()},
        phantoms=PHANTOMS,
        code=fingerprint.code("segstudy.figures.ranking", "segstudy.tables.inputs"),
    script:
        "../workflow/scripts/ranking.py"


rule failures:
    """Where networks fail: size of the object, threshold, calibration, ROC and precision-recall."""
    input:
        counts=lambda wildcards: of_cells(
            f"{CELL}/counts.csv", binary_cells(wildcards.experiment)
        ),
        histograms=lambda wildcards: of_cells(
            f"{CELL}/histograms.npz", binary_cells(wildcards.experiment)
        ),
        indexes=experiment_indexes,
    output:
        svg=f"{RESULTS}/figures/{{experiment}}/failures.svg",
        png=report(
            f"{RESULTS}/figures/{{experiment}}/failures.png",
            caption="../workflow/report/failures.rst",
            category="Figures",
            labels={"experiment": "{experiment}", "figure": "failures"},
        ),
        csv=f"{RESULTS}/tables/{{experiment}}.failures.csv",
    log:
        log_of("failures", "{experiment}"),
    benchmark:
        benchmark_of("failures", "{experiment}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(60),
    params:
        cells=lambda wildcards: [
            list(cell) for cell in binary_cells(wildcards.experiment)
        ],
        datasets=lambda wildcards: STUDY.experiments[wildcards.experiment].datasets,
        policy=STUDY.evaluation.headline,
        regions={name: dataset.region for name, dataset in STUDY.datasets.items()},
        phantoms=PHANTOMS,
        code=fingerprint.code("segstudy.figures.failures"),
    script:
        "../workflow/scripts/failures.py"
