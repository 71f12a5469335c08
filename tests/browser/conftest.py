# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as it imports itself, pages as files, and one browser for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

from .browser import Browser, running_browser

REPOSITORY = Path(__file__).resolve().parents[2]

_AnsibleCollectionFinder(paths=[str(REPOSITORY / ".build" / "unit")])._install()


@pytest.fixture(scope="session")
def the_browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def browser(the_browser: Browser) -> Iterator[Browser]:
    """The browser as a person has it who never saw a page before. Its console has to stay empty."""
    the_browser.without_scripts(off=False)
    the_browser.emulate(prefers_color_scheme="light")
    the_browser.log()
    yield the_browser
    the_browser.without_scripts(off=False)
    assert the_browser.log() == []


@pytest.fixture(scope="session")
def open_page(the_browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Have one of the pages open. Returns its address."""
    from .pages import render

    folder = tmp_path_factory.mktemp("pages")

    def open_it(name: str) -> str:
        path = folder / f"{name}.html"
        if not path.exists():
            path.write_text(render(name), encoding="utf-8")
        the_browser.open(path.as_uri())
        return path.as_uri()

    return open_it
