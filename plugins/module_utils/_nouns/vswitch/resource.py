# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vSwitches: bridges and networks on the nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..._cloud import Cloud
from ..._engine.noun import Options
from ..._model.bridge import PortRecord
from ..._model.errors import PextraError
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..._model.rows import name_of, names_of
from ..hierarchy.reading import reserve_rows
from .foreign import describe_strangers
from .labels import is_ours, uplink_port
from .plan.planning import plan_vswitches
from .reading import (
    Forgetting,
    read_network,
    wanted_first,
)
from .spec import FIELDS, Vswitch, parse_vswitch_spec
from .state import NetworkHave


class VswitchResource:
    noun = "vswitch"
    plural = "vswitches"
    table = FIELDS

    def __init__(self) -> None:
        self._forgetting = Forgetting()

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Vswitch | None, list[Mistake]]:
        return parse_vswitch_spec(raw, path)

    def read(self, cloud: Cloud, wants: Sequence[Vswitch], options: Options) -> NetworkHave:
        leaving = any(want.state == "absent" or want.nodes is not None for want in wants)
        have = read_network(cloud, [want.cluster for want in wants] or None, with_defined=leaving)
        return replace(have, tells_foreign=bool(options["foreign"]))

    def plan(self, wants: Sequence[Vswitch], have: NetworkHave, options: Options) -> Plan:
        return plan_vswitches(wants, have)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        reserve_rows(cloud, plan)

    def apply(self, cloud: Cloud, work: Work, step: Step) -> None:
        try:
            if step.act == "bridge":
                cloud.switch(work.node or "").edit_bridge(step.data["edit"], work.key)
            elif step.act == "network":
                cloud.hypervisor(work.node or "").define_network(step.data["xml"], work.key)
            elif step.act == "remove_network":
                cloud.hypervisor(work.node or "").remove_network(work.name, work.key)
            elif step.act == "remove_bridge":
                cloud.switch(work.node or "").remove_bridge(work.name, work.key)
            elif step.act == "forget":
                self._forgetting.forget(cloud, work, step)
            elif step.act != "register":  # done in reserve
                raise AssertionError(step.act)
        except PextraError as error:
            self._forgetting.watch(work, error)

    def describe_further(self, have: NetworkHave) -> dict[str, list[dict[str, Any]]]:
        """Return the bridges of the nodes that are not ours, where they were asked for."""
        return {"foreign": describe_strangers(have) if have.tells_foreign else []}

    def describe(self, wants: Sequence[Vswitch], have: NetworkHave) -> list[dict[str, Any]]:
        return [
            _describe(name, row, have)
            if row is not None
            else {"id": None, "name": name, "cluster": None, "nodes": [], "uplinks": [], "port_groups": []}
            for name, row in wanted_first(wants, have.vswitches, have)
        ]


def _describe(name: str, row: Any, have: NetworkHave) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": name,
        "cluster": name_of(row.scope, have.clusters),
        "description": row.attributes.get("description"),
        "uplinks": list(row.attributes["uplinks"]),
        "bond_mode": row.attributes["bond_mode"],
        "nodes": [_describe_on_node(row, node, have) for node in names_of(row.attributes["nodes"], have.nodes)],
        "port_groups": [
            {"id": group.id, "name": group.name, "vlan": group.attributes.get("vlan")}
            for group in have.port_groups_of(row.id)
        ],
    }


def _describe_on_node(row: Any, node: str, have: NetworkHave) -> dict[str, Any]:
    state = have.states.get(node)
    described: dict[str, Any] = {
        "node": node,
        "status": "unreachable",
        "reason": have.down[node].what if node in have.down else None,
        "datapath": None,
        "active_uplink": None,
        "uplinks": [],
    }
    if state is None:
        return described
    bridge = state.switch.bridges.get(row.name)
    network = state.networks.get(row.name)
    described["reason"] = None
    if bridge is None or not is_ours(bridge, state, row.id):
        return described | {"status": "error", "reason": "the bridge is missing"}
    port = bridge.port(uplink_port(row.name))
    active = _active(port)
    described |= {
        "datapath": bridge.datapath,
        "active_uplink": active,
        "uplinks": [
            {
                "name": interface.name,
                "link": "error" if interface.error else interface.link or "unknown",
                "active": interface.name == active,
                "error": interface.error,
            }
            for interface in (port.interfaces if port else ())
        ],
    }
    reasons = []
    if not bridge.works:
        reasons.append(f"the bridge does not come up in the datapath {bridge.datapath}")
    if network is None or not network.active:
        reasons.append("the libvirt network is " + ("missing" if network is None else "stopped"))
    reasons += [f"uplink {uplink['name']}: {uplink['error']}" for uplink in described["uplinks"] if uplink["error"]]
    if port and port.interfaces and not any(uplink["link"] == "up" for uplink in described["uplinks"]):
        reasons.append("no uplink has a link")
    return described | {"status": "error" if reasons else "available", "reason": "; ".join(reasons) or None}


def _active(port: PortRecord | None) -> str | None:
    """Return the uplink that carries the traffic now; balance-slb uses all of them."""
    if port is None or not port.interfaces:
        return None
    if len(port.interfaces) == 1:
        return port.interfaces[0].name if port.interfaces[0].link == "up" else None
    if port.bond_mode != "active-backup":
        return None
    return next((nic.name for nic in port.interfaces if nic.mac and nic.mac == port.active_mac), None)
