# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ISO as an image, in a drive of a real guest: seen by it, changed and ejected while it runs, and kept for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .instance_rows import CDROM, declare, look
from .lab import Lab, Site, wait_until
from .test_instance_rows import disk_of, running, shown

pytestmark = pytest.mark.long

NAME = "it-cdroms"
RESTART = {"allow_restart": True, "force_stop": True, "stop_timeout_s": 2}
# As long as no other disk is.
SIZES = {"it-disc": 1234 * 2048, "it-other": 2345 * 2048}


def iso(size: int) -> bytes:
    """What begins as ISO 9660 does: enough to be taken for one."""
    content = bytearray(os.urandom(size))
    content[: 17 * 2048] = bytes(17 * 2048)
    content[16 * 2048 : 16 * 2048 + 7] = b"\x01CD001\x01"
    return bytes(content)


@pytest.fixture
def discs(cloud: Site, tmp_path: Path) -> Iterator[Site]:
    images = []
    for name, size in SIZES.items():
        (tmp_path / name).write_bytes(iso(size))
        images.append({"name": name, "kind": "iso", "source": str(tmp_path / name), "pools": ["local"]})
    cloud.module("pextra_image", images=images)
    yield cloud
    gone = {"name": NAME, "state": "absent", "force_stop": True, "remove_volumes": True, "confirm": "DESTROY"}
    cloud.module("pextra_vm", **gone)
    cloud.module("pextra_image", images=[{"name": name, "state": "absent"} for name in SIZES], confirm="DESTROY")


def drive(lab: Lab, name: str, *, live: bool = True) -> str:
    return disk_of(running(lab, NAME) if live else lab.exec("node1", "virsh", "dumpxml", "--inactive", NAME), name)


def medium(lab: Lab, name: str) -> str:
    """Return what QEMU itself has in the drive: its format and its file; nothing where it is empty."""
    query = lab.exec("node1", "virsh", "qemu-monitor-command", NAME, "--hmp", "info block")
    (block,) = [text for text in query.split("\n\n") if look(drive(lab, name), "alias@name") in text]
    return block if "[not inserted]" not in block else ""


def calls(site: Site, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    call = {"name": NAME, **options}
    first, again = site.calls("pextra_vm", call, {key: value for key, value in call.items() if key not in RESTART})
    return first, again


def test_a_disc_in_a_drive(discs: Site, lab: Lab) -> None:
    copies = {
        image["name"]: f"/var/lib/pextra/pools/local/{image['id']}.raw"
        for image in discs.module("pextra_image_info", names=list(SIZES))["images"]
    }
    # The kernel of the lab's guest has no driver for SATA.
    cdroms: list[dict[str, Any]] = [{"name": "installer", "image": "it-disc", "bus": "scsi"}]
    root = {"pool": "local"}
    new = {"node": "node1", "image": "tiny", "root": root, "memory": "96 MiB", "cdroms": cdroms}
    first, again = calls(discs, **new)
    assert (first["changed"], again["changed"], again["pending"]) == (True, False, [])
    wait_until("the guest sees it", lambda: f"disk sr0 {SIZES['it-disc']} bytes" in lab.console(NAME), timeout_s=90)
    for live in (True, False):
        xml = drive(lab, "installer", live=live)
        assert (look(xml, "source@file"), look(xml, "driver@type")) == (copies["it-disc"], "raw")
        assert look(xml, "readonly?") == "yes"
    assert copies["it-disc"] in medium(lab, "installer")
    assert "read-only" in medium(lab, "installer")

    # Another disc, and none, while it runs.
    first, again = calls(discs, cdroms=[{"name": "installer", "image": "it-other"}])
    assert "into drive installer" in " ".join(first["actions"])
    assert (again["changed"], again["pending"]) == (False, [])
    assert copies["it-other"] in medium(lab, "installer")
    wait_until("the guest sees it", lambda: f"disk sr0 {SIZES['it-other']} bytes" in lab.console(NAME), timeout_s=60)
    refused = discs.refused_module("pextra_image", name="it-other", state="absent", confirm="DESTROY")
    assert f"instance {NAME} on node1" in refused["msg"]
    first, again = calls(discs, cdroms=[{"name": "installer", "image": ""}])
    assert (first["changed"], again["changed"], again["pending"]) == (True, False, [])
    assert medium(lab, "installer") == ""
    for live in (True, False):
        # libvirt keeps a number there of what was in it.
        assert look(drive(lab, "installer", live=live), "source@file") is None
    assert discs.module("pextra_image_info", names=["it-other"])["images"][0]["used_by"] == []

    # A drive comes and goes at the next start; its rows likewise.
    for number in (0, 1):
        both = [{"name": "installer", "image": "it-disc"}, {"name": "drivers", **declare(number, CDROM)}]
        first, again = calls(discs, cdroms=both)
        assert (first["changed"], again["changed"]) == (True, False)
        assert again["pending"]
        assert copies["it-disc"] in medium(lab, "installer")
        first, again = calls(discs, cdroms=both, **RESTART)
        assert (first["changed"], again["changed"], again["pending"]) == (True, False, [])
        for live in (True, False):
            xml = drive(lab, "drivers", live=live)
            assert {name: look(xml, row.at) for name, row in CDROM.items()} == shown(CDROM, number)
    told = discs.module("pextra_vm_info", names=[NAME])["vms"][0]["cdroms"]
    assert told[0] == {"name": "installer", "image": "it-disc", "pool": "local", "bus": "scsi"}
    first, again = calls(discs, cdroms=[])
    assert {change["option"] for change in again["pending"]} == {"cdroms.installer.attached", "cdroms.drivers.attached"}
    calls(discs, cdroms=[], **RESTART)
    assert "device='cdrom'" not in running(lab, NAME)


def test_what_is_no_disc_is_refused(discs: Site, lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(1024**2))
    wrong = {"name": "it-none", "kind": "iso", "source": str(tmp_path / "disk"), "pools": ["local"]}
    assert "no file system of a CD or DVD" in discs.refused_module("pextra_image", **wrong)["msg"]
    header = bytearray(iso(SIZES["it-disc"]))
    header[:4] = b"QFI\xfb"
    (tmp_path / "disk").write_bytes(header)
    assert "looks like qcow2" in discs.refused_module("pextra_image", **wrong)["msg"]
    for options, why in (
        (
            {"image": "it-disc", "root": {"pool": "local"}},
            "image it-disc is of kind iso, from which no instance begins",
        ),
        ({"cdroms": [{"name": "installer", "image": "tiny", "pool": "local"}]}, "image tiny is of kind disk"),
    ):
        assert why in discs.refused_module("pextra_vm", name=NAME, node="node1", **options)["msg"]
