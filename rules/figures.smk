# Figures: derived from counts and histories; training samples and sketches from the store.


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
        mem_mb=4000,
        runtime=60,
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
        mem_mb=4000,
        runtime=60,
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
        mem_mb=4000,
        runtime=60,
    params:
        cells=lambda wildcards: [list(cell) for cell in cells_of(wildcards.experiment)],
        pairs=lambda wildcards: pairs_of(wildcards.experiment),
        policy=STUDY.evaluation.headline,
        metric=STUDY.evaluation.comparison,
        regions={name: dataset.region for name, dataset in STUDY.datasets.items()},
        phantoms=PHANTOMS,
        code=fingerprint.code("segstudy.figures.ranking"),
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
        mem_mb=4000,
        runtime=60,
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


rule gallery:
    """Best, median and worst test image of one cell."""
    input:
        counts=f"{CELL}/counts.csv",
        masks=f"{CELL}/masks",
        index=f"{DATA}/index.csv",
    output:
        png=report(
            f"{RESULTS}/figures/gallery/{NAMES}.png",
            caption="../workflow/report/gallery.rst",
            category="Galleries",
            subcategory="{dataset}",
            labels={
                "model": "{model}",
                "loss": "{loss}",
                "recipe": "{recipe}",
                "seed": "{seed}",
            },
        ),
    log:
        log_of("gallery", NAMES),
    benchmark:
        benchmark_of("gallery", NAMES)
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        reader=reader_of,
        labels=labels_of,
        root=root_of,
        title="{dataset}: {model}, {loss}, {recipe}, seed {seed}",
        policy=STUDY.evaluation.headline,
        region=dataset_block("region"),
        phantom=lambda wildcards: wildcards.dataset in PHANTOMS,
        code=reader_code("segstudy.figures.gallery"),
    script:
        "../workflow/scripts/gallery.py"


rule augmented:
    """The first training samples of a seed as the network gets them, masks drawn over."""
    input:
        store=f"{DATA}/store",
        split=f"{DATA}/splits/seed{{seed}}.csv",
        index=index_if_balanced,
    output:
        png=report(
            f"{RESULTS}/figures/augmented/{{dataset}}/{{recipe}}/seed{{seed}}.png",
            caption="../workflow/report/augmented.rst",
            category="Training samples",
            labels={"data set": "{dataset}", "recipe": "{recipe}", "seed": "{seed}"},
        ),
    log:
        log_of("augmented", "{dataset}/{recipe}/seed{seed}"),
    benchmark:
        benchmark_of("augmented", "{dataset}/{recipe}/seed{seed}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        recipe=samples_of,
        reader=reader_of,
        labels=labels_of,
        title="{dataset}: training samples of recipe {recipe}",
        phantom=lambda wildcards: wildcards.dataset in PHANTOMS,
        code=reader_code("segstudy.figures.augmented"),
    script:
        "../workflow/scripts/augmented.py"


rule sketch:
    """The network drawn with the sizes of its feature maps, and its table of layers."""
    input:
        store=f"{DATA}/store",
    output:
        svg=f"{RESULTS}/figures/networks/{{dataset}}/{{model}}.svg",
        png=report(
            f"{RESULTS}/figures/networks/{{dataset}}/{{model}}.png",
            caption="../workflow/report/sketch.rst",
            category="Networks",
            labels={"data set": "{dataset}", "model": "{model}", "shows": "sketch"},
        ),
        csv=f"{RESULTS}/tables/networks/{{dataset}}/{{model}}.csv",
        html=report(
            f"{RESULTS}/tables/networks/{{dataset}}/{{model}}.html",
            caption="../workflow/report/layers.rst",
            category="Networks",
            labels={"data set": "{dataset}", "model": "{model}", "shows": "layers"},
        ),
    log:
        log_of("sketch", "{dataset}/{model}"),
    benchmark:
        benchmark_of("sketch", "{dataset}/{model}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        model=lambda wildcards: STUDY.model_settings(wildcards.model),
        title="{model} on {dataset}",
        code=network_code("segstudy.figures.networks"),
    script:
        "../workflow/scripts/sketch.py"
