"""The card of a data set: what a person wants to know of it before training anything on it."""

from __future__ import annotations

import base64
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segstudy.class_shares import class_shares, class_table, with_swatches
from segstudy.config.layout import Layout
from segstudy.datasets import reader_module, repairs
from segstudy.datasets.decoding import SAMPLE_COLUMNS, Decoded, decode
from segstudy.datasets.examples import draw_examples
from segstudy.datasets.listing import few
from segstudy.files import atomic_path, write_csv, write_json, write_text
from segstudy.labels import Labels
from segstudy.polarity import looks_inverted
from segstudy.web import page

EXAMPLES = 6
SUBSET_NAMES = {"": "not assigned", "train": "training", "val": "validation", "test": "test"}


def describe(
    index: pd.DataFrame,
    root: str | Path,
    reader: str,
    labels: Labels,
    dataset: str,
    out: str | Path,
    phantom: bool = False,
    threads: int = 1,
    layout: Layout | None = None,
) -> None:
    """Decode every file of `index` once and write what was found into the folder `out`.

    samples.csv and thumbnails.npy are for the checks, card.json, card.md, card.html and examples.png for people.
    Broken files are rows with a problem, not errors: the checks decide about them. `index` is what
    `datasets.build_index` gave, `root` the raw folder, `layout` that of the config.
    """
    root, out = Path(root), Path(out)
    decoded = decode(index, root, labels, threads)
    card = _card(index, decoded, reader, labels, dataset, repairs(reader, root, layout), phantom)
    samples = decoded.samples
    write_csv(out / "samples.csv", samples[list(SAMPLE_COLUMNS)].astype({"mask_values": "Int64"}))
    with atomic_path(out / "thumbnails.npy") as temporary:
        np.save(temporary, decoded.thumbnails)
    write_json(out / "card.json", card)
    write_text(out / "card.md", card_text(card))
    chosen = _choose_examples(samples)
    title = f"PHANTOM (drawn, not real): {card['title']}" if phantom else card["title"]
    with atomic_path(out / "examples.png") as temporary:
        draw_examples(index[index["sample"].isin(chosen)], root, title, labels).save(temporary)
    write_text(out / "card.html", card_page(card_text(card), card["title"], out / "examples.png"))


def _card(
    index: pd.DataFrame,
    decoded: Decoded,
    reader: str,
    labels: Labels,
    dataset: str,
    repaired: list[str],
    phantom: bool,
) -> dict[str, Any]:
    module, samples = reader_module(reader), decoded.samples
    table = index.merge(samples, on="sample", validate="one_to_one")
    sizes = Counter(f"{w}x{h}" for w, h in zip(index["width"], index["height"], strict=True))
    groups = index.loc[index["group"] != "", "group"]
    return {
        "dataset": dataset,
        "title": module.TITLE,
        "task": module.TASK,
        "source": module.SOURCE,
        "reader": reader,
        "phantom": phantom,
        "images": len(index),
        "labelled": int((index["mask"] != "").sum()),
        "second_masks": int((index["second_mask"] != "").sum()),
        "rois": int((index["roi"] != "").sum()),
        "classes": list(labels.foreground),
        "class_shares": class_shares(labels, decoded.pixels) if labels.several else [],
        "sizes": dict(sizes.most_common()),
        "width": [int(index["width"].min()), int(index["width"].max())],
        "height": [int(index["height"].min()), int(index["height"].max())],
        "groups": int(groups.nunique()),
        "largest_group": int(groups.value_counts().max()) if len(groups) else 1,
        "strata": _parts(table, "stratum"),
        "official_subsets": _parts(table, "official_subset"),
        "foreground": _spread(samples["foreground"]),
        "foreground_roi": _spread(samples["foreground_roi"]),
        "roi_share": _spread(samples["roi_share"]),
        "mean_colour": [_mean(samples[colour]) for colour in ("red", "green", "blue")],
        "second_human_dice": _spread(samples["second_dice"]),
        "encodings": {
            part: dict(sorted(Counter(mode for mode in samples[f"{part}_mode"] if mode).items()))
            for part in ("image", "mask", "roi", "second_mask")
        },
        "mask_missing": list(index.loc[index["mask"] == "", "sample"]),
        "mask_constant": list(samples.loc[_constant(samples, labels), "sample"]),
        "duplicates": _duplicates(index),
        "problems": {row["sample"]: row["problem"] for row in samples.to_dict("records") if row["problem"]},
        "looks_inverted": looks_inverted(samples, labels),
        "repairs": repaired,
    }


def _parts(table: pd.DataFrame, column: str) -> dict[str, dict[str, Any]]:
    """Count images, labels and foreground for each value of `column`; nothing where it has no values."""
    if (table[column] == "").all():
        return {}
    return {
        str(value): {
            "images": len(part),
            "labelled": int((part["mask"] != "").sum()),
            "foreground": _mean(part["foreground"]),
        }
        for value, part in table.groupby(column, sort=True)
    }


def _spread(values: pd.Series) -> dict[str, float] | None:
    values = values.dropna().astype(float)
    if values.empty:
        return None
    return {
        "mean": round(float(values.mean()), 6),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
    }


def _mean(values: pd.Series) -> float | None:
    values = values.dropna().astype(float)
    return None if values.empty else round(float(values.mean()), 6)


def _constant(samples: pd.DataFrame, labels: Labels) -> pd.Series:
    return samples["mask_values"] == 1 if labels.several else samples["foreground"].isin([0.0, 1.0])


def _duplicates(index: pd.DataFrame) -> list[list[str]]:
    """Return groups of samples whose image files are the same, byte for byte."""
    groups = index.groupby("image_sha256", sort=False)["sample"].agg(list)
    return [group for group in groups if len(group) > 1]


def _choose_examples(samples: pd.DataFrame) -> list[str]:
    """Return samples spread evenly from the least to the most foreground, of those without a problem."""
    good = samples[samples["problem"] == ""]
    labelled = good[good["foreground"].notna()].sort_values(["foreground", "sample"])
    names = list((labelled if len(labelled) else good)["sample"])
    picked = np.linspace(0, len(names) - 1, min(EXAMPLES, len(names))).round().astype(int)
    return [names[i] for i in picked]


def card_text(card: dict[str, Any]) -> str:
    """Return the card as Markdown."""
    lines = [f"# {card['title']}" + (" (PHANTOM)" if card["phantom"] else ""), ""]
    if card["phantom"]:
        lines += ["> **PHANTOM: these images are drawn by segstudy. Nothing here says anything about real data.**", ""]
    lines += [f"{card['task'].capitalize()}. Data set `{card['dataset']}`, read by `{card['reader']}`.", ""]
    lines += [f"Source: {card['source']}.", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in _facts(card)]
    if card["class_shares"]:
        lines += ["", "## Classes", "", *class_table(card["class_shares"], card["labelled"])]
    for heading, parts in (("Pre-assigned split", "official_subsets"), ("Strata", "strata")):
        lines += ["", f"## {heading}", "", *_part_table(card[parts], card["images"])]
    lines += ["", "## How the files are stored", "", "| file | stored as: rule applied | files |", "|---|---|---|"]
    for part, name in (("image", "image"), ("mask", "mask"), ("roi", "field of view"), ("second_mask", "second human")):
        lines += [f"| {name} | {mode} | {count} |" for mode, count in card["encodings"][part].items()]
    lines += ["", "## To know", "", *_remarks(card), "", "![examples](examples.png)", ""]
    return "\n".join(lines)


def card_page(text: str, title: str, picture: Path) -> str:
    """Return a Markdown card as one HTML page that holds its picture."""
    from markdown import markdown

    data = base64.b64encode(picture.read_bytes()).decode()
    body = markdown(text, extensions=["tables"]).replace(f'src="{picture.name}"', f'src="data:image/png;base64,{data}"')
    return page(title, with_swatches(body))


def _facts(card: dict[str, Any]) -> list[tuple[str, str]]:
    common, count = next(iter(card["sizes"].items()))
    (w0, w1), (h0, h1) = card["width"], card["height"]
    size = (
        common
        if len(card["sizes"]) == 1
        else (f"{len(card['sizes'])} sizes; {common} most often ({count}); width {w0} to {w1}, height {h0} to {h1}")
    )
    facts = [
        ("images", f"{card['images']}, {card['labelled']} of them labelled"),
        ("size (width x height)", size),
        ("classes", f"background and {', '.join(card['classes'])}"),
        ("share that is no background" if card["class_shares"] else "foreground share", _range(card["foreground"])),
    ]
    if card["foreground_roi"]:
        facts += [("foreground share in the field of view", _range(card["foreground_roi"]))]
    if card["roi_share"]:
        facts += [("field of view, share of the image", _range(card["roi_share"]))]
    if card["second_human_dice"]:
        what = f"{card['second_masks']} images; Dice with the first, full frame: {_range(card['second_human_dice'], 4)}"
        facts += [("second human", what)]
    if card["groups"]:
        largest = "one image each" if card["largest_group"] == 1 else f"at most {card['largest_group']} images each"
        facts += [("groups", f"{card['groups']}, {largest}")]
    if None not in card["mean_colour"]:
        facts += [("mean red, green, blue (0 to 255)", ", ".join(f"{c:.1f}" for c in card["mean_colour"]))]
    return facts


def _range(spread: dict[str, float] | None, digits: int = 3) -> str:
    if spread is None:
        return "unknown, no readable mask"
    mean, low, high = (f"{spread[key]:.{digits}f}" for key in ("mean", "minimum", "maximum"))
    return f"mean {mean}, from {low} to {high}"


def _part_table(parts: dict[str, dict[str, Any]], images: int) -> list[str]:
    if not parts:
        return ["None."]
    lines = ["| | images | share | labelled | mean foreground |", "|---|---|---|---|---|"]
    for name, part in parts.items():
        foreground = "" if part["foreground"] is None else f"{part['foreground']:.3f}"
        shown = SUBSET_NAMES.get(name, name.replace("_", " "))
        lines.append(
            f"| {shown} | {part['images']} | {part['images'] / images:.1%} | {part['labelled']} | {foreground} |"
        )
    return lines


def _remarks(card: dict[str, Any]) -> list[str]:
    remarks = list(card["repairs"]) + ([card["looks_inverted"]] if card["looks_inverted"] else [])
    scales = {mode.rpartition(": ")[2] for mode in card["encodings"]["image"] if mode.endswith("becomes 0..255")}
    if len(scales) > 1:
        remarks.append(
            f"images of different depth ({', '.join(sorted(scales))}): one stored value is not one brightness in all"
        )
    if card["mask_missing"]:
        remarks.append(f"{len(card['mask_missing'])} images without a mask: {few(card['mask_missing'])}")
    if card["mask_constant"]:
        names = card["mask_constant"]
        what = "of one value" if card["class_shares"] else "all background or all foreground"
        remarks.append(f"{len(names)} masks {what}: {few(names)}")
    remarks += [f"the same image file, byte for byte: {', '.join(group)}" for group in card["duplicates"]]
    remarks += [f"{sample}: {problem}" for sample, problem in card["problems"].items()]
    return [f"- {remark}" for remark in remarks] or ["- Nothing was missing, doubled, unreadable or repaired."]
