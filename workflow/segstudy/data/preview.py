"""The card of a data set before its study runs: as rule `describe` writes it, made in a temporary folder."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from segstudy.config import paths
from segstudy.config.study import Study
from segstudy.core.files import read_json


def card_file(results: Path, dataset: str) -> Path:
    """Return where the study keeps the card of a data set."""
    return paths.data(results, dataset) / "card.json"


def look(study: Study, dataset: str, threads: int) -> dict[str, Any]:
    """Return the card of a data set as its files are now. Every file is read once; nothing is left on disk.

    Raises:
        StudyError: as `index.build_index`.
    """
    from segstudy.core.pixel_limit import allowing
    from segstudy.data.card import describe
    from segstudy.data.convert import convert
    from segstudy.data.images.reading import configured
    from segstudy.data.index import build_index
    from segstudy.data.readers.registry import labels_of

    options = study.datasets[dataset]
    labels = labels_of(options.reader, **study.label_settings(dataset))
    with tempfile.TemporaryDirectory(prefix="segstudy-") as temporary:
        root, out = study.root(dataset), Path(temporary, "card")
        if options.phantom:
            from segstudy.data.phantoms.draw import draw

            root = Path(temporary, "phantom")
            draw(options.reader, root, options.phantom)
        out.mkdir()
        drawn = options.phantom is not None
        with allowing(options.max_megapixels, f"datasets.{dataset}.max_megapixels"):
            if options.converted:
                place = Path(temporary, "converted")
                convert(options.reader, root, options.layout, place, dataset, options.truth, labels)
                root = Path(temporary, "converted")
            reading = configured(**study.dataset_settings(dataset, "range", "channels", "orientation"))
            index = build_index(
                options.reader, root, layout=options.layout, reading=reading, dataset=dataset, threads=threads
            )
            describe(index, root, options.reader, labels, dataset, out, drawn, threads, options.layout)
        return dict(read_json(out / "card.json"))
