# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge of a vSwitch on a node: that it is there and works, its uplinks, and its labels. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._model.bridge import ALL_VLANS, BridgeEdit, BridgeRecord, PortRecord
from ...._model.plan import Change, Step
from ...._model.rows import Row
from ..labels import LABEL_DESCRIPTION, labels_of_vswitch, uplink_port, uplinks_of


def plan_bridge(
    row: Row,
    bridge: BridgeRecord | None,
    port: PortRecord | None,
    groups: Sequence[Row],
    more_labels: Mapping[str, str | None] | None = None,
) -> tuple[list[Step], list[Change]]:
    """Return what makes a bridge as it shall be, in one step. port: that of its uplinks; groups: its port groups.

    more_labels: what one that is there is to bear besides its usual labels; None takes one away.
    """
    wanted = row.attributes["uplinks"]
    texts: list[str] = []
    changes: list[Change] = []
    if bridge is None:
        texts.append("make its bridge")
        changes.append(Change("bridge", None, row.name))
    elif not bridge.works:
        texts.append("bring its bridge up")
        changes.append(Change("bridge", f"does not come up in the datapath {bridge.datapath}", "works"))
    uplinks = list(uplinks_of(port))
    are_others = set(uplinks) != set(wanted)
    if are_others:
        texts.append("set its uplinks")
        changes.append(Change("uplinks", uplinks if bridge else None, wanted))
    settings = _compare_settings(row, port) if port is not None and wanted else []
    for text, change in settings:
        texts.append(text)
        changes.append(change)
    held: Mapping[str, str] = bridge.labels if bridge else {}
    labels = _stale_labels(row, held, more_labels or {}) if bridge is not None else dict(labels_of_vswitch(row, groups))
    if labels and bridge is not None:
        texts.append("label its bridge")
        changes += [Change(f"labels.{key}", held.get(key), value) for key, value in sorted(labels.items())]
    if not texts:
        return [], []
    edit = BridgeEdit(
        bridge=row.name,
        create=bridge is None,
        uplink_port=uplink_port(row.name),
        uplinks=tuple(wanted) if are_others or settings else None,
        bond_mode=row.attributes["bond_mode"],
        labels=labels,
    )
    return [Step("bridge", ", ".join(texts), {"edit": edit})], changes


def _compare_settings(row: Row, port: PortRecord) -> list[tuple[str, Change]]:
    """Return what differs in how the uplinks share the work, and what is done about it."""
    settings: tuple[tuple[str, str, Any, Any], ...] = (
        ("set its bond mode", "bond_mode", port.bond_mode, row.attributes["bond_mode"]),
        ("set its preferred uplink", "preferred_uplink", port.primary, row.attributes["uplinks"][0]),
        ("let its uplinks carry all VLANs", "uplinks.vlan", port.vlan, ALL_VLANS),
    )
    return [
        (text, Change(key, "not set" if current is None else str(current), str(value)))
        for text, key, current, value in settings
        if current != value
    ]


def _stale_labels(row: Row, held: Mapping[str, str], more: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the labels to write on a bridge that is there. Those of its port groups are their module's business."""
    wanted: dict[str, str | None] = {LABEL_DESCRIPTION: None, **labels_of_vswitch(row, ()), **more}
    return {key: value for key, value in wanted.items() if held.get(key) != value}
