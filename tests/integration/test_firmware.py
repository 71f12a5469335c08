# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UEFI with secure boot and a TPM: what they hold stays through changes, a move and a stop, and is lost as said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .instance_rows import look
from .lab import GONE, Lab, Site, wait_until
from .test_cdroms import iso

NAME = "trusted"
# Where libvirt keeps them.
NVRAM = f"/var/lib/libvirt/qemu/nvram/{NAME}_VARS.fd"


@pytest.fixture
def trusted(lab: Lab, cloud: Site) -> Iterator[str]:
    """An instance that has come as far as its firmware, and its UUID."""
    before = lab.console(NAME).count("BdsDxe")
    made = cloud.module(
        "pextra_vm",
        name=NAME,
        node="node1",
        image="tiny",
        root={"pool": "shared"},
        memory="256 MiB",
        firmware={"type": "efi", "secure_boot": True},
        tpm={},
    )
    wait_until("its firmware speaks", lambda: lab.console(NAME).count("BdsDxe") > before, timeout_s=120)
    yield made["vm"]["uuid"]
    cloud.module("pextra_vm", name=NAME, **GONE)


def variables(lab: Lab, node: str) -> str:
    """Return a digest of the variables of its firmware."""
    return lab.exec(node, "sha256sum", NVRAM).split()[0]


def tpm_state(lab: Lab, node: str, uuid: str) -> list[str]:
    found = lab.exec(node, "find", f"/var/lib/libvirt/swtpm/{uuid}", "-type", "f", "-name", "*.permall", check=False)
    return found.split()


@pytest.mark.long
def test_it_is_kept_and_goes_along(lab: Lab, cloud: Site, trusted: str) -> None:
    made = lab.exec("node1", "virsh", "dumpxml", NAME)
    assert look(made, "os/nvram") == NVRAM
    assert look(made, "os/loader@secure") == "yes"
    assert look(made, "features/smm@state") == "on"
    assert re.search(r"secboot|ms\.fd", look(made, "os/loader") or "")
    (state,) = tpm_state(lab, "node1", trusted)
    held = variables(lab, "node1")

    refused = cloud.refused_module("pextra_vm", name=NAME, firmware={"secure_boot": False})["msg"]
    assert "firmware.secure_boot: it is true, and cannot become false" in refused
    again, changed = cloud.calls(
        "pextra_vm",
        {"name": NAME, "firmware": {"type": "efi", "secure_boot": True}, "tpm": {"model": "tpm-crb"}},
        {"name": NAME, "description": "Trusted"},
    )
    assert (again["changed"], changed["changed"]) == (False, True)
    assert variables(lab, "node1") == held

    cloud.module("pextra_vm", name=NAME, node="node2")
    assert lab.home(NAME) == "node2"
    assert variables(lab, "node2") == held
    assert tpm_state(lab, "node2", trusted) == [state]

    cloud.module("pextra_vm", name=NAME, power="stopped", force_stop=True, stop_timeout_s=1)
    refused = cloud.refused_module("pextra_vm", name=NAME, node="node1")["msg"]
    assert "what its firmware and its TPM hold is on node2, and moves only while it runs: start it first" in refused
    assert variables(lab, "node2") == held
    cloud.module("pextra_vm", name=NAME, power="running")
    assert variables(lab, "node2") == held
    assert tpm_state(lab, "node2", trusted) == [state]

    cloud.module("pextra_vm", name=NAME, **GONE)
    assert lab.exec("node2", "find", NVRAM, f"/var/lib/libvirt/swtpm/{trusted}", check=False) == ""
    # libvirt leaves the variables where the guest came from.
    assert lab.exec("node1", "find", f"/var/lib/libvirt/swtpm/{trusted}", check=False) == ""
    lab.exec("node1", "rm", NVRAM)


@pytest.mark.long
def test_a_machine_as_windows_wants_it(lab: Lab, cloud: Site, tmp_path: Path) -> None:
    """Secure boot, a TPM, a disk on SCSI, and its drivers on a CD. It comes as far as its firmware."""
    name, disc = "windows", "it-drivers"
    (tmp_path / disc).write_bytes(iso(1000 * 2048))
    cloud.module("pextra_image", name=disc, kind="iso", source=str(tmp_path / disc), pools=["shared"])
    before = lab.console(name).count("BdsDxe")
    declared = {
        "name": name,
        "node": "node1",
        "vcpus": 2,
        "memory": "384 MiB",
        "firmware": {"type": "efi", "secure_boot": True},
        "tpm": {},
        "root": {"pool": "shared", "size": "1 GiB", "bus": "scsi", "boot_order": 2},
        "cdroms": [{"name": "drivers", "image": disc, "boot_order": 1}],
        "video": {},
        "graphics": {},
    }
    try:
        made, again = cloud.calls("pextra_vm", declared, declared)
        assert (made["changed"], again["changed"], again["pending"]) == (True, False, [])
        wait_until("its firmware speaks", lambda: lab.console(name).count("BdsDxe") > before, timeout_s=180)
        live = lab.exec("node1", "virsh", "dumpxml", name)
        assert look(live, "os/loader@secure") == "yes"
        assert look(live, "devices/tpm/backend@version") == "2.0"
        blocks = lab.exec("node1", "virsh", "domblklist", "--details", name).split()
        assert [word for word in blocks if word in ("disk", "cdrom")] == ["disk", "cdrom"]
        buses = re.findall(r"<target dev='\w+' bus='(\w+)'", live)
        assert sorted(buses) == ["sata", "scsi"]
    finally:
        gone = {"name": name, "state": "absent", "force_stop": True, "stop_timeout_s": 1}
        cloud.module("pextra_vm", **gone, remove_volumes=True, confirm="DESTROY")
        cloud.module("pextra_image", name=disc, state="absent", confirm="DESTROY")
