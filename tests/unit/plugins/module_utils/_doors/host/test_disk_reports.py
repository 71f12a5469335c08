# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tools print, as they print it."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.drive_reports import (
    LSBLK_COLUMNS,
    make_volume_groups,
    parse_lsblk,
    parse_rows,
    parse_wipefs,
    parse_zpool_status,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.drives import Content


def device(path: str, kind: str = "disk", **values: Any) -> dict[str, Any]:
    return {"path": path, "type": kind, "size": 10, "mountpoints": [None], **values}


def test_lsblk_is_asked_for_a_tree() -> None:
    """Without the name it would print a flat list, in which a partition is a disk and nothing is in use."""
    assert LSBLK_COLUMNS.split(",")[0] == "NAME"


def test_lsblk() -> None:
    crypt = device("/dev/mapper/secret", "crypt", mountpoints=["/srv"])
    disks = [
        device("/dev/loop0", "loop"),
        device("/dev/sr0", "rom"),
        device("/dev/zram0"),
        device("/dev/sdz", size=0),
        device("/dev/vda", children=[device("/dev/vda1", "part", mountpoints=["/", "/var"])]),
        device("/dev/vdb", mountpoints=["[SWAP]"]),
        device("/dev/vdc", children=[device("/dev/vdc1", "part", children=[crypt])]),
        device("/dev/zd0"),
        device("/dev/vdd"),
    ]
    blocks = parse_lsblk(json.dumps({"blockdevices": disks}))
    assert [(block.path, block.kind, block.partitions, block.uses) for block in blocks] == [
        ("/dev/vda", "disk", ("/dev/vda1",), ("/dev/vda1 is mounted at /", "/dev/vda1 is mounted at /var")),
        ("/dev/vdb", "disk", (), ("/dev/vdb is swap",)),
        (
            "/dev/vdc",
            "disk",
            ("/dev/vdc1",),
            ("/dev/vdc1 is part of /dev/mapper/secret (crypt)", "/dev/mapper/secret is mounted at /srv"),
        ),
        ("/dev/zd0", "a volume of a zpool", (), ()),
        ("/dev/vdd", "disk", (), ()),
    ]


def test_wipefs() -> None:
    assert parse_wipefs("") == ()
    found = [
        {"device": "vdb", "type": "gpt"},
        {"device": "vdb", "type": "gpt"},
        {"device": "vdb", "type": "PMBR"},
        {"device": "/dev/vdb1", "type": "ext4"},
    ]
    assert parse_wipefs(json.dumps({"signatures": found})) == (
        Content("gpt", "/dev/vdb"),
        Content("PMBR", "/dev/vdb"),
        Content("ext4", "/dev/vdb1"),
    )


def test_volume_groups() -> None:
    groups = [{"vg_name": "vg0", "vg_tags": "a,pextra", "vg_extent_size": "4194304"}]
    groups += [{"vg_name": "old", "vg_tags": "pextraordinary", "vg_extent_size": "4194304"}]
    physical = [
        {"pv_name": "/dev/vdb", "pv_uuid": "u1", "vg_name": "vg0", "pv_missing": "", "pv_used": "4194304"},
        {"pv_name": "[unknown]", "pv_uuid": "u2", "vg_name": "vg0", "pv_missing": "missing", "pv_used": "0"},
        {"pv_name": "/dev/vdd1", "pv_uuid": "u3", "vg_name": "old", "pv_missing": "", "pv_used": "0"},
        {"pv_name": "/dev/vde", "pv_uuid": "u4", "vg_name": "", "pv_missing": "", "pv_used": "0"},
    ]
    logical = [
        {"vg_name": "vg0", "lv_name": "whole", "lv_health_status": ""},
        {"vg_name": "vg0", "lv_name": "broken", "lv_health_status": "partial"},
    ]
    text = json.dumps({"report": [{"pv": physical}]})
    ours, old = make_volume_groups(groups, parse_rows(text), logical, lambda name: name[:8])
    assert (ours.is_ours, old.is_ours) == (True, False)
    assert [(one.device, one.disk, one.is_missing, one.used_bytes) for one in ours.members] == [
        ("/dev/vdb", "/dev/vdb", False, 4194304),
        ("[unknown]", None, True, 0),
    ]
    assert ours.partial == ("broken",)
    assert [one.disk for one in old.members] == ["/dev/vdd"]


STATUS = """\
  pool: tank
 state: DEGRADED
status: One or more devices could not be used because the label is missing or
\tinvalid.  Sufficient replicas exist for the pool to continue
\tfunctioning in a degraded state.
action: Replace the device using 'zpool replace'.
   see: https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-4J
  scan: resilver in progress since Wed Nov 25 08:00:00 2026
\t1.00G scanned at 100M/s, 500M issued at 50M/s, 2.00G total
\t100M resilvered, 25.00% done, 00:00:30 to go
config:

\tNAME                                    STATE     READ WRITE CKSUM
\ttank                                    DEGRADED     0     0     0
\t  mirror-0                              DEGRADED     0     0     0
\t    /dev/disk/by-id/virtio-A-part1      ONLINE       0     0     0
\t    replacing-1                         DEGRADED     0     0     0
\t      123456789                         UNAVAIL      0     0     0  was /dev/disk/by-id/virtio-B-part1
\t      /dev/disk/by-id/virtio-C-part1    ONLINE       0     0     0  (resilvering)
\t  mirror-1                              DEGRADED     0     0     0
\t    /dev/disk/by-id/virtio-D-part1      ONLINE       0     0     0
\t    987654321                           UNAVAIL      0     0     0  was /dev/disk/by-id/virtio-E-part1
\tlogs
\t  /dev/disk/by-id/virtio-L-part1        ONLINE       0     0     0
\tspares
\t  /dev/disk/by-id/virtio-S-part1        AVAIL

errors: No known data errors

  pool: single
 state: ONLINE
config:

\tNAME         STATE     READ WRITE CKSUM
\tsingle       ONLINE       0     0     0
\t  /dev/vdx1  ONLINE       0     0     0
\t  raidz1-1   ONLINE       0     0     0
\t    /dev/vdy1  ONLINE       0     0     0
\t    /dev/vdz1  ONLINE       0     0     0

errors: No known data errors
"""


def find_disk(name: str) -> str | None:
    gone = ("-B-", "-E-")
    return None if any(one in name for one in gone) else name.replace("-part1", "").rstrip("1")


def test_zpool_status() -> None:
    pools = parse_zpool_status(STATUS, find_disk)
    tank = pools["tank"]
    assert (tank.health, tank.errors) == ("DEGRADED", "No known data errors")
    assert [one.device for one in tank.leaving] == [
        "/dev/disk/by-id/virtio-B-part1",
        "/dev/disk/by-id/virtio-C-part1",
    ]
    assert "25.00% done" in tank.scan
    assert [(vdev.kind, [one.disk for one in vdev.members]) for vdev in tank.vdevs] == [
        ("mirror", ["/dev/disk/by-id/virtio-A", "/dev/disk/by-id/virtio-C"]),
        ("mirror", ["/dev/disk/by-id/virtio-D", None]),
    ]
    lost = tank.vdevs[1].members[1]
    assert (lost.device, lost.uuid, lost.is_missing) == ("/dev/disk/by-id/virtio-E-part1", "987654321", True)
    single = pools["single"]
    assert (single.health, single.leaving, single.scan) == ("ONLINE", (), "")
    assert [(vdev.kind, len(vdev.members)) for vdev in single.vdevs] == [("disk", 1), ("raidz1", 2)]


def test_no_zpools() -> None:
    assert parse_zpool_status("no pools available\n", find_disk) == {}
