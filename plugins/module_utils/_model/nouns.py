# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nouns: every kind of resource that is registered. What a new one needs of each place that knows all is here."""

from __future__ import annotations

from typing import NamedTuple


class Noun(NamedTuple):
    """kind: in the registry, and its folder in _nouns. prefix: of its identifiers. words: what one is called.

    many: its list in the document, in modules and in what they return. module: the noun in the module's name.
    in_cluster: whether its names belong to a cluster.
    """

    kind: str
    prefix: str
    words: str
    many: str
    module: str
    in_cluster: bool = True

    @property
    def variable(self) -> str:
        """Return the variable of the inventory that holds them; nodes are its hosts."""
        return f"pextra_{self.many}"


# In the order in which each needs those before it.
NOUNS = (
    Noun("organization", "org", "an organization", "organizations", "tenant", in_cluster=False),
    Noun("datacenter", "dc", "a datacenter", "datacenters", "datacenter", in_cluster=False),
    Noun("cluster", "cls", "a cluster", "clusters", "cluster", in_cluster=False),
    Noun("node", "node", "a node", "nodes", "node"),
    Noun("vswitch", "vsw", "a vSwitch", "vswitches", "vswitch"),
    Noun("port_group", "pg", "a port group", "port_groups", "port_group"),
    Noun("pool", "pool", "a storage pool", "pools", "pool"),
    Noun("image", "img", "an image", "images", "image"),
    Noun("instance", "inst", "an instance", "instances", "vm"),
    Noun("volume", "vol", "a volume", "volumes", "volume"),
)
KINDS = tuple(noun.kind for noun in NOUNS)
WORDS = {noun.kind: noun.words for noun in NOUNS}
IN_CLUSTER = tuple(noun.kind for noun in NOUNS if noun.in_cluster)
