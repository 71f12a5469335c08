# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people can write of a volume, and what they are told when they cannot."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.spec import (
    FIELDS,
    Import,
    Limits,
    Volume,
    parse_volume,
)
from deployment_document import VARIABLES, read, told
from hypothesis import given
from hypothesis import strategies as st

SIZE = "is not a size; write a number and a unit, such as 512 MiB or 2 GiB"
NAME = "is not a name"

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("a path", {"name": "../etc/passwd"}, NAME),
    ("an absolute path", {"name": "/etc/passwd"}, NAME),
    ("two dots", {"name": "a..b"}, NAME),
    ("a leading dash", {"name": "-rf"}, NAME),
    ("a zero byte", {"name": "a\0b"}, NAME),
    ("a line break", {"name": "a\nb"}, NAME),
    ("a control character", {"name": "a\x1bb"}, NAME),
    ("markup", {"name": "<disk/>"}, NAME),
    ("a template", {"name": "{{ 1 }}"}, NAME),
    ("too long", {"name": "a" * 64}, "has 64 characters; write at most 63"),
    ("nothing", {"name": ""}, NAME),
    ("a number", {"name": 1e3}, "is not a text"),
    ("size 0", {"size": "0 GiB"}, "is no size; write more than nothing"),
    ("a bare 0", {"size": 0}, SIZE),
    ("a negative size", {"size": "-1 GiB"}, SIZE),
    ("1e3", {"size": "1e3"}, SIZE),
    ("1e3 GiB", {"size": "1e3 GiB"}, SIZE),
    ("no unit", {"size": "10"}, SIZE),
    ("more than qcow2 can hold", {"size": "999999 PiB"}, "is out of range; allowed is 1 to 2147483648 MiB"),
    ("growth beyond that", {"size": "2 PiB", "grow_by": "1 MiB"}, "makes it larger than 2 PiB"),
    ("a bandwidth that QEMU refuses", {"limits": {"bandwidth": "1 PiB"}}, "is out of range"),
    ("half a MiB", {"size": "0.5 MiB"}, "is not a whole number of MiB"),
    ("a delta alone", {"grow_by": "1 GiB"}, "needs size"),
    ("a negative delta", {"size": "1 GiB", "grow_by": "-1 GiB"}, SIZE),
    ("two origins", {"clone_of": "a", "import_from": {"path": "/a", "format": "raw"}}, "begins from one thing"),
    ("a clone of itself", {"clone_of": "data"}, "cannot be a clone of itself"),
    ("a mode without a clone", {"clone_mode": "full"}, "is for a clone"),
    (
        "a linked thick one",
        {"clone_of": "a", "clone_mode": "linked", "provisioning": "thick"},
        "a linked clone is thin",
    ),
    ("thick qcow2", {"provisioning": "thick", "format": "qcow2"}, "a thick volume is raw"),
    ("no format", {"import_from": {"path": "/a"}}, "import_from.format: is missing"),
    ("an unknown format", {"import_from": {"path": "/a", "format": "vhdx"}}, "write one of qcow2, raw, vmdk, vdi"),
    ("a relative path", {"import_from": {"path": "a/b", "format": "raw"}}, "is not an absolute path"),
    ("a path upwards", {"import_from": {"path": "/srv/../etc/shadow", "format": "raw"}}, "is not an absolute path"),
    ("a zero byte in a path", {"import_from": {"path": "/srv/a\0b", "format": "raw"}}, "is not an absolute path"),
    ("an unknown cache", {"cache": "writethru"}, 'Did you mean "writethrough"?'),
    ("a negative limit", {"limits": {"iops": -1}}, "out of range"),
    ("a limit as 1e3", {"limits": {"iops": "1e3"}}, "is not a whole number"),
    (
        "a sum and its parts",
        {"limits": {"iops": 5, "iops_read": 5}},
        "cannot be together with iops_read and iops_write",
    ),
    ("a bandwidth without a unit", {"limits": {"bandwidth": 10}}, SIZE),
    ("markup in a description", {"description": "<b>"}, "write one line of plain text"),
]


@pytest.mark.parametrize(("values", "what"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(values: dict[str, Any], what: str) -> None:
    spec, mistakes = parse_volume({"name": "data", **values}, "")
    assert spec is None
    assert any(what in str(mistake) for mistake in mistakes), [str(mistake) for mistake in mistakes]


def test_everything() -> None:
    spec, mistakes = parse_volume(
        {
            "name": "data",
            "pool": "shared",
            "size": "20 GiB",
            "limits": {"iops_read": 5, "bandwidth": "100 MiB"},
            "import_from": {"path": "/srv/disk.vmdk", "format": "vmdk"},
            "attached_to": "",
        },
        "",
    )
    assert mistakes == []
    assert spec == Volume(
        name="data",
        pool="shared",
        size=20480,
        limits=Limits(iops_read=5, bandwidth=100),
        import_from=Import(path="/srv/disk.vmdk", format="vmdk"),
        attached_to="",
    )


def test_a_checksum_is_kept_in_lower_case() -> None:
    file = {"path": "/srv/disk.raw", "format": "raw", "sha256": "AB" * 32}
    spec, mistakes = parse_volume({"name": "data", "pool": "shared", "import_from": file}, "")
    assert mistakes == []
    assert spec is not None
    assert spec.import_from == Import(path="/srv/disk.raw", format="raw", sha256="ab" * 32)


def test_what_is_to_go_needs_only_its_name() -> None:
    spec, mistakes = parse_volume({"name": "data", "state": "absent", "grow_by": "1 GiB"}, "")
    assert (mistakes, spec and spec.state) == ([], "absent")


@given(
    st.dictionaries(st.sampled_from(sorted(FIELDS)), st.none() | st.booleans() | st.integers() | st.text(), max_size=6)
)
def test_anything_is_told_and_never_raises(raw: dict[str, Any]) -> None:
    spec, mistakes = parse_volume(raw, "")
    assert (spec is None) is bool(mistakes)


# In the document


def volumes(*found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"pextra_volumes": list(found), **more}


DATA = {"name": "data", "pool": "shared", "size": "1 GiB"}
DOCUMENT: list[tuple[str, dict[str, Any], list[str]]] = [
    ("a right one", volumes({**DATA, "attached_to": "db"}), []),
    ("no pool", volumes({"name": "data", "size": "1 GiB"}), ["pextra_volumes[0] (data).pool: is missing"]),
    ("no size", volumes({"name": "data", "pool": "shared"}), ["pextra_volumes[0] (data).size: is missing"]),
    (
        "no such pool",
        volumes({**DATA, "pool": "sharde"}),
        ['.pool: "sharde" is not a storage pool. Did you mean "shared"?'],
    ),
    (
        "no such instance",
        volumes({**DATA, "attached_to": "dbb"}),
        ['.attached_to: "dbb" is not an instance. Did you mean'],
    ),
    ("no such origin", volumes({**DATA, "clone_of": "x"}), ['.clone_of: "x" is not a volume.']),
    ("twice", volumes(DATA, {**DATA, "name": "Data"}), ['"Data" is a volume of the cluster mtl-1 already']),
    ("a delta", volumes({**DATA, "grow_by": "1 GiB"}), [".grow_by: unknown key."]),
    ("a node of a shared pool", volumes({**DATA, "node": "node1"}), ['.node: the storage pool "shared" is shared']),
    (
        "a pool that is not there",
        volumes(
            {**DATA, "pool": "ssd", "node": "node2"},
            pextra_pools=[{"name": "local"}, {"name": "ssd", "nodes": ["node1"]}],
        ),
        ['.node: the storage pool "ssd" is not on node2; it is on node1'],
    ),
    (
        "an instance elsewhere",
        volumes(
            {**DATA, "pool": "local", "node": "node1", "attached_to": "db"},
            pextra_instances=[{"name": "db", "node": "node2", "image": "tiny", "root": {"pool": "local"}}],
        ),
        [".attached_to: it is on node2, and the volume lies on node1"],
    ),
    (
        "attached, and the base of a linked clone",
        volumes(
            {**DATA, "attached_to": "db"}, {"name": "two", "pool": "shared", "clone_of": "data", "clone_mode": "linked"}
        ),
        [".attached_to: pextra_volumes[1] (two) is a linked clone of it"],
    ),
    (
        "a pool without volumes",
        volumes(
            {**DATA, "pool": "san"},
            pextra_pools=[
                {"name": "local"},
                {"name": "san", "type": "iscsi", "iscsi": {"host": "192.0.2.1", "target": "iqn.2026-01.com.example:a"}},
            ],
        ),
        [
            ".pool: storage pool san is of type iscsi, in which no volumes can be made; "
            "choose one of type directory, netfs, rbd, lvm or zfs"
        ],
    ),
    (
        "forms that a volume group does not have",
        volumes(
            {**DATA, "pool": "vg0", "format": "qcow2"},
            {**DATA, "pool": "vg0", "name": "thin", "provisioning": "thin"},
            {"pool": "vg0", "name": "linked", "clone_of": "data", "clone_mode": "linked"},
            {"pool": "vg0", "name": "disk", "import_from": {"path": "/srv/a.vmdk", "format": "vmdk"}},
            {**DATA, "pool": "vg0", "name": "snapshot-1"},
            pextra_pools=[{"name": "local"}, {"name": "vg0", "type": "lvm"}],
        ),
        [
            "(data).format: storage pool vg0 is of type lvm, which cannot hold qcow2; choose format: raw",
            "(thin).provisioning: storage pool vg0 is of type lvm, where volumes are thick; leave out provisioning",
            "(linked).clone_mode: storage pool vg0 is of type lvm, which has no linked clones; set clone_mode: full",
            "(disk).import_from.format: storage pool vg0 is of type lvm, into which qcow2 and raw can be imported",
            "(snapshot-1).name: it cannot be named so in storage pool vg0: LVM keeps names that begin with pvmove",
        ],
    ),
    (
        "clones in a circle",
        volumes(
            {"name": "a", "pool": "shared", "clone_of": "c"},
            {"name": "b", "pool": "shared", "clone_of": "a"},
            {"name": "c", "pool": "shared", "clone_of": "b"},
            {"name": "d", "pool": "shared", "clone_of": "c"},
        ),
        [
            "(a).clone_of: it is a clone of itself in the end (a of c of b of a); leave out clone_of of the one that",
            "(b).clone_of: it is a clone of itself in the end (a of c of b of a)",
            "(c).clone_of: it is a clone of itself in the end (a of c of b of a)",
        ],
    ),
    (
        "clones of clones, of one size or larger",
        volumes(
            DATA,
            {"name": "a", "pool": "shared", "clone_of": "data", "clone_mode": "linked"},
            {"name": "b", "pool": "shared", "clone_of": "a", "size": "2 GiB"},
            {"name": "c", "pool": "local", "node": "node1", "clone_of": "data"},
        ),
        [],
    ),
    (
        "clones smaller than what they are made of",
        volumes(
            DATA,
            {"name": "a", "pool": "shared", "clone_of": "data"},
            {"name": "b", "pool": "shared", "clone_of": "data", "size": "512 MiB"},
            {"name": "c", "pool": "shared", "clone_of": "a", "size": "1023 MiB"},
        ),
        [
            "(b).size: 512 MiB is smaller than volume data of 1 GiB; leave out size, or give one that is large enough",
            "(c).size: 1023 MiB is smaller than volume a of 1 GiB",
        ],
    ),
    (
        "a linked clone in another pool",
        volumes(DATA, {"name": "a", "pool": "local", "clone_of": "data", "clone_mode": "linked"}),
        ["(a).pool: a linked clone lies in the storage pool of what it shares, which is shared; set pool: shared, or"],
    ),
    (
        "two volumes of one instance on two nodes",
        volumes(
            {**DATA, "pool": "local", "node": "node1", "attached_to": "db"},
            {**DATA, "name": "more", "pool": "local", "node": "node2", "attached_to": "db"},
            {**DATA, "name": "anywhere", "attached_to": "db"},
        ),
        [
            "(more).attached_to: it is on node2, and all else that db needs on node1; an instance runs on one node",
        ],
    ),
    (
        "a volume away from the instance's own",
        volumes(
            {**DATA, "pool": "ssd", "attached_to": "db"},
            pextra_pools=[{"name": "local", "nodes": ["node1", "node2"]}, {"name": "ssd", "nodes": ["node3"]}],
        ),
        ["(data).attached_to: it is on node3, and all else that db needs on node1, node2"],
    ),
    (
        "more volumes than there are device names",
        volumes(
            *({**DATA, "name": f"data-{number}", "attached_to": "db"} for number in range(4)),
            pextra_instances=[
                {
                    **VARIABLES["pextra_instances"][0],
                    "volumes": [{"name": f"own-{number}", "pool": "local", "size": "1 GiB"} for number in range(22)],
                }
            ],
        ),
        [
            "(data-2).attached_to: db would have 26 volumes beside its root volume, and 24 are possible; leave it out",
            "(data-3).attached_to: db would have 26 volumes",
        ],
    ),
    (
        "a linked clone of files is qcow2",
        volumes(DATA, {"pool": "shared", "name": "b", "clone_of": "data", "clone_mode": "linked", "format": "raw"}),
        [".format: storage pool shared is of type directory, where a linked clone is qcow2"],
    ),
]


def test_thousands_of_clones_of_clones_are_looked_at_once() -> None:
    chain = [{"name": f"d{number}", "pool": "shared", "clone_of": f"d{number - 1}"} for number in range(1, 4000)]
    small = {"name": "small", "pool": "shared", "clone_of": "d3999", "size": "1 MiB"}
    before = time.monotonic()
    assert told(read(volumes({**DATA, "name": "d0"}, *chain, small))) == [
        "pextra_volumes[4000] (small).size: 1 MiB is smaller than volume d3999 of 1 GiB; leave out size, or give one "
        "that is large enough"
    ]
    found = told(read(volumes({**DATA, "name": "d0", "size": None, "clone_of": "d3999"}, *chain)))
    assert len(found) == 4000
    assert "in the end (d0 of d3999 of d3998 of d3997 of d3996 of ... of d0)" in found[0]
    assert time.monotonic() - before < 30


@pytest.mark.parametrize(("changes", "expected"), [case[1:] for case in DOCUMENT], ids=[case[0] for case in DOCUMENT])
def test_document(changes: dict[str, Any], expected: list[str]) -> None:
    found = told(read(changes))
    assert len(found) == len(expected), found
    for mistake, what in zip(found, expected, strict=True):
        assert what in mistake


def test_a_volume_of_the_document_is_attached_to_none_unless_it_says_to_whom() -> None:
    deployment = read(volumes(DATA, {"name": "gone", "state": "absent"}))
    assert [volume.get("attached_to") for volume in deployment.document["volumes"]] == ["", None]
    assert deployment.summary["volumes"] == 1
