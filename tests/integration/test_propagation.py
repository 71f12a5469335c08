# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The coordinators' job: without Ansible running, pools come back by themselves, and errors are kept with their
cause.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.lab import Lab, Site, wait_until

INTERVAL_S = 2
PROGRAM = "/usr/local/lib/pextra/pextra-coordinator propagate"
EXPIRE = (
    "import sqlite3; registry = sqlite3.connect('/var/lib/pextra/registry.db'); "
    "registry.execute('UPDATE pextra_lease SET expires = 0'); registry.commit()"
)
POOLS = tuple(f"prop-{number}" for number in range(10))
# In the lab's own network, and nobody's: a connection to it is never answered.
NOBODY = "10.91.0.250"


def defined(lab: Lab, node: str, *, active: bool = True) -> set[str]:
    options = [] if active else ["--all"]
    return set(lab.exec(node, "virsh", "pool-list", "--name", *options).split()) & {*POOLS, "prop-away"}


def undefine(lab: Lab, node: str, *pools: str) -> None:
    """Stop and undefine pools by hand; those that are not there are passed over."""
    commands = "; ".join(f"pool-destroy {pool}; pool-undefine {pool}" for pool in pools)
    lab.exec(node, "virsh", "--quiet", commands, check=False)


def status(site: Site, pool: str) -> dict[str, Any]:
    (found,) = site.module("pextra_pool_info", names=[pool])["pools"]
    return dict(found)


def interval(site: Site, seconds: int) -> None:
    site.run("--tags", "coordinator", "-e", f"pextra_propagation_interval={seconds}").must_succeed()


@pytest.fixture(scope="module")
def ten(cloud: Site, lab: Lab) -> Iterator[Site]:
    """Ten pools on all nodes, and the job at a short interval."""
    interval(cloud, INTERVAL_S)
    cloud.module("pextra_pool", pools=[{"name": pool, "path": f"/srv/prop/{pool}"} for pool in POOLS])
    yield cloud
    names = (*POOLS, "prop-away")
    cloud.module("pextra_pool", pools=[{"name": name, "state": "absent"} for name in names])
    cloud.run("--tags", "coordinator").must_succeed()
    lab.on_all("rm", "-rf", "/srv/prop")


@pytest.fixture
def paused(ten: Site, lab: Lab) -> Iterator[Site]:
    """The job runs only when a test starts it."""
    lab.sh("node1", "systemctl stop pextra-propagation.timer pextra-propagation.service")
    # A round that was under way has left its lease.
    lab.exec("node1", "python3", "-c", EXPIRE)
    yield ten
    lab.sh("node1", "systemctl start pextra-propagation.timer")


def test_what_is_changed_by_hand_comes_back(ten: Site, lab: Lab) -> None:
    undefine(lab, "node2", "prop-0")
    lab.exec("node3", "virsh", "pool-destroy", "prop-1")
    started = time.monotonic()
    wait_until("prop-0 is back on node2", lambda: "prop-0" in defined(lab, "node2"), 4 * INTERVAL_S + 5)
    wait_until("prop-1 is back on node3", lambda: "prop-1" in defined(lab, "node3"), 4 * INTERVAL_S + 5)
    assert time.monotonic() - started < 4 * INTERVAL_S + 5
    events = ten.module("pextra_registry_info", names=["prop-0"])["events"]
    assert any(event["node"] == "node2" and event["actor"].startswith("propagation at node1") for event in events)
    ten.run("--tags", "storage").must_change_nothing()


def test_a_node_that_reboots_has_its_pools_again(ten: Site, lab: Lab) -> None:
    """While it is away the others are looked after."""
    lab.exec("node3", "systemctl", "stop", "libvirtd.socket", "libvirtd-tls.socket", "libvirtd-ro.socket", "libvirtd")
    try:
        undefine(lab, "node2", "prop-2")
        wait_until("prop-2 is back on node2", lambda: "prop-2" in defined(lab, "node2"), 4 * INTERVAL_S + 10)
        assert {node["name"]: node["status"] for node in status(ten, "prop-2")["nodes"]}["node3"] == "error"
    finally:
        # libvirt forgets what was started; and a definition is lost on the way.
        lab.sh("node3", "rm -f /etc/libvirt/storage/prop-3.xml /etc/libvirt/storage/autostart/prop-[3-5].xml")
        lab.sh("node3", "rm -rf /run/libvirt/storage")
        lab.exec(
            "node3", "systemctl", "start", "libvirtd-tls.socket", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd"
        )
    wait_until("all pools are back on node3", lambda: defined(lab, "node3") == set(POOLS), 4 * INTERVAL_S + 20)
    wait_until("they start with the node", lambda: not without_autostart(lab, "node3"), 4 * INTERVAL_S)


def without_autostart(lab: Lab, node: str) -> set[str]:
    return set(lab.exec(node, "virsh", "pool-list", "--name", "--no-autostart", "--all").split()) & set(POOLS)


def test_a_source_that_is_away_is_an_error_with_its_cause(paused: Site, lab: Lab) -> None:
    """It holds up nothing else: neither the job for long, nor other pools."""
    away = {"name": "prop-away", "type": "netfs", "netfs": {"host": NOBODY, "export": "/export"}, "nodes": ["node2"]}
    paused.refused_module("pextra_pool", **away)
    undefine(lab, "node2", "prop-4")
    started = time.monotonic()
    lines = lab.sh("node1", PROGRAM).splitlines()
    assert time.monotonic() - started < 20
    assert any(line.startswith("pool prop-4 on node2: ") for line in lines)
    (line,) = [line for line in lines if "prop-away" in line]
    assert NOBODY in line
    assert "prop-4" in defined(lab, "node2")
    (node,) = status(paused, "prop-away")["nodes"]
    assert node["status"] == "error"
    assert f"{NOBODY} port 2049" in node["error"]
    assert time.time() - 300 < node["error_at"] < time.time()
    since = node["error_at"]
    lab.sh("node1", PROGRAM)
    assert status(paused, "prop-away")["nodes"][0]["error_at"] == since


def test_of_two_jobs_at_once_one_acts(paused: Site, lab: Lab) -> None:
    # The source that never answers keeps the first at it for three seconds: the second comes in between.
    undefine(lab, "node2", *POOLS)
    output = lab.sh(
        "node1",
        f"{PROGRAM} > /tmp/first & sleep 1; {PROGRAM} > /tmp/second; wait; cat /tmp/first; echo =; cat /tmp/second",
    )
    first, second = output.split("=\n")
    assert first.count("define and start") == len(POOLS)
    assert "has been changing it since" in second
    assert "define" not in second
    assert defined(lab, "node2") == set(POOLS)


@pytest.mark.long
def test_a_killed_job_is_taken_up_by_the_next(paused: Site, lab: Lab) -> None:
    """Twenty times, at any moment; in the end everything is as declared, and nothing is there twice."""
    before = lab.on_all("sh", "-c", "virsh pool-list --all --uuid | sort")
    chance = random.Random(3)
    killed = 0
    for _ in range(20):
        for node in lab.nodes:
            undefine(lab, node, *POOLS)
        code = lab.sh(
            "node1", f"timeout --signal=KILL {chance.uniform(0.05, 0.4):.2f} {PROGRAM} >/dev/null 2>&1; echo $?"
        )
        killed += int(code) == 137
        # A killed job's leases end after 20 s: let those have passed.
        lab.exec("node1", "python3", "-c", EXPIRE)
    assert killed >= 10, f"only {killed} of 20 were killed while they worked"
    lab.sh("node1", PROGRAM)
    assert lab.on_all("sh", "-c", "virsh pool-list --all --uuid | sort") == before
    for node in lab.nodes:
        assert defined(lab, node) == set(POOLS)
    assert paused.module("pextra_registry_info")["leases"] == []
    again = paused.module("pextra_pool", pools=[{"name": pool, "path": f"/srv/prop/{pool}"} for pool in POOLS])
    assert again["changed"] is False


def test_a_host_that_is_no_coordinator_has_no_job(ten: Site, lab: Lab) -> None:
    """Left over from when it was one, it would work on a registry that nobody keeps."""
    files = lab.sh("node1", "ls /etc/systemd/system/pextra-propagation.* /usr/local/lib/pextra/* /etc/pextra/*.json")
    lab.sh("node2", "mkdir -p /usr/local/lib/pextra")
    for file in files.split():
        lab.exec("node2", "sh", "-c", f"cat > {file}", stdin=lab.exec("node1", "base64", file))
        lab.sh("node2", f"base64 -d {file} > {file}.new && mv {file}.new {file}")
    lab.sh("node2", "systemctl daemon-reload && systemctl enable --now pextra-propagation.timer")
    run = ten.run("--tags", "node", "--limit", "node2").must_succeed()
    assert run.changed == 2
    assert lab.sh("node2", f"ls {' '.join(files.split())} 2>/dev/null || true") == ""
    assert lab.sh("node2", "systemctl is-active pextra-propagation.timer || true").strip() == "inactive"
    ten.run("--tags", "node", "--limit", "node2").must_change_nothing()
