"""Content of the report, collected from the files of a study."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.core.files import read_csv, read_json
from segstudy.core.markup import html_of_markdown
from segstudy.data.card_page import without_picture
from segstudy.report import embed
from segstudy.report import tables as grids
from segstudy.report.annotators import annotators
from segstudy.report.cost import Scores, Spent, cost_grid, epochs_grid, pareto, read_runs, spent
from segstudy.report.embed import Picture
from segstudy.report.external import STRIPS, ExternalPart, external_part, robustness_part
from segstudy.report.gallery import gallery
from segstudy.report.provenance import Made, made
from segstudy.report.semi_supervised import FewLabels, by_share, few_labels
from segstudy.report.svg import flow_svg, pareto_svg
from segstudy.report.tables import Grid
from segstudy.tables.pairwise_text import spoken
from segstudy.tables.policies import order_sentences, scores_of

# Tables that not every experiment has.
MORE = {
    "comparisons": grids.comparisons,
    "annotators": annotators,
    "strata": grids.strata,
    "classes": grids.classes,
}
EXAMPLES = 1200  # pixels of the longer side of a data card's example pictures


class Facts(NamedTuple):
    """A data set as the report introduces it."""

    name: str
    title: str
    task: str
    phantom: bool
    facts: list[tuple[str, str]]
    card: Markup  # the whole card
    examples: Picture
    balance: list[Picture]  # training images by stratum, before and after each recipe that balances them


class Experiment(NamedTuple):
    """Question and results of an experiment."""

    name: str
    question: str
    grid: str  # what was compared, in words
    protocol: list[str]  # how it was measured: splits, sizes, regions, thresholds, averages, seeds
    phantom: bool
    results: list[Grid]
    reference: list[Grid]  # published numbers
    ranking: Picture
    thresholds: Picture | None  # Dice over the threshold, where several policies were measured
    policies: Grid | None  # the rows at each of them
    ablation: Picture
    labels: Picture | None  # by share of the labels
    shares: Grid | None  # the same as numbers
    external: ExternalPart | None  # external test sets
    robustness: ExternalPart | None  # corrupted test images
    sentences: dict[str, list[str]]  # by data set
    more: list[Grid]  # those of MORE
    curves: Picture
    failures: Picture | None
    strips: Picture | None
    hardest: Grid | None
    pareto: list[tuple[Scores, Markup]]  # with its SVG


class Content(NamedTuple):
    """The page, section by section."""

    study: str
    phantoms: list[str]
    datasets: list[Facts]
    networks: list[Picture]
    experiments: list[Experiment]
    gallery: dict[str, Any]
    samples: list[Picture]
    few: FewLabels
    trainings: Grid
    spent: Spent
    cost: Grid
    flow: Markup
    made: Made


def collect(settings: Mapping[str, Any], results: Path, roots: Mapping[str, str]) -> Content:
    """Return everything the report shows.

    Args:
        settings: see `segstudy.report.settings`.
        roots: folder of the raw data of each data set.
    """
    cells = list(dict.fromkeys(Cell(*cell) for e in settings["experiments"].values() for cell in e["cells"]))
    everything = [*cells, *(Cell(*cell) for cell in settings["ancestors"])]
    runs = read_runs(everything, results)
    return Content(
        study=settings["study"],
        phantoms=[name for name, block in settings["datasets"].items() if block["phantom"]],
        datasets=[_facts(name, settings, results) for name in settings["datasets"]],
        networks=_networks(cells, results),
        experiments=[_experiment(name, settings, results) for name in settings["experiments"]],
        gallery=gallery(settings, results, roots),
        samples=_samples(cells, results),
        few=few_labels(settings, results),
        trainings=epochs_grid(runs[: len(cells)], results, settings),
        spent=spent(runs),
        cost=cost_grid(runs, settings),
        flow=flow_svg(settings),
        made=made(settings, everything, results),
    )


def _facts(name: str, settings: Mapping[str, Any], results: Path) -> Facts:
    folder = paths.data(results, name)
    card = read_json(folder / "card.json")
    sizes = [f"{size} ({number})" for size, number in list(card["sizes"].items())[:3]]
    sizes += ["..."] * (len(card["sizes"]) > 3)
    facts = [("images", f"{card['images']}, {card['labelled']} of them labelled"), ("sizes", ", ".join(sizes))]
    facts += [("classes", f"background, {', '.join(card['classes'])}")]
    if card["foreground"]:
        facts.append(("share of foreground", f"mean {card['foreground']['mean']:.1%}"))
    if card["strata"]:
        facts.append(("strata", ", ".join(f"{s or 'none'} ({v['images']})" for s, v in card["strata"].items())))
    official = card["official_subsets"]
    facts.append(("official split", ", ".join(f"{s} {part['images']}" for s, part in official.items()) or "none"))
    drawn = settings["datasets"][name]["phantom"] is not None
    alt = f"{'PHANTOM: drawn' if drawn else 'Example'} images of {card['title']} with their masks"
    examples = embed.picture(folder / "examples.png", alt, EXAMPLES)
    balance = _balance(name, settings, results)
    return Facts(name, card["title"], card["task"], drawn, facts, _card(folder / "card.md"), examples, balance)


def _balance(name: str, settings: Mapping[str, Any], results: Path) -> list[Picture]:
    """Return the figures of a data set's strata, one for each recipe that balances them."""
    cells = [Cell(*cell) for e in settings["experiments"].values() for cell in e["cells"] if cell[0] == name]
    firsts = {cell.recipe: cell.seed for cell in cells[::-1]}
    balanced = [r for r in firsts if settings["recipes"][f"{r} on {name}"]["balance"] != "none"]
    places = {
        r: str(paths.path(results, paths.BALANCE, dataset=name, recipe=r, seed=firsts[r])) for r in balanced[::-1]
    }
    alt = "Training images of {} in each stratum, before and after recipe {} balances them"
    return [embed.figure(f"{p}.svg", f"{p}.png", alt.format(name, recipe)) for recipe, p in places.items()]


def _card(path: Path) -> Markup:
    """Return a data card as HTML below a heading of the third level; its picture stands in the page already."""
    text = without_picture(path.read_text(encoding="utf-8"))
    text = re.sub(r"^# .*$", "", text, count=1, flags=re.MULTILINE)
    body = str(html_of_markdown(text))  # `<` of free text is escaped: what is replaced below are tags alone
    body = re.sub(r"<(/?)h[2-6]>", r"<\1h4>", body)
    body = re.sub(r"<thead>\s*<tr>(\s*<th[^>]*></th>)+\s*</tr>\s*</thead>", "", body)  # a table of two bare columns
    body = re.sub(r"<th([^>]*)></th>", r"<td\1></td>", body)
    body = body.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace("</table>", "</table></div>")
    return Markup(body)


def _experiment(name: str, settings: Mapping[str, Any], results: Path) -> Experiment:
    block = settings["experiments"][name]
    cells = [Cell(*cell) for cell in block["cells"]]
    figures = paths.figures(results, name)
    table = read_csv(paths.table(results, name, "csv"))
    pairs = _table(paths.table(results, name, "comparisons.csv"))
    failed = _table(paths.table(results, name, "failures.csv"))
    shares = _table(paths.table(results, name, "labels.csv")) if len(block["labels"]) > 1 else None
    policies = _table(paths.table(results, name, "thresholds.csv"))
    more = [
        make(f"{name}-{kind}", table_of_kind, settings)
        for kind, make in MORE.items()
        if (table_of_kind := _table(paths.table(results, name, f"{kind}.csv"))) is not None
    ]

    def figure(kind: str, alt: str) -> Picture:
        return embed.figure(figures / f"{kind}.svg", figures / f"{kind}.png", f"{alt} of experiment {name}")

    has_curves = policies is not None and (figures / "threshold_curves.svg").exists()
    return Experiment(
        name=name,
        question=block["question"],
        grid=_words(cells),
        protocol=read_json(paths.table(results, name, "protocol.json")),
        phantom=any(settings["datasets"][cell.dataset]["phantom"] for cell in cells),
        results=grids.results(name, table, settings),
        reference=[grids.reference(f"{name}-reference{i}", given) for i, given in enumerate(block["reference"])],
        ranking=figure(
            "ranking", "Forest plot: every network and control with its 95 % interval; its numbers are in the table"
        ),
        thresholds=figure(
            "threshold_curves", "Dice over the threshold of every network, with the thresholds that were chosen"
        )
        if has_curves
        else None,
        policies=None if policies is None else grids.policies(f"{name}-policies", policies, settings),
        ablation=figure("ablation", "Metrics by loss and network, with control rows; its numbers are in the table"),
        labels=None
        if shares is None
        else figure("label_efficiency", "Dice over the share of the training labels, with intervals"),
        shares=None if shares is None else by_share(f"{name}-shares", shares, settings),
        external=external_part(name, results) if block.get("tested_on") else None,
        robustness=robustness_part(name, results) if settings["evaluation"].get("corruptions") else None,
        sentences=_sentences(pairs, policies, settings),
        more=more,
        curves=figure("curves", "Training and validation curves of every network"),
        failures=None
        if failed is None
        else figure("failures", "Dice by size of the object and by threshold, calibration, ROC and precision-recall"),
        strips=_strips(name, cells, figures / "strips.png"),
        hardest=None if failed is None else grids.hardest(f"{name}-hardest", failed, settings),
        pareto=[(plot, pareto_svg(plot)) for plot in pareto(name, table, settings)],
    )


def _sentences(
    pairs: pd.DataFrame | None, policies: pd.DataFrame | None, settings: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Return what the data support, by data set; first of all whether the threshold decides the order of the rows."""
    if pairs is None:
        return {}
    evaluation, metric = settings["evaluation"], str(pairs["metric"].iloc[0])
    phantoms = [name for name, block in settings["datasets"].items() if block["phantom"]]
    orders = {}
    if policies is not None:
        orders = order_sentences(scores_of(policies, metric), metric, evaluation["headline"], phantoms)
    return {
        str(data): [*filter(None, [orders.get(str(data))]), *spoken(rows)]
        for data, rows in pairs.groupby("dataset", sort=False)
    }


def _strips(name: str, cells: list[Cell], path: Path) -> Picture | None:
    """Return the strips of an experiment of several rows: of one alone there is nothing to put side by side."""
    if len({cell[1:4] for cell in cells}) < 2:
        return None
    alt = f"Test images of experiment {name} from worst to best, with the errors of every row side by side"
    return embed.picture(path, alt, height=STRIPS)


def _table(path: Path) -> pd.DataFrame | None:
    """Return a table that not every experiment has; none as well where it has no row."""
    table = read_csv(path) if path.exists() else None
    return table if table is not None and len(table) else None


def _words(cells: list[Cell]) -> str:
    """Return the size of an experiment in words: '2 data sets x 2 networks (encdec, unet) x ...'."""
    parts = []
    for field, word in (("dataset", "data set"), ("model", "network"), ("loss", "loss"), ("recipe", "recipe")):
        names = list(dict.fromkeys(getattr(cell, field) for cell in cells))
        plural = "losses" if word == "loss" else f"{word}s"
        parts.append(f"{len(names)} {word if len(names) == 1 else plural} ({', '.join(names)})")
    seeds = len({cell.seed for cell in cells})
    return f"{', '.join(parts)}, {seeds} seed{'s' * (seeds > 1)}: {len(cells)} training{'s' * (len(cells) > 1)}"


def _networks(cells: list[Cell], results: Path) -> list[Picture]:
    """Return one sketch of each network, as the first data set sees it."""
    firsts = {cell.model: cell.dataset for cell in cells[::-1]}
    names = dict.fromkeys(cell.model for cell in cells)
    pictures = []
    for model in names:
        path = paths.path(results, f"{paths.SKETCH}.png", dataset=firsts[model], model=model)
        alt = f"Sketch of network {model} with the size of the feature map at each layer, on {firsts[model]}"
        pictures.append(embed.picture(path, alt))
    return pictures


def _samples(cells: list[Cell], results: Path) -> list[Picture]:
    """Return the first training samples of every data set and recipe."""
    firsts = {(cell.dataset, cell.recipe): cell.seed for cell in cells[::-1]}
    return [
        embed.picture(
            paths.path(results, paths.SAMPLES, dataset=dataset, recipe=recipe, seed=seed),
            f"First training samples of {dataset}, recipe {recipe}, seed {seed}, as the network gets them",
            EXAMPLES,
        )
        for (dataset, recipe), seed in firsts.items()
    ]
