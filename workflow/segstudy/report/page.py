"""The report as one HTML file: it fetches nothing, and opens from disk in any browser."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from segstudy.core.files import write_text
from segstudy.core.html_page import policy
from segstudy.report.content import Content, collect

TEMPLATES = Path(__file__).parent / "templates"
LIMIT = 25_000_000  # bytes of the page

logger = logging.getLogger("segstudy")


def write_report(settings: Mapping[str, Any], results: Path, roots: Mapping[str, str], path: str | Path) -> None:
    """Write the report of a finished study.

    Args:
        settings: see `segstudy.report.settings`.
        roots: folder of the raw data of each data set.
    """
    text = render(collect(settings, results, roots))
    size = len(text.encode("utf-8"))
    if size > LIMIT:
        logger.warning("the report has %.1f MB, more than %.0f: it may open slowly", size / 1e6, LIMIT / 1e6)
    write_text(path, text)


def render(content: Content) -> str:
    """Return the page."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = "\n".join(["", *(_template(name) for name in ("page.js", "gallery.js")), ""])
    style = f"\n{environment.get_template('style.css').render()}\n"
    page = environment.get_template("report.html.j2")
    return page.render(
        content._asdict(),
        policy=policy([style], [script]),
        style=Markup(style),
        script=Markup(script),
        embedded=embedded(content.gallery),
    )


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def embedded(value: object) -> Markup:
    """Return plain values as JSON that may stand inside a script element: nothing in it can close the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))
