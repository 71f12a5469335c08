# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes are asked of architectures: nothing where nothing depends on it, and only what they have QEMU for.

The test driver tells no capabilities: here it tells what libvirt 9 does, as far as it is read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._engine.noun import Options
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import VmHave
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.resource import VmResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm

from .conftest import Driver, Module, Result

WEB: Result = {"name": "web", "root": {"pool": "shared", "size": "1 GiB"}, "node": "node1"}
HOST = """<capabilities><guest><os_type>hvm</os_type><arch name='x86_64'/></guest>{}</capabilities>"""
ARM = "<guest><os_type>hvm</os_type><arch name='aarch64'/></guest>"
MACHINE = """<domainCapabilities><domain>{}</domain><arch>{}</arch><cpu><mode name='maximum' supported='yes'/></cpu>
</domainCapabilities>"""
Asked = list[tuple[str, ...]]


def declare(cloud: Cloud, node: str, *architectures: str) -> None:
    (row,) = (one for one in cloud.registry.rows("node") if one.name == node)
    cloud.registry.put([replace(row, attributes={**row.attributes, "architectures": list(architectures)})])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What is asked for. The second node has an emulator of aarch64."""
    found: Asked = []

    def capabilities(driver: Driver) -> str:
        found.append((driver.node,))
        return HOST.format(ARM if driver.node == "node2" else "")

    def machine_capabilities(driver: Driver, *words: str) -> str:
        found.append((driver.node, *words))
        return MACHINE.format(words[2], words[0])

    monkeypatch.setattr(Driver, "capabilities", capabilities)
    monkeypatch.setattr(Driver, "machine_capabilities", machine_capabilities)
    return found


def read(cloud: Cloud, *wants: Vm) -> VmHave:
    options: Options = dict.fromkeys(("figures", "foreign", "guests"))
    cloud.refresh_nodes()
    return VmResource().read(cloud, wants, options)


@pytest.mark.parametrize(
    ("further", "wanted"),
    [
        ({}, []),
        ({"architecture": "x86_64"}, []),
        ({"cpu": {"model": "maximum"}}, [("node1",), ("node1", "x86_64", "q35", "qemu")]),
        ({"architecture": "aarch64"}, [("node1",), ("node1", "x86_64", "q35", "qemu")]),
    ],
)
def test_what_is_asked(small_cloud: Cloud, asked: Asked, further: dict[str, Any], wanted: Asked) -> None:
    declare(small_cloud, "node1", "aarch64")  # for which it has no QEMU
    declare(small_cloud, "node2", "aarch64")
    have = read(small_cloud, Vm(name="web", type="qemu", further=further))
    assert sorted(one for one in asked if one[0] == "node1") == wanted
    there = [("node2", *rest) for _, *rest in wanted]
    if further.get("architecture") == "aarch64":
        there.insert(1, ("node2", "aarch64", "virt", "qemu"))
        assert have.nodes["node2"].emulates == {"aarch64": {"cpu:maximum"} | have.nodes["node2"].abilities}
    else:
        assert have.nodes["node2"].emulates == {}
    assert sorted(one for one in asked if one[0] == "node2") == there
    assert have.nodes["node1"].emulates == {}


def test_what_it_could_emulate_it_does_only_where_that_is_declared(small_cloud: Cloud, asked: Asked) -> None:
    have = read(small_cloud, Vm(name="web", type="qemu", further={"architecture": "aarch64"}))
    assert have.nodes["node2"].emulates == {}
    assert not [one for one in asked if "aarch64" in one]


def test_what_is_there_is_not_asked_about(
    module: Module, small_cloud: Cloud, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where other nodes of its cluster are of another architecture."""
    made = module(**WEB, architecture="x86_64")
    assert (made["changed"], made["vm"]["architecture"]) == (True, "x86_64")
    host = Driver.host
    words = {"node1": "x86_64", "node2": "aarch64"}
    monkeypatch.setattr(Driver, "host", lambda driver: host(driver)._replace(architecture=words[driver.node]))
    del asked[:]
    assert not module(**WEB, architecture="x86_64")["changed"]
    assert asked == []
    # What it is to move to has to emulate it, with all that it has, and to be declared to.
    moved = module(**{**WEB, "node": "node2"}, architecture="x86_64")
    assert "it is a host of aarch64, and emulates no x86_64" in moved["msg"]
    declare(small_cloud, "node2", "x86_64")
    moved = module(**{**WEB, "node": "node2"})
    assert "only what itself says architecture: x86_64 goes there" in moved["msg"]
    moved = module(**{**WEB, "node": "node2"}, architecture="x86_64")
    assert "it cannot move from node1 to node2: it has no CPU model Nehalem" in moved["msg"]
    assert ("node2", "x86_64", "q35", "qemu") in asked


def test_what_nobody_can_run_is_refused(module: Module, small_cloud: Cloud, asked: Asked) -> None:
    before = small_cloud.hypervisor("node1").volume_names("shared")
    refused = module(**WEB, architecture="aarch64")
    assert refused["failed"]
    assert "it is a host of x86_64, and emulates no aarch64" in refused["msg"]
    assert small_cloud.hypervisor("node1").volume_names("shared") == before
    wrong = module(**WEB, architecture="riscv64")
    assert "x86_64, aarch64" in wrong["msg"]
    assert asked
    module(**WEB)
    changed = module(name="web", architecture="aarch64")
    assert "it is a machine of x86_64, and cannot become one of aarch64" in changed["msg"]
