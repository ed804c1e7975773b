"""The pages: no link leads nowhere, all stand in the navigation, and they read alike here and as a site."""

import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS]
LARGEST = 1_500_000  # bytes of all pictures: they are cloned with the code


def prose(path):
    """The page without its code, in which brackets are no links."""
    text = re.sub(r"^( *)```.*?^\1```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", lambda code: code[0].replace("](", "]  ("), text)


def anchors(path):
    """What headings are called in links: the rule of GitHub, which mkdocs.yml asks of the site too."""
    headings = re.findall(r"^#+ +(.*)$", prose(path), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if page in DOCS:
            assert (ROOT / "docs") in file.parents, f"{target} would lead out of the site"
        if anchor:
            assert anchors(file).count(anchor) == 1, target


def navigation(entries):
    for entry in entries:
        for what in entry.values():
            yield from navigation(what) if isinstance(what, list) else [what]


class Settings(yaml.SafeLoader):
    """mkdocs.yml names a function in it, which is not called here."""


Settings.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)


def test_every_page_stands_in_the_navigation_once():
    settings = yaml.load((ROOT / "mkdocs.yml").read_text(), Settings)
    assert sorted(navigation(settings["nav"])) == [page.name for page in DOCS]


def test_pictures_are_shown_somewhere_and_small():
    shown = {name for page in PAGES for name in re.findall(r"!\[[^]]+\]\(\S*images/(\S+)\)", prose(page))}
    pictures = {path.name: path.stat().st_size for path in (ROOT / "docs/images").iterdir()}
    assert set(pictures) == shown
    assert sum(pictures.values()) < LARGEST


def commands():
    """Every line that calls snakemake, of the pages and the heads of studies."""
    for path in [*PAGES, ROOT / "Makefile", *ROOT.glob("*.yaml"), *ROOT.glob("studies/*.yaml")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "snakemake" in line and "--configfile" in line:
                yield path.name, line


def test_no_target_is_taken_for_a_config_file():
    """--configfile takes all names that follow: the target stands before it, or behind another option."""
    found = list(commands())
    assert len(found) > 15
    assert not [line for line in found if re.search(r"--configfile( \S+\.ya?ml)+ +results/", line[1])]


def test_the_page_of_studies_names_all_of_them_and_tables_they_have():
    page = (ROOT / "docs/studies.md").read_text(encoding="utf-8")
    names = {path.stem for path in ROOT.glob("studies/*.yaml")}
    assert names <= set(re.findall(r"`(\w+)`", page))
    for section in page.split("\n## ")[1:]:
        files = [ROOT / f"studies/{name}.yaml" for name in re.findall(r"`(\w+)`", section) if name in names]
        files += [ROOT / "config.yaml"] * ("config.yaml" in section.splitlines()[0])
        experiments = {name for file in files for name in yaml.safe_load(file.read_text()).get("experiments", {})}
        for file in re.findall(r"`(?:tables|figures)/(\w+)[./]", section):
            assert file in experiments | {"pseudo"}, section.splitlines()[0]


class Tags(HTMLParser):
    """How often each tag occurs in a piece of HTML."""

    def __init__(self, html):
        super().__init__()
        self.counted = dict.fromkeys(("table", "td", "li", "ul", "ol", "pre", "h1", "h2", "h3", "img"), 0)
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag in self.counted:
            self.counted[tag] += 1


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_pages_read_the_same_in_both_dialects(page):
    """Lists and code that one Markdown sees and the other does not: blank lines and four spaces settle them."""
    pytest.importorskip("pymdownx")
    markdown = pytest.importorskip("markdown")
    rendered = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    text = page.read_text(encoding="utf-8")
    site = markdown.markdown(text, extensions=["tables", "admonition", "pymdownx.superfences"])
    assert Tags(site).counted == Tags(rendered.render(text)).counted


def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path):
    pytest.importorskip("material")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    pages = sorted((tmp_path / "site").glob("*.html"))
    assert len(pages) == len(DOCS) + 1, "and the page that says that there is none"
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert not re.findall(r'(?:src|<link[^>]*rel="(?:stylesheet|preconnect)"[^>]*href)="https?:', html), page.name


def test_papers_of_the_project_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert (ROOT / "LICENSE").read_text().startswith(f"{project['license']} License")
    assert re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] in (
        "Unreleased",
        project["version"],
    )
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert (ROOT / usage["mandatory-flags"]["flags"].split()[-1] / "config.yaml").exists()


def test_the_catalog_finds_the_whole_workflow():
    """The Snakemake workflow catalog opens workflow/Snakefile, and lists public repositories that say what they are."""
    command = [sys.executable, "-m", "snakemake", "-s", "workflow/Snakefile", "--list-rules", "--quiet", "all"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert {"index", "train", "study_report"} <= set((listed.stdout + listed.stderr).split()), listed.stderr
    assert {"snakemake", "workflow"} <= set(re.findall(r"\w+", (ROOT / "README.md").read_text().lower()))
