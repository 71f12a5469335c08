# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab with a Ceph of its own: the lab's inventory with inventories/ceph-lab on top of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.ceph.ceph import OVERLAY, POOL, Ceph
from tests.ceph.scribe import IMAGE, NAME, SPEC, Scribe
from tests.integration.lab import INVENTORY, Lab, Run, Site, wait_until


@pytest.fixture(scope="session")
def lab() -> Lab:
    lab = Lab()
    missing = [node for node in lab.nodes if not lab.is_running(node)]
    assert not missing, f"the lab is not up ({', '.join(missing)} missing): run make ceph"
    return lab


@pytest.fixture(scope="session")
def site(lab: Lab) -> Site:
    return Site(lab, INVENTORY, OVERLAY)


@pytest.fixture(scope="session")
def bare_check(lab: Lab, site: Site) -> Run | None:
    """A check before anything is there; None on a lab that has a Ceph already."""
    if lab.sh("node1", "ls /etc/ceph/ceph.conf 2>/dev/null || true").strip():
        return None
    run = site.run("--check")
    assert lab.sh("node1", "ls /etc/ceph/ceph.conf 2>/dev/null || true").strip() == "", (
        "the check has changed something"
    )
    return run


@pytest.fixture(scope="session")
def cloud(site: Site, bare_check: Run | None) -> Site:
    """The deployment, brought up."""
    del bare_check  # before it
    site.run(timeout_s=1800).must_succeed()
    return site


@pytest.fixture(scope="session")
def ceph(cloud: Site) -> Ceph:
    return Ceph(cloud.lab)


@pytest.fixture
def volume(cloud: Site) -> Iterator[str]:
    """A volume of 64 MiB in the storage pool vms, made through libvirt on node1."""
    name = "pattern"
    cloud.lab.exec("node1", "virsh", "vol-create-as", "vms", name, "64MiB")
    yield name
    cloud.lab.exec("node1", "virsh", "vol-delete", name, "--pool", "vms")


@pytest.fixture(scope="module")
def scribe(cloud: Site, lab: Lab) -> Iterator[Scribe]:
    """An instance that writes to Ceph. Made here, with its image, and removed again with both."""
    for node in lab.nodes:
        lab.sh(node, f"rm -f /var/log/pextra/console/{NAME}.log")
    cloud.module("pextra_image", **IMAGE)
    cloud.module("pextra_vm", **SPEC)
    guest = Scribe(lab)
    wait_until("the guest writes", lambda: guest.written() > 2, 120)
    yield guest
    absent = {"name": NAME, "state": "absent", "force_stop": True, "remove_volumes": True, "confirm": "DESTROY"}
    cloud.module("pextra_vm", **absent)
    cloud.module("pextra_image", name=NAME, state="absent")
    assert not [name for name in volumes(lab) if name.startswith((f"{NAME}.", "img-"))]


def volumes(lab: Lab) -> list[str]:
    """Return the names of all volumes of the storage pool vms."""
    return lab.exec("node1", "rbd", "ls", POOL).split()


def two_osds() -> dict[str, Any]:
    """The document with a second OSD on every node."""
    files = [{"file": f"/srv/ceph/{name}.img", "size": "4 GiB"} for name in ("osd", "more")]
    return {"pextra_ceph_osds": files}
