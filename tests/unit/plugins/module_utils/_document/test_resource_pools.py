# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource pools and virtual functions in the document: what is wrong is told before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest
from deployment_document import instance, read, told

GPUS = {"name": "gpus", "pci_model": "10de:2204", "numa": 0, "memory": "24 GiB"}
CARDS = {"name": "cards", "devices": [{"node": "node1", "pci": "0000:65:00.0"}]}


def with_pools(*pools: dict[str, Any], asks: str = "gpus") -> dict[str, Any]:
    device = {"name": "gpu", "resource_pool": asks}
    clusters = [{"name": "mtl-1", "resource_pools": list(pools)}]
    return {"pextra_clusters": clusters, "pextra_instances": [instance("web", host_devices=[device])]}


def test_ones_that_are_right() -> None:
    deployment = read(with_pools(GPUS, CARDS))
    assert told(deployment) == []
    (cluster,) = deployment.document["clusters"]
    assert [pool["name"] for pool in cluster["resource_pools"]] == ["gpus", "cards"]


@pytest.mark.parametrize(
    ("pools", "asks", "mistake"),
    [
        (
            [GPUS],
            "gpu",
            '(web).host_devices[0] (gpu).resource_pool: "gpu" is not a resource pool of mtl-1. Did',
        ),
        (
            [GPUS],
            "fpga",
            '(web).host_devices[0] (gpu).resource_pool: "fpga" is not a resource pool of mtl-1. It has g',
        ),
        ([], "gpus", '(web).host_devices[0] (gpu).resource_pool: "gpus" is not a resource pool of mtl-1. It has none.'),
        (
            [GPUS, CARDS | {"devices": [{"node": "node9", "pci": "0000:65:00.0"}]}],
            "gpus",
            '(mtl-1).resource_pools[1] (cards).devices[0].node: "node9" is not a node of mtl-1.',
        ),
        ([GPUS | {"pci_model": "RTX"}], "gpus", '(mtl-1).resource_pools[0] (gpus).pci_model: "RTX" is not a model'),
        ([GPUS | {"size": 1}], "gpus", "(mtl-1).resource_pools[0] (gpus).size: unknown key"),
        ([GPUS | {"name": 7}], "gpus", "(mtl-1).resource_pools[0].name: 7 is not a text"),
        ([{"pci_model": "10de:2204"}], "gpus", "(mtl-1).resource_pools[0].name: is missing"),
        ([CARDS | {"name": "gpus", "devices": 3}], "gpus", "(mtl-1).resource_pools[0] (gpus).devices: 3 is not a list"),
    ],
)
def test_what_is_wrong(pools: list[dict[str, Any]], asks: str, mistake: str) -> None:
    found = told(read(with_pools(*pools, asks=asks)))
    assert len(found) == 1, found
    assert mistake in found[0]


@pytest.mark.parametrize("device", [{"pci": "65:00.0"}, {"mdev": "x"}, {"pci_model": "RTX"}, {"resource_pool": 7}])
def test_a_wrong_value_is_no_missing_one(device: dict[str, Any]) -> None:
    variables = with_pools(GPUS)
    variables["pextra_instances"] = [instance("web", host_devices=[{"name": "gpu"} | device])]
    (found,) = told(read(variables))
    assert f"(gpu).{next(iter(device))}" in found or f"host_devices[0].{next(iter(device))}" in found


def test_a_virtual_function_needs_no_vswitch_on_its_node() -> None:
    variables = {
        "pextra_vswitches": [{"name": "svswitch1", "nodes": ["node2"], "uplinks": ["eth1"]}],
        "pextra_port_groups": [{"name": "Production", "vswitch": "svswitch1", "vlan": 42}],
    }
    nic = {"port_group": "Production"}
    pinned = read(variables | {"pextra_instances": [instance("web", node="node1", nics=[nic])]})
    assert any("(web).nics[0].port_group" in one for one in told(pinned))
    function = read(variables | {"pextra_instances": [instance("web", node="node1", nics=[nic | {"sr_iov": "eth2"}])]})
    assert not any("(web)" in one for one in told(function)), told(function)
