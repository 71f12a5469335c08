# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin on the lab's cloud: over ssh, as root and as a user who may run one command."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .lab import INVENTORY, ROOT, Lab, Site

LAB = ROOT / ".build" / "lab"
COORDINATOR = "10.91.0.11"
PROGRAM = "/usr/local/lib/pextra/pextra-coordinator"
CONFIGURATION = "/etc/pextra/coordinator.json"
FORMER_PROGRAM, FORMER_CONFIGURATION = "/usr/local/lib/pextra/pextra-propagation", "/etc/pextra/propagation.json"
SERVICE = "/etc/systemd/system/pextra-propagation.service"
USER = "asker"
# A port of the vSwitch for node1 itself, in the VLAN of Production.
PROBE, PROBE_ADDRESS, VLAN = "probe0", "172.20.0.200/24", 42
LIBVIRT = ("libvirtd.socket", "libvirtd-tls.socket", "libvirtd-ro.socket", "libvirtd")

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file for the plugin, with these options."""

    def write_file(**options: Any) -> Path:
        path = tmp_path / "cloud.pextra.yml"
        content = {
            "plugin": "pextra.cloud.pextra",
            "coordinator": COORDINATOR,
            "user": "root",
            "private_key_file": str(LAB / "id_ed25519"),
            "ssh_common_args": f"-o UserKnownHostsFile={shlex.quote(str(LAB / 'known_hosts'))}"
            " -o StrictHostKeyChecking=yes",
        }
        path.write_text(yaml.safe_dump({**content, **options}))
        return path

    return write_file


def ask(site: Site, path: Path) -> tuple[dict[str, Any], str]:
    """Return what ansible-inventory lists, and its warnings."""
    done = subprocess.run(
        [str(ROOT / ".venv/bin/ansible-inventory"), "-i", str(path), "--list"],
        cwd=ROOT,
        env=site.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout, object_hook=_unwrap), " ".join(done.stderr.split())


def _unwrap(value: dict[str, Any]) -> Any:
    """ansible-inventory marks what is never taken for a template."""
    return value["__ansible_unsafe"] if value.keys() == {"__ansible_unsafe"} else value


def test_every_instance_is_a_host(lab: Lab, cloud: Site, write: Write) -> None:
    found, warnings = ask(cloud, write())
    assert "Failed to parse" not in warnings
    hosts = found["_meta"]["hostvars"]
    declared = {instance["name"]: instance for instance in cloud.declared()}
    assert declared.keys() <= hosts.keys()
    for name, instance in declared.items():
        host = hosts[name]
        assert host["pextra_node"] == lab.home(name)
        assert host["pextra_power"] == (instance.get("power") or "running")
        assert host["pextra_tags"] == list(instance.get("tags") or [])
        assert host["pextra_flavor"] == (instance.get("flavor") or None)
        assert host["pextra_profiles"] == list(instance.get("profiles") or [])
        assert (host["pextra_cluster"], host["pextra_datacenter"], host["pextra_organization"]) == (
            "mtl-1",
            "Montreal",
            "acme",
        )
        assert host["pextra_uuid"] == lab.exec(lab.home(name), "virsh", "domuuid", name).strip()
        addresses = [nic.get("addresses") or [] for nic in instance["nics"]]
        assert [nic["addresses"] for nic in host["pextra_nics"]] == addresses
        assert host["ansible_host"] == addresses[0][0].split("/")[0]
    assert set(found["pextra_tag_frontend"]["hosts"]) == {"web-1", "web-2", "web-3"}
    assert "archive" in found["pextra_power_stopped"]["hosts"]
    flavors = {name: one["flavor"] for name, one in declared.items() if one.get("flavor")}
    assert flavors
    assert all(name in found[f"pextra_flavor_{flavor}"]["hosts"] for name, flavor in flavors.items())
    assert declared.keys() <= set(found["pextra_cluster_mtl_1"]["hosts"])
    assert "db" in found["pextra_node_node2"]["hosts"]


def test_filters(cloud: Site, write: Write) -> None:
    found, _ = ask(cloud, write(tags=["frontend", "dmz"], group_prefixes={"node": False}))
    assert set(found["_meta"]["hostvars"]) == {"web-1", "web-2", "web-3", "proxy"}
    assert not [name for name in found if name.startswith("pextra_node_")]


@pytest.fixture
def probe(lab: Lab, cloud: Site) -> Iterator[None]:
    """Let node1 itself hear Production: the controller is on no network of the guests."""
    lab.sh(
        "node1",
        f"ovs-vsctl --may-exist add-port svswitch10 {PROBE} tag={VLAN} -- set Interface {PROBE} type=internal"
        f" && ip address replace {PROBE_ADDRESS} dev {PROBE} && ip link set {PROBE} up",
    )
    yield
    lab.sh("node1", f"ovs-vsctl --if-exists del-port svswitch10 {PROBE}")


def reach(cloud: Site, inventory: Path, hosts: str, tmp_path: Path) -> dict[str, int]:
    """Ping guests in a play, and return how many tasks failed of each.

    From node1, to which each guest's task is delegated; the inventory of the deployment knows how to reach that.
    """
    play = tmp_path / "ping.yml"
    ping = ["ping", "-c", "1", "-W", "5", "{{ hostvars[inventory_hostname].ansible_host }}"]
    task = {
        "ansible.builtin.command": {"argv": ping},
        "delegate_to": "node1",
        "register": "pinged",
        "until": "pinged is succeeded",
        "retries": 24,
        "delay": 5,
    }
    play.write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "tasks": [task]}]))
    run = Site(cloud.lab, INVENTORY, inventory).run(playbook=str(play)).must_succeed()
    return {name: host["failed"] for name, host in run.hosts.items()}


def test_a_play_reaches_guests_by_their_addresses(cloud: Site, write: Write, probe: None, tmp_path: Path) -> None:
    failed = reach(cloud, write(), "pextra_tag_frontend:&pextra_power_running", tmp_path)
    assert failed == {"web-1": 0, "web-2": 0, "web-3": 0}


CREW = [f"crew-{number}" for number in range(1, 11)]


@pytest.fixture
def crew(cloud: Site) -> Iterator[None]:
    """Ten guests more."""
    one = {"image": "tiny", "root": {"pool": "local"}, "memory": "96 MiB", "tags": ["crew"]}
    crew = [
        {"name": name, "nics": [{"port_group": "Production", "addresses": [f"172.20.0.{100 + index}/24"]}], **one}
        for index, name in enumerate(CREW)
    ]
    cloud.module("pextra_vm", vms=crew)
    yield
    gone = [{"name": name, "state": "absent"} for name in CREW]
    cloud.module("pextra_vm", vms=gone, force_stop=True, stop_timeout_s=1, remove_volumes=True, confirm="DESTROY")


@pytest.mark.long
def test_a_play_reaches_ten_guests(cloud: Site, write: Write, probe: None, crew: None, tmp_path: Path) -> None:
    assert reach(cloud, write(tags=["crew"]), "pextra_tag_crew", tmp_path) == dict.fromkeys(CREW, 0)


@pytest.fixture
def asker(lab: Lab, cloud: Site) -> Iterator[str]:
    """A user of the coordinator who may run one command as root."""
    rule = f"{USER} ALL=(root) NOPASSWD: {PROGRAM} inventory"
    lab.sh(
        "node1",
        f"useradd --create-home {USER} && install -d -m 0700 -o {USER} -g {USER} /home/{USER}/.ssh"
        f" && install -m 0600 -o {USER} -g {USER} /root/.ssh/authorized_keys /home/{USER}/.ssh/authorized_keys"
        f" && echo '{rule}' >/etc/sudoers.d/{USER} && chmod 0440 /etc/sudoers.d/{USER} && visudo --check --quiet",
    )
    yield USER
    lab.sh("node1", f"rm -f /etc/sudoers.d/{USER}; userdel --remove {USER} 2>/dev/null")


def test_with_sudo_one_command_is_enough(lab: Lab, cloud: Site, write: Write, asker: str) -> None:
    found, _ = ask(cloud, write(user=asker, become=True))
    assert "web-1" in found["_meta"]["hostvars"]
    _, warnings = ask(cloud, write(user=asker))
    assert "only root may read" in warnings
    as_asker = f"runuser -u {asker} -- sudo -n {PROGRAM}"
    assert "sudo:" in lab.sh("node1", f"{as_asker} propagate 2>&1 || true")
    assert "sudo:" in lab.sh("node1", f"{as_asker} --configuration /tmp/x inventory 2>&1 || true")
    assert "sudo:" in lab.sh("node1", f"runuser -u {asker} -- sudo -n cat {CONFIGURATION} 2>&1 || true")


def test_a_node_that_does_not_answer(lab: Lab, cloud: Site, write: Write) -> None:
    before, _ = ask(cloud, write())
    home = before["_meta"]["hostvars"]["web-1"]["pextra_node"]
    away = next(node for node in ("node2", "node3") if node != home)
    lab.exec(away, "systemctl", "stop", *LIBVIRT)
    try:
        found, warnings = ask(cloud, write())
    finally:
        lab.exec(away, "systemctl", "start", *LIBVIRT)
    assert found["_meta"]["hostvars"].keys() == before["_meta"]["hostvars"].keys()
    there = {name for name, host in before["_meta"]["hostvars"].items() if host["pextra_node"] == away}
    assert there
    assert set(found["pextra_power_unknown"]["hosts"]) == there
    assert set(found[f"pextra_node_{away}"]["hosts"]) == there
    assert f"{away}: " in warnings
    assert found["_meta"]["hostvars"]["web-1"]["pextra_power"] == "running"


def test_what_goes_wrong_is_told_once_with_what_to_do(cloud: Site, write: Write) -> None:
    for options, text in (
        ({"coordinator": "10.91.0.12"}, f"site.yml --tags coordinator installs {PROGRAM}"),
        ({"user": "nobody"}, "set user and private_key_file"),
        ({"ssh_common_args": "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes"}, "Host key verification"),
    ):
        found, warnings = ask(cloud, write(**options))
        assert found["_meta"]["hostvars"] == {}
        assert text in warnings
        assert "Traceback" not in warnings


@pytest.mark.long
def test_an_older_version_gives_way(lab: Lab, cloud: Site) -> None:
    """Its program had another name; the job goes on with this one, and nothing of the former is left."""
    former = f"ExecStart=/usr/bin/python3 -B {FORMER_PROGRAM} {FORMER_CONFIGURATION}"
    lab.sh(
        "node1",
        f"mv {PROGRAM} {FORMER_PROGRAM} && mv {CONFIGURATION} {FORMER_CONFIGURATION}"
        f" && sed -i 's#^ExecStart=.*#{former}#' {SERVICE} && systemctl daemon-reload",
    )
    check = cloud.run("--tags", "coordinator", "--check").must_succeed()
    assert check.hosts["node1"]["changed"] > 0
    assert lab.sh("node1", f"ls {FORMER_PROGRAM} {FORMER_CONFIGURATION}").split()
    cloud.run("--tags", "coordinator").must_succeed()
    there = f"ls {PROGRAM} {CONFIGURATION} {FORMER_PROGRAM} {FORMER_CONFIGURATION} 2>/dev/null || true"
    assert lab.sh("node1", there).split() == [CONFIGURATION, PROGRAM]
    started = lab.exec(
        "node1", "systemctl", "show", "--property=ExecStart,NeedDaemonReload", "pextra-propagation.service"
    )
    assert f"argv[]={PROGRAM} propagate" in started
    assert "NeedDaemonReload=no" in started
    lab.exec("node1", "systemctl", "start", "pextra-propagation.service")
    cloud.run("--tags", "coordinator").must_change_nothing()
