# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that concern several elements: addresses, storage, switches, placement, capacity."""

from __future__ import annotations

from typing import Any

import pytest
from deployment_document import HOSTS, VARIABLES, instance, read, told, with_address

IPV6 = "fd00:1::5/64"


def two(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {"pextra_instances": [first, second]}


ADDRESSES: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "one address twice",
        two(with_address("one", "172.20.0.5/24"), with_address("two", "172.20.0.5/24")),
        ["pextra_instances[1] (two).nics[0].addresses[0]: 172.20.0.5 is an address of one in Production already"],
    ),
    (
        "one address twice in another form",
        two(with_address("one", IPV6), with_address("two", "FD00:1:0::0005/64")),
        ["pextra_instances[1] (two).nics[0].addresses[0]: fd00:1::5 is an address of one in Production already"],
    ),
    (
        "one address in two networks",
        two(with_address("one", "172.20.0.5/24"), with_address("two", "172.20.0.5/24", port_group="DMZ")),
        [],
    ),
    (
        "two port groups of one VLAN",
        {
            "pextra_port_groups": [{"name": "Production", "vlan": 42}, {"name": "Copy", "vlan": 42}],
            **two(with_address("one", "172.20.0.5/24"), with_address("two", "172.20.0.5/24", port_group="Copy")),
        },
        ["pextra_instances[1] (two).nics[0].addresses[0]: 172.20.0.5 is an address of one in the same VLAN already"],
    ),
    (
        "the same address with another prefix",
        two(with_address("one", "172.20.0.5/24"), with_address("two", "172.20.0.6/16")),
        ["pextra_instances[0] (one).nics[0].addresses[0]: 172.20.0.5/24 overlaps 172.20.0.0/16 of two in Production"],
    ),
    (
        "the one of many is wrong",
        {
            "pextra_instances": [
                with_address("one", "172.20.0.5/24"),
                with_address("two", "172.20.0.6/16"),
                with_address("three", "172.20.0.7/24"),
            ]
        },
        ["pextra_instances[1] (two).nics[0].addresses[0]: 172.20.0.6/16 overlaps 172.20.0.0/24 of one in Production"],
    ),
    ("subnets side by side", two(with_address("one", "172.20.0.5/24"), with_address("two", "172.20.1.5/25")), []),
    (
        "two versions of the protocol",
        two(with_address("one", "172.20.0.5/24", IPV6), with_address("two", "172.20.0.6/24", "fd00:1::6/64")),
        [],
    ),
    (
        "an address without a prefix",
        {"pextra_instances": [with_address("one", "172.20.0.5")]},
        ['pextra_instances[0] (one).nics[0].addresses[0]: "172.20.0.5" is not an address with its prefix length'],
    ),
    (
        "the network's own address",
        {"pextra_instances": [with_address("one", "172.20.0.0/24")]},
        ['pextra_instances[0] (one).nics[0].addresses[0]: "172.20.0.0/24" is the network\'s own or its broadcast'],
    ),
    (
        "all replicas with one address",
        {"pextra_instances": [with_address("web", "172.20.0.5/24", count=3)]},
        [
            "pextra_instances[0] (web-2).nics[0].addresses[0]: 172.20.0.5 is an address of web-1 in Production already",
            "pextra_instances[0] (web-3).nics[0].addresses[0]: 172.20.0.5 is an address of web-1 in Production already",
        ],
    ),
    (
        "an address of its own beside that of a service, which moves between instances",
        two(
            with_address("one", "172.20.0.5/24", "172.20.0.100/32", IPV6, "fd00:1::100/128"),
            with_address("two", "172.20.0.6/24", "fd00:1::6/64"),
        ),
        [],
    ),
    (
        "a gateway elsewhere",
        {
            "pextra_instances": [
                instance(
                    "db",
                    nics=[{"port_group": "DMZ", "addresses": ["10.0.0.5/24"], "gateway": "10.0.1.1"}],
                )
            ]
        },
        ["pextra_instances[0] (db).nics[0].gateway: 10.0.1.1 is not in the subnet of its addresses (10.0.0.0/24)"],
    ),
    (
        "itself as the gateway",
        {
            "pextra_instances": [
                instance("db", nics=[{"port_group": "DMZ", "addresses": ["10.0.0.5/24"], "gateway": "10.0.0.5"}])
            ]
        },
        ["pextra_instances[0] (db).nics[0].gateway: 10.0.0.5 is the instance's own address"],
    ),
    (
        "one MAC twice, in two forms",
        two(
            instance("one", nics=[{"port_group": "DMZ", "mac": "52:54:00:AA:00:01"}]),
            instance("two", nics=[{"port_group": "Production", "mac": "52-54-00-aa-00-01"}]),
        ),
        ['pextra_instances[1] (two).nics[0].mac: "52:54:00:aa:00:01" is the MAC address of one too'],
    ),
    (
        "one MAC twice, in groups of one digit",
        two(
            instance("one", nics=[{"port_group": "DMZ", "mac": "0:1:2:3:4:5"}]),
            instance("two", nics=[{"port_group": "Production", "mac": "0001.0203.0405"}]),
        ),
        ['pextra_instances[1] (two).nics[0].mac: "00:01:02:03:04:05" is the MAC address of one too'],
    ),
    (
        "one MAC twice on one instance, in two forms",
        {
            "pextra_instances": [
                instance("one", nics=[{"port_group": "DMZ", "mac": mac} for mac in ("2:0:0:0:0:a", "02-00-0-0-0-0A")])
            ]
        },
        [
            'pextra_instances[0] (one).nics[0].mac: "02:00:00:00:00:0a" is given twice',
            'pextra_instances[0] (one).nics[1].mac: "02:00:00:00:00:0a" is given twice',
        ],
    ),
    (
        "what is absent has no address",
        two(with_address("one", "172.20.0.5/24", state="absent"), with_address("two", "172.20.0.5/24")),
        [],
    ),
]

NETFS = {"name": "nfs", "type": "netfs", "netfs": {"host": "192.0.2.9", "export": "/export/vms"}}
LVM = {"name": "fast", "type": "lvm"}
ZFS = {"name": "tank", "type": "zfs"}
RBD = {"name": "ceph", "type": "rbd", "rbd": {"monitors": ["192.0.2.1"], "key": "A" * 38 + "=="}}
SAN = {"name": "san", "type": "iscsi", "iscsi": {"host": "192.0.2.9", "target": "iqn.2026-01.com.example:san"}}
LONG = "a-name-that-is-too-long-for-a-volume-group-with-all-that-is-to.be-in-it"
MIRROR = {**SAN, "name": "mirror", "iscsi": {"host": "192.0.2.10", "target": "iqn.2026-01.com.example:san"}}

STORAGE: list[tuple[str, dict[str, Any], list[str]]] = [
    ("pools of several types", {"pextra_pools": [{"name": "local"}, NETFS, LVM]}, []),
    (
        "a source that is missing, and one too many",
        {
            "pextra_pools": [
                {"name": "local"},
                {"name": "nfs", "type": "netfs"},
                {**NETFS, "name": "two", "type": "lvm"},
            ]
        },
        [
            "pextra_pools[1] (nfs).netfs: is missing; a pool of type netfs needs it, with host, export",
            "pextra_pools[2] (two).netfs: is for pools of type netfs, and this one is of type lvm; leave it out",
        ],
    ),
    (
        "what is said of a place, and is no choice",
        {
            "pextra_pools": [
                {"name": "local"},
                {**NETFS, "shared": False},
                {**LVM, "path": "/srv/fast"},
                {**ZFS, "shared": True},
                {**RBD, "shared": True, "path": "/srv/ceph"},
            ]
        },
        [
            "pextra_pools[1] (nfs).shared: a pool of type netfs is shared by all its nodes; leave it out",
            "pextra_pools[2] (fast).path: a pool of type lvm has no directory; leave it out",
            "pextra_pools[3] (tank).shared: a pool of type zfs is each node's own; leave it out",
            "pextra_pools[4] (ceph).path: a pool of type rbd has no directory; leave it out",
        ],
    ),
    (
        "an instance in a pool of each type that can hold it",
        {
            "pextra_pools": [{"name": "local"}, NETFS, LVM, ZFS, RBD],
            "pextra_instances": [
                instance("a", root={"pool": "nfs"}),
                instance("b", root={"pool": "fast"}, volumes=[{"name": "data", "pool": "tank", "size": "1 GiB"}]),
                instance("c", root={"pool": "tank", "mode": "copy"}),
                instance("d", root={"pool": "ceph", "mode": "overlay"}),
            ],
        },
        [],
    ),
    (
        "what iSCSI cannot hold",
        {"pextra_pools": [{"name": "local"}, SAN], "pextra_instances": [instance("db", root={"pool": "san"})]},
        [
            # The image is wanted where the instance is.
            'pextra_images[0] (tiny).pools[0]: the storage pool "san" is of type iscsi, where no image can be copied',
            'pextra_instances[0] (db).root.pool: the storage pool "san" is of type iscsi, where no root volume can',
        ],
    ),
    (
        "an overlay where there is none",
        {
            "pextra_pools": [{"name": "local"}, LVM],
            "pextra_instances": [instance("db", root={"pool": "fast", "mode": "overlay"})],
        },
        [
            'pextra_instances[0] (db).root.mode: the storage pool "fast" is of type lvm, where volumes cannot share '
            "the blocks of an image; leave mode out, or write copy"
        ],
    ),
    (
        "an iso to begin from, a disk in a drive, an iso that is no raw, and a pool without it",
        {
            "pextra_images": [
                *VARIABLES["pextra_images"],
                {"name": "cd", "kind": "iso", "source": "images/tiny.qcow2"},
                {"name": "dvd", "kind": "iso", "format": "qcow2", "source": "images/tiny.qcow2"},
                {"name": "here", "kind": "iso", "source": "images/tiny.qcow2", "pools": ["shared"]},
            ],
            "pextra_instances": [
                instance("a", image="cd"),
                instance("b", cdroms=[{"name": "one", "image": "tiny"}, {"name": "two", "image": "cd"}]),
                instance("c", cdroms=[{"name": "one", "image": "here"}, {"name": "two", "image": "none-such"}]),
                {"name": "d", "cdroms": [{"name": "one", "image": "cd"}]},
            ],
        },
        [
            "pextra_images[2] (dvd).format: is qcow2, and an image of kind iso is raw, as it comes; leave it out",
            'pextra_instances[0] (a).image: "cd" is of kind iso, and no instance begins from it; write an image',
            'pextra_instances[1] (b).cdroms[0] (one).image: "tiny" is of kind disk, and it cannot be put into a drive',
            'pextra_instances[2] (c).cdroms[1] (two).image: "none-such" is not an image',
            'pextra_instances[2] (c).cdroms[0] (one).pool: the image "here" is in shared, not in "local"; add it to',
            "pextra_instances[3] (d).cdroms[0] (one).pool: is missing; without a root volume it has to say it",
        ],
    ),
    (
        "an image of another architecture, and what a machine of aarch64 does not have",
        {
            "pextra_images": [{**VARIABLES["pextra_images"][0], "architecture": "x86_64"}],
            "pextra_instances": [
                instance("a", architecture="x86_64", tpm={}, cdroms=[{"name": "one"}]),
                instance("b", architecture="aarch64"),
                {
                    "name": "c",
                    "architecture": "aarch64",
                    "tpm": {},
                    "panic": {},
                    "firmware": {},
                    "cdroms": [{"name": "one"}],
                },
                {
                    "name": "d",
                    "architecture": "aarch64",
                    "panic": {"model": "isa"},
                    "cdroms": [{"name": "one", "bus": "sata"}],
                },
                {"name": "e", "architecture": "riscv64"},
            ],
        },
        [
            'pextra_instances[1] (b).image: "tiny" is of x86_64, and architecture is aarch64; choose another image, or',
            "pextra_instances[3] (d).cdroms[0] (one).bus: sata is nothing that a machine of aarch64 has; write scsi",
            "pextra_instances[3] (d).panic.model: isa is nothing that a machine of aarch64 has; write none",
            'pextra_instances[4] (e).architecture: "riscv64" is not allowed; write one of x86_64, aarch64.',
        ],
    ),
    (
        "units where they are and are not, and one for two",
        {
            "pextra_pools": [{"name": "local"}, SAN],
            "pextra_instances": [
                instance("a", volumes=[{"name": "data", "pool": "san", "unit": "unit:0:0:1"}]),
                instance("b", volumes=[{"name": "data", "pool": "san", "unit": "unit:0:0:1"}]),
                instance("c", volumes=[{"name": "data", "pool": "local", "unit": "unit:0:0:1"}]),
                instance("d", volumes=[{"name": "data", "pool": "san", "size": "1 GiB"}]),
            ],
        },
        [
            'pextra_instances[1] (b).volumes[0] (data).unit: "unit:0:0:1" is used by pextra_instances[0] (a).volumes[0]'
            " (data) too; choose another unit of the target",
            'pextra_instances[2] (c).volumes[0] (data).unit: the storage pool "local" is of type directory, and units',
            'pextra_instances[3] (d).volumes[0] (data).size: the storage pool "san" is of type iscsi, where no volume',
        ],
    ),
    (
        "names that do not fit into a volume group, or are kept by LVM",
        {
            "pextra_pools": [{"name": "local"}, LVM],
            "pextra_instances": [
                instance("snapshot-1", root={"pool": "fast"}),
                instance(LONG, root={"pool": "fast"}),
                instance(
                    "db",
                    root={"pool": "fast"},
                    volumes=[
                        {"name": "x_tmeta", "pool": "fast", "size": "1 GiB"},
                        {"name": "x_rimage", "pool": "local", "size": "1 GiB"},
                    ],
                ),
            ],
        },
        [
            "pextra_instances[0] (snapshot-1).name: a volume in the storage pool fast cannot be named after it: LVM "
            "keeps names that begin with pvmove or snapshot to itself; write another name",
            f"pextra_instances[1] ({LONG}).name: a volume in the storage pool fast cannot be named after it: it takes",
            "pextra_instances[2] (db).volumes[0] (x_tmeta).name: a volume in the storage pool fast cannot be named "
            'after it: LVM keeps names with "_tmeta" to itself',
        ],
    ),
    (
        "a name that is too long for Ceph with its seed alone",
        {
            "pextra_pools": [{"name": "local"}, RBD],
            "pextra_instances": [instance("x" * 48, root={"pool": "ceph"}), instance("y" * 47, root={"pool": "ceph"})],
        },
        [f"pextra_instances[0] ({'x' * 48}).name: a volume in the storage pool ceph cannot be named after it: it"],
    ),
    (
        "25 volumes and 33 NICs on one instance, and one fewer on another",
        {
            "pextra_instances": [
                instance(
                    name,
                    volumes=[{"name": f"data-{n}", "pool": "local", "size": "1 GiB"} for n in range(volumes)],
                    nics=[{"port_group": "DMZ"} for _ in range(nics)],
                )
                for name, volumes, nics in (("a", 25, 33), ("b", 24, 32))
            ]
        },
        [
            "pextra_instances[0] (a).volumes: are 25; an instance can have 24 of them",
            "pextra_instances[0] (a).nics: are 33; an instance can have 32 of them",
        ],
    ),
    (
        "names of volumes that a guest or a server takes for each other",
        {
            "pextra_instances": [
                instance(
                    "a",
                    volumes=[
                        {"name": name, "pool": "local", "size": "1 GiB"}
                        for name in ("data-of-application-1", "data-of-application-2", "logs", "Logs", "logs-2")
                    ],
                )
            ]
        },
        [
            'pextra_instances[0] (a).volumes[1] (data-of-application-2).name: "data-of-application-2" has its first 20 '
            'characters in common with "data-of-application-1"',
            'pextra_instances[0] (a).volumes[3] (Logs).name: "Logs" is "logs" but for the case of its letters',
        ],
    ),
    (
        "sizes that nothing can have",
        {
            "pextra_images": [{"name": "tiny", "source": "images/tiny.qcow2", "max_size": "999999 PiB"}],
            "pextra_instances": [
                instance(
                    "a",
                    root={"pool": "local", "size": "999999 PiB"},
                    volumes=[{"name": "data", "pool": "local", "size": "2049 TiB"}],
                ),
                instance("b", root={"pool": "local", "size": "2 PiB"}),
            ],
        },
        [
            "pextra_images[0] (tiny).max_size: 1073740750258176 MiB is out of range; allowed is 1 to 2147483648 MiB",
            "pextra_instances[0] (a).root.size: 1073740750258176 MiB is out of range; allowed is 1 to 2147483648 MiB",
            "pextra_instances[0] (a).volumes[0] (data).size: 2148532224 MiB is out of range",
        ],
    ),
    (
        "one unit of a target through two pools, and in two spellings",
        {
            "pextra_pools": [
                {"name": "local"},
                SAN,
                MIRROR,
            ],
            "pextra_instances": [
                instance("a", volumes=[{"name": "data", "pool": "san", "unit": "unit:0:0:1"}]),
                instance(
                    "b",
                    volumes=[
                        {"name": "data", "pool": "mirror", "unit": "unit:0:0:01"},
                        {"name": "mine", "pool": "san", "unit": "unit:0:0:2"},
                        {"name": "also", "pool": "mirror", "unit": "unit:0:0:2"},
                    ],
                ),
            ],
        },
        [
            'pextra_instances[1] (b).volumes[0] (data).unit: "unit:0:0:1" is used by pextra_instances[0] (a).volumes',
            'pextra_instances[1] (b).volumes[2] (also).unit: "unit:0:0:2" is used by pextra_instances[1] (b).volumes',
        ],
    ),
    (
        "one unit of a pool twice on one instance, in two spellings",
        {
            "pextra_pools": [{"name": "local"}, SAN],
            "pextra_instances": [
                instance(
                    "a",
                    volumes=[
                        {"name": name, "pool": "san", "unit": unit}
                        for name, unit in (("one", "unit:0:0:1"), ("two", "unit:0:00:1"))
                    ],
                )
            ],
        },
        ['pextra_instances[0] (a).volumes[1] (two).unit: "unit:0:0:1" is taken by another volume of it'],
    ),
    (
        "neither size nor unit, both, and no unit at all",
        {
            "pextra_pools": [{"name": "local"}, SAN],
            "pextra_instances": [
                instance("a", volumes=[{"name": "data", "pool": "san"}]),
                instance("b", volumes=[{"name": "data", "pool": "san", "unit": "unit:0:0:1", "size": "1 GiB"}]),
                instance("c", volumes=[{"name": "data", "pool": "san", "unit": "/dev/sdb"}]),
            ],
        },
        [
            "pextra_instances[0] (a).volumes[0] (data).size: is missing; write the size of the volume, or the unit",
            "pextra_instances[1] (b).volumes[0] (data).size: a unit has its own size; leave it out",
            'pextra_instances[2] (c).volumes[0] (data).unit: "/dev/sdb" is not a unit of a target',
        ],
    ),
    (
        "one directory twice",
        {"pextra_pools": [{"name": "local"}, {"name": "more", "path": "/var/lib/pextra/pools/local"}]},
        ["pextra_pools[1] (more).path: /var/lib/pextra/pools/local is the directory of pextra_pools[0] (local) too"],
    ),
    (
        "one in the other",
        {"pextra_pools": [{"name": "local", "path": "/srv/a"}, {"name": "more", "path": "/srv/a/b"}]},
        ["pextra_pools[1] (more).path: /srv/a/b lies in /srv/a of pextra_pools[0] (local)"],
    ),
    (
        "one around the other",
        {"pextra_pools": [{"name": "local", "path": "/srv/a/b"}, {"name": "more", "path": "/srv/a"}]},
        ["pextra_pools[1] (more).path: /srv/a holds /srv/a/b of pextra_pools[0] (local)"],
    ),
    (
        "alike, not nested",
        {"pextra_pools": [{"name": "local", "path": "/srv/a"}, {"name": "b", "path": "/srv/ab"}]},
        [],
    ),
    (
        "one directory on different nodes",
        {
            "pextra_pools": [
                {"name": "local", "path": "/srv/a", "nodes": ["node1"]},
                {"name": "more", "path": "/srv/a", "nodes": ["node2"]},
            ]
        },
        [],
    ),
    (
        "the operating system's",
        {"pextra_pools": [{"name": "local", "path": "/etc/pextra"}]},
        ['pextra_pools[0] (local).path: "/etc/pextra" belongs to the system'],
    ),
    (
        "around our own",
        {"pextra_pools": [{"name": "local", "path": "/var/lib"}]},
        ['pextra_pools[0] (local).path: "/var/lib" belongs to the system'],
    ),
    *(
        (
            f"the system's own {path}",
            {"pextra_pools": [{"name": "local", "path": path}]},
            [f'pextra_pools[0] (local).path: "{path}" belongs to the system; write a directory of its own'],
        )
        for path in (
            *("/root", "/root/.ssh", "/home/ann/.ssh", "/tmp/x", "/var/tmp", "/proc/1", "/run/x", "/var/run/x"),
            *("/var/lib/libvirt", "/var/lib/libvirt/qemu", "/var/lib/dpkg/info", "/var/log/x", "/var/spool/cron"),
            *(
                "/var/lib/pextra",
                "/var/lib/pextra/registry",
                "/var/lib/pextra/pools",
                "/srv",
                "/home",
                "/var",
                "/usr/x",
            ),
        )
    ),
    *(
        (f"a place such as {path}", {"pextra_pools": [{"name": "local", "path": path}]}, [])
        for path in (
            *("/srv/vms", "/mnt/nvme", "/home/vms", "/opt/vms", "/data", "/var/lib/vms", "/var/local/vms", "/rootfs"),
            *(
                "/var/lib/libvirt/images",
                "/var/lib/libvirt/images/vms",
                "/var/lib/pextra/pools/a",
                "/tmpfs",
                "/srv/etc",
            ),
        )
    ),
    (
        "a path that climbs",
        {"pextra_pools": [{"name": "local", "path": "/srv/../etc"}]},
        ['pextra_pools[0] (local).path: "/srv/../etc" is not an absolute path'],
    ),
]

SWITCHES: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "one uplink twice",
        {
            "pextra_vswitches": [
                {"name": "svswitch1", "uplinks": ["eth1"]},
                {"name": "svswitch2", "uplinks": ["eth1"], "nodes": ["node2"]},
            ],
            "pextra_port_groups": [],
            "pextra_instances": [],
        },
        ['pextra_vswitches[1] (svswitch2).uplinks[0]: "eth1" is an uplink of svswitch1 too, on node2'],
    ),
    (
        "one uplink on different nodes",
        {
            "pextra_vswitches": [
                {"name": "svswitch1", "uplinks": ["eth1"], "nodes": ["node1"]},
                {"name": "svswitch2", "uplinks": ["eth1"], "nodes": ["node2"]},
            ],
            "pextra_port_groups": [],
            "pextra_instances": [],
        },
        [],
    ),
    (
        "the loopback interface",
        {"pextra_vswitches": [{"name": "svswitch1", "uplinks": ["lo"]}]},
        ['pextra_vswitches[0] (svswitch1).uplinks[0]: "lo" is the loopback interface'],
    ),
    (
        "one uplink twice in one vSwitch",
        {"pextra_vswitches": [{"name": "svswitch1", "uplinks": ["eth1", "eth1"]}]},
        ['pextra_vswitches[0] (svswitch1).uplinks[1]: "eth1" is given twice'],
    ),
]

PARTLY: dict[str, Any] = {
    "pextra_pools": [{"name": "local", "nodes": ["node1"]}, {"name": "fast", "path": "/srv/fast", "nodes": ["node2"]}],
    "pextra_vswitches": [{"name": "svswitch10", "nodes": ["node1", "node3"]}],
}
PLACEMENT: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "a node without the pool",
        {**PARTLY, "pextra_instances": [instance("db", node="node3")]},
        [
            'pextra_instances[0] (db).root.pool: the storage pool "local" is not on node3, the node of this instance; '
            "it is on node1"
        ],
    ),
    (
        "a node without the vSwitch",
        {
            **PARTLY,
            "pextra_instances": [with_address("db", "10.0.0.5/24", node="node2", root={"pool": "fast"})],
        },
        [
            'pextra_instances[0] (db).nics[0].port_group: the vSwitch of "Production" is not on node2, the node of '
            "this instance; it is on node1, node3"
        ],
    ),
    (
        "no node with all of it",
        {**PARTLY, "pextra_instances": [with_address("db", "10.0.0.5/24", root={"pool": "fast"})]},
        [
            "pextra_instances[0] (db): no node has all that it needs: "
            'the storage pool "fast", the port group "Production"'
        ],
    ),
    (
        "a pool on no node",
        {"pextra_pools": [{"name": "local", "nodes": []}]},
        ["pextra_instances[0] (db): no node has all that it needs: the storage pool"],
    ),
    (
        "a group larger than the nodes",
        {"pextra_instances": [instance("web", count=4, anti_affinity="web")]},
        [
            'pextra_instances[0] (web-4).anti_affinity: 4 instances of mtl-1 are never to share a node ("web"), '
            "and 3 nodes can run them: none is left for this one"
        ],
    ),
    (
        "two of a group on one node",
        two(instance("one", anti_affinity="a", node="node1"), instance("two", anti_affinity="a", node="node1")),
        ["pextra_instances[1] (two).anti_affinity: 2 instances of mtl-1 are never to share a node"],
    ),
    (
        "a group that fits only if others move aside",
        {
            **PARTLY,
            "pextra_pools": [{"name": "local"}, {"name": "fast", "path": "/srv/fast", "nodes": ["node1"]}],
            "pextra_instances": [
                instance("one", anti_affinity="a"),
                instance("two", anti_affinity="a"),
                instance("three", anti_affinity="a", root={"pool": "fast"}),
            ],
        },
        [],
    ),
]

TABLE = [*ADDRESSES, *STORAGE, *SWITCHES, *PLACEMENT]


@pytest.mark.parametrize(("changes", "expected"), [case[1:] for case in TABLE], ids=[case[0] for case in TABLE])
def test_rules(changes: dict[str, Any], expected: list[str]) -> None:
    found = told(read(changes))
    assert len(found) == len(expected), found
    for text, start in zip(found, expected, strict=True):
        assert text.startswith(start), text


TWO_CLUSTERS: dict[str, Any] = {
    "pextra_clusters": [{"name": "one"}, {"name": "two"}],
    "pextra_pools": [{"name": "local", "cluster": "one"}, {"name": "other", "cluster": "two"}],
    "pextra_vswitches": [{"name": "svswitch1", "cluster": "one"}, {"name": "svswitch1", "cluster": "two"}],
    "pextra_port_groups": [{"name": "Production", "cluster": "one"}],
    "pextra_images": [],
}
CLUSTER_HOSTS = {
    "node1": {"ansible_host": "10.91.0.11", "pextra_cluster": "one"},
    "node2": {"ansible_host": "10.91.0.12", "pextra_cluster": "two"},
}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ["pextra_instances[0] (db).cluster: is missing; there are several clusters: one, two"]),
        ({"cluster": "one"}, []),
        ({"cluster": "thre"}, ['pextra_instances[0] (db).cluster: "thre" is not a cluster. Declared: one, two.']),
        (
            {"cluster": "two"},
            [
                'pextra_instances[0] (db).root.pool: "local" is a storage pool of the cluster one, not of two',
                'pextra_instances[0] (db).nics[0].port_group: "Production" is a port group of the cluster one, not of',
            ],
        ),
        (
            {"cluster": "one", "node": "node2"},
            ['pextra_instances[0] (db).node: "node2" is a node of the cluster two, not of one'],
        ),
        ({"cluster": "cls-AAAAAAAAAAAAAAAAAAAAA"}, []),
    ],
)
def test_clusters(values: dict[str, Any], expected: list[str]) -> None:
    db = {"name": "db", "root": {"pool": "local", "size": "1 GiB"}, "nics": [{"port_group": "Production"}], **values}
    found = told(read({**TWO_CLUSTERS, "pextra_instances": [db]}, CLUSTER_HOSTS))
    assert [text[: len(start)] for text, start in zip(found, expected, strict=True)] == expected


def test_one_name_in_two_clusters() -> None:
    instances = [{"name": "db", "cluster": name} for name in ("one", "two")]
    assert told(read({**TWO_CLUSTERS, "pextra_instances": instances}, CLUSTER_HOSTS)) == []


def test_a_cluster_without_nodes_runs_nothing() -> None:
    changes = {**TWO_CLUSTERS, "pextra_instances": [{"name": "db", "cluster": "two"}]}
    found = told(read(changes, {"node1": CLUSTER_HOSTS["node1"]}))
    assert found == ["pextra_instances[0] (db): cannot be placed: its cluster two has no nodes"]


def known(*sizes: str) -> dict[str, dict[str, Any]]:
    return {name: {**HOSTS[name], "pextra_memory": size} for name, size in zip(HOSTS, sizes, strict=True)}


CAPACITY: list[tuple[str, dict[str, dict[str, Any]], list[dict[str, Any]], list[str], list[str]]] = [
    ("fits", known("8 GiB", "8 GiB", "8 GiB"), [instance("a", memory="7 GiB")], [], []),
    (
        "larger than any node",
        known("8 GiB", "8 GiB", "16 GiB"),
        [instance("a", memory="900 GiB")],
        [
            "pextra_instances[0] (a).memory: 900 GiB does not fit: "
            "the largest node of mtl-1 that can run it, node3, has 14 GiB"
        ],
        [],
    ),
    (
        "larger than its node",
        known("8 GiB", "8 GiB", "16 GiB"),
        [instance("a", memory="10 GiB", node="node1")],
        ["pextra_instances[0] (a).memory: 10 GiB does not fit: its node node1 has 7 GiB"],
        [],
    ),
    (
        "too many on one node",
        known("8 GiB", "8 GiB", "16 GiB"),
        [instance("a", memory="5 GiB", node="node1"), instance("b", memory="5 GiB", node="node1")],
        ["pextra_instances[1] (b).node: 2 instances are pinned to node1 with 10 GiB together; it has 7 GiB"],
        [],
    ),
    (
        "more than everything",
        known("2 GiB", "2 GiB", "2 GiB"),
        [instance("a", memory="1536 MiB", count=4)],
        ["pextra_instances: 4 running instances with 6 GiB together do not fit: mtl-1 has 5.2 GiB"],
        [],
    ),
    (
        "more than with one node lost",
        known("2 GiB", "2 GiB", "4 GiB"),
        [instance("a", memory="1 GiB", count=5)],
        [],
        [
            "pextra_instances: 5 running instances with 5 GiB together do not fit with one node lost: "
            "mtl-1 then keeps 3.5 GiB usable"
        ],
    ),
    (
        "stopped instances need none",
        known("2 GiB", "2 GiB", "2 GiB"),
        [instance("a", memory="2 GiB", count=4, power="stopped")],
        [],
        [],
    ),
    (
        "what a host keeps that does not say",
        {"node1": {**HOSTS["node1"], "pextra_memory": "16 GiB"}},
        [instance("a", memory="15 GiB")],
        ["pextra_instances[0] (a).memory: 15 GiB does not fit: the largest node of mtl-1 that can run it, node1, "],
        [],
    ),
    (
        "what the host keeps",
        {name: {**host, "pextra_memory_reserved": "1 GiB"} for name, host in known("2 GiB", "2 GiB", "2 GiB").items()},
        [instance("a", memory="2 GiB")],
        ["pextra_instances[0] (a).memory: 2 GiB does not fit"],
        [],
    ),
    (
        "one node's memory is not known",
        {**HOSTS, "node1": {**HOSTS["node1"], "pextra_memory": "1 GiB"}},
        [instance("a", memory="900 GiB")],
        [],
        [],
    ),
    ("a single node has no other", {"node1": known("2 GiB", "2 GiB", "2 GiB")["node1"]}, [instance("a")], [], []),
]


@pytest.mark.parametrize(
    ("hosts", "instances", "expected", "warned"), [case[1:] for case in CAPACITY], ids=[case[0] for case in CAPACITY]
)
def test_capacity(
    hosts: dict[str, dict[str, Any]], instances: list[dict[str, Any]], expected: list[str], warned: list[str]
) -> None:
    deployment = read({"pextra_instances": instances}, hosts)
    found = told(deployment)
    assert [text[: len(start)] for text, start in zip(found, expected, strict=True)] == expected
    assert [str(warning) for warning in deployment.warnings] == warned


def test_the_document_of_these_tests_is_correct() -> None:
    assert told(read(VARIABLES)) == []


def test_one_mac_on_two_instances_of_one_name() -> None:
    """Names are unique in a cluster, MACs in a deployment."""
    clusters = ("mtl-1", "mtl-2")
    found = told(
        read(
            {
                "pextra_clusters": [{"name": cluster} for cluster in clusters],
                "pextra_pools": [{"name": "local", "cluster": cluster} for cluster in clusters],
                "pextra_vswitches": [{"name": "svswitch1", "cluster": cluster} for cluster in clusters],
                "pextra_port_groups": [{"name": "DMZ", "cluster": cluster} for cluster in clusters],
                "pextra_images": None,
                "pextra_instances": [
                    {"name": "web", "cluster": cluster, "nics": [{"port_group": "DMZ", "mac": "02:00:00:00:00:0a"}]}
                    for cluster in clusters
                ],
            },
            {name: {**host, "pextra_cluster": "mtl-1" if name == "node1" else "mtl-2"} for name, host in HOSTS.items()},
        )
    )
    assert found == ['pextra_instances[1] (web).nics[0].mac: "02:00:00:00:00:0a" is the MAC address of web too']


PROTECTED_AND_ABSENT: dict[str, tuple[dict[str, Any], str]] = {
    "instance": ({"pextra_instances": [instance("db", protected=True, state="absent")]}, "pextra_instances[0] (db)"),
    "instances of a count": (
        {"pextra_instances": [instance("web", count=2, protected=True, state="absent")]},
        "pextra_instances[0] (web)",
    ),
    "pool": (
        {"pextra_pools": [{"name": "local"}, {"name": "old", "protected": True, "state": "absent"}]},
        "pextra_pools[1] (old)",
    ),
    "image": (
        {"pextra_images": [*VARIABLES["pextra_images"], {"name": "old", "protected": True, "state": "absent"}]},
        "pextra_images[1] (old)",
    ),
    "volume": (
        {"pextra_volumes": [{"name": "data", "protected": True, "state": "absent"}]},
        "pextra_volumes[0] (data)",
    ),
}


@pytest.mark.parametrize("case", PROTECTED_AND_ABSENT)
def test_what_is_protected_cannot_be_absent(case: str) -> None:
    variables, path = PROTECTED_AND_ABSENT[case]
    (found,) = told(read(variables))
    assert found == (
        f"{path}.protected: is true, and state is absent: what is protected stays; write protected: false with "
        "state: present, run it, then write state: absent"
    )


def test_a_document_states_whether_it_is_protected() -> None:
    volumes = [{"name": "a", "pool": "local", "size": "1 GiB", "protected": True}, {"name": "b", "state": "absent"}]
    deployment = read({"pextra_volumes": volumes, "pextra_instances": [instance("db")]})
    assert told(deployment) == []
    assert [one["protected"] for one in deployment.document["volumes"]] == [True, False]
    assert [one["protected"] for one in deployment.document["instances"]] == [False]
