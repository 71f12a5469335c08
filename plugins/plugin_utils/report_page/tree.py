# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree: datacenters, clusters, nodes, and the instances on each."""

from __future__ import annotations

from collections.abc import Sequence

from .figures import show_count, show_mib
from .markup import Markup, tag
from .model import Cluster, Instance, Node, Page
from .order import by_name
from .parts import nothing, section, state

# With more instances than this in all, those of a node are unfolded one node at a time.
_MOST_OPEN = 60


def render_tree(page: Page) -> Markup:
    if not page.clusters:
        return section("tree", "Tree", nothing("There is no cluster."))
    is_open = sum(len(cluster.instances) for cluster in page.clusters) <= _MOST_OPEN
    return section(
        "tree", "Tree", tag("div", *(_cluster(cluster, is_open=is_open) for cluster in page.clusters), class_="tree")
    )


def _cluster(cluster: Cluster, *, is_open: bool) -> Markup:
    names = [name for name in (cluster.organization, cluster.datacenter) if name]
    nodes = [
        _node(node, [one for one in cluster.instances if one.node == node.name], is_open=is_open)
        for node in cluster.nodes
    ]
    known = {node.name for node in cluster.nodes}
    rest = [one for one in cluster.instances if one.node not in known]
    return tag(
        "div",
        tag(
            "p",
            *(tag("span", name, class_="path") for name in names),
            tag("strong", cluster.name),
            tag("span", cluster.description, class_="muted") if cluster.description else None,
            class_="trunk",
        ),
        tag("ul", *nodes, _homeless(rest, is_open=is_open) if rest else None, class_="branches"),
    )


def _node(node: Node, mine: Sequence[Instance], *, is_open: bool) -> Markup:
    about = [node.address, node.virt_type, show_count(len(mine), "instance")]
    if node.memory is not None:
        about.append(f"{show_mib(sum(one.memory for one in mine if one.takes_memory))} of {show_mib(node.memory)}")
    summary = (
        tag("strong", state(node.health, node.name)),
        tag("span", " \u00b7 ".join(part for part in about if part), class_="muted"),
        tag("span", node.reason, class_="bad") if node.reason else None,
    )
    return _branch(summary, mine, is_open=is_open)


def _homeless(rest: Sequence[Instance], *, is_open: bool) -> Markup:
    summary = (tag("strong", "on no node yet"), tag("span", show_count(len(rest), "instance"), class_="muted"))
    return _branch(summary, rest, is_open=is_open)


def _branch(summary: Sequence[object], mine: Sequence[Instance], *, is_open: bool) -> Markup:
    if not mine:
        return tag("li", tag("p", *summary))
    leaves = tag("ul", *(_leaf(one) for one in by_name(mine)), class_="leaves")
    return tag("li", tag("details", tag("summary", *summary), leaves, open_=is_open))


def _leaf(one: Instance) -> Markup:
    addresses = ", ".join(address for nic in one.nics for address in nic.addresses)
    return tag("li", state(one.power, one.name), tag("span", addresses, class_="muted") if addresses else None)
