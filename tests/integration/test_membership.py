# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that join, and hosts that must not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .lab import Lab, Run, Site

_ADDRESS = "10.91.0.14"


def test_a_new_node_joins_and_nothing_else_changes(lab: Lab, cloud: Site, larger: Site) -> None:
    before = lab.snapshot()
    run = larger.run().must_succeed()
    assert run.hosts["node2"]["changed"] == 0
    assert run.hosts["node3"]["changed"] == 0
    assert lab.snapshot() == before
    assert "4 of 4 nodes healthy" in run.output
    assert "svswitch10" in lab.exec("node4", "ovs-vsctl", "list-br")
    assert "shared" in lab.exec("node4", "virsh", "pool-list")
    larger.run().must_change_nothing()


@pytest.mark.long
def test_a_node_of_another_deployment_is_refused(lab: Lab, cloud: Site, larger: Site, tmp_path: Path) -> None:
    others = ("-e", "pextra_deployment_name=other", "-e", f"pextra_ca_dir={tmp_path / 'other-ca'}")
    larger.run(*others, "--limit", "node4", "--tags", "preflight,node").must_succeed()
    before = lab.snapshot()
    certificate = lab.exec("node4", "sha256sum", "/etc/pki/pextra/cert.pem")

    run = larger.run()
    assert run.code != 0
    assert run.hosts["node4"]["failed"] == 1
    assert run.hosts["node4"]["changed"] == 0
    assert "other" in run.output
    assert "foreign_deployment" in run.output
    assert "Traceback" not in run.output
    assert lab.exec("node4", "sha256sum", "/etc/pki/pextra/cert.pem") == certificate
    assert lab.snapshot() == before
    assert "node4" not in {node["name"] for node in cloud.module("pextra_node_info")["nodes"]}


@pytest.mark.long
def test_a_node_without_a_valid_key_is_refused(lab: Lab, cloud: Site, larger: Site) -> None:
    larger.run("--limit", "node4", "--tags", "preflight,node").must_succeed()
    expired = cloud.module("pextra_cluster", name="mtl-1", issue_key=True, key_lifetime=0)["cluster"]["clustering_key"]
    valid = cloud.module("pextra_cluster", name="mtl-1", issue_key=True)["cluster"]["clustering_key"]
    wrong = valid[:-4] + ("AAAA" if valid[-4:] != "AAAA" else "BBBB")
    for key, reason in (
        (None, "no clustering key was given"),
        ("hello", "is not one"),
        (wrong, "was not issued by this deployment"),
        (expired, "expired at"),
    ):
        options = {"name": "node4", "address": _ADDRESS} | ({"clustering_key": key} if key else {})
        outcome = cloud.play([{"pextra.cloud.pextra_node": options, "ignore_errors": True}])[-1]
        assert outcome["failed"]
        assert reason in outcome["msg"], outcome["msg"]
    cloud.module("pextra_node", name="node4", address=_ADDRESS, clustering_key=valid)


def test_a_node_that_is_down_stops_no_other(lab: Lab, cloud: Site) -> None:
    home = next(name for name in ("web-1", "web-2", "web-3") if lab.home(name) != "node3")
    node = lab.home(home)
    subprocess.run(["podman", "exec", "pextra-node3", "systemctl", "stop", "libvirtd.service", "libvirtd-tls.socket",
                    "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket"], check=True)  # fmt: skip
    lab.exec(node, "virsh", "destroy", home)
    try:
        run: Run = cloud.run("--tags", "instances")
        assert run.code != 0
        assert "node3" in run.output
        assert "nothing listens on" in run.output
        assert "systemctl status libvirtd-tls.socket" in run.output
        assert "Traceback" not in run.output
        assert lab.domains(node)[home] == "running", "the other nodes were not finished"
    finally:
        cloud.run("--tags", "preflight,node", "--limit", "node3").must_succeed()
    cloud.run().must_change_nothing()
