# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The libvirt network of a vSwitch on a node. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...._model.plan import Change, Step
from ...._model.rows import Row
from ..definition import FORWARD, VIRTUAL_PORT, edit_network, render_network
from ..state import NetworkState


def plan_network(
    row: Row, network: NetworkState | None, groups: Sequence[Row], uuid: str
) -> tuple[list[Step], list[Change]]:
    """Return what makes a network as it shall be. groups: its port groups, which a new one has from the beginning, as
    it has its UUID.
    """
    if network is None:
        vlans = {group.name: group.attributes.get("vlan") for group in groups}
        xml = render_network(row.name, uuid, vlans)
        return [Step("network", "define and start its network", {"xml": xml})], [Change("network", None, row.name)]
    changes = _compare(row.name, network)
    if not changes:
        return [], []
    # Its port groups are the business of their own module, which would otherwise miss what changed them.
    return [Step("network", "mend its network", {"xml": edit_network(network.xml)})], changes


def _compare(name: str, network: NetworkState) -> list[Change]:
    wanted = {"forward": FORWARD, "bridge": name, "virtual_port": VIRTUAL_PORT}
    changes = [
        Change(f"network.{key}", getattr(network.config, key) or "none", value)
        for key, value in wanted.items()
        if getattr(network.config, key) != value
    ]
    if not network.active:
        changes.append(Change("network", "stopped", "started"))
    if not network.autostart:
        changes.append(Change("network.autostart", False, True))
    return changes
