# Tables: derived from counts and records alone.


rule compare:
    """The tables of one experiment."""
    input:
        counts=experiment_cells(f"{CELL}/counts.csv"),
        gains=experiment_gains,
        controls=experiment_controls,
        checks=experiment_checks,
        runs=experiment_cells(f"{CELL}/run.json"),
    output:
        tidy=f"{RESULTS}/tables/{{experiment}}.tidy.csv",
        csv=f"{RESULTS}/tables/{{experiment}}.csv",
        md=f"{RESULTS}/tables/{{experiment}}.md",
        tex=f"{RESULTS}/tables/{{experiment}}.tex",
        html=report(
            f"{RESULTS}/tables/{{experiment}}.html",
            caption="../workflow/report/table.rst",
            category="Tables",
            labels={"experiment": "{experiment}"},
        ),
    log:
        log_of("compare", "{experiment}"),
    benchmark:
        benchmark_of("compare", "{experiment}")
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
        question=lambda wildcards: STUDY.experiments[wildcards.experiment].question,
        policy=STUDY.evaluation.headline,
        metrics=STUDY.evaluation.metrics,
        tolerance=STUDY.evaluation.tolerance,
        datasets=lambda wildcards: experiment_datasets(wildcards.experiment),
        chains=experiment_chains,
        code=fingerprint.code("segstudy.tables.results", "segstudy.tables.inputs"),
    script:
        "../workflow/scripts/compare.py"


rule strata:
    """The tables of one experiment by stratum: diagnosis, tissue class."""
    input:
        counts=experiment_cells(f"{CELL}/counts.csv"),
        controls=experiment_controls,
        checks=experiment_checks,
        indexes=experiment_indexes,
    output:
        csv=f"{RESULTS}/tables/{{experiment}}.strata.csv",
        md=f"{RESULTS}/tables/{{experiment}}.strata.md",
        tex=f"{RESULTS}/tables/{{experiment}}.strata.tex",
        html=report(
            f"{RESULTS}/tables/{{experiment}}.strata.html",
            caption="../workflow/report/strata.rst",
            category="Tables",
            labels={"experiment": "{experiment}, by stratum"},
        ),
    log:
        log_of("strata", "{experiment}"),
    benchmark:
        benchmark_of("strata", "{experiment}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(60),
    params:
        cells=lambda wildcards: [list(cell) for cell in cells_of(wildcards.experiment)],
        pairs=lambda wildcards: pairs_of(wildcards.experiment),
        question=lambda wildcards: STUDY.experiments[wildcards.experiment].question,
        policy=STUDY.evaluation.headline,
        datasets=lambda wildcards: experiment_datasets(wildcards.experiment),
        chains=experiment_chains,
        code=fingerprint.code("segstudy.tables.by_group", "segstudy.tables.inputs"),
    script:
        "../workflow/scripts/strata.py"


rule classes:
    """The tables of one experiment by class, for its data sets of several."""
    input:
        counts=experiment_cells(f"{CELL}/counts.csv"),
        controls=experiment_controls,
        checks=experiment_checks,
    output:
        csv=f"{RESULTS}/tables/{{experiment}}.classes.csv",
        md=f"{RESULTS}/tables/{{experiment}}.classes.md",
        tex=f"{RESULTS}/tables/{{experiment}}.classes.tex",
        html=report(
            f"{RESULTS}/tables/{{experiment}}.classes.html",
            caption="../workflow/report/classes.rst",
            category="Tables",
            labels={"experiment": "{experiment}, by class"},
        ),
    log:
        log_of("classes", "{experiment}"),
    benchmark:
        benchmark_of("classes", "{experiment}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(60),
    params:
        cells=lambda wildcards: [list(cell) for cell in cells_of(wildcards.experiment)],
        pairs=lambda wildcards: pairs_of(wildcards.experiment),
        question=lambda wildcards: STUDY.experiments[wildcards.experiment].question,
        policy=STUDY.evaluation.headline,
        datasets=lambda wildcards: experiment_datasets(wildcards.experiment),
        chains=experiment_chains,
        code=fingerprint.code("segstudy.tables.by_class", "segstudy.tables.inputs"),
    script:
        "../workflow/scripts/classes.py"


rule comparisons:
    """Every two rows of one experiment compared on the images they share."""
    input:
        counts=experiment_cells(f"{CELL}/counts.csv"),
        gains=experiment_gains,
        controls=experiment_controls,
        checks=experiment_checks,
    output:
        csv=f"{RESULTS}/tables/{{experiment}}.comparisons.csv",
        md=f"{RESULTS}/tables/{{experiment}}.comparisons.md",
        tex=f"{RESULTS}/tables/{{experiment}}.comparisons.tex",
        html=report(
            f"{RESULTS}/tables/{{experiment}}.comparisons.html",
            caption="../workflow/report/comparisons.rst",
            category="Tables",
            labels={"experiment": "{experiment}, paired comparisons"},
        ),
    log:
        log_of("comparisons", "{experiment}"),
    benchmark:
        benchmark_of("comparisons", "{experiment}")
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
        question=lambda wildcards: STUDY.experiments[wildcards.experiment].question,
        policy=STUDY.evaluation.headline,
        metric=STUDY.evaluation.comparison,
        datasets=lambda wildcards: experiment_datasets(wildcards.experiment),
        chains=experiment_chains,
        code=fingerprint.code("segstudy.tables.pairwise", "segstudy.tables.inputs"),
    script:
        "../workflow/scripts/comparisons.py"
