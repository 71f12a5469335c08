# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disks of the host that a module runs on: what there is, and the tools that tell and change it.

This runs on each node, with the tools of the host: util-linux always, LVM and ZFS where they are wanted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._model.drives import (
    Content,
    Disk,
    Seen,
    VolumeGroup,
    Zpool,
)
from ..._model.errors import PextraError, Problem
from .drive_reports import (
    LSBLK_COLUMNS,
    PROPERTY,
    Block,
    FindDisk,
    make_volume_groups,
    parse_lsblk,
    parse_rows,
    parse_wipefs,
    parse_zpool_status,
)
from .drive_takings import read_takings
from .drive_users import find_users, is_claimed

LOCK = "/run/pextra-disks.lock"
# A tool that waits for a disk that does not answer must not hang the run.
_READ_TIMEOUT_S = 60
_LINK_DIRECTORIES = ("/dev/disk/by-id", "/dev/disk/by-path")
_PACKAGES = {"lvm": "lvm2", "zfs": "zfsutils-linux"}

Run = Callable[..., tuple[int, str, str]]


class DiskError(PextraError):
    """A tool failed, or is not there."""


@dataclass(frozen=True)
class Tools:
    """How commands are run on the host: AnsibleModule's run_command and get_bin_path."""

    run: Run
    find: Callable[[str], str | None]

    def has(self, name: str) -> bool:
        return self.find(name) is not None

    def read(self, name: str, *arguments: str, allowed: Sequence[int] = (0,)) -> str:
        """Return what a command prints that only looks."""
        return self._call(_READ_TIMEOUT_S, name, arguments, allowed)

    def act(self, name: str, *arguments: str) -> str:
        """Run a command that changes something."""
        return self._call(None, name, arguments, (0,))

    def act_within(self, timeout_s: int, name: str, *arguments: str) -> str:
        """Run a command that takes long, and stop waiting for it in time."""
        return self._call(timeout_s, name, arguments, (0,))

    def _call(self, timeout_s: int | None, name: str, arguments: Sequence[str], allowed: Sequence[int]) -> str:
        path = self.find(name)
        if path is None:
            raise DiskError([Problem(f"{name} is not installed", "Install the package that has it.")])
        before = ["timeout", "--kill-after=5", str(timeout_s)] if timeout_s else []
        code, out, error = self.run([*before, path, *arguments])
        if code not in allowed:
            said = " ".join((error.strip() or out.strip() or f"it ended with {code}").split())
            if code in (124, 137) and before:
                said = f"it has not ended within {timeout_s} s"
            raise DiskError([Problem(f"{name} {' '.join(arguments)}: {said}", "Nothing after it was done.")])
        return out


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Let nobody else change disks of this host with this collection at the same time."""
    with open(LOCK, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            problem = Problem("another run is changing disks of this host", "Wait until it has ended, and run again.")
            raise DiskError([problem]) from error
        yield


def find_missing_tools(uses: Sequence[str], tools: Tools) -> list[Problem]:
    """Return what has to be installed for these uses."""
    problems = []
    for use, tool in (("lvm", "vgs"), ("zfs", "zpool")):
        if use in uses and not tools.has(tool):
            problems.append(Problem(f"{tool} is not installed", f"Install the package {_PACKAGES[use]}."))
    if "zfs" in uses and tools.has("zpool") and not _has_zfs():
        remedy = "Run modprobe zfs. Install zfs-dkms (Debian's contrib) and the kernel's headers if there is none."
        problems.append(Problem("the kernel has no ZFS", remedy))
    return problems


def load_zfs(tools: Tools) -> None:
    """Load the kernel's part of ZFS, if it can be."""
    if tools.has("zpool") and not _has_zfs() and (modprobe := tools.find("modprobe")):
        tools.run([modprobe, "zfs"])


def settle(tools: Tools) -> None:
    """Wait until udev has looked at what has just changed."""
    tools.read("udevadm", "settle", f"--timeout={_READ_TIMEOUT_S // 2}")


def read_seen(tools: Tools) -> Seen:
    """Return the disks of the host and what they are part of."""
    settle(tools)
    blocks = parse_lsblk(tools.read("lsblk", "--json", "--bytes", "--paths", "--output", LSBLK_COLUMNS))
    whole = {path: block.path for block in blocks for path in (block.path, *block.partitions)}

    def find_disk(name: str) -> str | None:
        return whole.get(os.path.realpath(name))

    groups, physical, osd_groups = _read_lvm(tools, find_disk)
    zpools = _read_zpools(tools, find_disk)
    in_zpool = {member.disk: pool.name for pool in zpools for member in pool.members}
    users = find_users([path for block in blocks for path in (block.path, *block.partitions)])
    links = _read_links()
    disks = []
    for block in sorted(blocks, key=lambda one: (len(one.path), one.path)):
        uses = [*block.uses, *(text for path in (block.path, *block.partitions) for text in users[path])]
        if block.path in in_zpool:
            uses.insert(0, f"{block.path} is part of the zpool {in_zpool[block.path]}")
        contents, problem = _read_contents(block, tools)
        problem = problem or _find_claim(block, uses)
        uses += [problem] if problem else []
        group = physical.get(block.path)
        is_osd = group in osd_groups or any(content.kind == "ceph_bluestore" for content in contents)
        disks.append(_make_disk(block, links.get(block.path, ()), contents, uses, group, is_osd))
    return Seen(disks=tuple(disks), volume_groups=groups, zpools=zpools, takings=read_takings())


def _make_disk(
    block: Block,
    links: Sequence[str],
    contents: tuple[Content, ...],
    uses: Sequence[str],
    group: str | None,
    is_osd: bool,
) -> Disk:
    values = block.values
    return Disk(
        path=block.path,
        links=tuple(links),
        size_bytes=int(values["size"]),
        rotational=bool(values["rota"]),
        model=(values["model"] or "").strip() or None,
        serial=(values["serial"] or "").strip() or None,
        wwn=values["wwn"] or None,
        kind=block.kind,
        transport=_read_fabric(block.path) or values["tran"] or None,
        is_removable=bool(values["rm"]),
        is_read_only=bool(values["ro"]),
        partitions=block.partitions,
        contents=contents,
        uses=tuple(uses),
        volume_group=group,
        is_osd=is_osd,
    )


def _has_zfs() -> bool:
    return os.path.exists("/dev/zfs")


def _read_contents(block: Block, tools: Tools) -> tuple[tuple[Content, ...], str | None]:
    """Return what is on the disk and its partitions; or why that cannot be known."""
    try:
        text = tools.read("wipefs", "--json", "--output", "DEVICE,TYPE", block.path, *block.partitions)
    except DiskError as error:
        return (), f"{block.path} cannot be read: {error.problems[0].what}"
    return parse_wipefs(text), None


def _find_claim(block: Block, uses: Sequence[str]) -> str | None:
    if uses:
        return None
    for path in (block.path, *block.partitions):
        try:
            if is_claimed(path):
                return f"{path} is claimed by something that does not show here, such as a mount in a container"
        except OSError as error:
            return f"{path} cannot be opened: {error.strerror}"
    return None


def _read_links() -> dict[str, list[str]]:
    links: dict[str, list[str]] = {}
    for directory in map(Path, _LINK_DIRECTORIES):
        for link in sorted(directory.glob("*")):
            links.setdefault(os.path.realpath(link), []).append(str(link))
    return links


def _read_fabric(path: str) -> str | None:
    """Return how an NVMe disk is connected, if not within the host."""
    if not path.startswith("/dev/nvme"):
        return None
    device = Path("/sys/class/block", os.path.basename(path), "device")
    for file in (device / "transport", *device.glob("nvme*/transport")):
        with contextlib.suppress(OSError):
            transport = file.read_text(encoding="ascii").strip()
            if transport != "pcie":
                return transport
    return None


def _read_lvm(
    tools: Tools, find_disk: FindDisk
) -> tuple[tuple[VolumeGroup, ...], dict[str | None, str], frozenset[str]]:
    """Return (volume groups, the group of each disk that is LVM's, the groups that hold OSDs of Ceph)."""
    if not tools.has("vgs"):
        return (), {}, frozenset()

    def report(name: str, columns: str) -> list[dict[str, Any]]:
        form = ("--reportformat", "json", "--units", "b", "--nosuffix", "-o", columns)
        # 5: a volume group misses a disk; what is there is reported all the same.
        return parse_rows(tools.read(name, *form, allowed=(0, 5)))

    groups = report("vgs", "vg_name,vg_tags,vg_extent_size")
    physical = report("pvs", "pv_name,pv_uuid,vg_name,pv_missing,pv_used")
    logical = report("lvs", "vg_name,lv_name,lv_tags,lv_health_status")
    osds = frozenset(row["vg_name"] for row in logical if "ceph.osd_id=" in row["lv_tags"])
    of_disk = {find_disk(row["pv_name"]): row["vg_name"] for row in physical if not row["pv_missing"]}
    return make_volume_groups(groups, physical, logical, find_disk), of_disk, osds


def _read_zpools(tools: Tools, find_disk: FindDisk) -> tuple[Zpool, ...]:
    if not tools.has("zpool") or not _has_zfs():
        return ()
    text = tools.read("zpool", "status", "-P")
    found = parse_zpool_status(text, find_disk)
    if not found:
        return ()
    given = tools.read("zfs", "get", "-H", "-d", "0", "-o", "name,value", PROPERTY, *found)
    owners = dict(line.split("\t", 1) for line in given.splitlines() if "\t" in line)
    return tuple(
        Zpool(
            name=name,
            is_ours=owners.get(name) == name,
            health=status.health,
            vdevs=status.vdevs,
            leaving=status.leaving,
            scan=status.scan,
            errors=status.errors,
        )
        for name, status in found.items()
    )
