# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An element that adopts says only what it names: what is not said of it is not what a new instance gets."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._document.converge import Order, declared_power
from deployment_document import read, told

BARE = {"name": "old-web", "adopt": True}


def element(**more: Any) -> dict[str, Any]:
    """Return the only instance as it is handed to the modules."""
    deployment = read({"pextra_instances": [{**BARE, **more}]})
    assert told(deployment) == []
    assert deployment.document is not None
    (found,) = deployment.document["instances"]
    return dict(found)


NAMED = {"name": "old-web", "cluster": "mtl-1", "adopt": True, "state": "present"}


def test_it_says_only_what_it_names() -> None:
    assert element() == NAMED
    said = {
        "memory": "96 MiB",
        "root": {"pool": "local", "size": "1 GiB"},
        "nics": [{"name": "nic0", "port_group": "DMZ", "mac": "52:54:00:00:00:01"}],
    }
    assert element(**said) == {**NAMED, **said}


def test_it_takes_from_its_flavor_what_that_says_alone() -> None:
    assert element(flavor="small") == {**NAMED, "memory": "96 MiB", "flavor": "small"}


def test_its_power_is_nobodys_to_count() -> None:
    instances = [element(), {"name": "web"}, {**element(), "name": "off", "power": "stopped"}]
    assert declared_power(Order({"instances": instances}, {})) == {"web": "running", "off": "stopped"}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"nics": [{"port_group": "Lab"}]}, '"Lab" is not a port group'),
        ({"root": {"pool": "lokal"}}, '"lokal" is not a storage pool'),
        ({"cloud_init": {"hostname": "web"}}, "is for an instance that begins from an image"),
        ({"volumes": [{"name": "vdb", "filesystem": "ext4"}]}, "which comes with an image"),
        ({"adopt": "maybe"}, '"maybe" is not true or false'),
    ],
)
def test_mistakes_in_it_are_told(said: dict[str, Any], problem: str) -> None:
    assert any(problem in one for one in told(read({"pextra_instances": [{**BARE, "memory": "96 MiB", **said}]})))


NOTHING = dict.fromkeys(("pextra_pools", "pextra_vswitches", "pextra_port_groups", "pextra_images", "pextra_instances"))
POOL = {"name": "images", "cluster": "mtl-1", "adopt": True, "state": "present"}


@pytest.mark.parametrize("said", [{}, {"type": "directory", "path": "/srv/images"}, {"nodes": ["node1"]}])
def test_a_pool_says_only_what_it_names(said: dict[str, Any]) -> None:
    deployment = read({**NOTHING, "pextra_pools": [{"name": "images", "adopt": True, **said}]})
    assert told(deployment) == []
    assert deployment.document is not None
    assert deployment.document["pools"] == [{**POOL, **said}]


def test_a_vswitch_and_its_port_groups_say_only_what_they_name() -> None:
    document = {
        "pextra_vswitches": [{"name": "ovsbr0", "adopt": True}],
        "pextra_port_groups": [{"name": "Old", "adopt": True}, {"name": "New"}],
    }
    deployment = read({**NOTHING, **document})
    assert told(deployment) == []
    assert deployment.document is not None
    present = {"cluster": "mtl-1", "state": "present"}
    assert deployment.document["vswitches"] == [{"name": "ovsbr0", "adopt": True, **present}]
    old, new = deployment.document["port_groups"]
    assert old == {"name": "Old", "vswitch": "ovsbr0", "adopt": True, **present}
    assert new == {"name": "New", "vswitch": "ovsbr0", "vlan": 0, **present}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"pextra_pools": [{"name": "images", "adopt": True, "nodes": ["nod1"]}]}, '"nod1" is not a node'),
        ({"pextra_pools": [{"name": "images", "adopt": True, "type": "lvm", "path": "/srv/a"}]}, "has no directory"),
        ({"pextra_pools": [{"name": "images", "adopt": 7}]}, "is not true or false"),
        ({"pextra_vswitches": [{"name": "ovsbr0"}]}, "can be adopted (adopt: true)"),
        ({"pextra_vswitches": [{"name": "ovsbr0", "adopt": False}]}, "can be adopted (adopt: true)"),
        ({"pextra_vswitches": [{"name": "a name", "adopt": True}]}, "is not the name of a network interface"),
    ],
)
def test_mistakes_in_pools_and_networks_are_told(document: dict[str, Any], problem: str) -> None:
    assert any(problem in one for one in told(read({**NOTHING, **document})))
