# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What fails stops only what needs it, and the end of the run tells everything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives import serialization

from .lab import Lab, Site, group_vars
from .test_trust import make_authority, read_authority


@contextmanager
def occupied(lab: Lab, node: str, path: str) -> Iterator[None]:
    """Put a file where a pool's directory would have to be."""
    lab.sh(node, f"mkdir -p $(dirname {path}) && touch {path}")
    try:
        yield
    finally:
        lab.sh(node, f"rm -f {path}")


@pytest.mark.long
def test_a_pool_that_fails_on_a_node_stops_nothing_else(lab: Lab, cloud: Site) -> None:
    path = "/srv/pextra-broken/pool"
    pools = [*group_vars("storage")["pextra_pools"], {"name": "broken", "type": "directory", "path": path}]
    home = lab.home("web-1")
    try:
        with occupied(lab, "node3", path), cloud.overlay({"pextra_pools": pools}) as extra:
            lab.exec(home, "virsh", "destroy", "web-1")
            run = cloud.run(*extra)
            assert run.code == 2, run.output[-6000:]
            assert re.search(r"node3: pool broken: ", run.output)
            assert "what does not need it is done" in run.output
            assert lab.domains(home)["web-1"] == "running", "the instances were not looked at"
            assert "3 of 3 nodes healthy" in run.output, "the summary was left out"
            assert "broken" in lab.exec("node2", "virsh", "pool-list"), "the other nodes were not finished"
    finally:
        with cloud.overlay({"pextra_pools": [*pools[:-1], {**pools[-1], "state": "absent"}]}) as extra:
            cloud.run(*extra, "--tags", "storage").must_succeed()
    cloud.run().must_change_nothing()


def test_hosts_that_fail_stop_no_other(lab: Lab, cloud: Site) -> None:
    """One is refused by preflight, one does not answer over ssh; what is on the third is mended, and all is told."""
    kept = lab.exec("node3", "cat", "/etc/pki/pextra/ca.pem")
    home = next((name for name in ("web-1", "web-2", "web-3") if lab.home(name) == "node1"), None)
    lab.sh("node2", "systemctl stop ssh.socket ssh.service; pkill -9 -x sshd || true")
    foreign = make_authority(read_authority()).certificate.public_bytes(serialization.Encoding.PEM).decode()
    lab.exec("node3", "dd", "of=/etc/pki/pextra/ca.pem", "status=none", stdin=foreign)
    if home:
        lab.exec("node1", "virsh", "destroy", home)
    try:
        run = cloud.run()
        assert run.code in (2, 4)
        assert run.hosts["node3"]["failed"] == 1
        assert run.hosts["node2"]["unreachable"] == 1
        assert run.hosts["node1"]["failed"] == 0
        assert re.search(r"node2: it did not answer over ssh", run.output)
        assert "foreign_deployment" in run.output
        assert not home or lab.domains("node1")[home] == "running"
    finally:
        lab.exec("node3", "dd", "of=/etc/pki/pextra/ca.pem", "status=none", stdin=kept)
        lab.sh("node2", "systemctl start ssh.service")
    # The certificate is as it was, and newer: what reads it reads it again.
    cloud.run().must_succeed()
    cloud.run().must_change_nothing()


def test_without_the_coordinator_the_nodes_are_prepared_and_the_run_says_so(lab: Lab, cloud: Site) -> None:
    lab.sh("node1", "systemctl stop ssh.socket ssh.service; pkill -9 -x sshd || true")
    lab.sh("node2", "rm /etc/sysctl.d/60-pextra.conf")
    try:
        run = cloud.run()
        assert run.code in (2, 4)
        assert run.hosts["node2"]["changed"] > 0
        assert "nothing of the cloud was looked at" in run.output
        assert "node1: what this run did to the hosts is not in the audit trail: " in run.output
    finally:
        lab.sh("node1", "systemctl start ssh.service")
    cloud.run().must_change_nothing()
