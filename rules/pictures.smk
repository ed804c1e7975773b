# Pictures: predictions, noise removed, pseudo-labels, training samples, networks.


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
