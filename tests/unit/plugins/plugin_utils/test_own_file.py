# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written over: what an earlier run has written, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._document.document import Deployment
from ansible_collections.pextra.cloud.plugins.module_utils._document.formats import FORMATS, render
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import Mistake
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.audit.lines import RENDERERS
from ansible_collections.pextra.cloud.plugins.plugin_utils.own_file import KINDS, tell_refusal
from deployment_document import instance, read

_ENTRY = ("number", "at", "run", "actor", "job", "revision", "kind", "name", "resource", "organization", "node", "what")
ENTRY: dict[str, Any] = {**dict.fromkeys(_ENTRY), "number": 1, "at": 0, "kind": "instance", "outcome": "done"}
MISTAKE = Mistake("pextra_pools[0] (a).type", "1 is no type", file="/a.yml", line=3)
RIGHT = read({"pextra_instances": [instance("web")]})
DEPLOYMENTS = (
    RIGHT,
    Deployment(mistakes=(MISTAKE,)),
    Deployment(mistakes=(MISTAKE, MISTAKE), warnings=(MISTAKE,)),
    Deployment(document=RIGHT.document, summary=RIGHT.summary, warnings=(MISTAKE,)),
)
OWN: dict[str, list[str]] = {
    "findings": [render(one, how, "/") for one in DEPLOYMENTS for how in FORMATS],
    "drift": [json.dumps({"differs": False, "complete": True, "actions": [], "problems": [], "diff": []}, indent=4)],
    "audit": ["".join(f"{write(ENTRY, 'node1')}\n" for _ in range(2)) for write in RENDERERS.values()],
}
OTHERS = ("precious\n", "pextra_nodes:\n  hosts: {}\n", "{}", "[1, 2]", '{"runs": []}', '{"runs": [{"tool": 1}]}', "\0")


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_earlier_run_has_written_is_written_over(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    assert tell_refusal(str(path), kind) == ""
    for held in ("", "\n", *OWN[kind]):
        path.write_text(held, encoding="utf-8")
        assert tell_refusal(str(path), kind) == "", held


@pytest.mark.parametrize("kind", KINDS)
def test_anything_else_is_not(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    others = [held for other, texts in OWN.items() if other != kind for held in texts]
    for held in (*OTHERS, *others):
        path.write_text(held, encoding="utf-8")
        assert "was not written by an earlier run" in tell_refusal(str(path), kind), held


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "disk.img").write_bytes(b"\xff\xfe" * 64)
    assert "was not written by an earlier run" in tell_refusal(str(tmp_path / "disk.img"), "drift")


def test_places_that_hold_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (str(tmp_path / "pipe"), "/dev/null", "/dev/stdout"):
        assert tell_refusal(path, "findings") == ""
    assert "is a directory" in tell_refusal(str(tmp_path), "findings")
    assert f"there is no directory {tmp_path}/no" in tell_refusal(str(tmp_path / "no" / "file"), "findings")


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious\n")
    (tmp_path / "link").symlink_to("precious")
    assert "was not written by an earlier run" in tell_refusal(str(tmp_path / "link"), "audit")
