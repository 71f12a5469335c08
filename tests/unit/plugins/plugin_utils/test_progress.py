# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees of progress, from what a module writes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._engine import progress as _progress
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import CephError
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.waiting import wait_for
from ansible_collections.pextra.cloud.plugins.plugin_utils.progress import render_progress

COUNTED = {"noun": "images", "done": 1, "total": 3, "nodes": {"node2": 1}, "last": "debian"}


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (COUNTED, "  images: 1 of 3 done (node2 1)"),
        (
            {**COUNTED, "transfers": {"debian to node3": {"done": 5 * 1024**2, "total": 1024**3}}},
            "  images: 1 of 3 done (node2 1); debian to node3 5 of 1024 MiB",
        ),
        ({"noun": "ceph", "waiting": "all is well: 1 of 33 moved"}, "  ceph: waiting until all is well: 1 of 33 moved"),
    ],
)
def test_rendered(state: dict[str, Any], line: str) -> None:
    assert render_progress(state) == line


def test_what_is_waited_for_is_shown_until_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr("ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.waiting._POLL_S", 0.01)
    said: list[str] = []

    def look() -> str | None:
        said.extend(render_progress(json.loads(path.read_text())) for path in tmp_path.glob("progress-ceph-*.json"))
        return None if len(said) == 2 else f"{2 - len(said)} to go"

    wait_for("all is well", look, 10)
    assert said == ["  ceph: waiting until all is well: 2 to go", "  ceph: waiting until all is well: 1 to go"]
    assert not list(tmp_path.iterdir())

    with pytest.raises(CephError, match=r"all is well: not within 0.05 s\. never"):
        wait_for("all is well", lambda: "never", 0.05)
    assert not list(tmp_path.iterdir())
