# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port groups: VLANs in the nodes' networks, and on the ports of running instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._cloud import Cloud
from ..._engine.noun import Options
from ..._fields.common import parse_spec
from ..._model.bridge import BridgeEdit
from ..._model.errors import PextraError
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..._model.rows import name_of, names_of
from ..hierarchy.plan import find
from ..hierarchy.reading import reserve_rows
from ..vswitch.reading import (
    Forgetting,
    read_network,
    wanted_first,
)
from ..vswitch.state import NetworkHave
from .plan import is_leaving, plan_port_groups
from .spec import FIELDS, PortGroup


class PortGroupResource:
    noun = "port_group"
    plural = "port_groups"
    table = FIELDS

    def __init__(self) -> None:
        self._forgetting = Forgetting()

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[PortGroup | None, list[Mistake]]:
        return parse_spec(FIELDS, PortGroup, raw, path)

    def read(self, cloud: Cloud, wants: Sequence[PortGroup], options: Options) -> NetworkHave:
        rows = cloud.registry.rows("cluster", "vswitch", "port_group")
        leaving = any(is_leaving(want, rows) for want in wants)
        return read_network(cloud, [want.cluster for want in wants] or None, with_defined=leaving)

    def plan(self, wants: Sequence[PortGroup], have: NetworkHave, options: Options) -> Plan:
        return plan_port_groups(wants, have)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        reserve_rows(cloud, plan)

    def apply(self, cloud: Cloud, work: Work, step: Step) -> None:
        try:
            if step.act == "network":
                cloud.hypervisor(work.node or "").update_port_group(
                    step.data["network"], step.data["xml"], work.key, command=step.data["command"]
                )
            elif step.act == "label":
                edit = BridgeEdit(bridge=step.data["bridge"], labels=step.data["labels"])
                cloud.switch(work.node or "").edit_bridge(edit, work.key)
            elif step.act == "ports":
                cloud.switch(work.node or "").set_port_tags(step.data["vlans"], work.key)
            elif step.act == "forget":
                self._forgetting.forget(cloud, work, step)
            elif step.act != "register":  # done in reserve
                raise AssertionError(step.act)
        except PextraError as error:
            self._forgetting.watch(work, error)

    def describe(self, wants: Sequence[PortGroup], have: NetworkHave) -> list[dict[str, Any]]:
        return [
            _describe(row, have) if row is not None else {"id": None, "name": name, "cluster": None, "nodes": []}
            for name, row in wanted_first(wants, have.port_groups, have)
        ]


def _describe(row: Any, have: NetworkHave) -> dict[str, Any]:
    vswitch = find(row.attributes["vswitch"], have.vswitches)
    nodes = names_of(vswitch.attributes["nodes"], have.nodes) if vswitch else []
    return {
        "id": row.id,
        "name": row.name,
        "cluster": name_of(row.scope, have.clusters),
        "description": row.attributes.get("description"),
        "vswitch": vswitch.name if vswitch else None,
        "vlan": row.attributes.get("vlan"),
        "nodes": nodes,
        "running": sorted(
            {
                nic.instance
                for node in nodes
                if node in have.states
                for nic in have.states[node].running
                if vswitch and (nic.network, nic.port_group) == (vswitch.name, row.name)
            }
        ),
    }
