# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that holds a page: written as a whole or not at all, and only where nothing else is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import InvalidInputError, PextraError
from ansible_collections.pextra.cloud.plugins.plugin_utils.page_file import plan_page, write_page
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.model import Page
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.page import render_page

PAGE = render_page(Page(deployment="lab", is_live=False), "2026-11-29T15:04Z")
LATER = render_page(Page(deployment="lab", is_live=False), "2026-11-29T16:04Z")
OTHER = render_page(Page(deployment="prod", is_live=False), "2026-11-29T15:04Z")


def plan(path: Path, text: str = PAGE, mode: int = 0o600, *, always: bool = False) -> list[str]:
    return plan_page(str(path), text, mode, always=always)


def test_a_page_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert plan(path) == [f"write {path} ({len(PAGE.encode()) / 1024:.0f} KiB)"]
    assert not path.exists()
    write_page(str(path), PAGE, 0o600)
    assert path.read_text(encoding="utf-8") == PAGE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert plan(path) == []
    assert plan(path, LATER) == []
    assert len(plan(path, LATER, always=True)) == 1
    assert len(plan(path, OTHER)) == 1
    assert os.listdir(tmp_path) == ["page.html"]


def test_a_page_that_was_changed_by_hand_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(str(path), PAGE, 0o600)
    path.write_text(PAGE.replace("lab", "bal"), encoding="utf-8")
    assert len(plan(path)) == 1


def test_another_mode_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(str(path), PAGE, 0o600)
    assert plan(path, mode=0o644) == [f"set the mode of {path} to 0644"]
    write_page(str(path), PAGE, 0o644)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert plan(path, mode=0o644) == []


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.touch()
    assert len(plan(path)) == 1


def test_what_is_no_page_is_left_alone(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_bytes(b"mine \xff")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, what in ((notes, "is no page of pextra"), (tmp_path, "is no file"), (fifo, "is no file")):
        with pytest.raises(InvalidInputError, match=what):
            plan(path)
    with pytest.raises(InvalidInputError, match="there is no directory"):
        plan(tmp_path / "none" / "page.html")


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(str(path), PAGE, 0o600)
    long = tmp_path / ("x" * 255)
    with pytest.raises(PextraError, match="cannot be written: File name too long"):
        write_page(str(long), OTHER, 0o600)
    assert os.listdir(tmp_path) == ["page.html"]
