# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing `node` moves a running instance live."""

from __future__ import annotations

import re

import pytest

from .lab import Lab, Site, wait_until


def test_a_running_instance_moves_live(lab: Lab, converged: Site) -> None:
    """Its neighbour's ping loses at most one packet, and it never restarts."""
    name, neighbour = "web-1", "mail"
    address = _address(converged, name)
    source = lab.home(name)
    target = next(node for node in lab.nodes if node != source)
    wait_until(f"{neighbour} reaches {name}", lambda: f"ping {address} ok" in lab.since_boot(neighbour), timeout_s=90)
    boots = lab.console(name).count("pextra-guest: ready")
    before = lab.since_boot(neighbour)
    uuid = lab.exec(source, "virsh", "domuuid", name)
    (told,) = converged.module("pextra_vm_info", names=[name])["vms"]

    # Each node holds a web instance, which anti-affinity would keep it from.
    wanted = [{**item, "anti_affinity": "", "node": target} for item in converged.declared() if item["name"] == name]
    converged.module("pextra_vm", vms=wanted)

    assert lab.home(name) == target
    assert lab.domains(target)[name] == "running"
    assert lab.exec(target, "virsh", "domuuid", name) == uuid
    answered = before.count(f"ping {address} ok")
    wait_until("the neighbour goes on", lambda: lab.since_boot(neighbour).count(f"ping {address} ok") >= answered + 3)
    during = lab.since_boot(neighbour)[len(before) :]
    assert len(re.findall(rf"ping {re.escape(address)} lost", during)) <= 1, during
    assert lab.console(name).count("pextra-guest: ready") == boots, "it was restarted"

    # Since when it runs goes along.
    (there,) = converged.module("pextra_vm_info", names=[name])["vms"]
    assert (there["created"], there["started"], there["node"]) == (told["created"], told["started"], target)

    second = converged.module("pextra_vm", vms=wanted)
    assert second["changed"] is False
    converged.module("pextra_vm", vms=[{**wanted[0], "node": source}])
    assert lab.home(name) == source


def test_an_instance_on_a_local_pool_is_refused(lab: Lab, cloud: Site) -> None:
    source = lab.home("db")
    target = next(node for node in lab.nodes if node != source)
    wanted = [{**item, "node": target} for item in cloud.declared() if item["name"] == "db"]
    outcome = cloud.play([{"pextra.cloud.pextra_vm": {"vms": wanted}, "ignore_errors": True}])[-1]
    assert outcome["failed"]
    assert "storage pool local is not shared between nodes" in outcome["msg"]
    assert lab.home("db") == source


@pytest.mark.long
def test_memory_moves_between_addresses_of_its_own(lab: Lab, cloud: Site) -> None:
    """QEMU takes it on that address alone, so a move that arrives has taken this way."""
    own = {node: lab.sh(node, "hostname -I").split()[0].replace("10.91.0.", "10.91.1.") for node in lab.nodes}
    variables = {"pextra_migration_address": "{{ ansible_host | replace('10.91.0.', '10.91.1.') }}"}
    for node, address in own.items():
        lab.exec(node, "ip", "address", "add", f"{address}/24", "dev", "eth0")
    try:
        with cloud.overlay(variables) as extra:
            cloud.run(*extra, "--tags", "preflight,node,cluster").must_succeed()
        for node, address in own.items():
            assert f'migration_address = "{address}"' in lab.exec(node, "cat", "/etc/libvirt/qemu.conf")
        source = lab.home("mail")
        target = next(node for node in lab.nodes if node != source)
        cloud.module("pextra_vm", name="mail", node=target)
        assert lab.domains(target)["mail"] == "running"
        cloud.module("pextra_vm", name="mail", node=source)
        assert lab.home("mail") == source
    finally:
        cloud.module(
            "pextra_node", nodes=[{"name": node, "migration_address": node_address(lab, node)} for node in own]
        )
        for node, address in own.items():
            lab.exec(node, "ip", "address", "del", f"{address}/24", "dev", "eth0")
        cloud.run("--tags", "preflight,node,cluster").must_succeed()
    cloud.run().must_change_nothing()


def node_address(lab: Lab, node: str) -> str:
    return next(word for word in lab.sh(node, "hostname -I").split() if word.startswith("10.91.0."))


def _address(site: Site, name: str) -> str:
    item = next(item for item in site.declared() if item["name"] == name)
    return str(item["nics"][0]["addresses"][0].split("/")[0])
