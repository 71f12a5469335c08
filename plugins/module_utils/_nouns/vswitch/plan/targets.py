# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a vSwitch is to be, its references resolved. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._model.errors import Problem
from ...._model.ids import is_id, new_id
from ...._model.plan import Change
from ...._model.rows import Row, names_of
from ...hierarchy.plan import find, find_within
from ..labels import KIND, LABEL, networks_from_labels
from ..spec import FIELDS, Vswitch
from ..state import NetworkHave
from .adoption import as_found, list_strangers
from .context import Target


def resolve(want: Vswitch, row: Row | None, cluster: Row, have: NetworkHave) -> Target | Problem:
    """Return what a want means. row: as it is registered. What is not said stays as it is."""
    known = have.nodes_of(cluster.id)
    nodes = known if row is None else [node for node in known if node.id in row.attributes["nodes"]]
    id_ = row.id if row else find_carried_id(want.name, cluster, have) or new_id(KIND)
    strangers = list_strangers(want.name, known, id_, have) if want.adopt else {}
    before = row.attributes if row else _read_carried(id_, want.name, known, have)
    if want.adopt and want.nodes is None:
        nodes = [node for node in known if node.id in strangers or node.id in before.get("nodes", ())]
    if want.nodes is not None:
        nodes = []
        for reference in want.nodes:
            node = find_within(reference, known, f"a node of {cluster.name}")
            if isinstance(node, str):
                return Problem(node, resource=f"{KIND} {want.name}")
            nodes.append(node)
    if not before:
        first = next((strangers[node.id] for node in nodes if node.id in strangers), None)
        want = as_found(want, first) if first is not None else want
    # The first is the preferred one; the order of the others means nothing.
    uplinks = tuple(before.get("uplinks", ()) if want.uplinks is None else want.uplinks)
    attributes = {
        "uplinks": list(uplinks[:1]) + sorted(uplinks[1:]),
        "bond_mode": want.bond_mode or before.get("bond_mode") or FIELDS["bond_mode"].made,
        "nodes": sorted(node.id for node in nodes),
        "description": before.get("description") if want.description is None else want.description,
    }
    return Target(
        Row(id_, KIND, want.name, cluster.id, attributes),
        tuple(sorted({node.name for node in nodes})),
        frozenset(uplinks),
        adopts=bool(want.adopt),
    )


def find_carried_id(name: str, cluster: Row, have: NetworkHave) -> str | None:
    """Return the identifier that bridges of this name carry, where the registry has lost it."""
    for node in have.nodes_of(cluster.id):
        state = have.states.get(node.name)
        bridge = state.switch.bridges.get(name) if state else None
        label = bridge.labels.get(LABEL, "") if bridge else ""
        if is_id(label, KIND) and find(label, have.vswitches) is None:
            return label
    return None


def _read_carried(id_: str, name: str, nodes: Sequence[Row], have: NetworkHave) -> Mapping[str, Any]:
    """Return the attributes that bridges of this name and identifier speak of, where the registry has lost them."""
    carriers = []
    for node in nodes:
        state = have.states.get(node.name)
        bridge = state.switch.bridges.get(name) if state else None
        if bridge is not None and bridge.labels.get(LABEL) == id_:
            carriers.append((node, bridge))
    return next((row.attributes for row in networks_from_labels(carriers) if row.kind == KIND), {})


def list_changes(row: Row | None, new: Row, have: NetworkHave) -> list[Change]:
    """Return in what a vSwitch will differ from what is registered. What is new and empty is not worth telling."""
    before = _shown(row, have) if row else {}
    return [
        Change(key, before.get(key), value)
        for key, value in _shown(new, have).items()
        if value != before.get(key) and (row or value not in (None, []))
    ]


def _shown(row: Row, have: NetworkHave) -> dict[str, Any]:
    shown = {key: row.attributes.get(key) for key in ("uplinks", "bond_mode", "description")}
    return shown | {"nodes": names_of(row.attributes.get("nodes", ()), have.nodes)}
