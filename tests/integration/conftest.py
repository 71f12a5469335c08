"""Fixtures of the lab tests. They look at the system itself: podman exec, virsh, ovs-vsctl, the guests' consoles."""

from __future__ import annotations

import pytest

from tests.integration.lab import Lab, Site


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
