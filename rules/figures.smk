# Figures of experiments, derived from counts and histories.
OF_FIGURE = {
    "cells": of_experiment(experiments.cell_values),
    "policy": STUDY.evaluation.headline,
    "regions": experiments.regions(STUDY),
    "phantoms": PHANTOMS,
}


rule curves:
    """Training curves of one experiment."""
    input:
        of_experiment(experiments.cell_files, "history.csv"),
    output:
        svg=f"{FIGURE}/curves.svg",
        png=report_figure("curves", "training curves"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        cells=of_experiment(experiments.cell_values),
        phantoms=PHANTOMS,
        rules=of_experiment(experiments.stopping_rules),
    script:
        "../workflow/scripts/curves.py"


rule ablation:
    """Metrics by loss and network, with control rows."""
    input:
        **COUNTS,
    output:
        svg=f"{FIGURE}/ablation.svg",
        png=report_figure("ablation", "losses and networks"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_FIGURE,
        pairs=of_experiment(experiments.pairs),
        metrics=STUDY.evaluation.metrics,
    script:
        "../workflow/scripts/ablation.py"


rule matrix:
    """Every network on every test set, for an experiment with external ones."""
    input:
        table=f"{TABLE}.external.csv",
    output:
        svg=f"{FIGURE}/matrix.svg",
        png=report_figure("matrix", "external test sets"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    script:
        "../workflow/scripts/matrix.py"


rule ranking:
    """Every network between floor and human, and how often it is first."""
    input:
        **COUNTS,
        variants=of_experiment(experiments.variant_counts),
    output:
        svg=f"{FIGURE}/ranking.svg",
        png=report_figure("ranking", "ranking"),
        csv=f"{TABLE}.ranking.csv",
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_FIGURE,
        variants=of_experiment(experiments.variant_values),
        pairs=of_experiment(experiments.pairs),
        metric=STUDY.evaluation.comparison,
    script:
        "../workflow/scripts/ranking.py"


rule label_efficiency:
    """What each approach of one experiment makes of few labels."""
    input:
        **COUNTS,
        runs=of_experiment(experiments.cell_files, "run.json"),
    output:
        svg=f"{FIGURE}/label_efficiency.svg",
        png=report_figure("label_efficiency", "label efficiency"),
        csv=f"{TABLE}.labels.csv",
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_FIGURE,
        shares=of_experiment(experiments.shares),
        pairs=of_experiment(experiments.pairs),
        metric=STUDY.evaluation.comparison,
    script:
        "../workflow/scripts/label_efficiency.py"


rule threshold_curves:
    """Dice over the threshold, with the thresholds that were chosen."""
    input:
        counts=of_experiment(
            experiments.cell_files, "counts.csv", experiments.binary_cells
        ),
        histograms=of_experiment(
            experiments.cell_files, "histograms.npz", experiments.binary_cells
        ),
    output:
        svg=f"{FIGURE}/threshold_curves.svg",
        png=report_figure("threshold_curves", "Dice over the threshold"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_FIGURE
        | {"cells": of_experiment(experiments.cell_values, experiments.binary_cells)},
    script:
        "../workflow/scripts/threshold_curves.py"


rule failures:
    """Where networks fail: size of the object, threshold, calibration, ROC and precision-recall."""
    input:
        counts=of_experiment(
            experiments.cell_files, "counts.csv", experiments.binary_cells
        ),
        histograms=of_experiment(
            experiments.cell_files, "histograms.npz", experiments.binary_cells
        ),
        indexes=of_experiment(experiments.indexes),
    output:
        svg=f"{FIGURE}/failures.svg",
        png=report_figure("failures", "failures"),
        csv=f"{TABLE}.failures.csv",
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_FIGURE
        | {"cells": of_experiment(experiments.cell_values, experiments.binary_cells)},
        datasets=of_experiment(experiments.datasets),
    script:
        "../workflow/scripts/failures.py"


rule strips:
    """The errors of every network, loss and recipe on the same test images."""
    input:
        counts=of_experiment(
            experiments.cell_files, "counts.csv", experiments.first_cells
        ),
        masks=of_experiment(experiments.cell_files, "masks", experiments.first_cells),
        indexes=of_experiment(experiments.indexes),
    output:
        png=report_figure("strips", "errors side by side"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        cells=of_experiment(experiments.cell_values, experiments.first_cells),
        sources=of_experiment(experiments.image_settings),
        policy=STUDY.evaluation.headline,
    script:
        "../workflow/scripts/strips.py"


rule external_strips:
    """The errors of every network on images of the external test sets."""
    input:
        counts=of_experiment(external.first_files, "counts.csv"),
        masks=of_experiment(external.first_files, "masks"),
        indexes=of_experiment(external.indexes),
    output:
        png=report_figure("external_strips", "errors on external test sets"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        cells=of_experiment(external.first_values),
        sources=of_experiment(external.image_settings),
        policy=STUDY.evaluation.headline,
    script:
        "../workflow/scripts/external_strips.py"
