# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a cluster's network: nodes as lanes, in each from left to right uplinks, vSwitches, port groups, and
the instances that are attached. Beside the lanes a rail for each vSwitch, which its uplinks join on all nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .drawing import (
    CHIP_HEIGHT,
    GAP,
    WIDTH,
    Chip,
    Drawn,
    box,
    chips,
    dot,
    elbow,
    label,
    measure,
    most_chips,
    picture,
)
from .figures import show_count
from .markup import Markup, join, tag
from .model import Cluster, Instance, Nic, Node, PortGroup, Switch, SwitchOnNode, Uplink
from .order import by_name

_RAIL_STEP = 18
_PAD = 14
_HEADING = 40
_LABEL = 18
_UPLINK = 24
_UPLINK_WIDTH = 126
_SWITCH_WIDTH = 118
_GROUP_WIDTH = 164
_GROUP_HEIGHT = 36
_BETWEEN = 28
# So many port groups without an instance on a node are shown there one by one.
_MOST_EMPTY = 4
_HUES = 6


@dataclass(frozen=True)
class _Plan:
    """What all lanes have in common. left: where they begin. rails: where the rail of a vSwitch is; joints: where its
    uplinks join it, which is found out while lanes are drawn. hues: the class of a port group's colour.
    """

    left: float
    rails: Mapping[str, int]
    joints: Mapping[str, list[float]]
    hues: Mapping[str, str]
    most: int


def draw_network(cluster: Cluster, name: str) -> Markup:
    """Return the picture. name: its anchor."""
    rails = {
        switch.name: 20 + index * _RAIL_STEP
        for index, switch in enumerate(switch for switch in cluster.switches if _has_uplinks(switch))
    }
    left = 20 + len(rails) * _RAIL_STEP + (6 if rails else -10)
    top = 18.0 + len(rails) * _LABEL if rails else 8.0
    parts: list[Markup] = []
    plan = _Plan(left, rails, {name: [] for name in rails}, _choose_hues(cluster), most_chips(len(cluster.instances)))
    for node in [*cluster.nodes, None]:
        lane = _lane(cluster, node, top, plan)
        if lane is not None:
            parts.append(lane.markup)
            top += lane.height + 12
    # Rails lie below what joins them.
    drawn = [
        _rail(switch, x, plan.joints[switch], 14 + index * _LABEL) for index, (switch, x) in enumerate(rails.items())
    ]
    about = ", ".join(
        [
            show_count(len(cluster.nodes), "node"),
            show_count(len(cluster.switches), "vSwitch", "vSwitches"),
            show_count(sum(len(switch.port_groups) for switch in cluster.switches), "port group"),
            show_count(len(cluster.instances), "instance"),
        ]
    )
    return picture([*drawn, *parts], top, f"The network of {cluster.name}", about, name)


def _has_uplinks(switch: Switch) -> bool:
    return any(on.uplinks for on in switch.on)


def _choose_hues(cluster: Cluster) -> dict[str, str]:
    groups = [group.name for switch in cluster.switches for group in switch.port_groups]
    return {group: f"hue{index % _HUES}" for index, group in enumerate(groups)}


def _rail(name: str, x: float, joints: Sequence[float], top: float) -> Markup:
    """Return a rail, down to the last that joins it. The next one begins lower, and does not cross its name."""
    end = max(joints, default=top)
    return tag(
        "g",
        tag("title", f"What the uplinks of {name} lead to"),
        tag("path", d=f"M{x:.1f} {top:.1f}V{end:.1f}", class_="rail"),
        tag("circle", cx=float(x), cy=float(top), r=4, class_="rail-end"),
        label(f"physical network of {name}", x + 12, top + 4, 500, "low", "muted"),
    )


def _lane(cluster: Cluster, node: Node | None, top: float, plan: _Plan) -> Drawn | None:
    """Return the lane of a node; without one, that of the instances that are on none, None if there are none."""
    mine = [one for one in cluster.instances if one.node == (node.name if node else None)]
    if node is None and not any(one.nics for one in mine):
        return None
    left = plan.left
    parts: list[Markup] = []
    y = top + _HEADING
    for switch in cluster.switches:
        on = next((one for one in switch.on if node is not None and one.node == node.name), None)
        if node is None:
            on = SwitchOnNode(node="")
        if on is None:
            continue
        block = _block(switch, on, mine, left + _PAD, y, plan)
        if block.height:
            parts.append(block.markup)
            y += block.height + _PAD
    if not parts:
        parts.append(label("no vSwitch here", left + _PAD, y + 10, 300, "low", "muted"))
        y += 16 + _PAD
    return Drawn(
        join([box(left, top, WIDTH - left - 2, y - top, "lane", 10), head(node, mine, left, top), *parts]), y - top
    )


def head(node: Node | None, mine: Sequence[Instance], left: float, top: float) -> Markup:
    """Return the heading of a lane: the node, its address, how it is, and how many instances it has."""
    y = top + 25
    count = show_count(len(mine), "instance")
    if node is None:
        name, health = "On no node yet", ""
        about = f"{count}, for which a node is chosen when they are made"
    else:
        name, health = node.name, "" if node.health == "declared" else node.health
        about = " \u00b7 ".join(part for part in (node.address, node.virt_type, count, node.description) if part)
    x = left + _PAD + (16 if health else 0)
    behind = x + min(measure(name, "big"), 320) + 14
    return tag(
        "g",
        dot(left + _PAD + 4, y - 5, health),
        label(name, x, y, 320, "big", "strong"),
        label(about, behind, y, WIDTH - behind - 130, "low", "muted"),
        label(health, WIDTH - 18, y, 96, "low", "end bad" if health == "unreachable" else "end muted")
        if health
        else None,
    )


def _block(switch: Switch, on: SwitchOnNode, mine: Sequence[Instance], x: float, y: float, plan: _Plan) -> Drawn:
    """Return a vSwitch on a node, with all that is attached to it."""
    switch_x = x + _UPLINK_WIDTH + _BETWEEN
    group_x = switch_x + _SWITCH_WIDTH + _BETWEEN
    chips_x = group_x + _GROUP_WIDTH + _BETWEEN
    attached = {
        group: [one for one in mine if any(_is_in(nic, group) for nic in one.nics)] for group in switch.port_groups
    }
    # On no node, only what is used is worth telling.
    rows = [row for row in attached.items() if row[1] or on.node]
    without = [row for row in rows if not row[1]]
    if len(without) > _MOST_EMPTY:
        rows = [row for row in rows if row[1]]
    if not on.node and not rows:
        return Drawn(Markup(""), 0)
    parts: list[Markup] = []
    bottom = y
    middles = []
    for group, those in rows:
        drawn = _group(group, those, group_x, chips_x, bottom, plan)
        parts.append(drawn.markup)
        middles.append(bottom + _GROUP_HEIGHT / 2)
        bottom += drawn.height + GAP
    if len(without) > _MOST_EMPTY:
        text = f"{show_count(len(without), 'port group')} without an instance here"
        parts.append(label(text, group_x, bottom + 15, WIDTH - group_x - 20, "low", "muted"))
        bottom += 24 + GAP
    stack = len(on.uplinks) * (_UPLINK + 6) - 6 if on.uplinks else 0
    height = max(bottom - y - GAP, stack, 44)
    middle = y + height / 2
    lines = [elbow(switch_x + _SWITCH_WIDTH, middle, group_x, one, "wire") for one in middles]
    begin = y + (height - stack) / 2
    places = [(uplink, begin + index * (_UPLINK + 6)) for index, uplink in enumerate(on.uplinks)]
    # What carries the traffic lies above the others, with which it shares a part of the way.
    for uplink, uplink_y in sorted(places, key=lambda place: place[0].active):
        at = uplink_y + _UPLINK / 2
        rail = plan.rails[switch.name]
        parts.append(_uplink(uplink, x, uplink_y))
        lines.append(elbow(x + _UPLINK_WIDTH, at, switch_x, middle, f"wire {_wire(uplink)}".rstrip()))
        lines.append(tag("path", d=f"M{rail} {at:.1f}H{x:.1f}", class_=f"wire {_wire(uplink)}".rstrip()))
        lines.append(tag("circle", cx=rail, cy=at, r=3, class_="joint"))
        plan.joints[switch.name].append(at)
    return Drawn(join([*lines, *parts, _switch(switch, on, switch_x, y, height)]), height)


def _wire(uplink: Uplink) -> str:
    return "cut" if uplink.link in ("down", "error") else "active" if uplink.active else ""


def _uplink(uplink: Uplink, x: float, y: float) -> Markup:
    told = {"declared": "", "up": ", up"}.get(uplink.link, f", {uplink.link}")
    return tag(
        "g",
        tag("title", f"Uplink {uplink.name}{told}{', carries the traffic' if uplink.active else ''}"),
        box(x, y, _UPLINK_WIDTH, _UPLINK, f"uplink {'bad' if _wire(uplink) == 'cut' else ''}".rstrip(), 12),
        dot(x + 13, y + _UPLINK / 2, uplink.link),
        label(
            uplink.name,
            x + (12 if uplink.link == "declared" else 23),
            y + 16,
            _UPLINK_WIDTH - 30,
            "low",
            "strong" if uplink.active else "",
        ),
    )


def _switch(switch: Switch, on: SwitchOnNode, x: float, y: float, height: float) -> Markup:
    middle = y + height / 2
    about = on.status if on.status not in ("available", "declared") else switch.bond_mode
    return tag(
        "g",
        tag("title", switch.description or f"vSwitch {switch.name}"),
        box(x, y, _SWITCH_WIDTH, height, "switch"),
        label(switch.name, x + 10, middle + (-2 if about else 4), _SWITCH_WIDTH - 18, "mid", "strong"),
        label(about, x + 10, middle + 15, _SWITCH_WIDTH - 18, "low", "muted") if about else None,
    )


def _group(group: PortGroup, attached: Sequence[Instance], x: float, chips_x: float, y: float, plan: _Plan) -> Drawn:
    hue = plan.hues[group.name]
    vlan = "untagged" if group.vlan is None else f"VLAN {group.vlan}"
    items = [_instance(one, group, hue) for one in by_name(attached)]
    drawn = chips(items, chips_x, y, WIDTH - chips_x - 2 - _PAD, plan.most)
    middle = y + _GROUP_HEIGHT / 2
    markup = tag(
        "g",
        elbow(x + _GROUP_WIDTH, middle, chips_x, middle, f"wire {hue}") if items else None,
        box(x, y, _GROUP_WIDTH, _GROUP_HEIGHT, "group" if items else "group empty", 5),
        box(x, y, 4, _GROUP_HEIGHT, f"edge {hue}", 2),
        label(group.name, x + 14, y + 15, _GROUP_WIDTH - 22, "mid", "strong"),
        label(vlan if items else f"{vlan}, none here", x + 14, y + 29, _GROUP_WIDTH - 22, "low", "muted"),
        drawn.markup,
    )
    return Drawn(markup, max(drawn.height, _GROUP_HEIGHT, CHIP_HEIGHT))


def _is_in(nic: Nic, group: PortGroup) -> bool:
    return nic.is_switched and nic.port_group == group.name


def _instance(one: Instance, group: PortGroup, hue: str) -> Chip:
    nics = [nic for nic in one.nics if _is_in(nic, group)]
    addresses = [address for nic in nics for address in nic.addresses]
    others = len(one.nics) - len(nics)
    about = addresses[0] if addresses else "no fixed address"
    if len(addresses) > 1:
        about += f" +{len(addresses) - 1}"
    where = f"; {show_count(others, 'NIC')} elsewhere" if others else ""
    title = f"{one.name}: {one.power}; {', '.join(addresses) or 'no fixed address'} in {group.name}{where}"
    return Chip(name=one.name, about=about, title=title, state=one.power, tone=hue)
