# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers on the test driver: their helpers, which there never end by themselves, as where libvirt misses the end of
one, and what they use.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt import containers
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._engine.noun import Options
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import HypervisorError, NotFoundError
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import VmHave
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.resource import VmResource

from .conftest import NODES, Calls

NAME = "pextra-helper"
HELPER = f"<domain type='test'><name>{NAME}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
GRACE_S = 0.2


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_GRACE_S", GRACE_S)
    # The test driver knows no domain that ends with its connection.
    monkeypatch.setattr(libvirt, "VIR_DOMAIN_START_AUTODESTROY", 0)


def names(driver: Hypervisor) -> set[str]:
    return {domain.name() for domain in driver._connection.listAllDomains()}


def run(driver: Hypervisor, has_ended: Callable[[], bool], limit_s: float = 30.0) -> float:
    """Run the helper to its end, and return how long that took, in seconds."""
    begun = time.monotonic()
    for _ in driver.run_container(HELPER, limit_s, "instance box", has_ended):
        time.sleep(0.02)
    return time.monotonic() - begun


def test_one_that_shows_its_end_is_ended_where_libvirt_does_not_say_so(driver: Hypervisor) -> None:
    looks = iter([False, False, True])

    def has_ended() -> bool:
        assert NAME in names(driver)
        return next(looks)

    took = run(driver, has_ended)
    assert NAME not in names(driver)
    assert GRACE_S <= took < 10


def end(driver: Hypervisor) -> None:
    driver._connection.lookupByName(NAME).destroy()


def test_what_libvirt_says_is_enough(driver: Hypervisor) -> None:
    def has_ended() -> bool:
        end(driver)
        return False

    assert run(driver, has_ended) < 10


def test_libvirt_may_end_it_at_the_same_time(driver: Hypervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hypervisor, "_is_there", lambda *_: True)

    def has_ended() -> bool:
        end(driver)
        return True

    assert run(driver, has_ended) < 10


def test_one_that_does_not_get_on_is_ended_within_its_bound(driver: Hypervisor) -> None:
    with pytest.raises(HypervisorError, match="not done within 1 s"):
        run(driver, lambda: False, 1.0)
    assert NAME not in names(driver)


def test_what_cannot_be_looked_at_is_said(driver: Hypervisor) -> None:
    def look() -> bool:
        driver.permissions_of_volume("local", "nothing", "instance box")
        return True

    with pytest.raises(NotFoundError):
        run(driver, look)


NIC = "<interface type='network'><source network='svswitch1'/><target dev='{port}'/></interface>"
BOX = """<domain type='test'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os><devices>{nics}</devices>
</domain>"""


@pytest.fixture
def second(driver: Hypervisor, tmp_path: Path) -> libvirt.virConnect:
    """What stands for the driver of containers: another host of the test driver, with the same networks. It is closed
    with its node's connection.
    """
    opened = libvirt.open(f"test://{tmp_path}/host.xml")
    driver.has_containers, driver._container_driver = True, opened
    return opened


def test_figures_take_a_call_for_each_and_for_each_port(
    driver: Hypervisor, second: libvirt.virConnect, calls: Calls
) -> None:
    nics = "".join(NIC.format(port=port) for port in ("port1", "port2"))
    two = second.createXML(BOX.format(name="two", nics=nics))
    none = second.createXML(BOX.format(name="none", nics=""))
    second.defineXML(BOX.format(name="off", nics=""))
    calls.clear()
    found = driver.container_figures({two.UUIDString(): ("port1", "port2")})
    remote = calls.remote
    assert found.keys() == {two.UUIDString(), none.UUIDString()}
    told = found[two.UUIDString()]
    assert (told["balloon.current"], told["cpu.time"] > 0) == (65536, True)
    assert [told[f"net.{index}.name"] for index in range(told["net.count"])] == ["port1", "port2"]
    assert all(told[f"net.{index}.{way}.bytes"] > 0 for index in (0, 1) for way in ("rx", "tx"))
    assert "net.count" not in found[none.UUIDString()]
    assert remote == {"virConnectListAllDomains": 1, "virDomainGetInfo": 2, "virDomainInterfaceStats": 2}


def test_what_one_does_not_tell_holds_up_no_other(driver: Hypervisor, second: libvirt.virConnect) -> None:
    one = second.createXML(BOX.format(name="one", nics=NIC.format(port="port1")))
    other = second.createXML(BOX.format(name="other", nics=NIC.format(port="port2")))
    # The port has gone since it was read.
    found = driver.container_figures({one.UUIDString(): ("port9",), other.UUIDString(): ("port2",)})
    assert ("net.count" in found[one.UUIDString()], found[one.UUIDString()]["balloon.current"]) == (False, 65536)
    assert found[other.UUIDString()]["net.count"] == 1


def read(cloud: Cloud) -> VmHave:
    return VmResource().read(cloud, (), Options({}))


def test_a_machine_and_a_container_of_one_name_are_two(small_cloud: Cloud, tmp_path: Path) -> None:
    """Neither is ours: both take of their node's room."""
    node1, _ = NODES
    small_cloud.registry.put([replace(node1, attributes={**node1.attributes, "containers": True})])
    small_cloud.refresh_nodes()
    driver = small_cloud.hypervisor("node1")
    before = read(small_cloud)
    driver._container_driver = libvirt.open(f"test://{tmp_path}/node1.xml")
    for connection in driver._drivers():
        connection.createXML(BOX.format(name="one", nics=""))
    after = read(small_cloud)
    assert after.nodes["node1"].capacity.taken - before.nodes["node1"].capacity.taken == 2 * 64
    assert after.foreign["node1"] == before.foreign["node1"] | {"one"}


def test_a_node_without_containers_is_not_asked(driver: Hypervisor, calls: Calls) -> None:
    calls.clear()
    assert driver.container_figures({}) == {}
    assert calls.remote == {}
