"""docs/faq.md quotes messages that the code really has."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/faq.md").read_text(encoding="utf-8").partition("## Snakemake's own")[0]
QUOTED = [
    message
    for row in re.findall(r"^\| (`.*?`) \|", PAGE, re.MULTILINE)
    for message in re.findall(r"`([^`]+)`(?:, |$)", row)
]


def text(node):
    """A string of the code as it is printed, with a gap where a value stands."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else "\0"
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text, node.values))
    return text(node.left) + text(node.right) if isinstance(node, ast.BinOp) else "\0"


@cache
def messages():
    found = set()
    for path in (ROOT / "workflow/segstudy").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= {text(node) for node in ast.walk(tree) if isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp))}
    return found


def test_the_page_quotes_many():
    assert len(QUOTED) > 40


@pytest.mark.parametrize("message", QUOTED)
def test_the_code_says_so(message):
    parts = [re.escape(part) for part in message.split("...")]
    pattern = re.compile(".*?".join(parts), re.DOTALL)
    assert any(pattern.search(said) for said in messages()), message


def test_words_that_no_code_says_are_found_out():
    assert not any("the check of nothing has" in said for said in messages())
    assert text(ast.parse('f"a {b} c" "d"', mode="eval").body) == "a \0 cd"
