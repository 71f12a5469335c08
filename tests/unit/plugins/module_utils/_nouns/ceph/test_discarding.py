# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an OSD leaves on its host goes with consent only, and nobody else's disk is wiped."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._engine.own_host import converge_on_host
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import ConsentError
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph import osd as osds
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.discarding import DiscardingWork, find_osd
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.host import Run

ONE, TWO = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of osd.3, which is there with its directory."""
    monkeypatch.setattr(osds, "_OSDS", tmp_path / "osd")
    file = tmp_path / "osd.img"
    file.write_bytes(b"data")
    directory = tmp_path / "osd" / "ceph-3"
    directory.mkdir(parents=True)
    for name, word in (("whoami", "3"), ("fsid", ONE)):
        (directory / name).write_text(f"{word}\n")
    (directory / "block").symlink_to(file)
    return file


RUNNING = "ActiveState=active\nUnitFileState=enabled\n"
STOPPED = "ActiveState=inactive\nUnitFileState=disabled\n"


def host(monkeypatch: pytest.MonkeyPatch, label: str, *, state: str = RUNNING) -> Run:
    monkeypatch.setattr(osds, "_read_label", lambda _run, _path: {"osd_uuid": label, "whoami": "3"})
    return lambda argv: (0, state if "show" in argv else "", "")


def discard(run: Run, number: int = 3, *, confirm: str = "DESTROY", apply: bool = True) -> list[str]:
    return converge_on_host(DiscardingWork(run, number, keeps_data=False), apply=apply, confirm=confirm).plan.actions


def test_it_goes_with_its_data(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = host(monkeypatch, ONE)
    done = ["stop ceph-osd@3.service", f"wipe {disk}", "remove the directory of osd.3"]
    assert discard(run, apply=False) == done
    assert disk.exists()
    assert discard(run) == done
    assert not disk.exists()
    assert find_osd(3) is None
    assert discard(run, confirm="") == []


@pytest.mark.parametrize("apply", [True, False])
def test_without_consent_nothing_goes(disk: Path, monkeypatch: pytest.MonkeyPatch, apply: bool) -> None:
    with pytest.raises(ConsentError, match=r"the data of osd\.3"):
        discard(host(monkeypatch, ONE), confirm="", apply=apply)
    assert disk.exists()
    assert find_osd(3) is not None


def test_another_disk_in_its_place_is_not_wiped(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = host(monkeypatch, TWO, state=STOPPED)
    assert discard(run) == ["remove the directory of osd.3"]
    assert disk.read_bytes() == b"data"


def test_a_host_without_it_is_left_alone(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = host(monkeypatch, ONE)
    assert discard(run, 4, confirm="") == []
    stopping = converge_on_host(DiscardingWork(run, 3, keeps_data=True), apply=False, confirm="")
    assert stopping.plan.actions == ["stop ceph-osd@3.service"]
    assert stopping.further == {"path": str(disk)}
    assert disk.exists()
