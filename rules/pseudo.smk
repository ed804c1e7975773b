# Images without labels: labelled by a trained cell, judged for another one, and shown to a person.


rule pseudo_predict:
    """A teacher labels the images of a data set: once, for all its students."""
    input:
        model=f"{CELL}/model.safetensors",
        store=f"{RESULTS}/data/{{unlabelled}}/store",
        split=f"{RESULTS}/data/{{unlabelled}}/splits/seed{{seed}}.csv",
        index=f"{RESULTS}/data/{{unlabelled}}/index.csv",
    output:
        probabilities=directory(f"{PSEUDO}/probabilities"),
        targets=f"{PSEUDO}/targets.npy",
        measures=f"{PSEUDO}/measures.csv",
    log:
        log_of("pseudo_predict", f"{{unlabelled}}/{NAMES}"),
    benchmark:
        benchmark_of("pseudo_predict", f"{{unlabelled}}/{NAMES}")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=longer(240),
        gpu=GPU,
    params:
        root=for_unlabelled(root_of),
        prediction=for_unlabelled(dataset_block("prediction")),
        network=network_of,
        code=network_code("segstudy.inference.pseudo_labels"),
    script:
        "../workflow/scripts/pseudo_predict.py"


rule pseudo_accept:
    """Which of the teacher's labels a student learns from, and why not the others."""
    input:
        measures=of_teacher("measures.csv"),
        unlabelled_split=of_unlabelled("splits/seed{seed}.csv"),
        samples=f"{DATA}/samples.csv",
        index=f"{DATA}/index.csv",
        split=f"{DATA}/splits/seed{{seed}}.csv",
    output:
        accepted=f"{CELL}/pseudo/accepted.csv",
        judged=f"{CELL}/pseudo/range.json",
    log:
        log_of("pseudo_accept", NAMES),
    benchmark:
        benchmark_of("pseudo_accept", NAMES)
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=longer(30),
    params:
        accept=accept_of,
        labels=lambda wildcards: recipe_of(wildcards).labels,
        unlabelled=unlabelled_of,
        code=fingerprint.code("segstudy.inference.pseudo_selection"),
    script:
        "../workflow/scripts/pseudo_accept.py"


rule check_pseudo:
    """Stop here if a student believes none of its teacher's labels; what was judged, and its picture, stay."""
    input:
        accepted=f"{CELL}/pseudo/accepted.csv",
        judged=f"{CELL}/pseudo/range.json",
    output:
        checked=f"{RESULTS}/checks/pseudo/{NAMES}.json",
    log:
        log_of("check_pseudo", NAMES),
    benchmark:
        benchmark_of("check_pseudo", NAMES)
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=longer(10),
    params:
        code=fingerprint.code("segstudy.inference.pseudo_selection"),
    script:
        "../workflow/scripts/check_pseudo.py"


rule pseudo_sheet:
    """Accepted and rejected pseudo-labels of one student, drawn over their images."""
    input:
        accepted=f"{CELL}/pseudo/accepted.csv",
        judged=f"{CELL}/pseudo/range.json",
        probabilities=of_teacher("probabilities"),
        index=of_unlabelled("index.csv"),
    output:
        png=report(
            f"{RESULTS}/figures/pseudo/{NAMES}.png",
            caption="../workflow/report/pseudo.rst",
            category="Pseudo-labels",
            subcategory="{dataset}",
            labels={
                "model": "{model}",
                "loss": "{loss}",
                "recipe": "{recipe}",
                "seed": "{seed}",
            },
        ),
    log:
        log_of("pseudo_sheet", NAMES),
    benchmark:
        benchmark_of("pseudo_sheet", NAMES)
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=longer(30),
    params:
        root=for_unlabelled(root_of),
        title=lambda wildcards: f"{unlabelled_of(wildcards)}, labelled for "
        f"{cell_of(wildcards).path} by {teacher_of(wildcards).path}",
        phantom=lambda wildcards: bool(
            {wildcards.dataset, unlabelled_of(wildcards)} & set(PHANTOMS)
        ),
        code=fingerprint.code("segstudy.figures.pseudo_labels"),
    script:
        "../workflow/scripts/pseudo_sheet.py"
