"""What an OSD leaves on its host goes with consent only, and nobody else's disk is wiped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._ceph import osd as osds
from ansible_collections.pextra.cloud.plugins.module_utils._ceph.discarding import discard_osd, find_osd, stop_osd
from ansible_collections.pextra.cloud.plugins.module_utils._errors import ConsentError

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


def host(monkeypatch: pytest.MonkeyPatch, label: str) -> Callable[[Sequence[str]], tuple[int, str, str]]:
    monkeypatch.setattr(osds, "_read_label", lambda _run, _path: {"osd_uuid": label, "whoami": "3"})
    return lambda argv: (0, "ActiveState=active\nUnitFileState=enabled\n" if "show" in argv else "", "")


def test_it_goes_with_its_data(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = host(monkeypatch, ONE)
    done = [f"wipe {disk}", "remove the directory of osd.3"]
    assert discard_osd(run, 3, confirm="DESTROY", is_check=True) == done
    assert disk.exists()
    assert discard_osd(run, 3, confirm="DESTROY", is_check=False) == done
    assert not disk.exists()
    assert find_osd(3) is None
    assert discard_osd(run, 3, confirm="", is_check=False) == []


def test_without_consent_nothing_goes(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConsentError, match=r"the data of osd\.3"):
        discard_osd(host(monkeypatch, ONE), 3, confirm="", is_check=False)
    assert disk.exists()
    assert find_osd(3) is not None


def test_another_disk_in_its_place_is_not_wiped(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert discard_osd(host(monkeypatch, TWO), 3, confirm="DESTROY", is_check=False) == [
        "remove the directory of osd.3"
    ]
    assert disk.read_bytes() == b"data"


def test_a_host_without_it_is_left_alone(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = host(monkeypatch, ONE)
    assert stop_osd(run, 4, is_check=False) == discard_osd(run, 4, confirm="", is_check=False) == []
    assert stop_osd(run, 3, is_check=False) == ["stop ceph-osd@3.service"]
    assert disk.exists()
