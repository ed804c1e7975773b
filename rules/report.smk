# The report: one page of everything, and the same for LaTeX. Below: what may be asked for by name; see also
# study/named_targets.py, by which `preprocess` and `train` are targets too.
from segstudy.config.dependencies import used_datasets
from segstudy.report.settings import settings_of as report_settings


rule study_report:
    """The study as one HTML file that holds all it shows."""
    input:
        # What the targets of the study do not name comes from the same jobs: drawings, tables as csv, cards as json.
        study=targets.all_results(STUDY),
        checks=targets.checks(STUDY),
        chains=targets.chain_checks(STUDY),
        indexes=targets.indexes(STUDY),
        cells=targets.cell_files(
            STUDY, "run.json", "history.csv", "counts.csv", "thresholds.json"
        ),
        ancestors=targets.ancestor_records(STUDY),
        predictions=targets.cell_files(STUDY, "probabilities", "masks"),
        templates=targets.templates(),
        plans=targets.plans(STUDY),
    output:
        html=f"{RESULTS}/{paths.REPORT}",
    resources:
        **JOBS.per_attempt(mb=4000, minutes=60),
    params:
        settings=lambda wildcards: report_settings(STUDY),
        roots=targets.roots(STUDY),
    script:
        "../workflow/scripts/study_report.py"


rule paper:
    """What a report hands in, for LaTeX: data, networks, tables and figures of every experiment, pictures."""
    input:
        cards=targets.cards(STUDY, "json"),
        splits=targets.splits(STUDY),
        layers=targets.networks(STUDY, f"{paths.LAYERS}.csv"),
        sketches=targets.networks(STUDY, f"{paths.SKETCH}.png"),
        tables=targets.tables(STUDY, "tex"),
        figures=targets.figures(STUDY),
        pictures=targets.first_pictures(STUDY),
    output:
        folder=directory(f"{RESULTS}/{paths.PAPER}"),
    resources:
        **JOBS.per_attempt(mb=1000, minutes=30),
    params:
        study=STUDY.study,
        datasets=used_datasets(STUDY),
        metrics=STUDY.evaluation.metrics,
        questions={name: own.question for name, own in STUDY.experiments.items()},
        phantoms=targets.drawn_experiments(STUDY),
        drawn=PHANTOMS,
    script:
        "../workflow/scripts/paper.py"


# What may be asked for by name: `snakemake tables`. Each is all of its kind that the study has.


rule cards:
    """The card of every data set."""
    input:
        targets.cards(STUDY),
    localrule: True


rule splits:
    """Every split, with the checks of images and splits."""
    input:
        targets.splits(STUDY),
        targets.checks(STUDY),
    localrule: True


rule tables:
    """The tables of every experiment."""
    input:
        targets.tables(STUDY),
    localrule: True


rule figures:
    """The figures of every experiment, and the pictures of data sets, networks and cells."""
    input:
        targets.figures(STUDY),
        targets.pictures(STUDY),
    localrule: True


rule report:
    """The study on one page."""
    input:
        f"{RESULTS}/{paths.REPORT}",
    localrule: True
