# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aspects and kinds of device: each row has its place and its effect, and no two claim one place."""

from __future__ import annotations

import ast
import runpy

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.kinds import Aspect, Device
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.walk import KINDS, unclaimed
from guards.project import MODULE_UTILS, ROOT, parsed

FOLDERS = [MODULE_UTILS / "_nouns" / "instance" / name for name in ("aspects", "devices")]
FILES = [path for folder in FOLDERS for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]


def test_the_lists_are_written_from_the_files() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "write_instance_kinds.py"))
    for path, text in tool["render_files"]().items():
        assert path.read_text(encoding="utf-8") == text, "run make options"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.option)
def test_every_row_has_its_place_and_its_effect(kind: Aspect | Device) -> None:
    assert unclaimed(kind.field) == []


def test_no_two_devices_claim_one_element() -> None:
    tags = [kind.tag for kind in KINDS if isinstance(kind, Device)]
    assert len(tags) == len(set(tags))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_they_do_not_import_each_other(path: object) -> None:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level != 1, "aspects and devices stand alone"
