"""The site of the pages, opened from disk without a network: nothing is missed, and the search finds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.browser import CHROMIUM, PHONE, Browser

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (apt install chromium)")
SEARCH = """(() => {
    document.querySelector('label[for=__search]').click();
    const field = document.querySelector('.md-search__input');
    field.focus();
    field.value = 'clDice';
    for (const kind of ['keydown', 'keyup', 'input', 'change']) field.dispatchEvent(new Event(kind, {bubbles: true}));
})()"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("material")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, check=True)
    return folder


def test_the_site_is_read_and_searched_from_disk(site, tmp_path):
    browser = Browser(tmp_path)
    try:
        browser.size(*PHONE)
        browser.media("dark")
        browser.call(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0
        )
        browser.call("Page.navigate", url=(site / "tutorial.html").as_uri())
        browser.wait("document.readyState === 'complete' && document.body.dataset.mdColorScheme === 'slate'")
        assert browser.run("[...document.images].every(image => image.naturalWidth > 0)")
        assert browser.run("document.documentElement.scrollWidth <= window.innerWidth")
        browser.size(1280, 900)
        browser.run(SEARCH)
        browser.wait("/^\\s*\\d+ matching/.test(document.querySelector('.md-search-result__meta').textContent)")
        assert browser.complaints == []
        assert [url for url in browser.requests if not url.startswith("file:")] == []
    finally:
        browser.close()
