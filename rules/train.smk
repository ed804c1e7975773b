# One cell: its encoder's weights, the labels and checks of the cells it builds on, its training and prediction.


rule encoder:
    """Weights of an encoder, learned on ImageNet; on the login node of a cluster, since it needs internet."""
    input:
        prepared=lambda wildcards: lookups.prepared_encoder(wildcards.encoder),
    output:
        weights=f"{paths.ENCODERS}/{{encoder}}.safetensors",
    localrule: True
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        code="",  # the weights are checked by their hash: changed code fetches nothing again
    script:
        "../workflow/scripts/encoder.py"


rule check_chain:
    """Stop here if a cell's source has seen an image that the cell is measured on or chosen by."""
    input:
        indexes=of_cell(cell_inputs.chain_files, "index.csv"),
        thumbnails=of_cell(cell_inputs.chain_files, "thumbnails.npy"),
        splits=of_cell(cell_inputs.chain_split_files),
    output:
        checked=f"{RESULTS}/{paths.CHAIN_CHECK}",
    priority: CHECKS_FIRST
    resources:
        **JOBS.per_attempt(mb=4000, minutes=30),
    params:
        seen=of_cell(cell_inputs.seen_values),
        datasets=of_cell(cell_inputs.chain_datasets),
        splits=of_cell(cell_inputs.chain_splits),
        exceptions=of_dataset(lookups.block, "exceptions"),
    script:
        "../workflow/scripts/check_chain.py"


rule train:
    """Train one cell; killed and started again, it continues where it was."""
    input:
        external_checks,
        store=STORE,
        split=SPLIT,
        checked=SPLIT_CHECK,
        plan=of_dataset(lookups.plan),
        index=of_recipe(lookups.index_if_needed),
        encoder=lambda wildcards: lookups.encoder(STUDY, wildcards.model),
        start=of_cell(cell_inputs.model, "start"),
        chain=of_cell(cell_inputs.chain_check),
        unlabelled=of_cell(cell_inputs.unlabelled_file, paths.STORE),
        unlabelled_split=of_cell(cell_inputs.unlabelled_file, paths.SPLIT),
        teacher=of_cell(cell_inputs.model, "teacher"),
        targets=of_cell(cell_inputs.pseudo_labels, "targets.npy"),
        accepted=of_cell(cell_inputs.accepted),
        accepted_check=of_cell(cell_inputs.accepted_check),
    output:
        model=f"{CELL}/model.safetensors",
        history=f"{CELL}/history.csv",
        run=f"{CELL}/run.json",
    resources:
        **OF_GPU,
        mem_mb=JOBS.training_mb,
        runtime=JOBS.training_minutes,
        disk_mb=JOBS.disk_mb,
    params:
        settings=lambda wildcards: lookups.training(
            STUDY, wildcards.dataset, wildcards.model, wildcards.loss, wildcards.recipe
        ),
        sources=of_cell(cell_inputs.source_paths),
        resume=f"{RESULTS}/{paths.RESUME}",
    script:
        "../workflow/scripts/train.py"


rule predict:
    """Probabilities and masks of every labelled image, at its original size."""
    input:
        model=f"{CELL}/model.safetensors",
        store=STORE,
        split=SPLIT,
        index=INDEX,
    output:
        probabilities=probabilities_in(CELL),
        masks=directory(f"{CELL}/masks"),
        thresholds=f"{CELL}/thresholds.json",
        usage=f"{CELL}/usage.json",
    resources:
        **OF_GPU,
        mem_mb=JOBS.prediction_mb,
        runtime=JOBS.evaluation_minutes,
        disk_mb=JOBS.disk_mb,
    params:
        **OF_IMAGES,
        network=of_cell(cell_inputs.network),
        phantom=of_dataset(lookups.is_drawn),
        prediction=of_dataset(lookups.block, "prediction"),
        evaluation=STUDY.evaluation.of_prediction,
    script:
        "../workflow/scripts/predict.py"


rule predict_flips:
    """The same, averaged over mirror images."""
    input:
        model=f"{CELL}/model.safetensors",
        store=STORE,
        split=SPLIT,
        index=INDEX,
    output:
        probabilities=probabilities_in(FLIPS),
        masks=directory(f"{FLIPS}/masks"),
        thresholds=f"{FLIPS}/thresholds.json",
    resources:
        **OF_GPU,
        mem_mb=JOBS.prediction_mb,
        runtime=JOBS.evaluation_minutes,
        disk_mb=JOBS.disk_mb,
    params:
        **OF_IMAGES,
        network=of_cell(cell_inputs.network),
        prediction=of_dataset(lookups.block, "prediction"),
        evaluation=STUDY.evaluation.of_prediction,
    script:
        "../workflow/scripts/predict_flips.py"


rule pseudo_predict:
    """A teacher labels the images of a data set: once, for all its students."""
    input:
        model=f"{CELL}/model.safetensors",
        store=STORE.replace("{dataset}", "{unlabelled}"),
        split=SPLIT.replace("{dataset}", "{unlabelled}"),
        index=INDEX.replace("{dataset}", "{unlabelled}"),
    output:
        probabilities=directory(f"{PSEUDO}/probabilities"),
        targets=f"{PSEUDO}/targets.npy",
        measures=f"{PSEUDO}/measures.csv",
    resources:
        **JOBS.per_attempt(mb=8000, minutes=240),
        gpu=GPU,
        gpu_share=WHOLE_GPU,
    params:
        network=of_cell(cell_inputs.network),
        root=of_unlabelled(lookups.root),
        prediction=of_unlabelled(lookups.block, "prediction"),
    script:
        "../workflow/scripts/pseudo_predict.py"


rule pseudo_accept:
    """Select the pseudo-labels that a student learns from; of the others, say why not."""
    input:
        measures=of_cell(cell_inputs.pseudo_labels, "measures.csv"),
        unlabelled_split=of_cell(cell_inputs.unlabelled_file, paths.SPLIT),
        samples=f"{DATA}/samples.csv",
        index=INDEX,
        split=SPLIT,
    output:
        accepted=f"{CELL}/pseudo/accepted.csv",
        selection=f"{CELL}/pseudo/range.json",
    resources:
        **JOBS.per_attempt(mb=2000, minutes=30),
    params:
        accept=of_cell(cell_inputs.acceptance),
        labels=of_cell(cell_inputs.label_share),
        unlabelled=of_cell(cell_inputs.unlabelled),
    script:
        "../workflow/scripts/pseudo_accept.py"


rule check_pseudo:
    """Stop here if no pseudo-label is accepted for a student; the table of reasons and its picture stay."""
    input:
        accepted=f"{CELL}/pseudo/accepted.csv",
        selection=f"{CELL}/pseudo/range.json",
    output:
        checked=f"{RESULTS}/{paths.PSEUDO_CHECK}",
    resources:
        **JOBS.per_attempt(mb=1000, minutes=10),
    script:
        "../workflow/scripts/check_pseudo.py"
