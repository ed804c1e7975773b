"""The readable comparison table as Markdown, LaTeX and HTML: one content, three spellings."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from segstudy.web import page

DASH = "–"  # a value that is not defined
DAGGER = "†"  # some images of this value are not defined


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
    """Rows with the same columns, and what has to be said below them. `key` is its part of the LaTeX label."""

    key: str
    title: str
    heads: tuple[str, ...]
    lines: list[Line]
    notes: list[str]


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
        text = f"**{number(entry)}**" if entry.bold else number(entry)
        return f"{text} {DAGGER}" if marked(entry) else text

    parts = [f"# {table.title}", table.question, "\n".join(f"- {sentence}" for sentence in table.protocol)]
    for panel in table.panels:
        rule = ["---"] * (1 + len(table.name_heads)) + [":-:"] * len(panel.heads)
        rows = [["Data set", *table.name_heads, *panel.heads], rule]
        for line in panel.lines:
            names = [f"*{name}*" if line.control and name else name for name in line.names]
            rows.append([table.dataset_title(line.dataset), *names, *map(entry_text, line.entries)])
        parts += [f"## {panel.title}", "\n".join("| " + " | ".join(row) + " |" for row in rows)]
        parts += panel.notes
    return "\n\n".join(parts) + "\n"


def latex(table: Table) -> str:
    r"""Return a `table` float for each panel, for \input; a paragraph where there is none.

    The document needs the packages booktabs and adjustbox.
    """
    parts = [r"% \usepackage{booktabs,adjustbox}  % adjustbox shrinks a table that is larger than the page"]
    if not table.panels:
        parts.append(escape_latex(" ".join([f"{table.title}.", table.question, *table.protocol])))
    for panel in table.panels:
        columns = len(table.name_heads) + len(panel.heads)
        body: list[str] = []
        for group in _groups(panel.lines):
            title = escape_latex(table.dataset_title(group[0].dataset))
            body += [r"\midrule", rf"\multicolumn{{{columns}}}{{l}}{{\textbf{{{title}}}}} \\"]
            for i, line in enumerate(group):
                if line.control and i and not group[i - 1].control:
                    body.append(rf"\cmidrule(lr){{1-{columns}}}")
                body.append(_latex_row(line))
        head = " & ".join(escape_latex(name) for name in (*table.name_heads, *panel.heads))
        caption = " ".join([f"{table.title}: {panel.title}.", table.question, *table.protocol])
        notes = [rf"\par\smallskip {escape_latex(note)}" for note in panel.notes]
        parts.append(
            "\n".join(
                [
                    r"\begin{table}[tbp]",
                    r"\centering\footnotesize",
                    rf"\caption[{{{escape_latex(f'{table.title}: {panel.title}')}}}]{{{escape_latex(caption)}}}",
                    rf"\label{{tab:{table.label}:{panel.key}}}",
                    r"\begin{adjustbox}{max width=\linewidth, max totalheight=0.75\textheight}",
                    rf"\begin{{tabular}}{{{'l' * len(table.name_heads)}{'c' * len(panel.heads)}}}",
                    r"\toprule",
                    rf"{head} \\",
                    *body,
                    r"\bottomrule",
                    r"\end{tabular}",
                    r"\end{adjustbox}",
                    *notes,
                    r"\end{table}",
                ]
            )
        )
    return "\n\n".join(parts) + "\n"


def web_page(table: Table) -> str:
    """Return the table as one HTML page that needs nothing else; light or dark as the reader's system is."""
    safe = html.escape
    parts = [
        f"<h1{_phantom_class(table)}>{safe(table.title)}</h1>",
        f'<p class="question">{safe(table.question)}</p>',
    ]
    parts += ['<ul class="protocol">', *(f"<li>{safe(sentence)}</li>" for sentence in table.protocol), "</ul>"]
    for panel in table.panels:
        heads = [f"<th>{safe(name)}</th>" for name in table.name_heads]
        heads += [f'<th class="number">{safe(name)}</th>' for name in panel.heads]
        rows: list[str] = []
        for group in _groups(panel.lines):
            title = safe(table.dataset_title(group[0].dataset))
            warn = ' class="phantom"' if group[0].dataset in table.phantoms else ""
            rows.append(f'<tr class="dataset"><th colspan="{len(heads)}"><span{warn}>{title}</span></th></tr>')
            rows += [_html_row(line, first=not i or not group[i - 1].control) for i, line in enumerate(group)]
        parts += [
            f"<h2>{safe(panel.title)}</h2>",
            f'<div class="scroll"><table>\n<thead><tr>{"".join(heads)}</tr></thead>\n<tbody>',
            *rows,
            "</tbody>\n</table></div>",
        ]
        parts += [f'<p class="notes">{safe(note)}</p>' for note in panel.notes]
    return page(table.title, "\n".join(parts))


FORMATS: dict[str, Callable[[Table], str]] = {"md": markdown, "tex": latex, "html": web_page}


def escape_latex(text: str) -> str:
    """Return `text` with every character that LaTeX reads as a command spelled out."""
    special = {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "±": r"$\pm$",
        "×": r"$\times$",
        DASH: "--",
        DAGGER: r"$^{\dagger}$",
    }
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in text)


def _latex_row(line: Line) -> str:
    texts = []
    for entry in line.entries:
        text = escape_latex(number(entry))
        text = rf"\textbf{{{text}}}" if entry.bold else text
        texts.append(text + (escape_latex(DAGGER) if marked(entry) else ""))
    names = [escape_latex(name) for name in line.names]
    names = [rf"\textit{{{name}}}" if line.control and name else name for name in names]
    return " & ".join([*names, *texts]) + r" \\"


def _html_row(line: Line, first: bool) -> str:
    texts = []
    for entry in line.entries:
        text = html.escape(number(entry))
        text = f"<strong>{text}</strong>" if entry.bold else text
        texts.append(f'<td class="number">{text}{f" {DAGGER}" if marked(entry) else ""}</td>')
    names = [f"<td>{html.escape(name)}</td>" for name in line.names]
    kind = (' class="control first"' if first else ' class="control"') if line.control else ""
    return f"<tr{kind}>{''.join([*names, *texts])}</tr>"


def _groups(lines: Sequence[Line]) -> list[list[Line]]:
    datasets = dict.fromkeys(line.dataset for line in lines)
    return [[line for line in lines if line.dataset == dataset] for dataset in datasets]


def _phantom_class(table: Table) -> str:
    return ' class="phantom"' if table.phantoms else ""
