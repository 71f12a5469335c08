# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OSDs come, are interrupted, leave and are replaced, and no data is lost on the way."""

from __future__ import annotations

import random
import time

from tests.ceph.ceph import Ceph
from tests.ceph.conftest import two_osds
from tests.ceph.scribe import NAME, SPEC, Scribe
from tests.integration.lab import Site, wait_until

CEPH = ("--tags", "ceph")
REMOVE, REPLACE = "pextra.cloud.ceph_remove_osd", "pextra.cloud.ceph_replace_osd"


def test_a_disk_that_holds_something_is_refused_before_anything_changes(cloud: Site, ceph: Ceph) -> None:
    lab = ceph.lab
    before = ceph.osds()
    lab.sh("node2", "printf 'of somebody' >/srv/ceph/more.img; truncate -s 1G /srv/ceph/more.img")
    lab.sh("node3", "truncate -s 1G /srv/ceph/more.img; mke2fs -q -F /srv/ceph/more.img")
    try:
        with cloud.overlay(two_osds()) as extra:
            run = cloud.run(*CEPH, *extra)
        assert run.code != 0
        assert "node2: /srv/ceph/more.img is there already, and is not an OSD's" in run.output
        assert "node3: /srv/ceph/more.img holds ext2; a disk that holds something is not touched" in run.output
        assert run.changed == 0
        assert ceph.osds() == before
        assert lab.sh("node1", "ls /srv/ceph/more.img 2>/dev/null || true") == ""
        assert lab.sh("node2", "head -c 11 /srv/ceph/more.img") == "of somebody"
    finally:
        for node in lab.nodes:
            lab.exec(node, "rm", "-f", "/srv/ceph/more.img")


def test_interrupted_while_osds_are_made(cloud: Site, ceph: Ceph) -> None:
    """Killed again and again, then run to its end: three more OSDs, none of them twice."""
    with cloud.overlay(two_osds()) as extra:
        for _ in range(4):
            process = cloud.start(*CEPH, *extra)
            time.sleep(random.uniform(4, 25))
            cloud.kill(process)
            for node in ceph.lab.nodes:
                ceph.lab.sh(
                    node, "pkill -9 -f '[A]nsiballZ_pextra|[p]extra_ceph' || true; pkill -9 '^ceph-osd$' -f -x || true"
                )
        cloud.run(*CEPH, *extra, timeout_s=1200).must_succeed()
        assert sorted(ceph.osds().values()) == ["node1", "node1", "node2", "node2", "node3", "node3"]
        assert len(ceph.ask("osd", "ls")) == 6
        cloud.run(*CEPH, *extra).must_change_nothing()
    for node in ceph.lab.nodes:
        assert ceph.lab.sh(node, "ls -A /var/lib/ceph/osd | grep -c '^\\.' || true").strip() == "0"


def test_removal_is_refused_without_consent_and_while_declared(cloud: Site, ceph: Ceph) -> None:
    before = ceph.osds()
    declared = cloud.run("-e", "osd=0", "-e", "confirm=DESTROY", playbook=REMOVE)
    assert declared.code != 0
    assert "which is declared" in declared.output
    number = second_osd(ceph, "node3")
    refused = cloud.run("-e", f"osd={number}", playbook=REMOVE)
    assert refused.code != 0
    assert f"this would destroy osd.{number} on node3" in refused.output
    unnamed = cloud.run("-e", "confirm=DESTROY", playbook=REMOVE)
    assert unnamed.code != 0
    assert "Say which OSD leaves" in unnamed.output
    assert ceph.osds() == before


def second_osd(ceph: Ceph, node: str) -> int:
    """Return the number of the OSD of a node that is not declared in the lab's inventory."""
    for number, host in ceph.osds().items():
        link = ceph.lab.sh(node, f"readlink /var/lib/ceph/osd/ceph-{number}/block || true").strip()
        if host == node and link == "/srv/ceph/more.img":
            return number
    raise AssertionError(f"{node} has no second OSD")


def test_removal_moves_the_data_away_first(cloud: Site, ceph: Ceph, volume: str) -> None:
    ceph.give_key("node1")
    ceph.qemu_io("node1", volume, "write -P 0x77 0 64M")
    for node in ceph.lab.nodes:
        number = second_osd(ceph, node)
        cloud.run("-e", f"osd={number}", "-e", "confirm=DESTROY", playbook=REMOVE, timeout_s=1200).must_succeed()
        assert number not in ceph.osds()
        assert ceph.lab.sh(node, f"ls -d /srv/ceph/more.img /var/lib/ceph/osd/ceph-{number} 2>/dev/null || true") == ""
    cloud.run("-e", f"osd={number}", "-e", "confirm=DESTROY", playbook=REMOVE).must_change_nothing()
    ceph.qemu_io("node1", volume, "read -P 0x77 0 64M")
    ceph.wait_for_health()
    cloud.run(*CEPH).must_change_nothing()


def test_the_last_copy_is_not_given_away(cloud: Site, ceph: Ceph) -> None:
    """Three copies on three hosts: without a place for the third nothing leaves, undeclared as it may be."""
    before = ceph.osds()
    (number,) = [osd for osd, host in before.items() if host == "node3"]
    others = "{{ [] if inventory_hostname == 'node3' else [{'file': '/srv/ceph/osd.img', 'size': '4 GiB'}] }}"
    fewer = {"pextra_ceph_osds": others, "pextra_ceph_pools": [{"name": "vms", "copies": 2}]}
    with cloud.overlay(fewer) as extra:
        run = cloud.run("-e", f"osd={number}", "-e", "confirm=DESTROY", *extra, playbook=REMOVE)
    assert run.code != 0
    assert f"osd.{number} cannot leave: 3 copies need 3 hosts with OSDs" in run.output
    assert ceph.osds() == before


def test_an_osd_is_replaced_while_a_guest_writes(cloud: Site, ceph: Ceph, scribe: Scribe) -> None:
    before, lines = ceph.osds(), scribe.written()
    (number,) = [osd for osd, host in before.items() if host == "node3"]
    old = ceph.lab.sh("node3", f"cat /var/lib/ceph/osd/ceph-{number}/fsid").strip()
    # So little data has moved before anyone looks.
    ceph.lab.exec("node1", "ceph", "config", "set", "osd", "osd_recovery_sleep", "0.5")
    try:
        run = cloud.run("-e", f"osd={number}", "-e", "confirm=DESTROY", playbook=REPLACE, timeout_s=1800).must_succeed()
    finally:
        ceph.lab.exec("node1", "ceph", "config", "rm", "osd", "osd_recovery_sleep")
    assert "  ceph: waiting until " in run.output
    done = scribe.written()
    assert done > lines + 5
    wait_until("the guest goes on writing", lambda: scribe.written() > done + 3, 60)
    print(f"{done - lines} lines, the longest pause {scribe.longest_pause_s(lines):.1f} s")
    assert scribe.console().count("pextra-guest: booting") == 1
    assert sorted(ceph.osds().values()) == ["node1", "node2", "node3"]
    (number,) = [osd for osd, host in ceph.osds().items() if host == "node3"]
    assert ceph.lab.sh("node3", f"cat /var/lib/ceph/osd/ceph-{number}/fsid").strip() != old
    ceph.wait_for_health()
    cloud.run(*CEPH).must_change_nothing()
    assert cloud.module("pextra_vm", **SPEC)["changed"] is False
    assert ceph.lab.where(NAME) == ["node1"]


def test_an_osd_whose_directory_is_lost_is_taken_up_again(cloud: Site, ceph: Ceph) -> None:
    """As after a new installation of the node's system: the disk still says who it is."""
    (number,) = [osd for osd, host in ceph.osds().items() if host == "node2"]
    ceph.lab.sh("node2", f"systemctl disable --now ceph-osd@{number}; rm -r /var/lib/ceph/osd/ceph-{number}")
    check = cloud.run(*CEPH, "--check", "--diff").must_succeed()
    assert f"take up osd.{number} again" in check.output
    cloud.run(*CEPH, timeout_s=1200).must_succeed()
    assert ceph.osds()[number] == "node2"
    ceph.wait_for_health()
    cloud.run(*CEPH).must_change_nothing()
