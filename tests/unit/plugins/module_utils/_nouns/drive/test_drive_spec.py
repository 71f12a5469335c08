# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of disks: what may be written, and what the document makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.spec import (
    DiskSet,
    Match,
    parse_disk_sets,
    render_disk_set,
)
from deployment_document import HOSTS, read, told

LVM: dict[str, Any] = {"name": "vg0", "use": "lvm", "match": {"rotational": False}, "count": 2}
ZFS: dict[str, Any] = {"name": "tank", "use": "zfs", "match": {"serial": "A*"}, "count": 4, "layout": "mirror"}


def test_a_set_is_parsed_and_rendered_again() -> None:
    raw = {
        "name": "tank",
        "use": "zfs",
        "match": {"size": {"min": "100 GiB", "max": "2 TiB"}, "rotational": True, "path": "/dev/disk/by-id/ata-*"},
        "count": 3,
        "layout": "raidz",
        "wipe": True,
        "confirm": "DESTROY",
    }
    (disks,), mistakes = parse_disk_sets([raw], "pextra_disks")
    assert mistakes == []
    assert disks == DiskSet(
        name="tank",
        use="zfs",
        match=Match(min_mib=102400, max_mib=2 * 1024**2, rotational=True, path="/dev/disk/by-id/ata-*"),
        count=3,
        layout="raidz",
        wipe=True,
        confirm="DESTROY",
    )
    assert render_disk_set(disks) == raw
    assert parse_disk_sets([render_disk_set(disks)], "pextra_disks") == ((disks,), [])


def test_the_single_disk_of_a_zpool_needs_no_layout() -> None:
    (disks,), mistakes = parse_disk_sets([{**ZFS, "count": 1, "layout": None}], "pextra_disks")
    assert (mistakes, disks.layout) == ([], "stripe")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"use": "btrfs"}, 'use: "btrfs" is not allowed; write one of lvm, zfs, ceph.'),
    ({"name": "-rf"}, 'name: "-rf" is no name of a set of disks'),
    ({"name": "../etc"}, 'name: "../etc" is no name of a set of disks'),
    ({"name": "mirror1"}, 'name: "mirror1" begins with a word that LVM or ZFS keeps for itself'),
    ({"name": "a\nb"}, "name: "),
    ({"match": {}}, "match: is empty; write at least one of size, rotational, model, serial and path"),
    ({"match": None}, "match: is missing"),
    ({"match": {"size": {"min": "2 TiB", "max": "1 TiB"}}}, "match.size: its min is larger than its max"),
    ({"match": {"size": {"min": "1e3"}}}, 'match.size.min: "1e3" is not a size'),
    ({"match": {"size": {"min": "0 GiB"}}}, 'match.size.min: "0 GiB" is no size; write more than nothing'),
    ({"match": {"size": {"minimum": "1 GiB"}}}, "match.size.minimum: unknown key."),
    ({"match": {"path": "vdb"}}, 'match.path: "vdb" is no device'),
    ({"match": {"path": "/dev/../etc/passwd"}}, 'match.path: "/dev/../etc/passwd" is no device'),
    ({"match": {"serial": " A"}}, 'match.serial: " A" is no pattern'),
    ({"match": {"serial": 12}}, "match.serial: 12 is not a text: YAML reads it as a number or a date"),
    ({"count": 0}, "count: 0 is out of range; allowed is 1 to 256"),
    ({"count": "1e3"}, 'count: "1e3" is not a whole number'),
    ({"count": -1}, "count: -1 is out of range"),
    ({"layout": "mirror"}, "layout: is for zpools, and these disks are for lvm; leave it out"),
    ({"use": "zfs"}, "layout: is missing; write how several disks make a zpool: stripe, mirror or raidz"),
    ({"use": "zfs", "layout": "mirror", "count": 3}, "count: 3 disks make no mirrors of two; write an even number"),
    ({"use": "zfs", "layout": "raidz"}, "count: 2 disks are too few for raidz; write 3 or more"),
    ({"wipe": True}, "confirm: is missing; wiping disks destroys what they hold."),
    ({"confirm": "DESTROY"}, "confirm: consents to nothing without wipe: true"),
    ({"wipe": True, "confirm": "yes"}, 'confirm: "yes" is not allowed; write one of DESTROY.'),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_mistakes_are_told(changes: dict[str, Any], message: str) -> None:
    sets, mistakes = parse_disk_sets([{**LVM, **changes}], "pextra_disks")
    assert sets == ()
    texts = [str(mistake) for mistake in mistakes]
    assert any(f"{text.partition(').')[2]}".startswith(message) for text in texts), texts


def test_a_name_is_given_once() -> None:
    _, mistakes = parse_disk_sets([LVM, {**ZFS, "name": "VG0"}], "pextra_disks")
    assert [str(mistake) for mistake in mistakes] == [
        'pextra_disks[1] (VG0).name: "VG0" is taken by pextra_disks[0] (vg0)'
    ]


def test_what_is_no_mapping_is_told() -> None:
    _, mistakes = parse_disk_sets(["vg0", None], "pextra_disks")
    assert [mistake.path for mistake in mistakes] == ["pextra_disks[0]", "pextra_disks[1]"]


def test_the_document_holds_the_disks_of_each_node() -> None:
    hosts = {**HOSTS, "node1": {**HOSTS["node1"], "pextra_disks": [LVM]}}
    deployment = read(hosts=hosts)
    assert told(deployment) == []
    assert deployment.document["disks"] == {"node1": [{**LVM, "wipe": False}]}


def test_the_document_names_the_node_of_a_mistake() -> None:
    hosts = {**HOSTS, "node2": {**HOSTS["node2"], "pextra_disks": [{**LVM, "count": 0}]}}
    assert told(read(hosts=hosts)) == [
        "pextra_nodes (node2).pextra_disks[0] (vg0).count: 0 is out of range; allowed is 1 to 256"
    ]


def test_disks_that_are_no_list_are_told() -> None:
    hosts = {**HOSTS, "node2": {**HOSTS["node2"], "pextra_disks": {"vg0": LVM}}}
    assert told(read(hosts=hosts)) == ["pextra_nodes (node2).pextra_disks: a mapping is not a list"]
