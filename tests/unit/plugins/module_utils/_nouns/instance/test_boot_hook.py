# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest does at each boot with its volumes: the shell itself, with tools that stand in for disks.

A real guest does it in the lab (test_debian_guest.py); here is what would cost a boot each.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.labels import VolumeLabel
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.vendor_data import _HOOK, _lines

# A disk is a file: what is on it, as TYPE UUID; nothing on one that is empty, and "?" for data without a signature.
TOOLS = {
    "udevadm": "",
    "blockdev": "echo 10485760",
    "cmp": 'for word; do [ ! -f "$word" ] || exec test ! -s "$word"; done',
    "blkid": """
for word; do disk=$word; done
read -r type uuid <"$disk" || [ -n "$type" ] || exit 2
[ "$type" != '?' ] || exit 2
case "$*" in *TYPE*) echo "$type" ;; *UUID*) echo "$uuid" ;; *USAGE*) echo filesystem ;; esac
""",
    "mkfs.ext4": 'echo "ext4 U-${2##*/}" >"$2"; echo "mkfs $2" >>"$LOG"',
    "mount": 'echo "mount $1" >>"$LOG"',
    "umount": 'echo "umount $1" >>"$LOG"',
    "mountpoint": "exit 1",
    "lsblk": 'cat "$SERIALS"',
}


class Guest:
    def __init__(self, path: Path) -> None:
        self.path, self.fstab, self.log = path, path / "fstab", path / "log"
        for name in ("tools", "by-id", "disks", "sys"):
            (path / name).mkdir()
        for name, script in TOOLS.items():
            (path / "tools" / name).write_text(f"#!/bin/sh\n{script}\n")
            (path / "tools" / name).chmod(0o755)
        self.fstab.write_text("# /srv/data was on /dev/vdb1 during installation\nUUID=root / ext4 defaults 0 1\n")
        self.serials = path / "serials"
        self.serials.write_text("")

    def plug(self, name: str, content: str = "", *, by_id: bool = True) -> Path:
        disk = self.path / "disks" / name
        disk.write_text(content)
        if by_id:
            (self.path / "by-id" / f"virtio-{name}").symlink_to(disk)
        else:
            self.serials.write_text(f"{disk} {name}\n")
        return disk

    def boot(self, mountpoint: str = "data", filesystem: str = "ext4", **others: str) -> tuple[int, list[str]]:
        """Return how the hook ended, and what it did. others: mount points of further volumes, by their names."""
        self.log.write_text("")
        labels = []
        for name, where in {"data": mountpoint, **others}.items():
            point = str(self.path / where) if where else ""
            labels.append(VolumeLabel(name=name, pool="p", size=1, filesystem=filesystem, mountpoint=point))
        hook = _HOOK.replace("__VOLUMES__", "\n".join(_lines(labels)))
        for there, here in (
            ("/etc/fstab", "fstab"),
            ("/dev/disk/by-id", "by-id"),
            ("/sys/class/block", "sys"),
            ("/run/systemd/system", "none"),
            ("/dev/console", "console"),
        ):
            hook = hook.replace(there, str(self.path / here))
        hook = hook.replace('[ -b "$path" ]', '[ -f "$path" ]').removeprefix("#cloud-boothook\n")
        environment = {
            "PATH": f"{self.path / 'tools'}:{os.environ['PATH']}",
            "LOG": str(self.log),
            "SERIALS": str(self.serials),
        }
        done = subprocess.run(["sh"], input=hook, text=True, env=environment, check=False, timeout=30)
        return done.returncode, self.log.read_text().splitlines()

    @property
    def lines(self) -> list[str]:
        """What stands in fstab of ours."""
        return [line for line in self.fstab.read_text().splitlines() if "x-pextra.volume=" in line]


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path)


@pytest.mark.parametrize("by_id", [True, False], ids=["by its name", "by its serial alone"])
def test_an_empty_volume_gets_its_file_system_once(guest: Guest, by_id: bool) -> None:
    disk, point = guest.plug("data", by_id=by_id), guest.path / "data"
    assert guest.boot() == (0, [f"mkfs {disk}", f"mount {point}"])
    assert guest.lines == [f"UUID=U-data {point} ext4 defaults,nofail,x-pextra.volume=data 0 2"]
    before = guest.fstab.read_text()
    assert before.startswith("# /srv/data was")
    assert guest.boot() == (0, [f"mount {point}"])
    assert guest.fstab.read_text() == before


def test_what_is_not_empty_is_never_written_over(guest: Guest) -> None:
    disk = guest.plug("data", "?")
    assert guest.boot() == (1, [])
    assert (disk.read_text(), guest.lines) == ("?", [])


def test_a_file_system_of_another_kind_is_kept(guest: Guest) -> None:
    disk = guest.plug("data", "xfs U-old")
    assert guest.boot() == (0, [f"mount {guest.path / 'data'}"])
    assert disk.read_text() == "xfs U-old"
    assert guest.lines[0].startswith("UUID=U-old ")


def test_a_volume_that_is_away_keeps_its_line(guest: Guest) -> None:
    guest.plug("data")
    guest.boot()
    had = guest.fstab.read_text()
    (guest.path / "by-id" / "virtio-data").unlink()
    code, did = guest.boot()
    assert (code, [one for one in did if "umount" in one]) == (1, [])
    assert guest.fstab.read_text() == had


def test_one_that_lost_its_file_system_gets_no_other(guest: Guest) -> None:
    disk = guest.plug("data")
    guest.boot()
    had = guest.fstab.read_text()
    disk.write_text("")
    code, did = guest.boot()
    assert (code, [one for one in did if "mkfs" in one or "umount" in one]) == (1, [])
    assert (disk.read_text(), guest.fstab.read_text()) == ("", had)


@pytest.mark.parametrize(
    ("line", "is_ours"), [("#UUID=x {} ext4", True), ("UUID=x {} ext4", False), ("UUID=x {}/ ext4", False)]
)
def test_a_line_of_the_guests_own_counts_for_more(guest: Guest, line: str, is_ours: bool) -> None:
    guest.plug("data", "ext4 U-data")
    with guest.fstab.open("a") as fstab:
        fstab.write(line.format(guest.path / "data") + " defaults 0 2\n")
    assert guest.boot()[0] == 0
    assert bool(guest.lines) == is_ours


def test_a_mount_point_that_goes_is_unmounted(guest: Guest) -> None:
    guest.plug("data")
    guest.boot()
    assert guest.boot(mountpoint="") == (0, [f"umount {guest.path / 'data'}"])
    assert guest.lines == []
    assert "UUID=root / ext4" in guest.fstab.read_text()


@pytest.mark.parametrize(
    ("now", "gone"),
    [
        ({"mountpoint": "", "logs": "data/logs"}, ["data/logs", "data"]),
        ({"mountpoint": "", "logs": ""}, ["data/logs", "data"]),
        ({"mountpoint": "data", "logs": ""}, ["data/logs"]),
        ({"mountpoint": "other", "logs": "data/logs"}, ["data/logs", "data"]),
    ],
)
def test_what_is_mounted_below_another_is_unmounted_first(guest: Guest, now: dict[str, str], gone: list[str]) -> None:
    for name in ("data", "logs", "beside"):
        guest.plug(name)
    guest.boot(mountpoint="data", logs="data/logs", beside="data-more")
    code, did = guest.boot(**now, beside="data-more")
    unmounted = [one.removeprefix(f"umount {guest.path}/") for one in did if one.startswith("umount")]
    assert (code, unmounted) == (0, gone)
    wanted = [guest.path / one for one in (*now.values(), "data-more") if one]
    assert {one for one in did if one.startswith("mount")} == {f"mount {one}" for one in wanted}
