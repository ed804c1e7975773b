"""The study file that `segstudy init` writes: every line with what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from segstudy.data.name_groups import Groups
    from segstudy.data.proposal import Proposal, Question

FEW = 30  # images, up to which each is tested once
INDENT = "    "
SCHEMA = "../workflow/schemas/config.schema.json"


def study_text(
    name: str, root: Path, proposal: Proposal, chosen: dict[str, Any], open_questions: Sequence[Question]
) -> str:
    """Return the text of a study file.

    Args:
        name: of the study and of its data set.
        root: the folder, absolute.
        proposal: what was seen.
        chosen: keys that the person has chosen, as answers to questions.
        open_questions: what has to be chosen in the file; each stands there as lines behind '#'.
    """
    index = proposal.rows
    images, labelled = len(index), int((index["mask"] != "").sum())
    keys = {**proposal.keys, **chosen}
    several = proposal.several or len(keys.get("classes", {})) > 1
    few = labelled <= FEW and not (index["official_subset"] == "test").any()
    lines = [
        f"# yaml-language-server: $schema={SCHEMA}",
        f"# Written by `segstudy init {root}`: what was seen stands beside each line. Change what is wrong.",
        f"study: {name}",
        "",
        "datasets:",
        f"  {name}:",
        _line("reader", proposal.reader, f"{proposal.title}: {images} images, {labelled} of them with masks"),
        _line("root", str(root)),
        *([f"{INDENT}# {proposal.said['reader']}"] if "reader" in proposal.said else []),
    ]
    layout = dict(proposal.layout)
    groups = proposal.groups
    if groups:
        layout["group_pattern"] = groups.pattern
    if layout:
        lines += [f"{INDENT}# {sentence}" for sentence in _about_layout(proposal, groups)]
        lines.append(_line("layout", layout))
    lines += [f"{INDENT}# {sentence}" for sentence in _about_subsets(proposal)]
    for key, value in keys.items():
        lines.append(_line(key, value, proposal.said.get(key, "as chosen" if key in chosen else "")))
    for question in open_questions:
        lines.append(f"{INDENT}# CHOOSE, and take one # away. {question.text}")
        for option in question.options:
            said = [f"{INDENT}# {_plain(key, value)}" for key, value in option.keys.items()] or [f"{INDENT}# (no line)"]
            lines += [*said[:-1], f"{said[-1]}  # {option.meaning}"]
    lines += _size_lines(proposal)
    if few:
        lines.append(
            _line("split", {"repeat": "kfold", "folds": 5}, f"{labelled} labelled images: each is tested once")
        )
    training: dict[str, Any] = {"batch_size": proposal.scale.batch_size}
    if proposal.scale.crop:
        training |= {"crop": [proposal.scale.crop] * 2, "crops_per_image": 4}
    lines.append(
        _line("training", training, f"a batch of about {proposal.scale.batch_size} such inputs fits into 3 GB")
    )
    losses = ["cross_entropy"] if several else ["bce", "dice"]
    asked = "How well does a U-Net tell the classes apart?" if several else "Which loss suits these images?"
    lines += [
        "",
        "models:",
        "  unet: {depth: 4, width: 16}",
        "",
        "losses:",
        *(f"  {loss}: {{}}" for loss in losses),
        "",
        "recipes:",
        "  default: {epochs: 100, learning_rate: 0.003}",
        "",
        "experiments:",
        "  first:",
        f"    question: {asked}",
        f"    datasets: [{name}]",
        "    models: [unet]",
        f"    losses: [{', '.join(losses)}]",
        f"    seeds: {5 if few else 2}  # {'one for each fold' if few else 'trainings of each row'}",
    ]
    return "\n".join(lines) + "\n"


def _size_lines(proposal: Proposal) -> list[str]:
    scale, sizes = proposal.scale, Counter(zip(proposal.rows["width"], proposal.rows["height"], strict=True))
    smallest, largest = (min(sizes), max(sizes)) if len(sizes) > 1 else (next(iter(sizes)),) * 2
    seen = f"images of {smallest[0]}x{smallest[1]}" + (f" to {largest[0]}x{largest[1]}" if len(sizes) > 1 else "")
    if scale.thinnest is not None:
        seen += f"; the thinnest tenth of the objects is {scale.thinnest:.0f} pixels thick"
    if scale.long_side is None:
        return [_line("size", "native", f"{seen}{'; trained on crops' if scale.crop else ''}")]
    return [_line("size", {"long_side": scale.long_side}, seen)]


def _about_layout(proposal: Proposal, groups: Groups | None) -> list[str]:
    sentences = []
    if proposal.layout.get("pages"):
        sentences.append("Files hold several pages: each page is an image, a file one group.")
    if groups:
        sizes = groups.sizes
        names = ", ".join(list(sizes)[:3])
        sentences.append(
            f"GUESSED from the names: {groups.kind}; {len(sizes)} groups of {min(sizes.values())} to "
            f"{max(sizes.values())} images ({names}, ...), which stay in one subset. Wrong? Take group_pattern away."
        )
    return sentences


def _about_subsets(proposal: Proposal) -> list[str]:
    counts = Counter(proposal.rows["official_subset"])
    counts.pop("", None)
    said = []
    if counts:
        parts = ", ".join(f"{count} {subset}" for subset, count in counts.items())
        said.append(f"Official subsets, which are kept: {parts}.")
    strata = Counter(value for value in proposal.rows["stratum"] if value)
    if strata:
        parts = ", ".join(f"{name} {count}" for name, count in strata.most_common(6))
        said.append(f"Strata, whose shares are kept in every subset: {parts}.")
    return said + [f"To know: {repair}." for repair in proposal.repairs[:6]]


def _line(key: str, value: Any, seen: str = "") -> str:
    text = f"{INDENT}{_plain(key, value)}"
    return f"{text:40} # {seen}" if seen else text


def _plain(key: str, value: Any) -> str:
    """Return one key and its value as one line of YAML."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True)
    return f"{key}: {text.removesuffix('...' + chr(10)).strip()}"
