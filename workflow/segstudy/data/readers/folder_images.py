"""List the images of own data by name, in one folder or in folders of it, and the pages of stacks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.core.names import file_columns, readable
from segstudy.data.images.locate import page_of
from segstudy.data.images.read import page_count
from segstudy.data.readers.discovery import LOSSY_SUFFIXES, few, pictures, relative
from segstudy.data.readers.folder_pairs import numbered


def images_in(folder: Path, masks: Path | None, root: Path, layout: Layout) -> dict[str, Path]:
    """Return {name: image} of the images directly in `folder`; the name is the file's without its ending, composed.

    Where the masks lie in the same folder, those with their prefix or suffix are masks; without one, what is lossless
    beside a JPEG of its name.
    """
    paths_by_name: dict[str, list[Path]] = {}
    has_affix = layout.mask_suffix or layout.mask_prefix
    files = [(readable(path.stem), path) for path in pictures(folder)]
    bare_names = {layout.bare(name): path for name, path in files}
    for name, path in files:
        is_image = name.startswith(layout.image_prefix) and name.endswith(layout.image_suffix)
        is_mask = _is_mask(name, layout) or numbered(name, bare_names, layout.mask_prefix, layout.mask_suffix)
        if is_image and not (folder == masks and is_mask):
            paths_by_name.setdefault(name, []).append(path)
    for name, paths in paths_by_name.items():
        lossy = [path for path in paths if path.suffix.casefold() in LOSSY_SUFFIXES]
        if folder == masks and not has_affix and len(lossy) == 1 and len(paths) == 2:
            paths_by_name[name] = lossy
        elif len(paths) > 1:
            raise StudyError(
                f"several images are called '{name}': {few(relative(path, root) for path in paths)}",
                where=root,
                remedy="keep one of them, or give them different names; where one is the mask of the other, give masks "
                "a folder of their own, or a suffix and layout.mask_suffix",
            )
    return {name: paths[0] for name, paths in paths_by_name.items()}


def _is_mask(name: str, layout: Layout) -> bool:
    """Return whether a file of this name is a mask where masks lie among the images."""
    suffixes = tuple(filter(None, (layout.mask_suffix, *(suffix for _, suffix in layout.annotators))))
    by_prefix = bool(layout.mask_prefix) and not layout.mask_suffix
    return name.startswith(layout.mask_prefix) and (by_prefix or name.endswith(suffixes))


def by_page(rows: list[dict[str, str]], root: Path) -> list[dict[str, str]]:
    """Return a row for each page of each image, named `<image>_p01`, in the group of the image or in one of its own.

    Masks have a page for each of the image; a region may have one page for all.

    Raises:
        StudyError: image and mask differ in their number of pages.
    """
    result = []
    for row in rows:
        pages = page_count(root / row["image"])
        if pages == 1:
            result.append(row)
            continue
        counts = {column: _pages(row, column, root) for column in file_columns(row)[1:] if row.get(column)}
        for column, count in counts.items():
            if count != pages and not (column == "roi" and count == 1):
                raise StudyError(
                    f"the image has {pages} pages, its {column.replace('_', ' ')} {count}",
                    where=f"{root / row['image']}, {root / row[column]}",
                    allowed="a page for each page of the image",
                    remedy="mend one of the files; layout.pages: false reads the first page alone",
                )
        paged = ["image", *(column for column, count in counts.items() if count == pages)]
        result += [_page(row, paged, number, len(str(pages))) for number in range(1, pages + 1)]
    return result


def _pages(row: Mapping[str, str], column: str, root: Path) -> int:
    if not row[column].endswith("*"):
        return page_count(root / row[column])
    raise StudyError(
        "pages of a stack have one mask file, not one for each object",
        where=root / row[column],
        remedy="store the masks as a stack with the pages of the image",
    )


def _page(row: Mapping[str, str], paged: list[str], number: int, digits: int) -> dict[str, str]:
    name = f"{row['sample']}_p{number:0{max(2, digits)}d}"
    files = {column: page_of(row[column], number) for column in paged}
    return {**row, **files, "sample": name, "group": row.get("group") or row["sample"]}
