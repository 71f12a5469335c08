# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every name, address and path of the lab. Nothing else invents one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PREFIX = "pextra"
SUITE = "bookworm"
# Many are for measuring alone: the inventories of the lab name three.
NODE_NUMBERS = range(1, 41)

LAB_DIRECTORY = Path(__file__).resolve().parents[1]
REPOSITORY = LAB_DIRECTORY.parents[1]
STATE_DIRECTORY = REPOSITORY / ".build" / "lab"
SHARED_DIRECTORY = STATE_DIRECTORY / "shared"
SSH_KEY = STATE_DIRECTORY / "id_ed25519"
KNOWN_HOSTS = STATE_DIRECTORY / "known_hosts"
CACHE_DIRECTORY = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pextra-lab"
GUEST_IMAGE = CACHE_DIRECTORY / "tiny.qcow2"
FULL_GUEST_IMAGE = CACHE_DIRECTORY / "full.qcow2"

# Where SHARED_DIRECTORY is on every node.
SHARED_MOUNT = "/srv/shared"

# Locally administered; no other program of the machine uses it.
MAC_PREFIX = "02:5b:00:00:"
MANAGEMENT_SUBNET = "10.91.0.0/24"
MANAGEMENT_NETWORK = f"{PREFIX}-mgmt"
TRUNK_NETWORKS = (f"{PREFIX}-trunk1", f"{PREFIX}-trunk2")
# The two ends of the cable that joins the trunk switches.
TRUNK_LINK = (f"{PREFIX}-link1", f"{PREFIX}-link2")

INPUTS_LABEL = "pextra-lab.inputs"
KIND_LABEL = "pextra-lab.kind"
LAB_LABEL = "pextra-lab"


def image_name(kind: str) -> str:
    """podman's name of an image. Without a suite it is of the lab's own Debian."""
    return f"localhost/pextra-lab/{kind}" + ("" if ":" in kind else f":{SUITE}")


@dataclass(frozen=True)
class Node:
    """One node of the lab: its name in inventories, and what follows from its number."""

    number: int

    @property
    def name(self) -> str:
        return f"node{self.number}"

    @property
    def container(self) -> str:
        return f"{PREFIX}-{self.name}"

    @property
    def address(self) -> str:
        return f"10.91.0.{10 + self.number}"

    def mac(self, nic: int) -> str:
        """The MAC of eth0, eth1 or eth2: a rebuilt node keeps its hardware, so nobody's neighbour cache is wrong."""
        return f"{MAC_PREFIX}{self.number:02x}:{nic:02x}"


def parse_node(text: str) -> Node:
    """`node4`, or the container's name, as a Node; raises ValueError otherwise."""
    for number in NODE_NUMBERS:
        node = Node(number)
        if text in (node.name, node.container):
            return node
    last = NODE_NUMBERS[-1]
    raise ValueError(f'"{text}" is not a node of the lab: write node1 to node{last}')
