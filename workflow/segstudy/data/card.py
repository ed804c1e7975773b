"""The card of a data set: its sizes, classes, strata, encodings and oddities, as JSON, Markdown, HTML and a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segstudy.config.layout import Layout
from segstudy.core.arrays import write_array
from segstudy.core.files import atomic_path, write_csv, write_json, write_text
from segstudy.core.names import annotator_columns, file_columns, title_of
from segstudy.data.balancing import balance_counts
from segstudy.data.card_page import card_page, card_text
from segstudy.data.class_shares import class_shares
from segstudy.data.examples import draw_examples
from segstudy.data.images.label_map import Labels, looks_inverted, some_look_inverted, spelt
from segstudy.data.index import repairs
from segstudy.data.inspect_files import SAMPLE_COLUMNS, VOID_COLUMN, Decoded, decode, further_masks
from segstudy.data.object_sizes import object_card
from segstudy.data.orientation_notes import remark
from segstudy.data.readers.registry import reader_module
from segstudy.data.value_maps import value_maps

EXAMPLES = 6


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
    balances: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Decode every file of `index` once and write the card of the data set into the folder `out`.

    samples.csv and thumbnails.npy are for the checks, card.json, card.md, card.html and examples.png for people.
    Broken files are rows with a problem, not errors: the checks decide about them. `index` comes from
    `index.build_index`; `root` is the raw folder, `layout` that of the config, `balances` as for
    `balancing.balance_counts`.

    Raises:
        StudyError: the index does not list the images of the raw folder, or has no strata to balance by.
    """
    root, out = Path(root), Path(out)
    repaired = repairs(index, reader, root, layout, out / "index.csv")
    decoded = decode(index, root, labels, threads)
    objects = object_card(index, root, labels)
    card = _card(index, decoded, reader, labels, dataset, repaired, phantom, objects)
    card |= {"balance": counts} if (counts := balance_counts(index, balances)) else {}
    samples = decoded.samples
    columns = [*SAMPLE_COLUMNS, *samples.columns.intersection([VOID_COLUMN])]
    write_csv(out / "samples.csv", samples[columns].astype({"mask_values": "Int64"}))
    write_array(out / "thumbnails.npy", decoded.thumbnails)
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
    objects: dict[str, Any] | None,
) -> dict[str, Any]:
    module, samples = reader_module(reader), decoded.samples
    titles = {row["sample"]: title_of(row) for row in index.to_dict("records") if title_of(row) != row["sample"]}
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
        **_void(samples, labels),
        "objects": objects,
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
            for part in file_columns(index)
        },
        **_annotators(index, samples),
        "mask_missing": list(index.loc[index["mask"] == "", "sample"]),
        "mask_constant": list(samples.loc[_constant(samples, labels), "sample"]),
        "duplicates": _duplicates(index),
        "problems": {row["sample"]: row["problem"] for row in samples.to_dict("records") if row["problem"]},
        "looks_inverted": looks_inverted(samples, labels) or some_look_inverted(samples, labels),
        "repairs": repaired,
        "orientation": remark([samples["image_turn"], samples["mask_turn"]], labels.orientation),
        "range": next((str(told) for told in table.get("reading", ())), ""),
        "value_maps": maps.text.partition("\n")[0] if (maps := value_maps(samples)) else "",
        **({"titles": titles} if titles else {}),
    }


def _annotators(index: pd.DataFrame, samples: pd.DataFrame) -> dict[str, Any]:
    """Return what the card says of masks beyond the second annotator's; nothing where there are none."""
    further = further_masks(index)
    said = [
        {"annotator": number, "masks": int((index[column] != "").sum()), "dice": _spread(samples[f"{column}_dice"])}
        for number, column in annotator_columns(index).items()
        if column in further
    ]
    return {"annotators": said} if said else {}


def _void(samples: pd.DataFrame, labels: Labels) -> dict[str, Any]:
    """Return what the card says of void; nothing where no value stands for it."""
    if not labels.void:
        return {}
    shares = samples[VOID_COLUMN].dropna().astype(float)
    return {"void": {"values": spelt(labels.void), "images": int((shares > 0).sum()), "share": _spread(shares)}}


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
    mean, minimum, maximum = (float(value) for value in (values.mean(), values.min(), values.max()))
    return {"mean": round(mean, 6), "minimum": minimum, "maximum": maximum}


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
