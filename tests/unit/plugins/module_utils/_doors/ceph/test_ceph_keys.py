# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of Ceph on the coordinator: whole, and readable by nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.ceph import keys


def test_a_key_is_kept_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "keys"
    monkeypatch.setattr(keys, "DIRECTORY", directory)
    assert keys.read_key("pool-1") is None
    keys.keep_key("pool-1", "first")
    (directory / ".pool-1.new").write_text("half")  # as a killed run leaves it
    (directory / ".pool-1.new").chmod(0o644)
    keys.keep_key("pool-1", "second")
    assert keys.read_key("pool-1") == "second"
    assert [path.name for path in directory.iterdir()] == ["pool-1"]
    assert oct(directory.stat().st_mode & 0o777) == "0o700"
    assert oct((directory / "pool-1").stat().st_mode & 0o777) == "0o600"
    keys.drop_key("pool-1")
    keys.drop_key("pool-1")
    assert keys.read_key("pool-1") is None
