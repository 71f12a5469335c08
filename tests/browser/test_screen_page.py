# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The screen of a terminal as a page: characters in their cells, and in the colours that they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from .browser import Browser
from .screen_page import render_screen

SCREEN = "\x1b[31mred\x1b[39m plain \x1b[1;38;5;196mbold\x1b[0m <b>\n\x1b[7mturned\x1b[27m \x1b[38;2;1;2;3mtrue\x1b[0m"


@pytest.mark.parametrize(("is_dark", "background"), [(False, "rgb(255, 255, 255)"), (True, "rgb(22, 25, 31)")])
def test_what_a_terminal_shows_is_on_the_page(browser: Browser, tmp_path: Path, is_dark: bool, background: str) -> None:
    page = tmp_path / "screen.html"
    page.write_text(render_screen(SCREEN, 40, is_dark=is_dark), encoding="utf-8")
    browser.open(page.as_uri())
    assert browser.run("return document.querySelector('pre').textContent") == "red plain bold <b>\nturned true"
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == background
    told = browser.run(
        "return [...document.querySelectorAll('span')].map(s => [s.textContent, getComputedStyle(s).color])"
    )
    colours = dict(told)
    assert colours["bold"] == "rgb(255, 0, 0)"
    assert colours["true"] == "rgb(1, 2, 3)"
    assert colours["turned"] == background
    assert colours["red"] not in (colours["bold"], background)
    assert browser.run("return document.querySelector('b').textContent") == "bold"


def test_what_it_does_not_know_is_refused() -> None:
    for screen in ("\x1b[2Jaway", "\x1b[5mblink"):
        with pytest.raises(ValueError, match=r"page"):
            render_screen(screen, 80)
