# Pictures: predictions beside the truth, training samples, and sketches of the networks.


rule gallery:
    """Best, median and worst test image of one cell."""
    input:
        counts=f"{CELL}/counts.csv",
        masks=f"{CELL}/masks",
        index=f"{DATA}/index.csv",
    output:
        jpg=report(
            f"{RESULTS}/figures/gallery/{NAMES}.jpg",
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
        mem_mb=growing(2000),
        runtime=GALLERY_MINUTES,
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


rule strips:
    """The errors of every network, loss and recipe on the same test images."""
    input:
        counts=lambda wildcards: of_cells(
            f"{CELL}/counts.csv", first_cells(wildcards.experiment)
        ),
        masks=lambda wildcards: of_cells(
            f"{CELL}/masks", first_cells(wildcards.experiment)
        ),
        indexes=experiment_indexes,
    output:
        png=report(
            f"{RESULTS}/figures/{{experiment}}/strips.png",
            caption="../workflow/report/strips.rst",
            category="Figures",
            labels={"experiment": "{experiment}", "figure": "errors side by side"},
        ),
    log:
        log_of("strips", "{experiment}"),
    benchmark:
        benchmark_of("strips", "{experiment}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(60),
    params:
        cells=lambda wildcards: [
            list(cell) for cell in first_cells(wildcards.experiment)
        ],
        sources=lambda wildcards: picture_sources(wildcards.experiment),
        policy=STUDY.evaluation.headline,
        code=readers_code("segstudy.figures.error_strips"),
    script:
        "../workflow/scripts/strips.py"


rule augmented:
    """The first training samples of a seed as the network gets them, masks drawn over."""
    input:
        store=f"{DATA}/store",
        split=f"{DATA}/splits/seed{{seed}}.csv",
        index=index_if_needed,
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
        mem_mb=growing(4000),
        runtime=longer(30),
    params:
        recipe=samples_of,
        reader=reader_of,
        labels=labels_of,
        title="{dataset}: training samples of recipe {recipe}",
        phantom=lambda wildcards: wildcards.dataset in PHANTOMS,
        code=reader_code("segstudy.figures.training_samples"),
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
        mem_mb=growing(4000),
        runtime=longer(30),
    params:
        model=lambda wildcards: STUDY.model_settings(wildcards.model),
        title="{model} on {dataset}",
        code=network_code("segstudy.figures.sketch"),
    script:
        "../workflow/scripts/sketch.py"
