# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the lab tests. They look at the system itself: podman exec, virsh, ovs-vsctl, the guests' consoles."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from tests.integration.lab import INVENTORY, ROOT, Lab, MixedLab, Site, lab_command

FOURTH = "10.91.0.14"


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The running lab's nodes."""
    lab = Lab()
    missing = [node for node in lab.nodes if not lab.is_running(node)]
    assert not missing, f"the lab is not up ({', '.join(missing)} missing): run make lab"
    return lab


@pytest.fixture(scope="session")
def site(lab: Lab) -> Site:
    """Runs the installed collection's site.yml on inventories/lab."""
    return Site(lab)


@pytest.fixture(scope="session")
def cloud(site: Site) -> Site:
    """The lab's cloud, brought up."""
    site.run().must_succeed()
    return site


@pytest.fixture
def converged(cloud: Site) -> Site:
    """The cloud as declared, and again so after a test that has changed it."""
    yield cloud
    cloud.run("--tags", "cluster,network,storage,images,instances").must_succeed()


@contextmanager
def fourth_host(lab: Lab, cloud: Site, image: str) -> Iterator[Site]:
    """The lab's inventory with a fourth host from this image, which leaves the cloud and the lab in the end."""
    # Where the image is not there yet, it is built.
    lab_command("add", "node4", "--image", image, timeout_s=1800)
    # As deep below the repository as inventories/lab, whose paths are relative to it.
    inventory = ROOT / ".build" / "larger"
    if inventory.exists():  # of a test that was killed
        shutil.rmtree(inventory)
    shutil.copytree(INVENTORY, inventory)
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text())
    hosts["pextra"]["children"]["pextra_nodes"]["hosts"]["node4"] = {"ansible_host": FOURTH}
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts, sort_keys=False))
    try:
        yield Site(lab, inventory)
    finally:
        if "node4" in {node["name"] for node in cloud.module("pextra_node_info")["nodes"]}:
            # Without it in the inventory, pools and vSwitches let go of it; then it can leave.
            cloud.run("--tags", "network,storage,images").must_succeed()
            cloud.module("pextra_node", name="node4", state="absent")
        lab_command("remove", "node4")
        shutil.rmtree(inventory)


@pytest.fixture
def larger(lab: Lab, cloud: Site) -> Iterator[Site]:
    """The lab's inventory with a fourth host, which leaves the cloud and the lab in the end."""
    with fourth_host(lab, cloud, "node") as site:
        yield site


@pytest.fixture(scope="module")
def mixed(cloud: Site) -> Iterator[Site]:
    """The lab's cloud with a fourth node, of Debian 13, which leaves it and the lab in the end."""
    with fourth_host(MixedLab(), cloud, "node:trixie") as site:
        site.run().must_succeed()
        yield site
