# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the node role made of the hosts: what listens, what runs, and that a second run leaves it alone."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.integration.lab import ROOT, Lab, Site

PORTS = ROOT / "docs" / "ports.md"
ADDRESSES = {"node1": "10.91.0.11", "node2": "10.91.0.12", "node3": "10.91.0.13", "node4": "10.91.0.14"}
NODE_STAGES = ("--tags", "preflight,node")


def documented_ports(heading: str) -> list[tuple[str, str, str, str]]:
    """Return (port, protocol, on, process) of the table below a heading of docs/ports.md."""
    section = PORTS.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")
    ]
    return [(row[0], row[1], row[2], row[3]) for row in rows[2:]]


def listeners(lab: Lab, node: str) -> set[tuple[str, str, str, str]]:
    """Return (port, protocol, on, process) of everything that listens on a node."""
    found = set()
    for line in lab.exec(node, "ss", "-Hlntup").splitlines():
        words = line.split()
        address, _colon, port = words[4].rpartition(":")
        address = address.strip("[]").partition("%")[0]
        where = {"0.0.0.0": "all", "::": "all", "*": "all", ADDRESSES[node]: "management"}.get(address, address)
        where = "loopback" if address.startswith("127.") or address == "::1" else where
        processes = re.findall(r'\("([^"]+)"', line)
        # systemd keeps the sockets that it has handed over.
        process = next((name for name in processes if name != "systemd"), "systemd")
        found.add((port, words[0], where, process))
    return found


def is_expected(listener: tuple[str, str, str, str], passing: list[tuple[str, str, str, str]]) -> bool:
    for ports, protocol, where, process in passing:
        low, _dash, high = ports.partition("-")
        in_range = int(low) <= int(listener[0]) <= int(high or low)
        if in_range and listener[1:3] == (protocol, where) and listener[3].startswith(process):
            return True
    return False


@pytest.mark.parametrize("node", Lab.nodes)
def test_what_listens_is_what_is_documented(cloud: Site, node: str) -> None:
    require_documented_listeners(cloud.lab, node)


def require_documented_listeners(lab: Lab, node: str) -> None:
    found = listeners(lab, node)
    always = set(documented_ports("Always, on every node"))
    passing = documented_ports("While something runs")
    assert always <= found, f"does not listen: {always - found}"
    unexpected = {item for item in found - always if not is_expected(item, passing)}
    assert not unexpected, f"not in {PORTS.name}: {unexpected}"


def test_a_second_run_changes_and_restarts_nothing(cloud: Site) -> None:
    before = cloud.lab.snapshot()
    started = time.monotonic()
    cloud.run(*NODE_STAGES).must_change_nothing()
    assert time.monotonic() - started < 25
    assert cloud.lab.snapshot() == before


def test_check_mode_on_prepared_nodes_reports_nothing(cloud: Site) -> None:
    run = cloud.run(*NODE_STAGES, "--check", "--diff").must_change_nothing()
    assert "+++ after" not in run.output


def test_a_run_that_was_killed_before_a_restart_is_mended(cloud: Site) -> None:
    """What such a run leaves behind: configuration that is newer than the service that reads it."""
    before = cloud.lab.snapshot()
    cloud.lab.exec("node2", "touch", "/etc/libvirt/qemu.conf")
    run = cloud.run(*NODE_STAGES).must_succeed()
    assert {host: values["changed"] for host, values in run.hosts.items()} | {"node2": 0} == dict.fromkeys(run.hosts, 0)
    after = cloud.lab.snapshot()
    assert after["node1"] == before["node1"]
    assert changed_units(before["node2"]["services"], after["node2"]["services"]) == {"libvirtd.service"}
    cloud.run(*NODE_STAGES).must_change_nothing()


def test_a_closed_socket_is_opened_again(cloud: Site) -> None:
    cloud.lab.sh("node3", "systemctl stop libvirtd.service libvirtd-tls.socket pextra-ovsdb-tls.service")
    cloud.run(*NODE_STAGES).must_succeed()
    assert set(documented_ports("Always, on every node")) <= listeners(cloud.lab, "node3")
    cloud.run(*NODE_STAGES).must_change_nothing()


def test_changed_files_are_put_right_and_shown(cloud: Site) -> None:
    cloud.lab.sh(
        "node3", "echo 'vnc_listen = \"0.0.0.0\"' >>/etc/libvirt/qemu.conf; chmod 0644 /etc/pki/pextra/key.pem"
    )
    check = cloud.run(*NODE_STAGES, "--check", "--diff").must_succeed()
    assert '-vnc_listen = "0.0.0.0"' in check.output
    assert check.hosts["node3"]["changed"] > 0
    cloud.run(*NODE_STAGES).must_succeed()
    assert cloud.lab.exec("node3", "stat", "-c", "%a", "/etc/pki/pextra/key.pem").strip() == "600"
    assert "0.0.0.0" not in cloud.lab.exec("node3", "cat", "/etc/libvirt/qemu.conf")
    cloud.run(*NODE_STAGES).must_change_nothing()


@pytest.mark.parametrize("node", Lab.nodes)
def test_libvirt_knows_its_machine_without_probing_again(cloud: Site, node: str) -> None:
    """Where it sees a KVM that does not work, every question takes over half a second."""
    script = """
        for try in 1 2 3 4 5 6; do
            start=$(date +%s%N)
            virsh domcapabilities --virttype qemu >/dev/null
            echo $(( ($(date +%s%N) - start) / 1000000 ))
        done
    """
    # The fault costs that much every time; a busy machine does not.
    assert min(int(line) for line in cloud.lab.sh(node, script).splitlines()) < 100


@pytest.mark.parametrize("node", Lab.nodes)
def test_the_host_is_hardened(cloud: Site, node: str) -> None:
    require_hardened(cloud.lab, node)


def require_hardened(lab: Lab, node: str) -> None:
    assert lab.exec(node, "stat", "-c", "%a %G", "/run/libvirt/libvirt-sock-ro").split() == ["660", "libvirt"]
    assert lab.exec(node, "systemctl", "is-enabled", "libvirtd-tcp.socket", check=False).strip() == "masked"
    assert lab.exec(node, "ovs-vsctl", "get-manager").strip() == ""
    assert "default" not in lab.exec(node, "virsh", "net-list", "--name").split()
    effective = {"migrate_tls_force = 1", "migrate_tls_x509_verify = 1", 'vnc_listen = "127.0.0.1"'}
    assert effective <= set(lab.exec(node, "cat", "/etc/libvirt/qemu.conf").splitlines())
    user = lab.exec(node, "ps", "-C", "stunnel4", "-o", "user=").split()
    assert set(user) == {"stunnel4"}


def test_preflight_reports_all_violations_at_once(cloud: Site) -> None:
    outcome = cloud.refused_module(
        "pextra_preflight",
        node="node1",
        address="10.91.0.99",
        uplinks=["eth0", "eth9"],
        exceptions=["cpu_cores", "virtualization"],
    )
    rules = {violation["rule"] for violation in outcome["violations"]}
    assert {"address_present", "uplink_exists", "uplink_management"} <= rules
    assert all(violation["remedy"] and violation["node"] == "node1" for violation in outcome["violations"])


def test_preflight_knows_which_exceptions_there_are(cloud: Site) -> None:
    outcome = cloud.refused_module("pextra_preflight", node="node1", address="10.91.0.11", exceptions=["cpu_core"])
    assert 'Did you mean "cpu_cores"?' in outcome["msg"]


def test_units_are_left_alone_by_the_module(cloud: Site) -> None:
    outcome = cloud.module("pextra_units", units=[{"name": "libvirtd.service", "sockets": ["libvirtd-tls.socket"]}])
    assert outcome["changed"] is False
    assert outcome["actions"] == []


def changed_units(before: str, after: str) -> set[str]:
    def blocks(text: str) -> dict[str, str]:
        found = {}
        for block in text.split("\n\n"):
            match = re.search(r"^Id=(.*)$", block, re.MULTILINE)
            if match:
                found[match[1]] = block
        return found

    old, new = blocks(before), blocks(after)
    return {name for name in old | new if old.get(name) != new.get(name)}


def test_the_list_of_ports_is_about_this_product() -> None:
    assert Path(PORTS).is_file()
    assert ("16514", "tcp", "management", "libvirtd") in documented_ports("Always, on every node")
