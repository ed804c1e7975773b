"""Names, strata, questions and reasons are shown as they are: in Markdown, HTML, LaTeX, on terminals, in CSV files."""

import ast
import html
import logging
import re
import shutil
import subprocess
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.table import Table as RichTable
from rich.text import Text

from segstudy.cli.console import PlainConsole
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv, write_csv
from segstudy.core.html_page import page, policy
from segstudy.core.markup import element, html_of_markdown, markdown_code, markdown_text
from segstudy.core.terminal_text import VisibleFormatter, on_one_line, visible
from segstudy.tables.render import Entry, Line, Panel, Table, escape_latex, latex, markdown, web_page

PACKAGE = Path(__file__).resolve().parents[2] / "workflow/segstudy"
HOSTILE = (
    *("<script>window.pwned=1</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "<!-- x"),
    *("[link](javascript:alert(1))", "![a](b)", "<http://a.b>", "{{7*7}}", "</script><script>", "a|b", "`c`", "**d**"),
    *("# e", "1. f", "- g", "> h", "| i |", "&lt;", "~~j~~", "$k$", "_l_", "---", "a\n\nb", "\\", "\\|", "    m"),
)
CHARACTERS = "\\`*_[]<>&|~$#+-=.!(){}'\"ab1 :/\n\té"
COMMON_MARK = MarkdownIt("commonmark").enable(["table", "strikethrough"])  # close to GitHub's; raw HTML passes through
EXPECTED = {"ul", "li", "p", "table", "thead", "tbody", "tr", "th", "td"}


class Shown(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.attributes = set(), [], {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= dict(attributes)

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def words(self):
        return folded("".join(self.texts))


def folded(text):
    return " ".join(text.split())


def check_markdown(text):
    for read in (html_of_markdown, COMMON_MARK.render):
        item = Shown(read(f"- {markdown_text(text)}"))
        assert item.tags <= EXPECTED and item.words == folded(text)
        cells = Shown(read(f"| a | b |\n|---|---|\n| {markdown_text(text)} | end |"))
        assert cells.tags <= EXPECTED and cells.words == folded(f"a b {text} end")
        within = Shown(read(f"Of {markdown_text(text)} and {markdown_text(text)}."))
        assert within.tags <= EXPECTED and within.words == folded(f"Of {text.strip()} and {text.strip()}.")


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_hostile_text(text):
    check_markdown(text)


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet=CHARACTERS, max_size=12))
def test_markdown_shows_any_text(text):
    check_markdown(text)


def test_markdown_of_numbers_and_names_stays_readable():
    for text in ("0.823 ± 0.004", "-0.128", "<0.001", "p < 0.05", "IMG_0001.png", "95 % interval", "a-b", "n = 3"):
        assert markdown_text(text) == text


@pytest.mark.parametrize("text", ["a`b", "``", "x|y", "`", "plain", "--config 'a=`id`'"])
def test_code_in_markdown_shows_its_text(text):
    cells = COMMON_MARK.render(f"| a |\n|---|\n| {markdown_code(text)} |")
    assert html.unescape(re.search("<code>(.*)</code>", cells)[1]) == text


def test_old_markdown_with_markup_of_data_is_shown_as_text():
    """Cards that lie there from before were written without escapes."""
    text = html_of_markdown(
        "- <script>alert(1)</script> [a](javascript:alert(1)) ![b](c) <http://d.e>\n\n<img src=x>\n"
    )
    assert Shown(text).tags <= EXPECTED
    assert "<script>alert(1)</script>" in Shown(text).words


def test_elements_escape_content_and_values():
    made = element("text", "<b>", class_='"><script>', aria_label="a&b", x=1, y=None)
    assert made == '<text class="&#34;&gt;&lt;script&gt;" aria-label="a&amp;b" x="1">&lt;b&gt;</text>'


def table(text):
    panel = Panel(
        "k", text, (text, "Dice"), [Line("d", (text,), True, (Entry(text=text), Entry(0.5, bold=True)))], [text], [text]
    )
    return Table("e", text, text, (), [text], (text,), [panel])


@pytest.mark.parametrize("text", HOSTILE)
def test_a_table_shows_hostile_text_in_every_format(text):
    shown = Shown(web_page(table(text)))
    assert (
        shown.tags <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "div", "strong", "span"} | EXPECTED
    )
    assert set(shown.attributes) <= {"lang", "charset", "http-equiv", "content", "class", "colspan"}
    assert shown.words.count(folded(text)) >= 9
    rows = [line for line in markdown(table(text)).splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)(?:\\\\)*\|", row) for row in rows]
    assert [len(row) for row in cells] == [6] * 3, rows
    rendered = Shown(COMMON_MARK.render(markdown(table(text))))
    assert rendered.tags <= {"h1", "h2", "em", "strong"} | EXPECTED


def test_pages_allow_their_own_style_and_no_script():
    text = page("t", element("p", "x"))
    content = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    style = re.search("<style>(.*?)</style>", text, re.DOTALL)[1]
    assert html.unescape(content) == policy([style])
    assert "unsafe" not in content and "script-src 'none'" in html.unescape(content)
    assert "default-src 'none'" in html.unescape(content)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        (r"\write18{rm}", r"\textbackslash{}write18\{rm\}"),
        ("a & b_c # d % e $ f", r"a \& b\_c \# d \% e \$ f"),
        ("~ ^", r"\textasciitilde{} \textasciicircum{}"),
        ("[2pt] *", r"{[}2pt{]} *"),
        ('"a `b', r"{\char34}a {\char96}b"),
        ("a--b---c", "a-{}-b-{}-{}-c"),
        ("a\n\nb", "a b"),
        ("x^^5cinput", r"x\textasciicircum{}\textasciicircum{}5cinput"),
        ("\x1b[2J", r"\textbackslash{}x1b{[}2J"),
    ],
)
def test_latex_spells_out_what_it_would_run(text, spelled):
    assert escape_latex(text) == spelled


COMPILES = r"""\documentclass{article}
\usepackage{booktabs,adjustbox,graphicx,rotating}
\begin{document}
\input{a.tex}
\end{document}
"""


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex not installed: apt install texlive-latex-extra")
def test_hostile_text_compiles(tmp_path):
    words = " ".join(HOSTILE) + r" \input{/etc/passwd} \write18{touch owned} \end{document} %"
    (tmp_path / "a.tex").write_text(latex(table(words)), encoding="utf-8")
    (tmp_path / "d.tex").write_text(COMPILES)
    command = ["pdflatex", "-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "d.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    if "adjustbox.sty' not found" in done.stdout:
        pytest.skip("adjustbox.sty not installed: apt install texlive-latex-extra")
    assert done.returncode == 0, done.stdout[-2000:]
    assert not (tmp_path / "owned").exists() and "(/etc/passwd" not in done.stdout


def printed(*renderables, terminal=False):
    stream = StringIO()
    console = PlainConsole(
        file=stream, width=120, force_terminal=terminal, color_system="standard" if terminal else None
    )
    for renderable in renderables:
        console.print(renderable)
    return stream.getvalue()


def test_the_console_prints_brackets_as_they_are():
    rows = RichTable(title="[/title]")
    rows.add_column("[/head]")
    rows.add_row("[bold]a[/bold] [/nothing] :smile:")
    text = printed("Which [loss] is [/better]? [link=x]y[/link]", rows, Text("[/text]"))
    for words in (
        "Which [loss] is [/better]? [link=x]y[/link]",
        "[/title]",
        "[/head]",
        "[bold]a[/bold] [/nothing] :smile:",
    ):
        assert words in text


def test_the_console_spells_out_control_characters():
    rows = RichTable()
    rows.add_row("a\x1b[2Jb", Text("c\x1b]0;title\x07d"))
    text = printed("e\rf\u202eg\x9b", rows, terminal=True)
    assert r"a\x1b[2Jb" in text and r"c\x1b]0;" in text and r"f\u202eg\x9b" in text
    assert "\x1b[2J" not in text and "\x1b]" not in text and "\u202e" not in text and "\r" not in text


@given(st.text(max_size=20))
def test_visible_text_holds_nothing_that_acts(text):
    shown = visible(text)
    assert visible(shown) == shown
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]", shown)
    assert "\n" not in on_one_line(text)
    shown.encode("utf-8")  # lone surrogates stand for bytes of file names that are no UTF-8


def test_ordinary_text_of_any_language_is_not_changed():
    for text in ("läsion", "病变", "آفة", "नमूना\u200d", "naïve – “x”", "a\tb\nc"):
        assert visible(text) == text


def test_an_error_and_a_log_spell_out_what_names_hold():
    error = StudyError("cannot read 'a\x1b[2J'", where="b\r/c\u202e.png", remedy="look")
    assert str(error) == "cannot read 'a\\x1b[2J'\n  where:   b\\r/c\\u202e.png\n  to do:   look"
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(VisibleFormatter("\x1b[K%(message)s"))
    handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "%s read", ("a\x1b[2J\nError in b",), None))
    assert stream.getvalue() == "\x1b[Ka\\x1b[2J\\nError in b read\n"


FORMULAS = ["=1+1", "+a", "-b", "@c", "\td", "'=e", "''f", "'g", "h", "", "＝i", "-1", "j\rk", "l\nm", "\rn"]


def test_text_that_a_spreadsheet_would_run_is_guarded_and_comes_back(tmp_path):
    path = tmp_path / "t.csv"
    written = pd.DataFrame({"class": FORMULAS, "file": FORMULAS, "value": [-1.5] * len(FORMULAS)})
    write_csv(path, written)
    text = path.read_bytes().decode()
    for cell in ("'=1+1", "'+a", "'-b", "'@c", "'\td", "''=e", "'-1"):
        assert re.search(f'(?m)(^|,)"?{re.escape(cell)}"?(,|$)', text), cell
    assert not re.search('[,\n]"?[=+@\t]', text)
    back = read_csv(path)
    assert back["class"].tolist() == FORMULAS
    assert back["file"].fillna("").tolist() == FORMULAS
    assert back["value"].tolist() == [-1.5] * len(FORMULAS)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(alphabet="=+-@'\"\t\r\n,ab＝ 1", max_size=6), min_size=1, max_size=5))
def test_any_text_comes_back_from_a_csv(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    write_csv(path, pd.DataFrame({"class": texts, "n": range(len(texts))}))
    assert read_csv(path)["class"].tolist() == texts


def test_a_table_without_formulas_has_the_bytes_it_would_have_anyway(tmp_path):
    written = pd.DataFrame(
        {"sample": ["a", "'b", "", "c=d"], "value": [-1.0, 0.1, float("nan"), 2e-9], "n": [-1, 2, 3, 4]}
    )
    write_csv(tmp_path / "t.csv", written)
    assert (tmp_path / "t.csv").read_text() == written.to_csv(index=False, lineterminator="\n")


def calls(path, names):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [f for f in found if isinstance(f, ast.Name) and f.id in names]


TAG = re.compile(
    r"</?(?:p|t[dhr]|table|[ou]?l|li|h\d|div|span|a|img|style|script|svg|text|g|rect|circle|line|path)[ >/]"
)


def pieces(path):
    """Yield what stands between the values of f-strings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield from (part.value for part in node.values if isinstance(part, ast.Constant))


def test_nothing_in_the_package_goes_around_the_places_that_escape():
    """Text reaches a terminal, a log, a CSV or a page through one place each."""
    for path in PACKAGE.rglob("*.py"):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(PACKAGE).as_posix()
        if name not in ("core/terminal_text.py", "runtime/job.py"):
            assert not calls(path, {"print"}), f"{name}: terminal_text.say prints"
            assert "logging.Formatter(" not in text, f"{name}: terminal_text.VisibleFormatter"
        if name != "core/files.py":
            assert ".to_csv(" not in text, f"{name}: files.write_csv"
        assert not calls(path, {"Console"}), f"{name}: cli.console.console"
        assert not [part for part in pieces(path) if TAG.search(part)], f"{name}: markup.element"
    for path in (PACKAGE / "report/templates").glob("*.j2"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|\son\w+=|autoescape", text), path.name
