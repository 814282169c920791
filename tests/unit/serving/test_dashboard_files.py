"""What holds of the files of the dashboard, without a browser."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

from serving.api.app import DASHBOARD

# Others' work, as published: name -> digest. Their licences are beside them; where from is said in the decision.
VENDORED = {
    "inter-5.3.0-latin.woff2": "3100e775e8616cd2611beecfa23a4263d7037586789b43f035236a2e6fbd4c62",
    "inter-LICENSE.txt": "3b0a5fca3d17942cde889069889dedbbbd075e9b599968c82a95f4d944e9b345",
    "lightweight-charts-5.2.1.mjs": "1bb1ee79f9d4dd17261b53d930f7a8995748276f80e7ba0e24412b5068062f5f",
    "lightweight-charts-LICENSE.txt": "70c9d5382506dd184465425c08a99ad9bd6d9ac1313c252968ba0b585e5ef823",
}
LONGEST = 250
OWN = sorted(file for file in DASHBOARD.rglob("*") if file.suffix in {".js", ".css", ".html"})
PAGE = (DASHBOARD / "index.html").read_text()
# What would make text from outside into markup or code, and what the page's policy refuses.
FORBIDDEN = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc|DOMParser|createContextual)"
)


def test_vendored_files_are_as_published() -> None:
    found = {file.name: sha256(file.read_bytes()).hexdigest() for file in (DASHBOARD / "vendor").iterdir()}
    assert found == VENDORED


def test_the_maker_of_the_charts_is_named_and_linked() -> None:
    assert 'href="https://www.tradingview.com/"' in PAGE
    assert "TradingView, Inc." in PAGE


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.name)
def test_own_files_are_short_and_make_no_markup(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) < LONGEST
    assert not FORBIDDEN.findall(text)


def test_the_page_has_no_code_or_style_within() -> None:
    assert not re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)", PAGE)


def test_everything_that_is_named_is_there() -> None:
    named = [DASHBOARD / name for name in re.findall(r'(?:href|src)="((?!#|/|https?:)[^"]+)"', PAGE)]
    for file in OWN:
        if file.suffix == ".js":
            named += [file.parent / name for name in re.findall(r'from "(\.[^"]+)"', file.read_text())]
    assert len(named) > len(OWN)
    assert [name for name in named if not name.is_file()] == []


def test_each_module_and_each_id_is_used() -> None:
    scripts = "\n".join(file.read_text() for file in OWN if file.suffix == ".js")
    imported = set(re.findall(r'from "\./(\w+\.js)"', scripts)) | {"main.js"}
    assert imported == {file.name for file in (DASHBOARD / "js").iterdir()}
    for wanted in set(re.findall(r'byId\("([\w-]+)"\)', scripts)):
        assert f'id="{wanted}"' in PAGE, wanted
