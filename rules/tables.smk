# Tables: derived from counts and records alone.
OF_TABLE = {
    "cells": of_experiment(experiments.cell_values),
    "pairs": of_experiment(experiments.pairs),
    "question": of_experiment(experiments.question),
    "policy": STUDY.evaluation.headline,
    "datasets": of_experiment(experiments.caption_settings),
    "chains": of_experiment(experiments.chains),
}
COUNTS = {
    # Captions tell sizes, which plans may have chosen.
    "plans": of_experiment(experiments.plans),
    "counts": of_experiment(experiments.cell_files, "counts.csv"),
    "controls": of_experiment(experiments.controls),
}


rule compare:
    """The tables of one experiment."""
    input:
        **COUNTS,
        variants=of_experiment(experiments.variant_counts),
        checks=of_experiment(experiments.checks),
        runs=of_experiment(experiments.cell_files, "run.json"),
    output:
        tidy=f"{TABLE}.tidy.csv",
        csv=f"{TABLE}.csv",
        md=f"{TABLE}.md",
        tex=f"{TABLE}.tex",
        html=report_file(f"{TABLE}.html", "table", "Tables", experiment="{experiment}"),
        protocol=f"{TABLE}.protocol.json",
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_TABLE,
        variants=of_experiment(experiments.variant_values),
        metrics=STUDY.evaluation.metrics,
        tolerance=STUDY.evaluation.tolerance,
    script:
        "../workflow/scripts/compare.py"


rule strata:
    """The tables of one experiment by stratum: diagnosis, tissue class."""
    input:
        **COUNTS,
        checks=of_experiment(experiments.checks),
        indexes=of_experiment(experiments.indexes),
    output:
        **table_files("strata", "by stratum"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_TABLE,
    script:
        "../workflow/scripts/strata.py"


rule classes:
    """The tables of one experiment by class, for its data sets of several."""
    input:
        **COUNTS,
        checks=of_experiment(experiments.checks),
    output:
        **table_files("classes", "by class"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_TABLE,
    script:
        "../workflow/scripts/classes.py"


rule annotators:
    """Humans against one another, and every network against each human."""
    input:
        **COUNTS,
        masks=of_experiment(annotators.masks),
        checks=of_experiment(experiments.checks),
        indexes=of_experiment(annotators.indexes),
        splits=of_experiment(annotators.splits),
    output:
        **table_files("annotators", "annotators"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_TABLE,
        sources=of_experiment(annotators.settings),
        splits=of_experiment(annotators.pairs),
        predicted=of_experiment(experiments.cell_values, annotators.cells),
    script:
        "../workflow/scripts/annotators.py"


rule external:
    """The tables of one experiment across data sets, for an experiment with external test sets."""
    input:
        **COUNTS,
        variants=of_experiment(experiments.variant_counts),
        checks=of_experiment(experiments.checks),
        external=of_experiment(external.experiment_counts),
        external_variants=of_experiment(external.variant_counts),
        external_controls=of_experiment(external.controls),
        external_checks=of_experiment(external.experiment_checks),
    output:
        **table_files("external", "external test sets"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_TABLE,
        variants=of_experiment(experiments.variant_values),
        external=of_experiment(external.experiment_values),
        external_variants=of_experiment(external.variant_values),
        external_pairs=of_experiment(external.pairs),
        settings=of_experiment(external.experiment_settings),
        metric=STUDY.evaluation.comparison,
    script:
        "../workflow/scripts/external.py"


rule robustness:
    """The tables and curves of one experiment on corrupted test images."""
    input:
        counts=of_experiment(experiments.cell_files, "counts.csv"),
        checks=of_experiment(experiments.checks),
        corrupted=of_experiment(experiments.cell_files, paths.CORRUPTIONS),
        plans=of_experiment(experiments.plans),
    output:
        **table_files("robustness", "corrupted images"),
        svg=f"{FIGURE}/robustness.svg",
        png=report_figure("robustness", "corrupted images"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **(OF_TABLE | {"pairs": []}),  # control rows are not among them
        metric=STUDY.evaluation.comparison,
    script:
        "../workflow/scripts/robustness.py"


rule comparisons:
    """Every two rows of one experiment compared on the images they share."""
    input:
        **COUNTS,
        variants=of_experiment(experiments.variant_counts),
        checks=of_experiment(experiments.checks),
    output:
        **table_files("comparisons", "paired comparisons"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_TABLE,
        variants=of_experiment(experiments.variant_values),
        metric=STUDY.evaluation.comparison,
    script:
        "../workflow/scripts/comparisons.py"


rule thresholds:
    """The tables of one experiment at every threshold policy."""
    input:
        **COUNTS,
        variants=of_experiment(experiments.variant_counts),
        checks=of_experiment(experiments.checks),
    output:
        **table_files("thresholds", "by threshold"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_TABLE,
        variants=of_experiment(experiments.variant_values),
        metrics=STUDY.evaluation.metrics,
        tolerance=STUDY.evaluation.tolerance,
        metric=STUDY.evaluation.comparison,
    script:
        "../workflow/scripts/thresholds.py"
