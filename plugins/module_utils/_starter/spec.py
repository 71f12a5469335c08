# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new deployment is made of, as it is asked of a person. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._fields.address_ranges import NO_HOSTS, find_range
from .._fields.checks import check_inventory_name, check_name, check_node_address, check_uplink, check_word
from .._fields.field import Field, parse
from .._model.mistake import Mistake, shown
from .._nouns.image.distributions import DISTRIBUTIONS
from .._nouns.instance.cloud_init_checks import check_public_key

# How many hosts a deployment begins with: a majority of its coordinators must survive.
SIZES = (1, 3, 5)
NO_IMAGE = "none"
PIPELINES = ("github", "gitlab")
_MOST_PREFIX = 27
_FIRST_GUEST = 11
# Answers that say that there is none, as the questions suggest them.
_NOTHING = {"uplinks": {"none"}, "vlan": {"none", "untagged"}, "ssh_key": {"none"}}


def _check_nic(value: str) -> str | None:
    if value.lower() in _NOTHING["uplinks"]:
        return f"{shown(value)} is no NIC; write it alone, to have none"
    return check_uplink(value)


def check_subnet(value: str) -> str | None:
    """A network of guests, such as 172.20.0.0/24."""
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        return f"{shown(value)} is not a network of IPv4; write its address and prefix length, such as 172.20.0.0/24"
    if "/" not in value or not 8 <= network.prefixlen <= _MOST_PREFIX:
        return (
            f"{shown(value)} has an unsuitable prefix length; write one from 8 to {_MOST_PREFIX}, such as 172.20.0.0/24"
        )
    kind = find_range(network.network_address, NO_HOSTS)
    return f"{shown(value)} is a {kind} network; guests need one such as 172.20.0.0/24" if kind is not None else None


_NODE: Mapping[str, Field] = {
    "name": Field(kind="str", required=True, check=check_inventory_name, help="The host's name in the inventory."),
    "address": Field(
        kind="str",
        required=True,
        check=check_node_address,
        help="The address by which Ansible and the other nodes reach it. It must not change.",
    ),
}
FIELDS: Mapping[str, Field] = {
    "directory": Field(
        kind="str",
        required=True,
        help="The directory that it is written to, from where C(ansible-playbook) was called. It is made if it is not "
        "there. What is there already is never overwritten.",
    ),
    "deployment": Field(
        kind="str",
        required=True,
        check=check_name,
        help="The name of the deployment, which its certificates carry. It cannot be changed afterwards.",
    ),
    "nodes": Field(
        kind="list",
        required=True,
        element=Field(kind="dict", table=_NODE, help="A host."),
        help="The hosts, one, three or five. Also as text, C(alpha=192.168.1.11, bravo=192.168.1.12), or as a mapping "
        "of names to addresses.",
    ),
    "user": Field(
        kind="str",
        default="root",
        check=check_word,
        help="Who Ansible logs in as: V(root), or who may become root by sudo.",
    ),
    "uplinks": Field(
        kind="list",
        element=Field(kind="str", check=_check_nic, help="A NIC."),
        unique=True,
        help="The NICs that carry the instances' frames, by the names that all hosts have of them; never the one of "
        "the management address. Without one, instances of a host reach each other and nothing else. Also as text, "
        "separated by commas.",
    ),
    "vlan": Field(kind="int", minimum=1, maximum=4094, help="The VLAN of the first port group. Untagged unless given."),
    "subnet": Field(
        kind="str",
        default="172.20.0.0/24",
        check=check_subnet,
        help="The network of the first instance, which may be that of the hosts; the first address in it is the "
        "gateway, and no host's.",
    ),
    "image": Field(
        kind="str",
        default="debian-12",
        choices=(*DISTRIBUTIONS, NO_IMAGE),
        help="The cloud image that the first instance begins from, or V(none): then image and instance are written as "
        "comments.",
    ),
    "ssh_key": Field(
        kind="str",
        check=check_public_key,
        no_log=False,
        help="The public key that may log in on the first instance, as one line of C(authorized_keys), or the file on "
        "the controller that has it. Without one nobody can, until it is written down.",
    ),
    "pipelines": Field(
        kind="list",
        default=PIPELINES,
        element=Field(kind="str", choices=PIPELINES, help="A service."),
        unique=True,
        help="For which services files are written that validate a change, comment with its plan, and apply it once "
        "it is merged. Also as text, separated by commas.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Node:
    name: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Starter:
    """A deployment to be. uplinks is empty, and vlan 0, where none were given."""

    directory: str
    deployment: str
    nodes: tuple[Node, ...]
    user: str
    uplinks: tuple[str, ...]
    vlan: int
    subnet: str
    image: str
    ssh_key: str | None
    pipelines: tuple[str, ...]

    @property
    def is_among_hosts(self) -> bool:
        """Whether the first instance is in the network of a host."""
        return any(ipaddress.ip_address(node.address) in ipaddress.IPv4Network(self.subnet) for node in self.nodes)

    @property
    def gateway(self) -> str:
        return str(ipaddress.IPv4Network(self.subnet)[1])

    @property
    def first_address(self) -> str:
        """Of the first instance, with its prefix length. The hosts may be in the same network."""
        network = ipaddress.IPv4Network(self.subnet)
        taken = {ipaddress.ip_address(node.address) for node in self.nodes}
        # The smallest network has more than enough for all hosts.
        addresses = (network[number] for number in range(_FIRST_GUEST, network.num_addresses - 1))
        return f"{next(address for address in addresses if address not in taken)}/{network.prefixlen}"

    @property
    def coordinators(self) -> tuple[str, ...]:
        """One, or the first three."""
        return tuple(node.name for node in self.nodes[:3])


def read_starter(given: Mapping[str, Any]) -> tuple[Starter | None, list[Mistake]]:
    """Read what was asked or given. Returns (what is to be written, or None; every mistake).

    Blank is not given, and so is `none` where that can be an answer.
    """
    raw = {key: value for key, value in given.items() if value is not None and not _is_nothing(key, value)}
    if "nodes" in raw:
        raw["nodes"] = _read_nodes(raw["nodes"])
    for key in ("uplinks", "pipelines"):
        if isinstance(raw.get(key), str):
            raw[key] = [word.strip() for word in raw[key].split(",") if word.strip()]
    values, mistakes = parse(FIELDS, raw, "")
    mistakes += _find_mistakes(raw.get("nodes"), raw.get("subnet", FIELDS["subnet"].default))
    if mistakes:
        return None, mistakes
    nodes = tuple(Node(**node) for node in values["nodes"])
    lists = {key: tuple(values[key] or ()) for key in ("uplinks", "pipelines")}
    return Starter(**{**values, **lists, "nodes": nodes, "vlan": values["vlan"] or 0}), []


def _is_nothing(key: str, value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() in {"", *_NOTHING.get(key, ())}


def _read_nodes(value: object) -> object:
    """Return the nodes as a list of mappings, from whichever way they may be written in."""
    if isinstance(value, Mapping):
        return [{"name": name, "address": address} for name, address in value.items()]
    if not isinstance(value, str):
        return value
    found: list[dict[str, str]] = []
    for word in value.split(","):
        name, equals, address = (part.strip() for part in word.partition("="))
        if name or address:
            found.append({"name": name, **({"address": address} if equals else {})})
    return found


def _find_mistakes(nodes: object, subnet: object) -> list[Mistake]:
    """Check what no single field can tell."""
    if not isinstance(nodes, list) or not nodes:
        return []
    mistakes = []
    if len(nodes) not in SIZES:
        problem = f"has {len(nodes)} hosts; begin with one, three or five, and add others to the inventory afterwards"
        mistakes.append(Mistake("nodes", problem))
    for key in ("name", "address"):
        given = [node.get(key) for node in nodes if isinstance(node, Mapping)]
        words = [word for word in given if isinstance(word, str)]
        twice = sorted({word for word in words if words.count(word) > 1})
        mistakes += [Mistake("nodes", f"has the {key} {shown(word)} twice; each host needs its own") for word in twice]
    if isinstance(subnet, str) and check_subnet(subnet) is None:
        gateway = str(ipaddress.IPv4Network(subnet)[1])
        problem = (
            f"has a host at {gateway}, which is the gateway of the instances in {subnet}; give the host another "
            "address, or the instances another subnet"
        )
        is_there = any(isinstance(node, Mapping) and node.get("address") == gateway for node in nodes)
        mistakes += [Mistake("nodes", problem)] if is_there else []
    return mistakes
