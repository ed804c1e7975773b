"""Readable tables as Markdown, LaTeX and HTML, from one content."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from segstudy.core.files import write_text
from segstudy.core.html_page import page
from segstudy.core.markup import element, markdown_text
from segstudy.core.terminal_text import visible

DASH = "–"  # a value that is not defined
DAGGER = "†"  # some images of this value are not defined
WIDE = 9  # columns beyond which a LaTeX table is turned: upright it would be too small to read
LETTERS = 120  # of a row with the widest entries, beyond which it is turned too; a line of the page holds about 90
GAP = 3  # letters between two columns
LONG = 24  # rows of a LaTeX table beyond which each data set has one of its own


class Entry(NamedTuple):
    """One number of the table. `text` stands for itself where there is no mean (an interval, a count)."""

    mean: float = math.nan
    sd: float = math.nan
    bold: bool = False
    undefined: int = 0
    text: str = ""


class Line(NamedTuple):
    """One row: a network (with loss, ...) or a control, and its numbers."""

    dataset: str
    names: tuple[str, ...]
    control: bool
    entries: tuple[Entry, ...]


class Panel(NamedTuple):
    """Rows with the same columns, and the text below them. `key` is its part of the LaTeX label.

    `sentences` say what the rows mean; notes what a reader must know to read them, and never leave the table.
    """

    key: str
    title: str
    heads: tuple[str, ...]
    lines: list[Line]
    notes: list[str]
    sentences: Sequence[str] = ()


class Table(NamedTuple):
    """Everything a reader sees. `title`, `question` and the sentences are plain text, escaped by each format."""

    label: str
    title: str
    question: str
    phantoms: tuple[str, ...]
    protocol: list[str]
    name_heads: tuple[str, ...]
    panels: list[Panel]

    def dataset_title(self, dataset: str) -> str:
        """Return a data set's name, with a warning where its images are drawn."""
        return f"{dataset} (PHANTOM)" if dataset in self.phantoms else dataset


def title_of(words: str, phantoms: Sequence[str]) -> str:
    """Return a table's title, naming the data sets that are drawn."""
    return words + (f" (PHANTOM data: {', '.join(phantoms)})" if phantoms else "")


def number(entry: Entry) -> str:
    """Return '0.823 ± 0.004', '0.823' without an sd, a dash without a mean; three decimals."""
    if entry.text:
        return entry.text
    if math.isnan(entry.mean):
        return DASH
    return f"{entry.mean:.3f}" + ("" if math.isnan(entry.sd) else f" ± {entry.sd:.3f}")


def marked(entry: Entry) -> bool:
    """Return whether a value is a mean over some of its images only; a dash has a footnote of its own."""
    return entry.undefined > 0 and not math.isnan(entry.mean)


def markdown(table: Table) -> str:
    """Return the table as GitHub-flavoured Markdown."""

    def entry_text(entry: Entry) -> str:
        text = markdown_text(number(entry))
        text = f"**{text}**" if entry.bold else text
        return f"{text} {DAGGER}" if marked(entry) else text

    said = markdown_text
    protocol = "\n".join(f"- {said(sentence)}" for sentence in table.protocol)
    parts = [f"# {said(table.title)}", said(table.question), protocol]
    for panel in table.panels:
        rule = ["---"] * (1 + len(table.name_heads)) + [":-:"] * len(panel.heads)
        rows = [["Data set", *map(said, table.name_heads), *map(said, panel.heads)], rule]
        for line in panel.lines:
            names = [f"*{said(name)}*" if line.control and name else said(name) for name in line.names]
            rows.append([said(table.dataset_title(line.dataset)), *names, *map(entry_text, line.entries)])
        parts += [f"## {said(panel.title)}", "\n".join("| " + " | ".join(row) + " |" for row in rows)]
        parts += [*map(said, panel.sentences), *map(said, panel.notes)]
    return "\n\n".join(parts) + "\n"


def latex(table: Table) -> str:
    r"""Return a float for each panel, for \input; a paragraph where there is none.

    The protocol stands below the first table, the others point to it; sentences follow their table as text. The
    document needs the packages booktabs, adjustbox and, for wide tables, rotating.
    """
    parts = [r"% \usepackage{booktabs,adjustbox,rotating}  % adjustbox shrinks a table that is larger than the page"]
    if not table.panels:
        parts.append(escape_latex(" ".join([f"{table.title}.", table.question, *table.protocol])))
    protocol, first = " ".join(map(escape_latex, table.protocol)), ""
    for panel in table.panels:
        groups = _groups(panel.lines)
        apart = len(groups) > 1 and len(panel.lines) > LONG
        for part in [[group] for group in groups] if apart else [groups]:
            name = part[0][0].dataset if apart else ""
            label = ":".join(filter(None, ["tab", table.label, panel.key, name]))
            said = rf"Protocol: see Table~\ref{{{first}}}." if first and protocol else protocol
            parts.append(_latex_float(table, panel, part, label, said))
            first = first or label
        if panel.sentences:
            breakable = [escape_latex(sentence).replace("/", r"/\allowbreak{}") for sentence in panel.sentences]
            items = [rf"\item {sentence}" for sentence in breakable]
            head = rf"What Table~\ref{{{label}}} supports:"
            parts.append("\n".join([head, r"\begin{itemize}\itemsep=0pt\sloppy", *items, r"\end{itemize}"]))
    return "\n\n".join(parts) + "\n"


def _latex_float(table: Table, panel: Panel, groups: Sequence[Sequence[Line]], label: str, protocol: str) -> str:
    columns = len(table.name_heads) + len(panel.heads)
    body: list[str] = []
    for group in groups:
        title = escape_latex(table.dataset_title(group[0].dataset))
        body += [r"\midrule", rf"\multicolumn{{{columns}}}{{l}}{{\textbf{{{title}}}}} \\"]
        for i, line in enumerate(group):
            if line.control and i and not group[i - 1].control:
                body.append(rf"\cmidrule(lr){{1-{columns}}}")
            body.append(_latex_row(line))
    head = " & ".join(escape_latex(name) for name in (*table.name_heads, *panel.heads))
    turned = columns > WIDE or _letters(table, panel, groups) > LETTERS
    kind, height = ("sidewaystable", r"0.6\textwidth") if turned else ("table", r"0.6\textheight")
    caption = escape_latex(f"{table.title}: {panel.title}. {table.question}".strip())
    notes = list(filter(None, [*map(escape_latex, panel.notes), protocol]))
    box = [
        r"\par\smallskip\begin{minipage}{\linewidth}\scriptsize\raggedright",
        "\\par\n".join(notes),
        r"\end{minipage}",
    ]
    return "\n".join(
        [
            rf"\begin{{{kind}}}{'[tbp]' if kind == 'table' else ''}",
            r"\centering\footnotesize",
            rf"\caption[{{{escape_latex(f'{table.title}: {panel.title}')}}}]{{{caption}}}",
            rf"\label{{{label}}}\par\smallskip",
            rf"\begin{{adjustbox}}{{max width=\linewidth, max totalheight={height}}}",
            rf"\begin{{tabular}}{{{'l' * len(table.name_heads)}{'c' * len(panel.heads)}}}",
            r"\toprule",
            rf"{head} \\",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{adjustbox}",
            *(box if notes else []),
            rf"\end{{{kind}}}",
        ]
    )


def web_page(table: Table) -> str:
    """Return the table as one HTML page that needs nothing else; light or dark as the reader's system is."""
    parts = [
        element("h1", table.title, class_="phantom" if table.phantoms else None),
        element("p", table.question, class_="question"),
        element("ul", *(element("li", sentence) for sentence in table.protocol), class_="protocol"),
    ]
    for panel in table.panels:
        heads = [element("th", name) for name in table.name_heads]
        heads += [element("th", name, class_="number") for name in panel.heads]
        rows: list[Markup] = []
        for group in _groups(panel.lines):
            warn = "phantom" if group[0].dataset in table.phantoms else None
            title = element("span", table.dataset_title(group[0].dataset), class_=warn)
            rows.append(element("tr", element("th", title, colspan=len(heads)), class_="dataset"))
            rows += [_html_row(line, first=not i or not group[i - 1].control) for i, line in enumerate(group)]
        body = element("tbody", "\n", Markup("\n").join(rows), "\n")
        whole = element("table", "\n", element("thead", element("tr", *heads)), "\n", body, "\n")
        parts += [element("h2", panel.title), element("div", whole, class_="scroll")]
        parts += [element("p", note, class_="notes") for note in (*panel.sentences, *panel.notes)]
    return page(table.title, Markup("\n").join(parts))


FORMATS: dict[str, Callable[[Table], str]] = {"md": markdown, "tex": latex, "html": web_page}


def write_formats(table: Table, outputs: Mapping[str, str | Path]) -> None:
    """Write the table in each of FORMATS to the path of that name."""
    for name, render in FORMATS.items():
        write_text(outputs[name], render(table))


def escape_latex(text: str) -> str:
    """Return `text`, on one line, with every character that LaTeX reads as a command or an option spelled out.

    The hyphen of a negative number becomes a minus.
    """
    special = {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "[": "{[}",
        "]": "{]}",
        '"': r"{\char34}",  # a shorthand of babel in several languages
        "`": r"{\char96}",
        "±": r"$\pm$",
        "×": r"$\times$",
        DASH: "--",
        DAGGER: r"$^{\dagger}$",
    }
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    words = re.split("(--+)", " ".join(visible(text, "\n\t ").split()))  # two hyphens would be one dash
    words[1::2] = ["{}".join(hyphens) for hyphens in words[1::2]]
    escaped = (
        word if place % 2 else "".join(special.get(character, character) for character in word)
        for place, word in enumerate(words)
    )
    return re.sub(r"(?<![^\s(])-(?=\d)", "$-$", "".join(escaped))


def _letters(table: Table, panel: Panel, groups: Sequence[Sequence[Line]]) -> int:
    """Return the letters of a row that has the widest entry of every column."""
    lines = [[*line.names, *map(number, line.entries)] for group in groups for line in group]
    columns = zip((*table.name_heads, *panel.heads), *lines, strict=True)
    return sum(GAP + max(map(len, column)) for column in columns)


def _latex_row(line: Line) -> str:
    texts = []
    for entry in line.entries:
        text = escape_latex(number(entry))
        text = rf"\textbf{{{text}}}" if entry.bold else text
        texts.append(text + (escape_latex(DAGGER) if marked(entry) else ""))
    names = [escape_latex(name) for name in line.names]
    names = [rf"\textit{{{name}}}" if line.control and name else name for name in names]
    return " & ".join([*names, *texts]) + r" \\"


def _html_row(line: Line, first: bool) -> Markup:
    cells = [element("td", name) for name in line.names]
    for entry in line.entries:
        text = element("strong", number(entry)) if entry.bold else number(entry)
        cells.append(element("td", text, f" {DAGGER}" if marked(entry) else "", class_="number"))
    kind = ("control first" if first else "control") if line.control else None
    return element("tr", *cells, class_=kind)


def _groups(lines: Sequence[Line]) -> list[list[Line]]:
    datasets = dict.fromkeys(line.dataset for line in lines)
    return [[line for line in lines if line.dataset == dataset] for dataset in datasets]
