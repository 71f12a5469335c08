# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's helper does with its volume, whose permissions tell that it has ended, and how."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_container import COMPLETE, LEFT

SCRIPT = Path(__file__).resolve().parents[3] / "roles" / "node" / "templates" / "container-volume.j2"
BEGUN = 0o700


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(BEGUN)
    return volume


def pack(volume: Path, *names: str) -> None:
    """Write the image: these files, with nothing in them."""
    with tarfile.open(volume.parent / "image", "w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name))


def run(work: str, volume: Path, *, before: str = "") -> int:
    """Run the helper on a volume and the image beside it; before: what is done while it has not begun to work."""
    script = SCRIPT.read_text().replace("/volume", str(volume)).replace("/image", str(volume.parent / "image"))
    assert "sleep 2\n" in script
    done = subprocess.run(["dash", "-c", script.replace("sleep 2", before), "helper", work, "box"], check=False)
    return done.returncode


def mode(volume: Path) -> int:
    return volume.stat().st_mode & 0o777


def test_one_that_is_filled_is_closed(volume: Path) -> None:
    pack(volume, "sbin/init", "dev/mem")
    assert run("fill", volume) == 0
    assert mode(volume) == COMPLETE
    volume.chmod(BEGUN)
    assert sorted(one.name for one in volume.iterdir()) == ["log", "rootfs"]
    assert (volume / "rootfs/sbin/init").exists()
    assert not (volume / "rootfs/dev").exists()


def test_it_has_its_name_for_its_host_name(volume: Path) -> None:
    elsewhere = volume.parent / "elsewhere"
    elsewhere.write_text("as it was")
    with tarfile.open(volume.parent / "image", "w") as tar:
        tar.addfile(tarfile.TarInfo("sbin/init"))
        link = tarfile.TarInfo("etc/hostname")
        link.type, link.linkname = tarfile.SYMTYPE, str(elsewhere)
        tar.addfile(link)
    assert run("fill", volume) == 0
    volume.chmod(BEGUN)
    hostname = volume / "rootfs/etc/hostname"
    assert (hostname.read_text(), hostname.stat().st_mode & 0o777, hostname.is_symlink()) == ("box\n", 0o644, False)
    assert elsewhere.read_text() == "as it was"


def test_a_directory_that_is_a_link_is_left(volume: Path) -> None:
    elsewhere = volume.parent / "elsewhere"
    elsewhere.mkdir()
    with tarfile.open(volume.parent / "image", "w") as tar:
        tar.addfile(tarfile.TarInfo("sbin/init"))
        link = tarfile.TarInfo("etc")
        link.type, link.linkname = tarfile.SYMTYPE, str(elsewhere)
        tar.addfile(link)
    assert run("fill", volume) == 0
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("image", [("etc/hostname",), None])
def test_one_that_cannot_be_filled_is_left(volume: Path, image: tuple[str, ...] | None) -> None:
    """An image without an init, and none that could be read."""
    if image is None:
        (volume.parent / "image").write_bytes(b"hsqs, and nothing more")
    else:
        pack(volume, *image)
    assert run("fill", volume) != 0
    assert mode(volume) == LEFT
    # The next one begins again, and takes that sign away first.
    pack(volume, "sbin/init")
    assert run("fill", volume, before=f"[ $(stat -c %a {volume}) = 600 ]") == 0
    assert mode(volume) == COMPLETE


def test_one_that_cannot_even_be_written_to_is_left(volume: Path) -> None:
    (volume / "log").mkdir()
    pack(volume, "sbin/init")
    assert run("fill", volume) != 0
    assert mode(volume) == LEFT


def test_one_that_is_emptied_is_left(volume: Path) -> None:
    pack(volume, "sbin/init")
    run("fill", volume)
    assert run("empty", volume) == 0
    assert mode(volume) == LEFT
    volume.chmod(BEGUN)
    assert list(volume.iterdir()) == []


def test_one_that_is_killed_is_neither(volume: Path) -> None:
    """It may have been at work: nothing tells that it has ended, and nothing that all of it is there."""
    (volume / "rootfs").mkdir()
    volume.chmod(COMPLETE)
    script = SCRIPT.read_text().replace("sleep 2\n", "").replace("find /volume", "kill -9 $$; find /volume")
    subprocess.run(["dash", "-c", script.replace("/volume", str(volume)), "helper", "empty"], check=False)
    assert mode(volume) == BEGUN
