# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told first: whether all is well, the figures that matter, and what is wrong."""

from __future__ import annotations

from .capacity import find_capacity
from .figures import show_bytes, show_count, show_mib, show_share
from .markup import Markup, tag
from .model import Page
from .parts import Column, nothing, section, table


def render_overview(page: Page) -> Markup:
    return section("overview", "Overview", _verdict(page), tag("div", *_cards(page), class_="cards"))


def render_health(page: Page) -> Markup:
    if not page.troubles:
        return section("health", "Health", nothing("Nothing is wrong with what was looked at."))
    rows = [(one.where, one.what, one.remedy) for one in page.troubles]
    columns = (Column("Where", "name"), Column("What is wrong"), Column("What to do"))
    return section("health", "Health", table(columns, rows), note=show_count(len(rows), "thing"))


def _verdict(page: Page) -> Markup:
    differences = page.differences
    if not page.is_live:
        kind, title, about = "off", "What is declared", "From the document alone. No host was asked."
    elif page.troubles:
        count = len(page.troubles)
        kind, title = "bad", f"{show_count(count, 'thing')} {'needs' if count == 1 else 'need'} attention"
        about = "; ".join(f"{one.where}: {one.what}" for one in page.troubles[:3])
        about += f"; and {count - 3:,} more" if count > 3 else ""
    elif differences is not None and differences.count:
        kind, title = "wait", "Well, and not quite as declared"
        about = f"{show_count(differences.count, 'difference')} from the document."
    elif differences is None or not differences.is_complete:
        kind, title, about = (
            "wait",
            "Well, as far as could be seen",
            "Not everything could be compared with the document.",
        )
    else:
        kind, title, about = "good", "All is well", "Everything answers, and is as the document says."
    return tag("div", tag("strong", title), tag("span", about), class_=f"verdict s-{kind}", role="status")


def _cards(page: Page) -> list[Markup]:
    nodes = [node for cluster in page.clusters for node in cluster.nodes]
    instances = [one for cluster in page.clusters for one in cluster.instances]
    pools = [pool for cluster in page.clusters for pool in cluster.pools]
    running = sum(one.power == "running" for one in instances)
    healthy = sum(node.health == "healthy" for node in nodes)
    verb = "running" if page.is_live else "to run"
    cards = [
        _card(
            "Nodes",
            f"{healthy} of {len(nodes)}" if page.is_live else f"{len(nodes)}",
            "healthy" if page.is_live else "declared",
        ),
        _card("Instances", f"{len(instances):,}", f"{running:,} {verb}"),
        _memory_card(page),
        _loss_card(page),
    ]
    capacity = sum(pool.capacity or 0 for pool in pools)
    if capacity:
        free = sum(pool.available or 0 for pool in pools if pool.capacity)
        cards.append(_card("Storage", show_bytes(free), f"free of {show_bytes(capacity)}"))
    else:
        cards.append(_card("Storage pools", f"{len(pools)}", f"{sum(pool.shared for pool in pools)} shared"))
    if page.is_live:
        found = page.differences
        shown = "unknown" if found is None else f"{found.count:,}"
        cards.append(_card("Differences", shown, "from the document"))
    else:
        groups = sum(len(switch.port_groups) for cluster in page.clusters for switch in cluster.switches)
        cards.append(
            _card(
                "Port groups",
                f"{groups}",
                show_count(sum(len(one.switches) for one in page.clusters), "vSwitch", "vSwitches"),
            )
        )
    return cards


def _memory_card(page: Page) -> Markup:
    found = [find_capacity(cluster) for cluster in page.clusters]
    used = sum(one.used for one in found)
    if any(one.usable is None for one in found) or not found:
        return _card("Memory", show_mib(used), "of what runs" if page.is_live else "for what is to run")
    usable = sum(one.usable or 0 for one in found)
    return _card("Memory", show_mib(used), f"of {show_mib(usable)}, {show_share(used, usable) or 'none'}")


def _loss_card(page: Page) -> Markup:
    """Whether all that runs would still fit if the largest node of a cluster were lost, in the worst cluster."""
    worst = [room for one in page.clusters if (room := find_capacity(one).worst) is not None]
    if not worst:
        several = any(len(cluster.nodes) > 1 for cluster in page.clusters)
        return _card(
            "With a node lost",
            "unknown" if several else "nothing",
            "memory is not known" if several else "there is one node alone",
        )
    room = max(worst, key=lambda one: one.lacking or 0)
    if room.lacking:
        return _card("With a node lost", f"{show_mib(room.lacking)}", f"too little without {room.node}", "bad")
    least = min(one.left or 0 for one in worst)
    return _card("With a node lost", "fits", f"{show_mib(least)} would be left")


def _card(title: str, figure: str, about: str, kind: str = "") -> Markup:
    return tag(
        "div",
        tag("span", title, class_="title"),
        tag("span", figure, class_=f"figure {kind}".rstrip()),
        tag("span", about, class_="about"),
        class_="card",
    )
