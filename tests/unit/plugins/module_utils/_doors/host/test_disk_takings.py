# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The note of what is being taken outlives a run that fails or is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host import drive_takings as takings
from disk_model import disk


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takings, "DIRECTORY", tmp_path / "disks")


def test_there_is_a_note_while_disks_are_taken() -> None:
    assert takings.read_takings() == {}
    with takings.noted("vg0", [disk("a"), disk("b", serial=None, wwn="0x5")]):
        assert takings.read_takings() == {"vg0": (disk("a").identity, disk("b", serial=None, wwn="0x5").identity)}
    assert takings.read_takings() == {}


def test_the_note_stays_when_taking_fails() -> None:
    with pytest.raises(ValueError, match="vgcreate"), takings.noted("vg0", [disk("a")]):
        raise ValueError("vgcreate has failed")
    assert takings.read_takings() == {"vg0": (disk("a").identity,)}
    takings.forget("vg0")
    takings.forget("vg0")
    assert takings.read_takings() == {}


def test_a_half_written_note_is_none() -> None:
    takings.DIRECTORY.mkdir()
    (takings.DIRECTORY / "vg0.new").write_text('[{"ser')
    assert takings.read_takings() == {}
