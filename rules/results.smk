# What a whole study leaves behind: the targets of rule all, and of its report.


def all_results():
    """Targets of the whole study."""
    datasets = dependencies.used_datasets(STUDY)
    networks = dict.fromkeys((cell.dataset, cell.model) for cell in STUDY.cells)
    first_seeds = {(cell.dataset, cell.recipe): cell.seed for cell in STUDY.cells[::-1]}
    return [
        *expand(f"{RESULTS}/tables/{{experiment}}.html", experiment=STUDY.experiments),
        *expand(
            f"{RESULTS}/tables/{{experiment}}.strata.html", experiment=with_strata()
        ),
        *expand(
            f"{RESULTS}/tables/{{experiment}}.classes.html",
            experiment=with_several_classes(),
        ),
        *expand(
            f"{RESULTS}/figures/{{experiment}}/{{figure}}.png",
            experiment=STUDY.experiments,
            figure=["curves", "ablation", "ranking"],
        ),
        *expand(
            f"{RESULTS}/figures/{{experiment}}/failures.png",
            experiment=[name for name in STUDY.experiments if binary_cells(name)],
        ),
        *expand(
            f"{RESULTS}/tables/{{experiment}}.comparisons.html", experiment=with_pairs()
        ),
        *expand(
            f"{RESULTS}/figures/{{experiment}}/strips.png",
            experiment=[
                name for name, own in STUDY.experiments.items() if own.rows > 1
            ],
        ),
        *expand(
            f"{RESULTS}/figures/{{experiment}}/label_efficiency.png",
            experiment=[
                name for name, own in STUDY.experiments.items() if len(own.labels) > 1
            ],
        ),
        *expand(f"{RESULTS}/data/{{dataset}}/card.md", dataset=datasets),
        *of_cells(f"{RESULTS}/figures/gallery/{NAMES}.jpg", STUDY.cells),
        *of_cells(
            f"{RESULTS}/figures/pseudo/{NAMES}.png",
            [
                cell
                for cell in [*STUDY.cells, *dependencies.ancestors(STUDY)]
                if "teacher" in dependencies.sources(STUDY, cell)
            ],
        ),
        *of_cells(
            f"{RESULTS}/figures/denoising/{NAMES}.png",
            [
                cell
                for cell in dependencies.ancestors(STUDY)
                if STUDY.recipes[cell.recipe].denoising
            ],
        ),
        *[
            f"{RESULTS}/figures/networks/{dataset}/{model}.png"
            for dataset, model in networks
        ],
        *[
            f"{RESULTS}/figures/augmented/{dataset}/{recipe}/seed{seed}.png"
            for (dataset, recipe), seed in first_seeds.items()
        ],
    ]


def study_tables():
    """The tables of the study as pages, those of one experiment after another."""
    return [p for p in all_results() if p.startswith(f"{RESULTS}/tables/")]


def study_figures():
    """The figures of the study's experiments."""
    kinds = ("curves", "ablation", "ranking", "label_efficiency", "failures", "strips")
    figures = {
        f"{RESULTS}/figures/{e}/{kind}.png" for e in STUDY.experiments for kind in kinds
    }
    return [path for path in all_results() if path in figures]


def files_beside(folder):
    """Files of the package that are no Python: the fingerprint of the code does not see them."""
    return sorted(os.path.relpath(path) for path in Path(PACKAGE, folder).iterdir())
