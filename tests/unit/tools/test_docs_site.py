# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of the site: where their links lead, what its contents are, and which links are broken."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from guards.project import ROOT

SITE = runpy.run_path(str(ROOT / "tools" / "write_docs_site.py"))
LINKS = runpy.run_path(str(ROOT / "tools" / "check_links.py"))
PAGES = {"docs/a.md": "a.md", "docs/picture.png": "picture.png", "CONTRIBUTING.md": "CONTRIBUTING.md"}


@pytest.mark.parametrize(
    ("source", "link", "followed"),
    [
        ("docs/b.md", "a.md", "a.md"),
        ("docs/b.md", "a.md#how", "a.md#how"),
        ("docs/b.md", "picture.png", "picture.png"),
        ("docs/b.md", "../CONTRIBUTING.md", "CONTRIBUTING.md"),
        ("docs/b.md", "../tests/lab/README.md", "https://x/blob/main/tests/lab/README.md"),
        ("docs/b.md", "#below", "#below"),
        ("docs/b.md", "https://elsewhere/docs/a.md", "https://elsewhere/docs/a.md"),
        ("CONTRIBUTING.md", "docs/a.md#how", "a.md#how"),
        ("CONTRIBUTING.md", "Makefile", "https://x/blob/main/Makefile"),
    ],
)
def test_links_lead_to_the_site_or_to_the_repository(source: str, link: str, followed: str) -> None:
    assert SITE["follow_links"](f"See [it]({link}).", source, PAGES, "https://x") == f"See [it]({followed})."


def test_code_is_left_as_it_is() -> None:
    text = "```\n[it](Makefile)\n```\n[it](Makefile)\n"
    followed = SITE["follow_links"](text, "README.md", PAGES, "https://x")
    assert followed == "```\n[it](Makefile)\n```\n[it](https://x/blob/main/Makefile)\n"


def test_contents_have_each_page_once_by_the_headings_of_the_index() -> None:
    index = "# Index\n\n## One\n\n[a](a.md) [b](b.md#x)\n\n## Two\n\n[a](a.md) [c](c.md) [out](https://x)\n"
    trees = list(SITE["contents"](index, {"index.md", "a.md", "b.md", "c.md", "SECURITY.md"}))
    captions = [tree.split(":caption: ")[1].splitlines()[0] for tree in trees]
    assert captions == ["One", "Two", "Reference", "The project"]
    assert trees[0].split("\n\n")[1] == "a\nb\n```\n"
    assert trees[1].split("\n\n")[1] == "c\n```\n"
    assert trees[3].split("\n\n")[1] == "SECURITY\n```\n"


def links(tmp_path: Path, **pages: str) -> list[str]:
    for name, text in pages.items():
        (tmp_path / f"{name}.html").write_text(f"<html><body>{text}</body></html>", encoding="utf-8")
    read = {path.resolve(): LINKS["read_page"](path.read_bytes()) for path in sorted(tmp_path.glob("*.html"))}
    return list(LINKS["broken"](read, tmp_path.resolve()))


@pytest.mark.parametrize(
    "link",
    [
        "b.html",
        "b.html#there",
        "b.html#old",
        "#here",
        "b.html?q=1#there",
        "https://elsewhere/",
        "//elsewhere/",
        "%61.css",
    ],
)
def test_links_that_lead_somewhere(tmp_path: Path, link: str) -> None:
    (tmp_path / "a.css").touch()
    page = f'<p id="here"><a href="{link}">x</a></p>'
    assert links(tmp_path, a=page, b='<p id="there">x</p><a name="old">x</a>') == []


@pytest.mark.parametrize(
    ("element", "why"),
    [
        ('<a href="c.html">x</a>', "a.html: c.html: there is no such file"),
        ('<img src="c.png">', "a.html: c.png: there is no such file"),
        ('<a href="b.html#nowhere">x</a>', "a.html: b.html#nowhere: there is no such anchor on that page"),
        ('<a href="#nowhere">x</a>', "a.html: #nowhere: there is no such anchor on that page"),
        ('<a href="../b.html">x</a>', "a.html: ../b.html: leads out of the site"),
        ('<a href="/b.html">x</a>', "a.html: /b.html: leads out of the site"),
    ],
)
def test_broken_links_are_told(tmp_path: Path, element: str, why: str) -> None:
    assert links(tmp_path, a=element, b="<p>x</p>") == [why]


def test_a_site_without_pages_is_no_site_without_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["check_links.py", str(tmp_path)])
    assert LINKS["main"]() == 1
