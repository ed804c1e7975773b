# Figures of experiments, derived from counts and histories; and pictures: predictions, training samples, networks.
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
        counts=of_experiment(experiments.binary_cell_files, "counts.csv"),
        histograms=of_experiment(experiments.binary_cell_files, "histograms.npz"),
    output:
        svg=f"{FIGURE}/threshold_curves.svg",
        png=report_figure("threshold_curves", "Dice over the threshold"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_FIGURE | {"cells": of_experiment(experiments.binary_cell_values)},
    script:
        "../workflow/scripts/threshold_curves.py"


rule failures:
    """Where networks fail: size of the object, threshold, calibration, ROC and precision-recall."""
    input:
        counts=of_experiment(experiments.binary_cell_files, "counts.csv"),
        histograms=of_experiment(experiments.binary_cell_files, "histograms.npz"),
        indexes=of_experiment(experiments.indexes),
    output:
        svg=f"{FIGURE}/failures.svg",
        png=report_figure("failures", "failures"),
        csv=f"{TABLE}.failures.csv",
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        **OF_FIGURE | {"cells": of_experiment(experiments.binary_cell_values)},
        datasets=of_experiment(experiments.datasets),
    script:
        "../workflow/scripts/failures.py"


rule strips:
    """The errors of every network, loss and recipe on the same test images."""
    input:
        counts=of_experiment(experiments.first_cell_files, "counts.csv"),
        masks=of_experiment(experiments.first_cell_files, "masks"),
        indexes=of_experiment(experiments.indexes),
    output:
        png=report_figure("strips", "errors side by side"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        cells=of_experiment(experiments.first_cell_values),
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


rule gallery:
    """Best, median and worst test image of one cell."""
    input:
        counts=f"{CELL}/counts.csv",
        masks=f"{CELL}/masks",
        index=INDEX,
    output:
        jpg=report_picture(paths.GALLERY, "gallery", "Galleries"),
    resources:
        **JOBS.per_attempt(mb=2000),
        runtime=GALLERY_MINUTES,
    params:
        **OF_IMAGES,
        title="{dataset}: {model}, {loss}, {recipe}, seed {seed}",
        policy=STUDY.evaluation.headline,
        region=of_dataset(lookups.block, "region"),
        phantom=of_dataset(lookups.is_drawn),
    script:
        "../workflow/scripts/gallery.py"


rule denoised:
    """How much noise a denoising cell removes: figures, and pictures to look at."""
    input:
        model=f"{CELL}/model.safetensors",
        store=STORE,
        split=SPLIT,
        index=INDEX,
    output:
        table=f"{CELL}/denoising.csv",
        png=report_picture(paths.DENOISING, "denoised", "Denoising"),
    resources:
        **JOBS.per_attempt(mb=8000, minutes=60),
        gpu=GPU,
        gpu_share=WHOLE_GPU,
    params:
        network=of_cell(cell_inputs.network),
        title=lambda wildcards: cell_of(wildcards).path,
        phantom=of_dataset(lookups.is_drawn),
    script:
        "../workflow/scripts/denoised.py"


rule pseudo_sheet:
    """Accepted and rejected pseudo-labels of one student, drawn over their images."""
    input:
        accepted=f"{CELL}/pseudo/accepted.csv",
        selection=f"{CELL}/pseudo/range.json",
        probabilities=of_cell(cell_inputs.pseudo_labels, "probabilities"),
        index=of_cell(cell_inputs.unlabelled_file, paths.INDEX),
    output:
        png=report_picture(paths.PSEUDO_SHEET, "pseudo", "Pseudo-labels"),
    resources:
        **JOBS.per_attempt(mb=2000, minutes=30),
    params:
        root=of_unlabelled(lookups.root),
        title=of_cell(cell_inputs.sheet_title),
        phantom=of_cell(cell_inputs.sheet_is_drawn),
    script:
        "../workflow/scripts/pseudo_sheet.py"


rule augmented:
    """The first training samples of a seed as the network gets them, masks drawn over."""
    input:
        store=STORE,
        split=SPLIT,
        plan=of_dataset(lookups.plan),
        index=of_recipe(lookups.index_if_needed),
    output:
        png=report_file(
            f"{RESULTS}/{paths.SAMPLES}",
            "augmented",
            "Training samples",
            data_set="{dataset}",
            recipe="{recipe}",
            seed="{seed}",
        ),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=30),
    params:
        recipe=of_recipe(lookups.samples),
        reader=of_dataset(lookups.reader),
        labels=of_dataset(lookups.labels),
        title="{dataset}: training samples of recipe {recipe}",
        phantom=of_dataset(lookups.is_drawn),
    script:
        "../workflow/scripts/augmented.py"


rule class_balance:
    """Training images of each stratum before and after balancing."""
    input:
        split=SPLIT,
        index=INDEX,
        plan=of_dataset(lookups.plan),
    output:
        svg=f"{RESULTS}/{paths.BALANCE}.svg",
        png=report_file(
            f"{RESULTS}/{paths.BALANCE}.png",
            "class_balance",
            "Data",
            data_set="{dataset}",
            recipe="{recipe}",
            seed="{seed}",
        ),
    resources:
        **JOBS.per_attempt(mb=2000, minutes=30),
    params:
        recipe=of_recipe(lookups.samples),
        title="{dataset}: training images by stratum, recipe {recipe}",
        phantom=of_dataset(lookups.is_drawn),
    script:
        "../workflow/scripts/class_balance.py"


rule sketch:
    """The network drawn with the sizes of its feature maps, and its table of layers."""
    input:
        store=STORE,
        card=f"{RESULTS}/{paths.CARD}",
        plan=of_dataset(lookups.plan),
    output:
        svg=f"{RESULTS}/{paths.SKETCH}.svg",
        png=report_network(f"{paths.SKETCH}.png", "sketch", "sketch"),
        csv=f"{RESULTS}/{paths.LAYERS}.csv",
        html=report_network(f"{paths.LAYERS}.html", "layers", "layers"),
    resources:
        **JOBS.per_attempt(mb=4000, minutes=30),
    params:
        model=of_dataset_and_model(lookups.network),
        title="{model} on {dataset}",
    script:
        "../workflow/scripts/sketch.py"
