# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances as hosts of an inventory: which, their names, variables and groups. Pure.

An instance is a mapping as in module_utils/_nouns/instance/answer.py; what is not known of it is None.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._fields.plain import make_plain
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import InvalidInputError, Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import shown, suggest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.answer import INSTANCE

Instance = Mapping[str, Any]

PREFIX = "pextra_"
EVERYONE = "pextra_instances"
# By what hosts are grouped: the value of an instance that it is.
GROUPED_BY = {
    "organization": "organization",
    "datacenter": "datacenter",
    "cluster": "cluster",
    "node": "node",
    "tag": "tags",
    "flavor": "flavor",
    "profile": "profiles",
    "power": "power",
}
_LISTS = ("tags", "profiles", "nics")
_FAMILIES = {"any": (4, 6), "ipv4": (4,), "ipv6": (6,)}
# What no pattern of hosts takes for anything else, and ssh not for an option.
_HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
# Ansible gives what is called so a meaning of its own: no guest is to become the controller.
_RESERVED = frozenset({"localhost", "127.0.0.1", "::1", "all", "ungrouped"})


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which instances are hosts: those that have one of each that is given. An empty one lets all pass."""

    clusters: Collection[str] = ()
    organizations: Collection[str] = ()
    tags: Collection[str] = ()
    power: Collection[str] = ()

    def passes(self, instance: Instance) -> bool:
        given = (
            (self.clusters, [instance["cluster"]]),
            (self.organizations, [instance["organization"]]),
            (self.tags, instance["tags"] or ()),
            (self.power, [instance["power"]]),
        )
        return all(not wanted or any(value in wanted for value in values) for wanted, values in given)


@dataclass(frozen=True, kw_only=True)
class Reach:
    """By which NIC a host is reached: of this name, on this port group, with an address of this family."""

    nic: str | None = None
    network: str | None = None
    address_family: str = "any"


def name_hosts(instances: Sequence[Instance], style: str, is_taken: Callable[[str, str], bool]) -> list[str]:
    """Return a name for each instance, unique, and none that is taken. is_taken: tells of a name, and the identifier of
    the instance that would have it.

    style: `name` is the name, or name.cluster where that is not enough; `full` is always name.cluster; `id` is the
    identifier, which any instance has in the end.
    """
    names: list[str | None] = [None] * len(instances)
    used: set[str] = set()
    candidates = {"name": (_short, _full), "full": (_full,), "id": ()}[style]
    for candidate in candidates:
        wanted = {index: candidate(one) for index, one in enumerate(instances) if names[index] is None}
        count = Counter(wanted.values())
        for index, name in wanted.items():
            if count[name] == 1 and name not in used and _is_right(name) and not is_taken(name, instances[index]["id"]):
                names[index] = name
        used.update(name for name in names if name is not None)
    return [name if name is not None else str(one["id"]) for name, one in zip(names, instances, strict=True)]


def _short(instance: Instance) -> str:
    return str(instance["name"])


def _full(instance: Instance) -> str:
    return f"{instance['name']}.{instance['cluster']}" if instance["cluster"] else ""


def _is_right(name: str) -> bool:
    return _HOST_NAME.fullmatch(name) is not None and name.lower() not in _RESERVED


def variables_of(instance: Instance, reach: Reach) -> dict[str, Any]:
    """Return a host's variables, as plain values. What is not known is None, and of a list empty."""
    plain = {key: make_plain(instance[key] or () if key in _LISTS else instance[key]) for key in INSTANCE}
    variables = {f"{PREFIX}{key}": value for key, value in plain.items()}
    address = find_address(plain["nics"], reach)
    return variables if address is None else {**variables, "ansible_host": address}


def find_address(nics: Sequence[Mapping[str, Any]], reach: Reach) -> str | None:
    """Return the first address of the first NIC that may be meant and has one, without its prefix length."""
    families = _FAMILIES[reach.address_family]
    for nic in nics:
        if reach.nic not in (None, nic["name"]) or reach.network not in (None, nic["port_group"]):
            continue
        for text in nic["addresses"]:
            try:
                interface = ip_interface(text)
            except ValueError:
                continue  # written into the definition by hand: it is a value to show, and no address to connect to
            if interface.version in families:
                return str(interface.ip)
    return None


def prefixes_of(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the prefix of each kind of groups that are made. given: instead of the usual ones; an empty text or false
    makes none. Raises InvalidInputError for all mistakes at once.
    """
    problems = []
    prefixes = {kind: f"{PREFIX}{kind}_" for kind in GROUPED_BY}
    for kind, prefix in given.items():
        if kind not in GROUPED_BY:
            hint = suggest(kind, GROUPED_BY) or f" Allowed: {', '.join(GROUPED_BY)}."
            problems.append(Problem(f"group_prefixes: there are no groups by {shown(kind)}.{hint}"))
        elif prefix is False or prefix is None:
            prefixes[kind] = ""
        elif isinstance(prefix, str):
            prefixes[kind] = str(prefix)
        else:
            problems.append(Problem(f"group_prefixes.{kind}: {shown(prefix)} is no text; write one, or false for none"))
    if problems:
        raise InvalidInputError(problems)
    return {kind: prefix for kind, prefix in prefixes.items() if prefix}


def groups_of(instance: Instance, prefixes: Mapping[str, str]) -> Iterator[str]:
    """Yield the groups of a host, as they would be called if any name could be."""
    for kind, prefix in prefixes.items():
        value = instance[GROUPED_BY[kind]]
        for name in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
            if name:
                yield f"{prefix}{name}"
