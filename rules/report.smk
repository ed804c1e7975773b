# The report: one page of everything, and the same tables and figures for LaTeX.
from segstudy.report.settings import settings_of as settings_of_report


rule study_report:
    """The study as one HTML file that holds all it shows."""
    input:
        # What all_results() does not name comes from the same jobs: drawings, tables as csv, cards as json.
        study=all_results(),
        checks=[
            f"{RESULTS}/data/{dataset}/checks/{name}.json"
            for dataset, seed in dict.fromkeys(
                (cell.dataset, cell.seed)
                for cell in [*STUDY.cells, *dependencies.ancestors(STUDY)]
            )
            for name in ("images", f"seed{seed}")
        ],
        chains=of_cells(
            f"{RESULTS}/checks/chains/{NAMES}.json",
            [
                cell
                for cell in [*STUDY.cells, *dependencies.ancestors(STUDY)]
                if seen_by_sources(cell) and not STUDY.recipes[cell.recipe].denoising
            ],
        ),
        indexes=expand(f"{DATA}/index.csv", dataset=dependencies.used_datasets(STUDY)),
        cells=[
            path
            for name in ("run.json", "history.csv", "counts.csv", "thresholds.json")
            for path in of_cells(f"{CELL}/{name}", STUDY.cells)
        ],
        ancestors=of_cells(f"{CELL}/run.json", dependencies.ancestors(STUDY)),
        predictions=[
            path
            for name in ("probabilities", "masks")
            for path in of_cells(f"{CELL}/{name}", STUDY.cells)
        ],
        templates=files_beside("segstudy/report/templates"),
    output:
        html=f"{RESULTS}/report.html",
    log:
        log_of("study_report", "report"),
    benchmark:
        benchmark_of("study_report", "report")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=longer(60),
    params:
        settings=settings_of_report(STUDY),
        roots={
            name: root_of(SimpleNamespace(dataset=name))
            for name in dependencies.used_datasets(STUDY)
        },
        code=fingerprint.code(
            "segstudy.report.page",
            *(
                f"segstudy.data.readers.{STUDY.datasets[name].reader}"
                for name in dependencies.used_datasets(STUDY)
            ),
        ),
    script:
        "../workflow/scripts/study_report.py"


rule paper:
    """Tables and figures for a LaTeX document, with a file that takes them in."""
    input:
        tables=[path.removesuffix("html") + "tex" for path in study_tables()],
        figures=study_figures(),
    output:
        folder=directory(f"{RESULTS}/paper"),
    log:
        log_of("paper", "paper"),
    benchmark:
        benchmark_of("paper", "paper")
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=longer(30),
    params:
        study=STUDY.study,
        questions={
            name: experiment.question for name, experiment in STUDY.experiments.items()
        },
        phantoms=[
            name
            for name, experiment in STUDY.experiments.items()
            if set(experiment.datasets) & set(PHANTOMS)
        ],
        code=fingerprint.code("segstudy.report.latex"),
    script:
        "../workflow/scripts/paper.py"
