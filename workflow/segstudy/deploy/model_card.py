"""The model card of an exported network: training data, scores, limits, and how to use it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

from segstudy.core.errors import StudyError
from segstudy.core.markup import markdown_code, markdown_text
from segstudy.data.readers.registry import reader_module
from segstudy.deploy.graph import TOLERANCE, Exported
from segstudy.deploy.trained_cell import COUNTS, CellFiles
from segstudy.tables.captions import REGION_WORDS, SUBSET_WORDS, threshold_words

SHOWN = ("dice", "iou", "sensitivity", "specificity", "precision", "accuracy", "cldice", "hd95")


def card(
    cell: CellFiles, meta: Mapping[str, Any], how: Mapping[str, Any], done: Sequence[Exported], checked: str
) -> str:
    """Return the card as Markdown.

    Args:
        cell: with its counts.csv.
        how: preprocessing.json.
        checked: what they were compared on, in words.

    Raises:
        StudyError: the cell was not measured.
    """
    usage, run = cell.usage, cell.run
    classes = ", ".join(usage["classes"][1:])
    drawn = "**PHANTOM: trained and measured on drawn stand-ins, not on real images.**\n\n" if usage["phantom"] else ""
    title = markdown_text(f"{run['settings']['model']['network']}: {classes} ({cell.cell.dataset})")
    study = f" of the study {markdown_code(cell.study)}" if cell.study else ""
    parts = [
        f"# {title}",
        f"{drawn}A segmentation network of {run['parameters']:,} weights, exported from the cell "
        f"{markdown_code(cell.cell.path)}{study}.",
        "## Use",
        _files(done, checked),
        "In the folder of this card, with `image.png` beside it:",
        f"```python\n{snippet(how)}```",
        "Scaling of intensities and sigmoid (or softmax) are part of the graph. `preprocessing.json` holds canvas, "
        "sizes, classes and thresholds. An image that is larger than the canvas needs a larger canvas of a size that "
        "the graph takes, or tiles: `segstudy predict` does that, and says which images are unlike the training ones.",
        "## Data and protocol",
        _data(cell),
        "## Results",
        *_results(cell),
        "## Limits",
        _limits(cell),
        "## Training",
        _training(cell, meta),
        "## Licences",
        _licences(run),
    ]
    return "\n\n".join(parts) + "\n"


def _files(done: Sequence[Exported], checked: str) -> str:
    lines = ["| file | sizes | largest difference of a probability |", "|---|---|---|"]
    lines += [f"| `{one.path.name}` | {one.sizes.words} | {one.difference:.1e} |" for one in done]
    compared = f"Compared with the network itself on {markdown_text(checked)}; more than {TOLERANCE:g} is refused."
    return "\n".join([*lines, "", compared])


def _data(cell: CellFiles) -> str:
    usage = cell.usage
    reader = reader_module(usage["reader"])
    numbers = ", ".join(f"{usage['subsets'][name]} {words}" for name, words in SUBSET_WORDS.items())
    size = {
        "native": "the network sees the original pixels",
    }.get(usage["size"] if isinstance(usage["size"], str) else "") or (
        "images are resized to " + " and ".join(f"{key.replace('_', ' ')} {n}" for key, n in usage["size"].items())
    )
    lines = [
        f"- Data: {reader.TITLE} ({reader.SOURCE}), drawn in its layout."
        if usage["phantom"]
        else f"- Data: {reader.TITLE} ({reader.SOURCE}).",
        f"- Images with masks: {numbers}. {_split_words(cell)}",
        f"- {size[0].upper()}{size[1:]}; channels: {usage['colour']}"
        + (f"; predicted in tiles of {usage['tile'][0]}x{usage['tile'][1]}." if usage["tile"] else "."),
    ]
    if usage["field_of_view"]:
        lines.append("- The images have a field of view: outside it nothing was learned, and nothing is predicted.")
    return "\n".join(lines)


def _split_words(cell: CellFiles) -> str:
    check = cell.split_check
    if check is None:
        return "The checks of the split are no longer beside the cell."
    test = "the official one" if check["split"]["rule"]["test"] == "official" else "drawn"
    leak = check["split"]["test_in_training"]
    groups = f"{leak} test images belong to groups that are trained on" if leak else "no group is in two subsets"
    near = check["near_duplicates"]
    return (
        f"The test set is {test}; {groups}; {near or 'no'} near-duplicate{'s' * (near > 1)} among "
        f"{check['pairs_compared']:,} pairs across subsets."
    )


def counts_of(cell: CellFiles) -> Path:
    """Return the file of what was measured of a cell.

    Raises:
        StudyError: it is not there.
    """
    path = cell.folder / COUNTS
    if not path.is_file():
        raise StudyError(
            f"the cell has no {COUNTS}, so its card cannot say how good it is",
            where=cell.folder,
            remedy=f"copy the whole folder of the cell, or let its study make it: snakemake ... {path}",
        )
    return path


def _results(cell: CellFiles) -> list[str]:
    """Return a table of the test images, or of what was measured instead, and how to read it."""
    from segstudy.evaluation.aggregate import headline_classes, summarise
    from segstudy.evaluation.metrics import METRICS, measured
    from segstudy.tables.counts import KEYS, headline, read_counts
    from segstudy.tables.results import intervals, pooled_intervals

    path = counts_of(cell)
    policy, region = cell.usage["headline"], "roi" if cell.usage["field_of_view"] else "full"
    counts = read_counts([(cell.cell, path)], [])
    shown = headline(counts, policy, {cell.cell.dataset: region})
    shown = shown[shown["subset"] == "test"]
    if shown.empty:
        return ["No test image has a mask: nothing was measured."]
    table = headline_classes(summarise(shown, KEYS), ["metric", "averaging"])
    means, pooled = (
        table[table["averaging"] == kind].set_index("metric")["mean"].to_dict() for kind in ("image", "pooled")
    )
    names = [name for name in SHOWN if name in measured(shown) and name in means]
    of_images = intervals(shown, ["test"], names)
    of_pooled = pooled_intervals(shown)
    kind = table["class"].iloc[0]
    key = (*(shown[name].iloc[0] for name in KEYS), kind)
    lines = ["| test images | mean over images | 95 % interval | pooled | 95 % interval |", "|---|---|---|---|---|"]
    for name in names:
        both = of_pooled[(*key, "test")].get(name)
        end = f"{_value(pooled[name])} | {_span(both)}" if name in pooled and both else " | "
        lines.append(
            f"| {METRICS[name].label} | {_value(means[name])} | {_span(of_images[*key, 'test', name])} | {end} |"
        )
    of = f", means over {len(cell.usage['classes'])} classes with the background" if cell.several else ""
    words = (
        f"{shown['sample'].nunique()} images, measured at the original resolution of the masks, {REGION_WORDS[region]}"
        f"{of}. {threshold_words(shown)} Intervals: percentile bootstrap over images, one seed; they say nothing of "
        "how another training would have come out, nor of other cameras, places or people."
    )
    return ["\n".join(lines), words]


def _value(number: float) -> str:
    return f"{number:.3f}" if not math.isnan(number) else "-"


def _span(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.3f} to {ends[1]:.3f}" if not math.isnan(ends[0]) else "-"


def _limits(cell: CellFiles) -> str:
    sides = cell.usage["training_images"]["long_side"]
    span = f"{sides[0]}" if sides[0] == sides[1] else f"{sides[0]} to {sides[1]}"
    lines = [
        f"- Trained on {cell.usage['subsets']['train']} images of one data set, {span} pixels long: on images of "
        "another kind its probabilities are as sure of themselves, and mean nothing.",
        "- Probabilities are what the training's loss made them; whether they are calibrated, the study's Brier score "
        "and ECE say.",
        "- For research: no medical device, and not tested as a part of one.",
    ]
    if cell.usage["phantom"]:
        lines.insert(0, "- It has never seen a real image.")
    return "\n".join(lines)


def _training(cell: CellFiles, meta: Mapping[str, Any]) -> str:
    run = cell.run
    settings = run["settings"]
    options = {
        "network": _options(settings["model"]),
        "loss": _options(settings["loss"]),
        "recipe": _options(settings["recipe"]),
        "seed": run["seed"],
        "epochs": f"{run['epochs']}, the weights are those of epoch {meta.get('epoch', 'not told')} ({run['stopped']})",
        "made of": _options({role: source["cell"] for role, source in run.get("sources", {}).items()})
        or "this data set alone",
        "trained on": f"{run['device']}, {run['precision']}, torch {run['torch']}, {run['seconds']['total']:.0f} s",
        "code": f"commit {run['git']['commit']}" if run["git"] else f"fingerprint {run['code']}",
    }
    rows = [f"| {name} | {markdown_text(words)} |" for name, words in options.items()]
    return "\n".join(["| | |", "|---|---|", *rows, f"| again | {markdown_code(run['command'])} |"])


def _options(block: Mapping[str, Any], above: str = "") -> str:
    """Return settings as `key value` pairs; what is off or empty is left out."""
    parts = []
    for key, value in block.items():
        if isinstance(value, Mapping):
            parts.append(_options(value, f"{above}{key}."))
        elif value not in (None, [], "none", False):
            parts.append(f"{above}{key} {' '.join(map(str, value)) if isinstance(value, list) else value}")
    return ", ".join(filter(None, parts))


def _licences(run: Mapping[str, Any]) -> str:
    code = metadata("segstudy").json.get("license_expression", "see the licence of its repository")
    lines = [
        f"- Code (segstudy): {code}.",
        "- Weights: learned from the images above, whose own terms apply to what is made of them.",
    ]
    if run.get("encoder"):
        origin = markdown_text(run["encoder"]["origin"])
        lines.append(
            f"- The encoder started from weights learned on ImageNet ({origin}). torchvision "
            "publishes them with its code, under BSD-3-Clause, and says that they may have terms of their own, from "
            "the images they were learned from: those of ImageNet are for non-commercial research and education."
        )
    return "\n".join(lines)


IN_COLOUR = {
    "rgb": '.convert("RGB")',
    "grey": '.convert("RGB").convert("L")',
    "green": '.convert("RGB").getchannel("G")',
}


def snippet(how: Mapping[str, Any]) -> str:
    """Return the lines for what preprocessing.json says: image.png in, mask.png out.

    The store takes colours first, then the size; the mask is decided at the original size, as in a study.
    """
    channels, several = len(how["input"]["channels"]), len(how["output"]["classes"]) > 1
    resized = how["size"] != "native"
    place = f"canvas[top : top + small.height, left : left + small.width{', 0' if channels == 1 else ''}] = small"
    found = "found = found[:, top : top + small.height, left : left + small.width]"
    lines = [
        "import json",
        "import numpy as np, onnxruntime",
        "from PIL import Image",
        "",
        'how = json.load(open("preprocessing.json"))',
        f'image = Image.open("image.png"){IN_COLOUR[how["colour"]]}',
        *(_resizing(how["size"]) if resized else ["small = image"]),
        f'canvas = np.zeros((*how["canvas"], {channels}), np.uint8)',
        "top, left = (canvas.shape[0] - small.height) // 2, (canvas.shape[1] - small.width) // 2",
        place,
        'session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])',
        'found = session.run(None, {"image": canvas[None]})[0][0]',
        found,
    ]
    if resized:
        lines.append(
            "found = np.stack([Image.fromarray(p).resize(image.size, Image.Resampling.BILINEAR) for p in found])"
        )
    if several:
        lines.append("mask = found.argmax(axis=0).astype(np.uint8)  # the number of the class in preprocessing.json")
    else:
        lines.append('mask = (found[0] >= how["threshold"]).astype(np.uint8) * 255')
    return "\n".join([*lines, 'Image.fromarray(mask).save("mask.png")']) + "\n"


def _resizing(size: Mapping[str, int]) -> list[str]:
    if "long_side" in size:
        factor = 'factor = how["size"]["long_side"] / max(image.size)'
    else:
        factor = 'factor = min(how["size"]["height"] / image.height, how["size"]["width"] / image.width)'
    sides = "int(side * factor + 0.5) for side in image.size"
    return [factor, f"small = image.resize(tuple({sides}), Image.Resampling.LANCZOS)"]
