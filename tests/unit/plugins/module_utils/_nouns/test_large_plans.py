# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning thousands of resources takes seconds: nothing is looked for in a list again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import Hierarchy
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic, Root
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.placement import Capacity
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.planning import plan_vms
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import Consent, NodeState, VmHave
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import VolumeFacts
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.plan import plan_volumes
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.spec import Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.state import Shelf, VolumeHave

# Processor time, with room for a machine several times slower.
_ALLOWED_S = 10.0


def row(kind: str, name: str, scope: str = "", **attributes: Any) -> Row:
    return Row(new_id(kind), kind, name, scope, attributes)


ROOT = row("organization", "org", root=True)
CENTER = row("datacenter", "dc")
CLUSTER = row("cluster", "c", CENTER.id)
LOCAL = row("pool", "local", CLUSTER.id, type="directory", path="/srv/local", shared=False)
SHARED = row("pool", "shared", CLUSTER.id, type="directory", path="/srv/shared", shared=True)


def hierarchy(*members: Row) -> Hierarchy:
    return Hierarchy((ROOT,), (CENTER,), (CLUSTER,), members)


def timed(plan: Callable[[], Plan]) -> Plan:
    began = time.process_time()
    made = plan()
    assert time.process_time() - began < _ALLOWED_S
    assert not made.refusals
    assert not made.failures
    return made


def test_two_thousand_new_instances_on_two_hundred_nodes() -> None:
    nodes = [row("node", f"node{number}", CLUSTER.id) for number in range(200)]
    copies = [f"{LOCAL.id}/{node.id}" for node in nodes]
    image = row("image", "tiny", CLUSTER.id, format="qcow2", virtual_size=2**26, sha256="a" * 64, copies=copies)
    vswitch = row("vswitch", "svswitch1", CLUSTER.id)
    group = row("port_group", "Production", CLUSTER.id, vswitch=vswitch.id, vlan=5)
    volumes = {"local": frozenset({f"{image.id}.qcow2"})}
    states = {node.name: NodeState(node, "qemu", Capacity(10**6), frozenset({"svswitch1"}), volumes) for node in nodes}
    have = VmHave(hierarchy(*nodes, LOCAL, image, vswitch, group), states, {}, {}, {})
    web = Vm(name="web", image="tiny", root=Root(pool="local"), nics=(Nic(port_group="Production"),))
    wants = [replace(web, name=f"web-{number}") for number in range(2000)]
    assert len(timed(lambda: plan_vms(wants, have, Consent())).works) == 2000


def test_thousands_of_volumes_go_with_their_linked_clones() -> None:
    node = row("node", "node1", CLUSTER.id)
    common: dict[str, Any] = {"pool": SHARED.id, "format": "qcow2", "size": 64}
    sources = [row("volume", f"source-{number}", CLUSTER.id, **common) for number in range(4000)]
    clones = [
        row("volume", f"clone-{one.name}", CLUSTER.id, origin={"clone": one.id, "name": one.name, "mode": "linked"})
        for one in sources
    ]
    clones = [replace(one, attributes=common | one.attributes) for one in clones]
    files = [f"{one.name}.{one.id}.qcow2" for one in (*sources, *clones)]
    facts = {name: VolumeFacts(name=name, format="qcow2", capacity=2**26, allocation=0) for name in files}
    have = VolumeHave(
        hierarchy(node, SHARED, *sources, *clones),
        shelves={(SHARED.id, ""): Shelf(SHARED, "node1", 2**50, facts)},
        active={"node1": frozenset({"shared"})},
        labels={"node1": {}},
    )
    wants = [Volume(name=one.name, state="absent") for one in (*sources, *clones)]
    assert len(timed(lambda: plan_volumes(wants, have)).all) == 8000
