# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Ceph of three containers: as declared, converged, hardened, and for its clients alone."""

from __future__ import annotations

import pytest

from tests.ceph.ceph import CLIENT, POOL, Ceph
from tests.integration.lab import Run, Site
from tests.integration.test_node import documented_ports, is_expected

STAGES = ("--tags", "ceph,storage")


def test_a_check_of_bare_hosts_says_what_would_be_made(bare_check: Run | None, cloud: Site) -> None:
    if bare_check is None:
        pytest.skip("the lab has a Ceph already: this is seen on a fresh one only")
    bare_check.must_succeed()
    assert "changed: [node1] => (item=/etc/ceph/ceph.conf)" in bare_check.output
    assert all(host["changed"] > 0 for host in bare_check.hosts.values())


def test_it_is_as_declared(ceph: Ceph) -> None:
    ceph.wait_for_health()
    status = ceph.ask("status")
    assert sorted(status["quorum_names"]) == ["node1", "node2", "node3"]
    assert (status["osdmap"]["num_osds"], status["osdmap"]["num_up_osds"], status["osdmap"]["num_in_osds"]) == (3, 3, 3)
    assert sorted(ceph.osds().values()) == ["node1", "node2", "node3"]
    (pool,) = [pool for pool in ceph.ask("osd", "pool", "ls", "detail") if pool["pool_name"] == POOL]
    assert (pool["size"], pool["min_size"], list(pool["application_metadata"])) == (3, 2, ["rbd"])


def test_only_version_2_of_the_messenger_listens(ceph: Ceph) -> None:
    for monitor in ceph.ask("mon", "dump")["mons"]:
        (address,) = monitor["public_addrs"]["addrvec"]
        assert (address["type"], address["addr"].rpartition(":")[2]) == ("v2", "3300")
    for osd in ceph.ask("osd", "dump")["osds"]:
        for kind in ("public_addrs", "cluster_addrs", "heartbeat_front_addrs", "heartbeat_back_addrs"):
            assert {address["type"] for address in osd[kind]["addrvec"]} == {"v2"}
    assert "secure" in ceph.lab.exec("node1", "ceph", "config", "show", "mon.node1", "ms_service_mode")


def test_what_listens_is_documented(ceph: Ceph) -> None:
    documented = documented_ports("On nodes of the deployment's own Ceph")
    for node in ceph.lab.nodes:
        address = ceph.lab.exec(node, "hostname", "--all-ip-addresses").split()[0]
        for line in ceph.lab.exec(node, "ss", "-Hlntup").splitlines():
            if "ceph" not in line:
                continue
            words = line.split()
            where, _, port = words[4].rpartition(":")
            process = line.split('("')[1].split('"')[0]
            listener = (port, words[0], "management" if where == address else where, process)
            assert is_expected(listener, documented), f"{node}: {listener} is not in docs/ports.md"


def test_a_second_run_changes_and_restarts_nothing(cloud: Site, ceph: Ceph) -> None:
    before = ceph.daemons()
    assert all("ceph-osd@" in text for text in before.values())
    cloud.run().must_change_nothing()
    assert ceph.daemons() == before


def test_a_check_changes_and_reports_nothing(cloud: Site, ceph: Ceph) -> None:
    before = ceph.daemons()
    run = cloud.run(*STAGES, "--check", "--diff").must_change_nothing()
    assert "+++ after" not in run.output
    assert ceph.daemons() == before


def test_the_client_may_use_its_pool_and_nothing_else(ceph: Ceph) -> None:
    lab = ceph.lab
    ceph.give_key("node2")
    other = "device_health_metrics"
    assert other in [pool["pool_name"] for pool in ceph.ask("osd", "pool", "ls", "detail")]
    try:
        ceph.as_client("node2", "rbd", "create", "--size", "8M", f"{POOL}/rights")
        assert "rights" in ceph.as_client("node2", "rbd", "ls", POOL).split()
        ceph.as_client("node2", "rbd", "rm", "--no-progress", f"{POOL}/rights")
        for refused in (
            ("rbd", "ls", other),
            ("rados", "--pool", other, "ls"),
            ("rados", "--pool", other, "put", "x", "/etc/hostname"),
            ("ceph", "auth", "ls"),
            ("ceph", "auth", "get-key", "client.admin"),
            ("ceph", "osd", "pool", "create", "mine"),
            ("ceph", "osd", "out", "0"),
            ("ceph", "config", "set", "global", "debug_ms", "1"),
        ):
            said = ceph.as_client("node2", *refused, check=False)
            assert any(word in said for word in ("denied", "EACCES", "EPERM", "not permitted")), f"{refused}: {said}"
        assert "mine" not in [pool["pool_name"] for pool in ceph.ask("osd", "pool", "ls", "detail")]
    finally:
        lab.exec("node2", "rm", "-f", "/root/pextra-test.keyring")


def test_rights_that_grew_are_put_right(cloud: Site, ceph: Ceph) -> None:
    ceph.lab.exec("node1", "ceph", "auth", "caps", f"client.{CLIENT}", "mon", "allow *", "osd", "allow *")
    check = cloud.run("--tags", "ceph", "--check", "--diff").must_succeed()
    assert f"put right the client {CLIENT}" in check.output
    cloud.run("--tags", "ceph").must_succeed()
    (entry,) = ceph.ask("auth", "get", f"client.{CLIENT}")
    assert entry["caps"] == {"mon": "profile rbd", "osd": f"profile rbd pool={POOL}", "mgr": f"profile rbd pool={POOL}"}
    cloud.run("--tags", "ceph").must_change_nothing()


def test_no_key_is_where_others_can_read_it(cloud: Site, ceph: Ceph) -> None:
    lab = ceph.lab
    keys = [str(entry["key"]) for entry in ceph.ask("auth", "ls")["auth_dump"]]
    assert len(keys) > 8
    verbose = cloud.run(*STAGES, "-vvv").must_change_nothing()
    assert not [key for key in keys if key in verbose.output]
    patterns = "\n".join(keys)
    for node in lab.nodes:
        seen = "cat >/run/pextra-keys; journalctl --no-pager | grep -cFf /run/pextra-keys || true"
        assert lab.exec(node, "sh", "-c", f"umask 077; {seen}", stdin=patterns).strip() == "0"
        readable = (
            "grep -rlFf /run/pextra-keys /etc /var/lib/ceph /var/lib/pextra /var/log /root /tmp 2>/dev/null || true"
        )
        paths = lab.sh(node, readable).splitlines()
        assert paths, f"{node}: not even its own key was found"
        # Not the mode alone: a monitor's own files are everybody's, in a directory that is not.
        others = 'for path; do runuser -u nobody -- test -r "$path" && echo "$path"; done; true'
        assert lab.exec(node, "sh", "-c", others, "sh", *paths) == "", node
        lab.exec(node, "rm", "/run/pextra-keys")
    first = "/var/lib/ceph/bootstrap-pextra/ceph.keyring"
    assert {lab.exec(node, "stat", "-c", "%a %U", first).strip() for node in lab.nodes} == {"600 ceph"}
