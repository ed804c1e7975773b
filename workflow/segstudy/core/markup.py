"""Free text inside Markdown and HTML: what names, strata, questions and reasons hold is shown, and never acts.

HTML is put together from `element`s, which escape what is no HTML already. Markdown takes free text through
`markdown_text` and becomes HTML through `html_of_markdown`, which knows neither raw HTML nor links.
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from segstudy.core.terminal_text import visible

VOID = {"meta", "img", "link", "br"}
# Inside a line: what begins emphasis, code, a link, a cell of a table. `_` acts at the edge of a word alone.
INLINE = re.compile(r"[\\`*\[\]|]|(?<![^\W_])_|_(?![^\W_])")
# Marks that have no backslash form in every dialect: tags, entities, strikethrough, formulas on GitHub.
ENTITIES = re.compile(r"<(?=[A-Za-z/!?])|&(?=[#\w])|[~$]|^=")
# At the beginning: a heading, a quotation, an item of a list, a rule; -0.5 and 0.5 are none.
FIRST = re.compile(r"^(?:[#>]|[+-](?=\s|$)|-(?=-)|\d+(?=[.)](?:\s|$)))")
LEFT_OUT = (
    ("preprocessors", ("html_block",)),
    (
        "inlinePatterns",
        (
            *("html", "link", "reference", "short_reference", "autolink", "automail"),
            *("image_link", "image_reference", "short_image_ref"),
        ),
    ),
)


def markdown_text(text: object) -> str:
    """Return free text for one place of a Markdown document: it stays on its line and in its cell of a table."""
    words = " ".join(visible(text, "\n\t ").split())
    words = INLINE.sub(lambda found: "\\" + found[0], words)
    words = ENTITIES.sub(lambda found: f"&#{ord(found[0])};", words)
    return FIRST.sub(lambda found: found[0] + "\\" if found[0].isdigit() else "\\" + found[0], words)


def markdown_code(text: object) -> str:
    """Return free text as code within a line of a Markdown document; `|` is escaped, as in a cell of a table."""
    words = " ".join(visible(text, "\n\t ").split())
    fence = "`" * (1 + max(map(len, re.findall("`+", words)), default=0))
    edge = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{fence}{edge}{words}{edge}{fence}".replace("|", "\\|")


def html_of_markdown(text: str) -> Markup:
    """Return a Markdown document, tables included, as HTML: tags in it are shown as text, nothing becomes a link."""
    from markdown import Markdown

    reader = Markdown(extensions=["tables"])
    for part, names in LEFT_OUT:
        for name in names:
            getattr(reader, part).deregister(name)
    return Markup(reader.convert(text))


def element(name: str, *content: object, **attributes: object) -> Markup:
    """Return an element of HTML or SVG; content and values that are no `Markup` are escaped.

    In the names of attributes `_` stands for `-`, and a `_` at the end is left out: `class_`. None leaves one out.
    """
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    inside = Markup("").join(Markup(' {}="{}"').format(Markup(key), value) for key, value in given.items())
    start = Markup("<{}{}>").format(Markup(name), inside)
    if name in VOID:
        return start
    return start + Markup("").join(escape(part) for part in content) + Markup("</{}>").format(Markup(name))
