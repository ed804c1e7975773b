# Raw folders to checked splits and the resized store.


rule phantom:
    """Draw a stand-in for a data set, in its official layout."""
    output:
        manifest=f"{paths.phantom(STUDY.study, '{dataset}')}/{paths.PHANTOM_MANIFEST}",
    wildcard_constraints:
        dataset=one_of(PHANTOMS) or "(?!)",
    priority: CHECKS_FIRST
    resources:
        **JOBS.per_attempt(mb=2000, minutes=30),
    params:
        reader=of_dataset(lookups.reader),
        phantom=of_dataset(lookups.block, "phantom"),
    script:
        "../workflow/scripts/phantom.py"


rule convert:
    """Draw the masks of annotation files (COCO, LabelMe, ...), or join those of several annotators."""
    input:
        of_dataset(lookups.drawn_manifest),
    output:
        manifest=f"{RESULTS}/{paths.CONVERTED}/{paths.CONVERTED_MANIFEST}",
    wildcard_constraints:
        dataset=one_of(CONVERTED) or "(?!)",
    priority: CHECKS_FIRST
    resources:
        **JOBS.per_attempt(mb=8000, minutes=120),
    params:
        root=of_dataset(lookups.raw_root),
        reader=of_dataset(lookups.reader),
        layout=of_dataset(lookups.block, "layout"),
        truth=of_dataset(lookups.truth),
        labels=of_dataset(lookups.labels_to_join),
        raw=of_dataset(lookups.raw_files),
    script:
        "../workflow/scripts/convert.py"


rule index:
    """List the images of a data set, with their masks, strata, groups and hashes."""
    input:
        manifest,
    output:
        index=INDEX,
    priority: CHECKS_FIRST
    threads: 2
    resources:
        **JOBS.per_attempt(mb=2000, minutes=60),
    params:
        root=of_dataset(lookups.root),
        reader=of_dataset(lookups.reader),
        layout=of_dataset(lookups.block, "layout"),
        reading=of_dataset(lookups.blocks, "range", "channels", "orientation"),
        raw=of_dataset(lookups.raw_files),
    script:
        "../workflow/scripts/index.py"


rule describe:
    """Decode every file once: the data card, and what the checks need to know of each image."""
    input:
        index=INDEX,
    output:
        samples=f"{DATA}/samples.csv",
        thumbnails=f"{DATA}/thumbnails.npy",
        card_json=f"{DATA}/card.json",
        card_md=f"{DATA}/card.md",
        examples=f"{DATA}/examples.png",
        card_html=report_file(f"{DATA}/card.html", "card", "Data", data_set="{dataset}"),
    priority: CHECKS_FIRST
    threads: 2
    resources:
        **JOBS.per_attempt(mb=4000, minutes=120),
    params:
        **OF_IMAGES,
        layout=of_dataset(lookups.block, "layout"),
        phantom=of_dataset(lookups.is_drawn),
        balances=of_dataset(targets.balances),
    script:
        "../workflow/scripts/describe.py"


rule check_images:
    """Stop here if an image or a mask is not what it should be."""
    input:
        index=INDEX,
        samples=f"{DATA}/samples.csv",
    output:
        checked=IMAGES_CHECK,
    priority: CHECKS_FIRST
    resources:
        **JOBS.per_attempt(mb=2000, minutes=30),
    params:
        reader=of_dataset(lookups.reader),
        labels=of_dataset(lookups.labels),
        exceptions=of_dataset(lookups.block, "exceptions"),
    script:
        "../workflow/scripts/check_images.py"


rule split:
    """Divide the labelled images into training, validation and test."""
    input:
        index=INDEX,
    output:
        split=SPLIT,
    priority: CHECKS_FIRST
    resources:
        **JOBS.per_attempt(mb=2000, minutes=30),
    params:
        split=of_dataset(lookups.block, "split"),
    script:
        "../workflow/scripts/split.py"


rule check_split:
    """Stop here if the split leaks: copies, near-copies or groups in two subsets, a stratum missing."""
    input:
        index=INDEX,
        samples=f"{DATA}/samples.csv",
        thumbnails=f"{DATA}/thumbnails.npy",
        split=SPLIT,
    output:
        checked=SPLIT_CHECK,
    priority: CHECKS_FIRST
    resources:
        **JOBS.per_attempt(mb=4000, minutes=30),
    params:
        exceptions=of_dataset(lookups.block, "exceptions"),
    script:
        "../workflow/scripts/check_split.py"


rule plan:
    """Choose sizes, batches, epochs and networks that fit the data, the memory and the time; what was edited stays."""
    input:
        card=f"{RESULTS}/{paths.CARD}",
        index=INDEX,
        given=of_dataset(lookups.given_plan),
    output:
        plan=update(f"{RESULTS}/{paths.PLAN}"),
    wildcard_constraints:
        dataset=one_of(PLANNED) or "(?!)",
    resources:
        **JOBS.per_attempt(mb=2000, minutes=30),
    params:
        wishes=of_dataset(plan_wishes),
        code="",  # made once: a later version's rules change no study that has its plan
    script:
        "../workflow/scripts/plan.py"


rule check_networks:
    """Warn of networks that never see the median object of a data set whole; no training waits for it."""
    input:
        index=INDEX,
        card=f"{RESULTS}/{paths.CARD}",
        plan=of_dataset(lookups.plan),
    output:
        checked=NETWORKS_CHECK,
    priority: CHECKS_FIRST
    resources:
        **JOBS.per_attempt(mb=1000, minutes=10),
    params:
        networks=of_dataset(lookups.networks),
        size=of_dataset(lookups.block, "size"),
    script:
        "../workflow/scripts/check_networks.py"


rule preprocess:
    """Decode and resize every image once, into arrays that trainings open in place."""
    input:
        index=INDEX,
        checked=IMAGES_CHECK,
        plan=of_dataset(lookups.plan),
    output:
        store=directory(STORE),
    threads: 2
    resources:
        **JOBS.per_attempt(mb=4000, minutes=120),
    params:
        **OF_IMAGES,
        layout=of_dataset(lookups.blocks, "size", "colour"),
    script:
        "../workflow/scripts/preprocess.py"
