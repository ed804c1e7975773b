# Cells that build on other cells: what these have seen, and what the chains are worth.


rule check_chain:
    """Stop here if a cell's source has seen an image that the cell is measured on or chosen by."""
    input:
        indexes=lambda wildcards: [
            f"{RESULTS}/data/{name}/index.csv" for name in chain_datasets(wildcards)
        ],
        thumbnails=lambda wildcards: [
            f"{RESULTS}/data/{name}/thumbnails.npy"
            for name in chain_datasets(wildcards)
        ],
        splits=lambda wildcards: [
            f"{RESULTS}/data/{name}/splits/seed{seed}.csv"
            for name, seed in chain_splits(wildcards)
        ],
    output:
        checked=f"{RESULTS}/checks/chains/{NAMES}.json",
    log:
        log_of("check_chain", NAMES),
    benchmark:
        benchmark_of("check_chain", NAMES)
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(30),
    params:
        seen=lambda wildcards: [item._asdict() for item in seen_of(wildcards)],
        datasets=lambda wildcards: chain_datasets(wildcards),
        splits=lambda wildcards: chain_splits(wildcards),
        exceptions=dataset_block("exceptions"),
        code=fingerprint.code("segstudy.data.checks.leakage"),
    script:
        "../workflow/scripts/check_chain.py"


rule label_efficiency:
    """What each approach of one experiment makes of few labels."""
    input:
        counts=experiment_cells(f"{CELL}/counts.csv"),
        controls=experiment_controls,
        runs=experiment_cells(f"{CELL}/run.json"),
    output:
        svg=f"{RESULTS}/figures/{{experiment}}/label_efficiency.svg",
        png=report(
            f"{RESULTS}/figures/{{experiment}}/label_efficiency.png",
            caption="../workflow/report/label_efficiency.rst",
            category="Figures",
            labels={"experiment": "{experiment}", "figure": "label efficiency"},
        ),
        csv=f"{RESULTS}/tables/{{experiment}}.labels.csv",
    log:
        log_of("label_efficiency", "{experiment}"),
    benchmark:
        benchmark_of("label_efficiency", "{experiment}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(60),
    params:
        cells=lambda wildcards: [list(cell) for cell in cells_of(wildcards.experiment)],
        shares=lambda wildcards: [
            list(chains.share_of(STUDY, cell))
            for cell in cells_of(wildcards.experiment)
        ],
        pairs=lambda wildcards: pairs_of(wildcards.experiment),
        policy=STUDY.evaluation.headline,
        metric=STUDY.evaluation.comparison,
        regions={name: dataset.region for name, dataset in STUDY.datasets.items()},
        phantoms=PHANTOMS,
        code=fingerprint.code("segstudy.figures.label_efficiency"),
    script:
        "../workflow/scripts/label_efficiency.py"
