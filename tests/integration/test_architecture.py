# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of aarch64 on a node of x86_64: the role gives that an emulator, and the machine comes as far as its
firmware's shell.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .lab import INVENTORY, Lab, Site

NAME, NODE = "it-arm", "node3"
PACKAGES = ("qemu-system-arm", "qemu-efi-aarch64")
WEB = {
    "name": NAME,
    "architecture": "aarch64",
    "root": {"pool": "local", "size": "64 MiB"},
    "cdroms": [{"name": "discs"}],
    "memory": "256 MiB",
    "vcpus": 2,
    "tpm": {},
    "graphics": {},
}
RESTART = {"allow_restart": True, "force_stop": True, "stop_timeout_s": 1}
NVRAM = f"/var/lib/libvirt/qemu/nvram/{NAME}_VARS.fd"


@pytest.fixture
def emulating(lab: Lab, cloud: Site, tmp_path: Path) -> Iterator[Site]:
    """The cloud with a node that emulates aarch64, and without it again."""
    overlay = tmp_path / "emulating.yml"
    hosts = {NODE: {"pextra_architectures": ["aarch64"]}}
    overlay.write_text(yaml.safe_dump({"pextra_nodes": {"hosts": hosts}}))
    yield Site(lab, INVENTORY, overlay)
    gone = {"name": NAME, "state": "absent", "force_stop": True, "stop_timeout_s": 1}
    cloud.module("pextra_vm", **gone, remove_volumes=True, confirm="DESTROY")
    cloud.run("--tags", "cluster").must_succeed()
    lab.exec(NODE, "apt-get", "--quiet", "--yes", "remove", *PACKAGES)


def definition(lab: Lab, *options: str) -> ET.Element:
    return ET.fromstring(lab.exec(NODE, "virsh", "dumpxml", NAME, *options))


def wait_for_shell(site: Site, since: str | None) -> str:
    """Wait for the shell of the firmware, and return the mark of its log."""
    options = {"name": NAME, "wait_for": "UEFI Interactive Shell|Shell>", "timeout_s": 240}
    options |= {"since": since} if since is not None else {}
    result = site.play([{"pextra.cloud.pextra_vm_console": options}], hosts=NODE)[-1]
    assert not result.get("failed"), result.get("msg")
    assert result["vms"][0]["found"]
    return str(result["vms"][0]["mark"])


@pytest.mark.long
def test_it_boots_as_far_as_its_firmware(lab: Lab, cloud: Site, emulating: Site) -> None:
    refused = cloud.refused_module("pextra_vm", **WEB)["msg"]
    assert f"{NODE}: it is a host of x86_64, and emulates no aarch64 (pextra_architectures: [aarch64] would" in refused
    assert lab.where(NAME) == []
    emulating.run("--tags", "node,cluster").must_succeed()
    emulating.run("--tags", "node,cluster").must_change_nothing()

    made, again = cloud.calls("pextra_vm", WEB, WEB)
    assert (made["changed"], again["changed"], again["pending"]) == (True, False, [])
    assert (made["vm"]["node"], made["vm"]["architecture"]) == (NODE, "aarch64")
    mark = wait_for_shell(cloud, None)
    live = definition(lab)
    machine = live.find("os/type")
    assert machine is not None
    recorded = machine.get("machine", "")
    assert (live.get("type"), machine.get("arch"), recorded.startswith("virt-")) == ("qemu", "aarch64", True)
    assert [live.find(path) is not None for path in ("devices/panic", "features/smm")] == [False, False]
    assert {
        path: one.get(key)
        for path, key in (("features/gic", "version"), ("cpu", "mode"), ("devices/tpm", "model"))
        if (one := live.find(path)) is not None
    } == {
        "features/gic": "3",
        "cpu": "maximum",
        "devices/tpm": "tpm-tis",
    }
    buses = {one.findtext("serial"): one.find("target").get("bus") for one in live.iterfind("devices/disk")}
    assert buses == {"root": "virtio", "discs": "scsi"}
    assert "AAVMF" in (live.findtext("os/loader") or "")

    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"architecture": "x86_64"}, "it is a machine of aarch64, and cannot become one of x86_64"),
        ({"firmware": {"type": "bios"}}, "bios is nothing that a machine of aarch64 has"),
        ({"firmware": {"secure_boot": True}}, "true is nothing that a machine of aarch64 has"),
        ({"tpm": {"model": "tpm-crb"}}, "write tpm-tis or none"),
        ({"video": {"model": "vga"}}, "write virtio or none"),
        ({"panic": {"model": "isa"}}, "write none"),
        ({"cdroms": [{"name": "discs", "bus": "sata"}]}, "sata is nothing that a machine of aarch64 has"),
        ({"vcpus_max": 4}, "gets no virtual CPUs while it runs"),
        ({"cpu": {"model": "host-passthrough"}}, "it has no CPU model host-passthrough"),
    )
    refusals = cloud.calls("pextra_vm", *({"name": NAME, **options, "fails": True} for options, _ in wrong))
    assert [told for (_, told), one in zip(wrong, refusals, strict=True) if told not in one["msg"]] == []
    assert ET.tostring(definition(lab)) == ET.tostring(live), "nothing has changed"

    more = {**WEB, "memory": "320 MiB", "cpu": {"model": "cortex-a57"}}
    waits, done, quiet = cloud.calls("pextra_vm", more, {**more, **RESTART}, more)
    assert (waits["changed"], {change["option"] for change in waits["pending"]}) == (True, {"cpu.model", "memory"})
    assert (done["changed"], quiet["changed"], quiet["pending"]) == (True, False, [])
    wait_for_shell(cloud, mark)
    live = definition(lab)
    assert live.findtext("memory") == str(320 * 1024)
    assert live.find("os/type[@machine]").get("machine") == recorded
    assert lab.sh(NODE, f"test -e {NVRAM} && echo there") == "there\n"

    stopped = {"name": NAME, "power": "stopped", "force_stop": True, "stop_timeout_s": 1}
    first, again = cloud.calls("pextra_vm", stopped, stopped)
    assert (first["changed"], again["changed"]) == (True, False)
    gone = {"name": NAME, "state": "absent", "remove_volumes": True, "confirm": "DESTROY"}
    first, again = cloud.calls("pextra_vm", gone, gone)
    assert (first["changed"], again["changed"], lab.where(NAME)) == (True, False, [])
    assert lab.sh(NODE, f"test -e {NVRAM} || echo gone") == "gone\n"
