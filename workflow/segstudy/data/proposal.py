"""Look at any folder and propose how a study reads it: reader, layout, meaning of values, groups, sizes."""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from segstudy.config.classes_in_files import proposed, with_classes
from segstudy.config.layout import Layout
from segstudy.config.paths import CONVERTED_MANIFEST
from segstudy.config.readers import ANNOTATIONS, CLASSES_IN_FILES, CONVERTED, WITH_LAYOUT
from segstudy.core.errors import StudyError
from segstudy.core.files import read_json
from segstudy.data.class_tables import called_void, class_table
from segstudy.data.convert import convert
from segstudy.data.images.deep import OtherChannels, by_tifffile
from segstudy.data.images.label_map import Labels, looks_inverted, some_look_inverted
from segstudy.data.images.read import page_count
from segstudy.data.images.reading import configured
from segstudy.data.index import build_index
from segstudy.data.inspect_files import decode
from segstudy.data.name_groups import Groups, guess_groups
from segstudy.data.object_sizes import object_card
from segstudy.data.readers.discovery import few
from segstudy.data.readers.registry import labels_of, reader_module
from segstudy.data.value_maps import VOID, ZERO, meanings, merged_values, order, parsed, scarce_zero, value_maps
from segstudy.data.value_shapes import are_numbers, is_outline

LOOKED_AT = 200  # images whose masks are decoded; more are sampled evenly
MOST_CLASSES = 24
SHOWN = 12  # values that a sentence names


class Option(NamedTuple):
    """One answer to a question: keys of the data set's config, and what they mean."""

    keys: dict[str, Any]
    meaning: str


class Question(NamedTuple):
    """Something that the files do not tell."""

    text: str
    options: tuple[Option, ...]


Answer = tuple[dict[str, Any], dict[str, str], list[Question]]  # keys of a block, what was seen, what is to be asked


class Proposal(NamedTuple):
    """What a folder holds, and the keys of a data set that reads it."""

    reader: str
    title: str
    layout: dict[str, Any]
    rows: pd.DataFrame  # index.csv
    several: bool  # whether there is more than one foreground class
    keys: dict[str, Any]  # keys that the files tell, such as classes or above_zero
    said: dict[str, str]  # key -> what was seen
    questions: tuple[Question, ...]
    groups: Groups | None
    foreground: tuple[str, ...]
    objects: dict[str, Any] | None  # as the card tells them
    repairs: tuple[str, ...]
    problems: tuple[str, ...]  # of the files looked at; they will stop the study


def propose(root: Path, reader: str, layout: Layout, threads: int = 1) -> Proposal:
    """Read the files under `root` and say what they ask of a data set's config. Nothing is left on disk.

    Raises:
        StudyError: as `index.build_index` and `convert.convert`.
    """
    with tempfile.TemporaryDirectory(prefix="segstudy-") as temporary:
        if reader not in CONVERTED:
            return _propose(root, root, reader, layout, threads)
        converted = Path(temporary, "converted")
        try:
            convert(reader, root, layout, converted, "images")
            return _propose(root, converted, reader, layout, threads)
        except StudyError as error:
            what, where = (_as_given(text, converted, root) for text in (error.what, error.where))
            raise StudyError(what, where=where, allowed=error.allowed, remedy=error.remedy) from None


def _as_given(text: str, converted: Path, root: Path) -> str:
    """Return a message that names the files of the data set, not their links in a temporary folder."""

    def given(match: re.Match[str]) -> str:
        path = Path(match[0])
        return os.path.realpath(path) if path.is_symlink() else f"{path.stem} in {root}"

    return re.sub(rf"{re.escape(str(converted))}/[\w./-]*[\w]", given, text).replace(str(converted), str(root))


def _propose(root: Path, files: Path, reader: str, layout: Layout, threads: int) -> Proposal:
    """Return the proposal for `root`, whose images and masks lie in `files`."""
    module = reader_module(reader)
    if reader == "folder" and _holds_stacks(root, layout):
        layout = layout.model_copy(update={"pages": True})
    rows, questions = _rows(reader, files, layout, threads)
    labelled = rows[rows["mask"] != ""]
    places = np.unique(np.linspace(0, len(labelled) - 1, min(LOOKED_AT, len(labelled))).astype(int))
    chosen = labelled.iloc[places].reset_index(drop=True)
    keys = proposed(module, root)
    said = dict.fromkeys(keys, "values of the masks; rename them")
    settings = _named_in_files(root, reader, layout, keys)
    if void := called_void(settings.get("classes", {})):
        keys["ignore"] = void[0] if len(void) == 1 else void
        said["ignore"] = "by its name no class: its pixels count for nothing. Wrong? Take this line away"
        settings = _named_in_files(root, reader, layout, keys)
    labels = labels_of(reader, **settings)
    samples = decode(chosen, files, labels, threads).samples
    if settings.get("classes") and "classes" not in keys:
        said["reader"] = "classes in the files: " + ", ".join(labels.foreground)
    elif not keys:
        answer = _meaning(labels, samples, [files / mask for mask in chosen["mask"]])
        keys, said, asked = _by_table(root, samples, answer)
        questions += asked
    for more, words, asked in (_orientation(samples), _empty(samples, reader, files, len(labelled))):
        keys, said, questions = keys | more, said | words, questions + asked
    mixed = (
        [] if value_maps(samples) else [*filter(None, (some_look_inverted(samples, labels), merged_values(samples)))]
    )
    said |= {"masks": "; ".join(mixed)} if mixed else {}
    labels = labels_of(reader, **{key: value for key, value in (keys | settings).items() if key != "exceptions"})
    return Proposal(
        reader=reader,
        title=module.TITLE,
        layout=layout.model_dump(exclude_defaults=True),
        rows=rows,
        several=labels.several,
        keys=keys,
        said=said,
        questions=tuple(questions),
        groups=_guessed(reader, files, layout, rows),
        foreground=tuple(labels.foreground),
        objects=object_card(chosen, files, labels),
        repairs=(*mixed, *rows.attrs.get("repairs", [])),
        problems=tuple(f"{s}: {text}" for s, text in zip(samples["sample"], samples["problem"], strict=True) if text),
    )


def _rows(reader: str, files: Path, layout: Layout, threads: int) -> tuple[pd.DataFrame, list[Question]]:
    """Return index.csv, and the question which channels are read where the files do not tell."""
    try:
        return build_index(reader, files, layout=layout, dataset="images", threads=threads), []
    except OtherChannels as error:
        first = Option({"channels": [1, 2, 3]}, "the first three are red, green and blue")
        grey = Option({"channels": [1]}, "the first alone, as grey")
        reading = configured(channels=first.keys["channels"])
        rows = build_index(reader, files, layout=layout, reading=reading, dataset="images", threads=threads)
        return rows, [Question(f"{error.what[0].upper()}{error.what[1:]}.", (first, grey))]


def _guessed(reader: str, files: Path, layout: Layout, rows: pd.DataFrame) -> Groups | None:
    """Return the groups that names tell, as the reader finds them; None where it finds none, or knows them already."""
    if (rows["group"] != "").any() or reader not in WITH_LAYOUT:
        return None
    titles = rows["title"] if "title" in rows else rows["sample"]
    found = guess_groups(list(titles.where(titles != "", rows["sample"])))
    try:
        told = layout.model_copy(update={"group_pattern": found.pattern}) if found else layout
        read = reader_module(reader).index(files, told)["group"] if found else ()
    except StudyError:  # of names that a subset was put before
        return None
    return found and found._replace(sizes=Counter(read))


def _by_table(root: Path, samples: pd.DataFrame, answer: Answer) -> Answer:
    """Return an answer on several values with the names that a table beside the masks has for them."""
    keys, _, asked = answer
    found = class_table(root, samples["mask_counts"]) if "classes" in keys or asked else None
    return (found[1], dict.fromkeys(found[1], f"named in {found[0]}"), []) if found else answer


def _named_in_files(root: Path, reader: str, layout: Layout, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return `classes` and `ignore` of a data set as its own files say; empty where its reader does not ask them."""
    if reader not in CLASSES_IN_FILES:
        return dict(keys)
    entry = {"reader": reader, "root": str(root), "layout": layout.model_dump(exclude_defaults=True), **keys}
    block = with_classes("images", entry, str(root), [])
    return {key: block[key] for key in ("classes", "ignore") if block.get(key)}


def _holds_stacks(root: Path, layout: Layout) -> bool:
    """Return whether an image is a TIFF or GIF of several pages: each page is an image then."""
    paths = [root / path for path in reader_module("folder").index(root, layout)["image"].head(LOOKED_AT)]
    stacks = [path for path in paths if path.suffix.casefold() in (".tif", ".tiff", ".gif")]
    return any(not by_tifffile(path) and page_count(path) > 1 for path in stacks)


def _meaning(labels: Labels, samples: pd.DataFrame, masks: Sequence[Path]) -> Answer:
    """Return keys that say what the values of the masks mean, what was seen, and what has to be asked.

    Args:
        labels: as the masks were read.
        samples: what was seen of them.
        masks: the file of each sample's mask.
    """
    if labels.values or labels.several:
        return {}, {}, []
    texts = zip(masks, samples["mask_counts"], strict=True)
    counted = [(mask, parsed(text)) for mask, text in texts if isinstance(text, str) and text]
    files = Counter(value for _, counts in counted for value in counts)
    pixels = sum((Counter(counts) for _, counts in counted), Counter[str]())
    objects = sorted((value for value in files if value not in ZERO), key=order)
    zero, maps = bool(ZERO & files.keys()), value_maps(samples)
    if not maps and (zero or len(objects) <= 1):
        return _inverted(samples, labels)
    shown = f"values {', '.join(objects[:SHOWN])}{' ...' if len(objects) > SHOWN else ''}"
    spelt = f"{shown} {'beside' if zero else 'and no'} 0"
    if zero and len(objects) == 1:
        return {"above_zero": True}, {"above_zero": f"{spelt}: all that is not 0 is object"}, []
    distinct = pd.to_numeric(samples["mask_values"], errors="coerce").fillna(0)
    rich = [masks[place] for place in np.argsort(-distinct.to_numpy(), kind="stable") if distinct.iloc[place] > 2]
    seldom = sum(files[value] for value in objects) < len(objects) * len(counted) / 4
    many = distinct.max() > MOST_CLASSES or (len(objects) > MOST_CLASSES and seldom)
    numbers = many or _numbered([counts for _, counts in counted], objects)
    if numbers and are_numbers(rich, any(value.startswith("#") for value in objects)):
        return {"above_zero": True}, {"above_zero": f"{spelt}: numbered objects; all that is not 0 is object"}, []
    found = meanings(pixels)
    recur = all(files[value] > (distinct > 0).sum() / 4 for value in objects)
    border = next((value for value in objects if value in VOID), None)
    if not scarce_zero(pixels) and border and len(objects) > 2:
        if is_outline((mask for mask, counts in counted if border in counts), border):
            keys, said = found[1].keys, f"{border} is a thin line around the others: void, as in VOC"
            return keys, {"classes": f"{spelt}; rename them", "ignore": said}, []
    elif not scarce_zero(pixels) and not border and not many and recur:
        return found[0].keys, {"classes": f"{spelt}, the same in most masks; rename them"}, []
    options = [Option(keys, words.partition("; rename")[0]) for keys, words in found]
    if maps and 2 * len(maps.samples) < len(samples):
        known = {"kind": "mask_of_values", "reason": "black and white with soft edges or noise, cut at half"}
        options.append(Option({"exceptions": [known]}, "what is brighter than half is object; other values are noise"))
    return {}, {}, [Question(f"The masks hold {spelt}. What do they mean?", tuple(options))]


def _orientation(samples: pd.DataFrame) -> Answer:
    """Return what settles whether notes of orientation count, where images and masks disagree."""
    told = [text for text in samples["problem"] if "orientation: " in text]
    if not told:
        return {}, {}, []
    if all("obeyed" in text for text in told):
        seen = f"{len(told)} photographs fit their masks only where their own note (EXIF) is obeyed"
        return {"orientation": "apply"}, {"orientation": seen}, []
    options = (
        Option({"orientation": "ignore"}, "masks were drawn on the pixels as they are stored"),
        Option({"orientation": "apply"}, "masks were drawn on the pictures as a viewer shows them"),
    )
    return {}, {}, [Question(f"{len(told)} photographs note that they lie on their side or head.", options)]


def _empty(samples: pd.DataFrame, reader: str, files: Path, labelled: int) -> Answer:
    """Return the exception for images of annotation files that hold no object, which are background all over.

    Images whose annotations draw nothing are left to the checks: whether they hold an object, nobody has said.
    """
    blank = read_json(files / CONVERTED_MANIFEST)["blank"] if reader in ANNOTATIONS else []
    empty = list(samples.loc[samples["foreground"] == 0, "sample"]) if reader in ANNOTATIONS else []
    if value_maps(samples):  # what lies below half may be an object
        counts = dict(zip(samples["sample"], samples["mask_counts"], strict=True))
        empty = [name for name in empty if parsed(counts[name]).keys() <= ZERO]
    names = [name for name in empty if name not in blank]
    said = {"annotations": f"they draw nothing in {few(blank)}; the study stops until this is mended"} if blank else {}
    if not names or len(empty) == len(samples):
        return {}, said, []
    exception: dict[str, Any] = {"kind": "mask_constant", "reason": "no object is annotated in these images"}
    if len(samples) == labelled and (len(names) <= SHOWN or blank):
        exception |= {"samples": names}
    seen = f"{len(names)} of {len(samples)} images hold no object. Not labelled yet? Take them out, and this line"
    return {"exceptions": [exception]}, said | {"exceptions": seen}, []


def _inverted(samples: pd.DataFrame, labels: Labels) -> Answer:
    finding = looks_inverted(samples, labels)
    if not finding:
        return {}, {}, []
    options = (
        Option({"inverted": True}, "the dark pixels are the object"),
        Option({}, "the bright pixels are the object, although they are most of the border"),
    )
    return {}, {}, [Question(f"{finding.partition(';')[0]}. Which pixels are the object?", options)]


def _numbered(masks: Sequence[Mapping[str, int]], objects: Sequence[str]) -> bool:
    """Return whether masks number their objects 1, 2, 3, ...: each without a gap, and not all equally many."""
    numbers = [sorted(int(v) for v in counts if v.isdecimal() and v != "0") for counts in masks]
    gapless = all(values == list(range(1, len(values) + 1)) for values in numbers)
    return gapless and len(objects) > 3 and len({len(values) for values in numbers}) > 2
