# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of screens. The lab's instances have none unless they are given a video device, here by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .lab import GONE, Lab, Site

SCREENSHOT, VM, NAME = "pextra_vm_screenshot", "pextra_vm", "it-screen"
GUEST: dict[str, Any] = {"name": NAME, "node": "node2", "memory": "96 MiB", "image": "tiny", "root": {"pool": "shared"}}
ADD_VIDEO = f"""
devices="<graphics type='vnc' autoport='yes'/><video><model type='vga'/></video></devices>"
virsh dumpxml --inactive {NAME} | sed "s#</devices>#$devices#" >/root/{NAME}.xml
virsh define /root/{NAME}.xml
rm /root/{NAME}.xml
"""


@pytest.fixture
def guest(cloud: Site, lab: Lab) -> Iterator[Site]:
    cloud.module(VM, **GUEST, power="stopped")
    lab.sh("node1", "mkdir -p /root/screens")
    yield cloud
    lab.sh("node1", "rm -r /root/screens")
    cloud.module(VM, name=NAME, **GONE)


@pytest.mark.long
def test_a_picture_of_a_screen(guest: Site, lab: Lab) -> None:
    guest.module(VM, name=NAME, power="running")
    refused = guest.refused_module(SCREENSHOT, name=NAME, directory="/root/screens")
    assert "it has no screen: its definition has no video device" in refused["msg"]
    guest.module(VM, name=NAME, power="stopped", force_stop=True, stop_timeout_s=1)
    lab.sh("node2", ADD_VIDEO)
    guest.module(VM, name=NAME, power="running")
    check, taken = guest.calls(
        SCREENSHOT,
        {"name": NAME, "directory": "/root/screens", "check": True},
        {"name": NAME, "directory": "/root/screens"},
    )
    assert check["vms"][0]["path"] is None
    (vm,) = taken["vms"]
    assert vm["path"] == f"/root/screens/{NAME}.png"
    assert vm["width"] >= 320
    assert vm["height"] >= 200
    header = lab.sh("node1", f"head -c 24 {vm['path']} | od -A n -t x1 | tr -d ' \\n'")
    assert header == f"89504e470d0a1a0a0000000d49484452{vm['width']:08x}{vm['height']:08x}"
    assert lab.sh("node1", f"stat -c %a {vm['path']}").strip() == "600"
