# Raw folders to checked splits and the resized store.


rule phantom:
    """Draw a stand-in for a data set, in its official layout."""
    output:
        manifest=f"resources/phantoms/{STUDY.study}/{{dataset}}/phantom.json",
    log:
        log_of("phantom", "{dataset}"),
    benchmark:
        benchmark_of("phantom", "{dataset}")
    wildcard_constraints:
        dataset=one_of(PHANTOMS) or "(?!)",
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=longer(30),
    params:
        reader=reader_of,
        phantom=dataset_block("phantom"),
        code=fingerprint.code("segstudy.data.phantoms.draw"),
    script:
        "../workflow/scripts/phantom.py"


rule index:
    """List the images of a data set, with their masks, strata, groups and hashes."""
    input:
        drawn_of,
    output:
        index=f"{DATA}/index.csv",
    log:
        log_of("index", "{dataset}"),
    benchmark:
        benchmark_of("index", "{dataset}")
    conda:
        "../envs/segstudy.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=longer(60),
    params:
        root=root_of,
        reader=reader_of,
        layout=dataset_block("layout"),
        raw=raw_fingerprint,
        code=reader_code("segstudy.data.index"),
    script:
        "../workflow/scripts/index.py"


rule describe:
    """Decode every file once: the data card, and what the checks need to know of each image."""
    input:
        index=f"{DATA}/index.csv",
    output:
        samples=f"{DATA}/samples.csv",
        thumbnails=f"{DATA}/thumbnails.npy",
        card_json=f"{DATA}/card.json",
        card_md=f"{DATA}/card.md",
        examples=f"{DATA}/examples.png",
        card_html=report(
            f"{DATA}/card.html",
            caption="../workflow/report/card.rst",
            category="Data",
            labels={"data set": "{dataset}"},
        ),
    log:
        log_of("describe", "{dataset}"),
    benchmark:
        benchmark_of("describe", "{dataset}")
    conda:
        "../envs/segstudy.yaml"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=longer(120),
    params:
        labels=labels_of,
        root=root_of,
        reader=reader_of,
        layout=dataset_block("layout"),
        phantom=lambda wildcards: wildcards.dataset in PHANTOMS,
        code=reader_code("segstudy.data.card"),
    script:
        "../workflow/scripts/describe.py"


rule check_images:
    """Stop here if an image or a mask is not what it should be."""
    input:
        index=f"{DATA}/index.csv",
        samples=f"{DATA}/samples.csv",
    output:
        checked=f"{DATA}/checks/images.json",
    log:
        log_of("check_images", "{dataset}"),
    benchmark:
        benchmark_of("check_images", "{dataset}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=longer(30),
    params:
        reader=reader_of,
        labels=labels_of,
        exceptions=dataset_block("exceptions"),
        code=fingerprint.code("segstudy.data.checks.data_checks"),
    script:
        "../workflow/scripts/check_images.py"


rule split:
    """Divide the labelled images into training, validation and test."""
    input:
        index=f"{DATA}/index.csv",
    output:
        split=f"{DATA}/splits/seed{{seed}}.csv",
    log:
        log_of("split", "{dataset}/seed{seed}"),
    benchmark:
        benchmark_of("split", "{dataset}/seed{seed}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=longer(30),
    params:
        split=dataset_block("split"),
        code=fingerprint.code("segstudy.data.split"),
    script:
        "../workflow/scripts/split.py"


rule check_split:
    """Stop here if the split leaks: copies, near-copies or groups in two subsets, a stratum missing."""
    input:
        index=f"{DATA}/index.csv",
        samples=f"{DATA}/samples.csv",
        thumbnails=f"{DATA}/thumbnails.npy",
        split=f"{DATA}/splits/seed{{seed}}.csv",
    output:
        checked=f"{DATA}/checks/seed{{seed}}.json",
    log:
        log_of("check_split", "{dataset}/seed{seed}"),
    benchmark:
        benchmark_of("check_split", "{dataset}/seed{seed}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(30),
    params:
        exceptions=dataset_block("exceptions"),
        code=fingerprint.code("segstudy.data.checks.data_checks"),
    script:
        "../workflow/scripts/check_split.py"


rule preprocess:
    """Decode and resize every image once, into arrays that trainings open in place."""
    input:
        index=f"{DATA}/index.csv",
        checked=f"{DATA}/checks/images.json",
    output:
        store=directory(f"{DATA}/store"),
    log:
        log_of("preprocess", "{dataset}"),
    benchmark:
        benchmark_of("preprocess", "{dataset}")
    conda:
        "../envs/segstudy.yaml"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=longer(120),
    params:
        labels=labels_of,
        root=root_of,
        reader=reader_of,
        layout=dataset_block("size", "colour"),
        code=reader_code("segstudy.data.store"),
    script:
        "../workflow/scripts/preprocess.py"
