"""Render the card of a data set as Markdown, and as an HTML page with its picture."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from segstudy.core.html_page import page
from segstudy.core.markup import element, html_of_markdown, markdown_text
from segstudy.data.balancing import BEFORE
from segstudy.data.class_shares import class_table, with_swatches
from segstudy.data.images.decode import opened
from segstudy.data.images.reading import parsed
from segstudy.data.readers.discovery import few

LATER_FACTS = (
    "range",
    "value_maps",
    "orientation",
    "objects",
)  # that cards of older results do not have; empty: nothing to say
PICTURE = "![examples](examples.png)"
SUBSET_NAMES = {"": "not assigned", "train": "training", "val": "validation", "test": "test"}


def card_text(card: dict[str, Any]) -> str:
    """Return the card as Markdown."""
    card = dict.fromkeys(LATER_FACTS, "") | card
    escaped = markdown_text
    lines = [f"# {escaped(card['title'])}" + (" (PHANTOM)" if card["phantom"] else ""), ""]
    if card["phantom"]:
        lines += ["> **PHANTOM: these images are drawn by segstudy. Nothing here says anything about real data.**", ""]
    lines += [f"{escaped(card['task'].capitalize())}. Data set `{card['dataset']}`, read by `{card['reader']}`.", ""]
    lines += [f"Source: {escaped(card['source'])}.", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {escaped(value)} |" for name, value in _facts(card)]
    if card["class_shares"]:
        lines += ["", "## Classes", "", *class_table(card["class_shares"], card["labelled"])]
    for heading, parts in (("Pre-assigned split", "official_subsets"), ("Strata", "strata")):
        lines += ["", f"## {heading}", "", *_part_table(card[parts], card["images"])]
    for balance in card.get("balance", []):
        lines += ["", "## Balanced strata", "", *_balance_table(balance)]
    lines += ["", "## How the files are stored", "", "| file | stored as: rule applied | files |", "|---|---|---|"]
    names = {"image": "image", "mask": "mask", "roi": "field of view", "second_mask": "second human"}
    for part, encodings in card["encodings"].items():
        name = names.get(part) or f"human {part.removeprefix('mask_')}"
        lines += [f"| {name} | {escaped(mode)} | {count} |" for mode, count in encodings.items()]
    lines += ["", "## To know", "", *_remarks(card), "", PICTURE, ""]
    return "\n".join(lines)


def card_page(text: str, title: str, picture: Path) -> str:
    """Return a Markdown card as one HTML page that holds its picture, as WebP: a fifteenth of a PNG's bytes."""
    stream = io.BytesIO()
    with opened(picture, drawn=True) as image:
        image.convert("RGB").save(stream, format="WEBP", quality=85, method=4)
    uri = f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
    body = with_swatches(html_of_markdown(without_picture(text)))
    return page(title, body + element("p", element("img", alt="examples", src=uri)))


def without_picture(text: str) -> str:
    """Return a card without the line of its picture, for where that is shown otherwise or not at all."""
    return text.replace(f"\n{PICTURE}\n", "\n")


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
    if card["objects"]:
        facts += [("objects", _objects(card["objects"]))]
    if "void" in card:
        facts += [(f"void ({card['void']['values']} in the masks), share of the image", _void(card["void"]))]
    if card["foreground_roi"]:
        facts += [("foreground share in the field of view", _range(card["foreground_roi"]))]
    if card["roi_share"]:
        facts += [("field of view, share of the image", _range(card["roi_share"]))]
    further = card.get("annotators", ())
    first = "mask" if any(human["annotator"] == 1 for human in further) else "first"  # `mask` is then a joined one
    if card["second_human_dice"]:
        spread = _range(card["second_human_dice"], 4)
        facts += [("second human", f"{card['second_masks']} images; Dice with the {first}, full frame: {spread}")]
    for human in further:
        what = f"{human['masks']} images; Dice with the {first}, full frame: {_range(human['dice'], 4)}"
        facts += [(f"human {human['annotator']}", what)]
    if (told := parsed(card["range"])).ranged and _depths(card)[1]:
        facts += [("values of images", f"{told.low:g} to {told.high:g} become 0 to 255, in all images alike")]
    if card["groups"]:
        largest = "one image each" if card["largest_group"] == 1 else f"at most {card['largest_group']} images each"
        facts += [("groups", f"{card['groups']}, {largest}")]
    if None not in card["mean_colour"]:
        facts += [("mean red, green, blue (0 to 255)", ", ".join(f"{c:.1f}" for c in card["mean_colour"]))]
    return facts


def _objects(objects: dict[str, Any]) -> str:
    return (
        f"{objects['objects']:g} in an image (median of {objects['masks']} masks); the median pixel lies in one of "
        f"{objects['area']:.0f} pixels, {objects['span']:.0f} long (at most four times its thickness); the thinnest "
        f"tenth is {objects['thinnest']:.0f} thick"
    )


def _void(void: dict[str, Any]) -> str:
    if not void["images"]:
        return f"no pixel of any mask: {void['values']} is ignored for nothing"
    return f"{_range(void['share'])}, in {void['images']} images; these pixels count for nothing"


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
        label = markdown_text(SUBSET_NAMES.get(name, name.replace("_", " ")))
        lines.append(
            f"| {label} | {part['images']} | {part['images'] / images:.1%} | {part['labelled']} | {foreground} |"
        )
    return lines


def _balance_table(balance: dict[str, Any]) -> list[str]:
    recipes = ", ".join(markdown_text(name) for name in balance["recipes"])
    lines = [f"Labelled training images of seed {balance['seed']}; recipes that balance them: {recipes}.", ""]
    lines += [f"| | {BEFORE} | {balance['after']} |", "|---|---|---|"]
    counts = [(markdown_text(name.replace("_", " ")), *pair) for name, pair in balance["strata"].items()]
    return lines + [f"| {name} | {before} | {after} |" for name, before, after in counts]


def _pages_dropped(encodings: dict[str, dict[str, int]]) -> list[str]:
    """Return a sentence for images and one for masks of which only the first page is read."""
    sentences = []
    for part in ("image", "mask"):
        found = [(re.search(r"page 1 of (\d+)", mode), count) for mode, count in encodings[part].items()]
        pages = [(int(match[1]), count) for match, count in found if match]
        if pages:
            most, files = max(pages)[0], sum(count for _, count in pages)
            sentences.append(
                f"{files} {part} files have several pages, up to {most}, and the first alone is read; for a folder of "
                "own data, 'layout: {pages: true}' makes each page an image"
            )
    return sentences


def _depths(card: dict[str, Any]) -> tuple[int, int]:
    """Return how many images have 8 bits a channel, and how many have more."""
    encodings = card["encodings"]["image"]
    shallow = sum(count for mode, count in encodings.items() if "as RGB" in mode)
    return shallow, sum(encodings.values()) - shallow


def _remarks(card: dict[str, Any]) -> list[str]:
    def named(samples: Iterable[str]) -> list[str]:
        return [card.get("titles", {}).get(sample, sample) for sample in samples]

    said = (card["value_maps"], card["orientation"], *card["repairs"], card["looks_inverted"])
    remarks = [sentence for sentence in said if sentence]
    shallow, deep = _depths(card)
    if (told := parsed(card["range"])).ranged and shallow:
        remarks.append(
            f"{shallow} images of 8 bits beside deeper ones: 255 is white in those, {told.high:g} in these"
            if deep
            else f"'range: [{told.low:g}, {told.high:g}]' changes nothing: all images have 8 bits, and are read so"
        )
    remarks += _pages_dropped(card["encodings"])
    if card["mask_missing"]:
        remarks.append(f"{len(card['mask_missing'])} images without a mask: {few(named(card['mask_missing']))}")
    if card["mask_constant"]:
        names = named(card["mask_constant"])
        what = "of one value" if card["class_shares"] else "all background or all foreground"
        remarks.append(f"{len(names)} masks {what}: {few(names)}")
    remarks += [f"the same image file, byte for byte: {', '.join(named(group))}" for group in card["duplicates"]]
    remarks += [f"{named([sample])[0]}: {problem}" for sample, problem in card["problems"].items()]
    return [f"- {markdown_text(remark)}" for remark in remarks] or [
        "- Nothing was missing, doubled, unreadable or repaired."
    ]
