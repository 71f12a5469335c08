# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that leaves takes only its own with it, and may come again; what renews certificates takes nothing away."""

from __future__ import annotations

import subprocess

import pytest
from cryptography import x509

from .lab import ROOT, Lab, Site, group_vars

pytestmark = pytest.mark.long

CA_DIR = ROOT / ".build" / "lab" / "ca"
SHOW = ("openssl", "x509", "-in", "/etc/pki/pextra/cert.pem", "-noout", "-serial")


def revoked() -> set[int]:
    return {one.serial_number for one in x509.load_pem_x509_crl((CA_DIR / "crl.pem").read_bytes())}


def test_leaving_revokes_the_certificates_of_that_node_alone(lab: Lab, cloud: Site, larger: Site) -> None:
    larger.run("--limit", "node1,node4").must_succeed()
    serial = int(lab.exec("node4", *SHOW).strip().partition("=")[2], 16)
    # What is issued to a node whose name begins with this one's.
    other = next(path for path in (CA_DIR / "issued").glob("node3-*.pem"))
    namesake = CA_DIR / "issued" / other.name.replace("node3-", "node4-2-")
    namesake.write_bytes(other.read_bytes())
    before = revoked()
    try:
        larger.run("--tags", "network,storage,images", "-e", "pextra_node_hosts=pextra_nodes:!node4").must_succeed()
        cloud.run("--tags", "network,storage,images").must_succeed()
        left = larger.run("-e", "nodes=node4", "-e", "confirm=DESTROY", playbook="pextra.cloud.decommission")
        left.must_succeed()
        assert serial in revoked() - before
        assert x509.load_pem_x509_certificate(other.read_bytes()).serial_number not in revoked()
    finally:
        namesake.unlink()
    # As after a run that was killed between revoking and removing: the node still has the old certificate.
    larger.run().must_succeed()
    anew = int(lab.exec("node4", *SHOW).strip().partition("=")[2], 16)
    assert anew not in revoked()
    assert "4 of 4 nodes healthy" in larger.run().must_change_nothing().output


def test_a_dead_node_leaves_without_being_asked(lab: Lab, cloud: Site, larger: Site) -> None:
    """It takes what only it had out of the registry, for which consent is needed; one that answers is refused."""
    larger.run().must_succeed()
    serial = int(lab.exec("node4", *SHOW).strip().partition("=")[2], 16)
    larger.module("pextra_vm", name="lost", node="node4", memory="64 MiB", power="stopped")
    leave = ("-e", "nodes=node4", "-e", "confirm=DESTROY", "-e", "dead=true")
    refused = larger.run(*leave, playbook="pextra.cloud.decommission")
    assert refused.code != 0
    assert "it answers, so it has not died" in refused.output
    assert lab.domains("node4") == {"lost": "shut off"}
    assert serial not in revoked()

    subprocess.run(["podman", "kill", "pextra-node4"], check=True, capture_output=True)
    unsaid = larger.run(*leave[:2], *leave[4:], playbook="pextra.cloud.decommission")
    assert "confirm=DESTROY" in unsaid.output
    unsaid = larger.refused_module("pextra_node", name="node4", state="absent", dead=True)
    assert "instance lost, which only node node4 has" in unsaid["msg"]
    assert "node4" in {node["name"] for node in cloud.module("pextra_node_info")["nodes"]}

    larger.run(*leave, playbook="pextra.cloud.decommission").must_succeed()
    assert serial in revoked()
    assert "node4" not in {node["name"] for node in cloud.module("pextra_node_info")["nodes"]}
    assert "lost" not in {one["name"] for one in cloud.module("pextra_vm_info")["vms"]}
    larger.run(*leave, playbook="pextra.cloud.decommission").must_succeed()
    cloud.run().must_succeed()
    cloud.run().must_change_nothing()


def test_a_node_with_data_of_ceph_does_not_leave(lab: Lab, cloud: Site) -> None:
    lab.sh("node3", "mkdir -p /var/lib/ceph/osd/ceph-7 && touch /var/lib/ceph/osd/ceph-7/whoami")
    try:
        homes = list(lab.domains("node3"))
        refused = cloud.run("-e", "nodes=node3", "-e", "confirm=DESTROY", playbook="pextra.cloud.decommission")
        assert refused.code != 0
        assert all(f"instance {name}" in refused.output for name in homes)
        assert "OSD 7 of Ceph" in refused.output
    finally:
        lab.sh("node3", "rm -r /var/lib/ceph/osd/ceph-7")
    cloud.run().must_change_nothing()


def test_a_revoked_certificate_is_issued_anew(lab: Lab, cloud: Site) -> None:
    before = lab.exec("node3", *SHOW)
    cloud.play(
        [
            {
                "ansible.builtin.include_role": {"name": "pextra.cloud.node", "tasks_from": "revocations.yml"},
                "vars": {
                    "node_name": "node3",
                    "node_deployment": "lab",
                    "node_ca_dir": str(CA_DIR),
                    "node_address": "10.91.0.13",
                    "__node_revoked": [
                        {"path": str(path), "reason": "superseded"} for path in (CA_DIR / "issued").glob("node3-*.pem")
                    ],
                },
            }
        ],
        hosts="localhost",
    )
    assert int(before.strip().partition("=")[2], 16) in revoked()
    cloud.run("--tags", "preflight,node").must_succeed()
    assert lab.exec("node3", *SHOW) != before
    cloud.run().must_change_nothing()


def test_renewing_certificates_leaves_accounts_where_they_are(lab: Lab, cloud: Site) -> None:
    share = {"host": "10.91.0.99", "export": "vms", "format": "cifs", "username": "vms", "password": "planted-9c1"}
    pools = [*group_vars("storage")["pextra_pools"], {"name": "smb", "type": "netfs", "netfs": share}]
    with cloud.overlay({"pextra_pools": pools}) as extra:
        cloud.run(*extra, "--tags", "preflight,node").must_succeed()
        accounts = lab.on_all("sh", "-c", "cat /etc/pextra/smb/smb; stat -c %a /etc/pextra/smb/smb")
        assert all("planted-9c1" in text for text in accounts.values())
        serials = lab.on_all(*SHOW)
        cloud.run(*extra, playbook="pextra.cloud.renew_certificates").must_succeed()
        assert lab.on_all("sh", "-c", "cat /etc/pextra/smb/smb; stat -c %a /etc/pextra/smb/smb") == accounts
        assert all(lab.on_all(*SHOW)[node] != serial for node, serial in serials.items())
    cloud.run("--tags", "preflight,node").must_succeed()
    assert lab.on_all("sh", "-c", "ls /etc/pextra/smb") == dict.fromkeys(lab.nodes, "")
    cloud.run().must_change_nothing()
