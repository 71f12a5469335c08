# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest mounts a directory of its node, reads there what the node has written, and writes what the node reads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .instance_rows import look
from .lab import GONE, Lab, Site, lab_command, wait_until

NAME = "mounts"
MEDIA, LOGS = ({"name": name, "directory": f"/srv/pextra-{name}"} for name in ("media", "logs"))
# At each boot: what is there, and what comes of it.
MOUNT = """#!/bin/sh
mkdir -p /media /logs
mount -t virtiofs media /media && echo "pextra-guest: media says $(cat /media/hello)"
echo from the guest > /media/reply
mount -t virtiofs logs /logs && echo "pextra-guest: logs are there"
"""
RESTART = {"allow_restart": True, "force_stop": True, "stop_timeout_s": 1}


@pytest.fixture
def full_guest(lab: Lab, cloud: Site) -> Iterator[str]:
    """An image with the drivers that the tiny guest's kernel lacks, and a node that gives two directories."""
    source = lab_command("full-guest").splitlines()[-1]
    lab.sh("node2", "mkdir -p /srv/pextra-media /srv/pextra-logs && echo from the node > /srv/pextra-media/hello")
    cloud.module("pextra_image", name="full", source=source, pools=["local"])
    cloud.module("pextra_node", name="node2", shared_directories=[one["directory"] for one in (MEDIA, LOGS)])
    yield "full"
    cloud.module("pextra_vm", name=NAME, **GONE)
    cloud.module("pextra_node", name="node2", shared_directories=[])
    cloud.module("pextra_image", name="full", state="absent")
    lab.sh("node2", "rm -r /srv/pextra-media /srv/pextra-logs")


@pytest.mark.long
def test_a_guest_mounts_what_its_node_gives(lab: Lab, cloud: Site, full_guest: str) -> None:
    machine = {
        "name": NAME,
        "image": full_guest,
        "root": {"pool": "local"},
        "memory": "256 MiB",
        "cloud_init": {"hostname": NAME, "user_data": MOUNT},
    }
    refused = cloud.refused_module("pextra_vm", **machine, node="node1", filesystems=[MEDIA])
    assert "it has no directory /srv/pextra-media to share (pextra_shared_directories)" in refused["msg"]
    assert lab.where(NAME) == []

    # It goes where the directory is.
    wanted = {**machine, "filesystems": [MEDIA]}
    first, again = cloud.calls("pextra_vm", wanted, wanted)
    assert (first["vm"]["node"], first["vm"]["filesystems"]) == ("node2", [MEDIA])
    assert (first["changed"], again["changed"], again["pending"]) == (True, False, [])
    wait_until("it is up", lambda: "pextra-guest: ready" in lab.since_boot(NAME), timeout_s=180)
    assert "pextra-guest: media says from the node" in lab.since_boot(NAME)
    assert "logs are there" not in lab.since_boot(NAME)
    assert lab.exec("node2", "cat", "/srv/pextra-media/reply") == "from the guest\n"

    wanted = {"name": NAME, "filesystems": [LOGS, MEDIA]}
    first, again = cloud.calls("pextra_vm", wanted, wanted)
    assert (first["changed"], again["changed"]) == (True, False)
    assert [one["option"] for one in again["pending"]] == ["filesystems"]
    boots = lab.console(NAME).count("pextra-guest: ready")
    cloud.module("pextra_vm", **wanted, **RESTART)
    wait_until("it boots again", lambda: lab.console(NAME).count("pextra-guest: ready") > boots, timeout_s=180)
    assert "pextra-guest: logs are there" in lab.since_boot(NAME)

    # Nothing else of the node.
    for directory, told in (("/etc", "belongs to the system"), ("/srv/other", "no directory /srv/other to share")):
        other = {"name": "other", "directory": directory}
        refused = cloud.refused_module("pextra_vm", name=NAME, filesystems=[other])
        assert told in refused["msg"]
    refused = cloud.refused_module("pextra_vm", name=NAME, memory_backing={"access": "private"})
    assert "memory_backing.access: it shares memory with the program of the node" in refused["msg"]

    cloud.module("pextra_vm", name=NAME, filesystems=[], **RESTART)
    for flags in ((), ("--inactive",)):
        assert look(lab.exec("node2", "virsh", "dumpxml", *flags, NAME), "devices/filesystem?") is None
    assert lab.sh("node2", f"pgrep -a virtiofsd | grep {NAME} || true") == ""
