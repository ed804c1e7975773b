"""The study file that `segstudy init` writes: every line with what was seen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from segstudy.core.terminal_text import on_one_line

if TYPE_CHECKING:
    from segstudy.data.name_groups import Groups
    from segstudy.data.proposal import Proposal, Question
    from segstudy.study.planner import Plan

FEW = 30  # images, up to which each is tested once
FOLDS = {"repeat": "kfold", "folds": 5}
INDENT = "    "
SCHEMA = "../workflow/schemas/config.schema.json"


def study_text(
    name: str, root: Path, proposal: Proposal, plan: Plan, chosen: dict[str, Any], open_questions: Sequence[Question]
) -> str:
    """Return the text of a study file.

    Args:
        root: the folder, absolute.
        proposal: what was seen.
        plan: sizes, batch, epochs and network that fit it.
        chosen: keys that the person has chosen, as answers to questions.
        open_questions: what has to be chosen in the file; each stands there as lines behind '#'.
    """
    keys = {**proposal.keys, **chosen}
    several = proposal.several or len(keys.get("classes", {})) > 1
    labelled = int((proposal.rows["mask"] != "").sum())
    few = has_few(proposal)
    lines = [
        f"# yaml-language-server: $schema={SCHEMA}",
        f"# Written by `segstudy init {root}`: what was seen stands beside each line. Change what is wrong.",
        f"study: {name}",
        "",
        "datasets:",
        f"  {name}:",
        _line(
            "reader", proposal.reader, f"{proposal.title}: {len(proposal.rows)} images, {labelled} of them with masks"
        ),
        _line("root", str(root)),
        *([f"{INDENT}# {proposal.said['reader']}"] if "reader" in proposal.said else []),
        *_layout_lines(proposal),
        *(
            _line(key, value, proposal.said.get(key, "as chosen" if key in chosen else ""))
            for key, value in keys.items()
        ),
        *(line for question in open_questions for line in _question_lines(question)),
        _line("size", plan.values["size"], plan.because["size"]),
        *([_line("split", FOLDS, f"{labelled} labelled images: each is tested once")] if few else []),
        *_training_lines(plan),
        *_experiment_lines(name, plan, several, few),
    ]
    return "\n".join(map(on_one_line, lines)) + "\n"  # names of files may hold line breaks


def has_few(proposal: Proposal) -> bool:
    """Return whether there are so few labelled images that each is tested once."""
    labelled = proposal.rows[proposal.rows["mask"] != ""]
    return len(labelled) <= FEW and not (labelled["official_subset"] == "test").any()


def _layout_lines(proposal: Proposal) -> list[str]:
    layout, groups = dict(proposal.layout), proposal.groups
    if groups:
        layout["group_pattern"] = groups.pattern
    lines = [f"{INDENT}# {sentence}" for sentence in _about_layout(proposal, groups)] if layout else []
    lines += [_line("layout", layout)] if layout else []
    return lines + [f"{INDENT}# {sentence}" for sentence in _about_subsets(proposal)]


def annotator_words(proposal: Proposal) -> str:
    """Return a sentence on the masks of several annotators, "" where there are none."""
    further = len(proposal.layout.get("annotator_masks") or proposal.layout.get("annotator_suffixes") or ())
    if not further:
        return ""
    why = "GUESSED from running numbers in names, and masks that overlap"
    return f"{why}: {further + 1} annotators; the first's masks are learned"


def _question_lines(question: Question) -> list[str]:
    lines = [f"{INDENT}# CHOOSE, and take one # away. {question.text}"]
    for option in question.options:
        keys = [f"{INDENT}# {_plain(key, value)}" for key, value in option.keys.items()] or [f"{INDENT}# (no line)"]
        lines += [*keys[:-1], f"{keys[-1]}  # {option.meaning}"]
    return lines


def _training_lines(plan: Plan) -> list[str]:
    keys = ("batch_size", *(("crop", "crops_per_image") if plan.values["crop"] else ()))
    training = {key: plan.values[key] for key in keys}
    return [*(f"{INDENT}# {key}: {plan.because[key]}" for key in keys), _line("training", training)]


def _experiment_lines(name: str, plan: Plan, several: bool, few: bool) -> list[str]:
    losses = ["cross_entropy"] if several else ["bce", "dice"]
    question = "How well does a U-Net tell the classes apart?" if several else "Which loss suits these images?"
    return [
        "",
        "models:",
        f"  # depth: {plan.because['models.unet.depth']}",
        f"  # width: {plan.because['models.unet.width']}",
        f"  {_plain('unet', plan.models['unet'])}",
        "",
        "losses:",
        *(f"  {loss}: {{}}" for loss in losses),
        "",
        "recipes:",
        f"  # epochs: {plan.because['epochs']}",
        f"  default: {{epochs: {plan.values['epochs']}, learning_rate: 0.003}}",
        "",
        "experiments:",
        "  first:",
        f"    question: {question}",
        f"    datasets: [{name}]",
        "    models: [unet]",
        f"    losses: [{', '.join(losses)}]",
        f"    seeds: {5 if few else 2}  # {'one for each fold' if few else 'trainings of each row'}",
    ]


def _about_layout(proposal: Proposal, groups: Groups | None) -> list[str]:
    sentences = []
    if proposal.layout.get("pages"):
        sentences.append("Files hold several pages: each page is an image, a file one group.")
    if words := annotator_words(proposal):
        sentences.append(f"{words}; `truth: majority` joins them all.")
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
        if counts["test"] and not (proposal.rows["mask"][proposal.rows["official_subset"] == "test"] != "").any():
            said.append("None of the test images has a mask: other images are drawn as test set.")
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
    text = text.removesuffix("...\n").strip()
    return f"{key}: {json.dumps(value) if chr(10) in text else text}"  # a path with a line break
