# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance has left, and what libvirt has not looked at: on the lab, as a person would come upon it."""

from __future__ import annotations

import pytest

from .lab import Lab, Site

VM, VOLUME, INFO = "pextra_vm", "pextra_volume", "pextra_volume_info"
LEFT = "it-left"


def vm(**more: object) -> dict[str, object]:
    data = {"name": "data", "pool": "shared", "size": "16 MiB"}
    return {"name": LEFT, "memory": "64 MiB", "power": "stopped", "volumes": [data], "node": "node1", **more}


@pytest.mark.long
def test_a_volume_that_an_instance_has_left_goes_to_another_one(cloud: Site, lab: Lab) -> None:
    cloud.calls(VM, vm(), {"name": LEFT, "state": "absent"})
    found = [one for one in cloud.module(INFO)["volumes"] if one["name"].startswith(f"{LEFT}-data-")]
    assert [(one["status"], one["pool"], one["size"]) for one in found] == [("kept", "shared", 16)]
    name, path = found[0]["name"], f"/srv/shared/{found[0]['file']}"
    lab.exec("node1", "qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 1M", path)
    try:
        attached, again, refused, detached = cloud.calls(
            VOLUME,
            {"name": name, "attached_to": "web-1"},
            {"name": name, "attached_to": "web-1"},
            {"name": name, "state": "absent", "confirm": "DESTROY", "fails": True},
            {"name": name, "attached_to": ""},
        )
        assert attached["volume"]["status"] == "attached"
        assert not again["changed"]
        assert "only a detached volume can be destroyed" in refused["msg"]
        assert detached["volume"]["status"] == "available"
        assert "verification failed" not in lab.exec("node1", "qemu-io", "-f", "qcow2", "-c", "read -P 7 1M 1M", path)
    finally:
        cloud.calls(VOLUME, {"name": name, "attached_to": ""}, {"name": name, "state": "absent", "confirm": "DESTROY"})
    assert lab.sh("node1", f"ls /srv/shared | grep -c {LEFT} || true").strip() == "0"
    cloud.run().must_change_nothing()


@pytest.mark.long
def test_what_was_away_while_libvirt_looked_is_not_gone(cloud: Site, lab: Lab) -> None:
    """As when a file system was mounted again, or a file was restored: nothing needs to be told to libvirt."""
    made = cloud.calls(VM, vm())[0]
    file = lab.sh("node1", f"ls /srv/shared | grep '^{LEFT}[.].*[.]data[.]'").strip()
    try:
        lab.sh("node1", f"mv /srv/shared/{file} /srv/shared-{file} && virsh pool-refresh shared")
        (missing,) = cloud.calls(VM, vm(memory="80 MiB", fails=True))
        assert (
            f"({'/srv/shared/' + file}) is not in storage pool shared. Look there first: findmnt -T" in missing["msg"]
        )
        assert "absent" not in missing["msg"]
        lab.sh("node1", f"mv /srv/shared-{file} /srv/shared/{file}")
        (mended,) = cloud.calls(VM, vm(memory="80 MiB"))
        assert mended["changed"]
        assert made["vm"]["id"] == mended["vm"]["id"]
    finally:
        cloud.calls(VM, {"name": LEFT, "state": "absent", "remove_volumes": True, "confirm": "DESTROY"})
