"""The frame of every HTML page: self-contained, light or dark as the reader's system is."""

from __future__ import annotations

import base64
import hashlib

from markupsafe import Markup

from segstudy.core.markup import element

CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --muted: #5b6570; --paper: #ffffff; --line: #c9ced6;
        --band: #f1f3f6; --warn: #b00020; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --muted: #a3adb8; --paper: #16191d; --line: #3b424b;
        --band: #22272e; --warn: #ff8a9a; } }
body { font: 14px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 1.5rem; }
h1 { font-size: 1.35rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 1.75rem 0 .5rem; }
.question { margin: 0 0 .75rem; font-style: italic; }
.phantom { color: var(--warn); font-weight: 700; }
.protocol, .notes { color: var(--muted); max-width: 65rem; font-size: .93em; margin: .4rem 0; }
.protocol { padding-left: 1.2rem; }
img { max-width: 100%; height: auto; }
svg.swatch { width: 2.5em; height: 1em; }
blockquote { color: var(--warn); margin: .5rem 0; padding-left: .8rem; border-left: 3px solid var(--warn); }
tfoot td { border-top: 1px solid var(--ink); font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap;
        border-top: 2px solid var(--ink); border-bottom: 2px solid var(--ink); }
caption { text-align: left; white-space: normal; font-weight: 600; padding: 0 0 .6rem; }
th, td { padding: .22rem .6rem; text-align: left; font-weight: 400; }
td.number, th.number { text-align: center; }
thead th { border-bottom: 1px solid var(--ink); font-weight: 600; vertical-align: bottom; }
thead:not(:has(th:not(:empty))) { display: none; }
tr.dataset th { padding-top: .6rem; font-weight: 700; border-top: 1px solid var(--line); }
tr.control { background: var(--band); color: var(--muted); font-style: italic; }
tr.control.first td, tr.control.first th { border-top: 1px dashed var(--muted); }
""".strip()


def page(title: str, body: Markup) -> str:
    """Return a whole HTML page around `body`; nothing in it is fetched, and no script runs in it."""
    style = f"\n{CSS}\n"
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy([style])),
        element("title", title),
        element("style", Markup(style)),
    ]
    parts = [element("head", "\n", _lines(head), "\n"), "\n", element("body", "\n", body, "\n"), "\n"]
    return f"<!DOCTYPE html>\n{element('html', *parts, lang='en')}\n"


def policy(styles: list[str], scripts: list[str] | None = None) -> str:
    """Return the content security policy of a page: data URIs as pictures, these styles and scripts, nothing else.

    Args:
        styles: what stands between <style> and </style>, to the last blank.
        scripts: what stands between <script> and </script>.
    """
    rules = ["default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"]
    for kind, texts in (("style-src", styles), ("script-src", scripts or [])):
        rules.append(" ".join([kind, *(map(_hash, texts) if texts else ["'none'"])]))
    return "; ".join(rules)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _lines(parts: list[Markup]) -> Markup:
    return Markup("\n").join(parts)
