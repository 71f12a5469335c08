# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the inventory's files the values of the deployment document stand.

Ansible tags what it loads with its origin. That is for people only, and not every value has it: nothing is decided by
it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._document.hosts import GROUP

try:
    from ansible._internal._datatag._tags import Origin
except ImportError:  # it is internal to ansible-core, where it has been since 2.19
    Origin = None

# `pextra_pools`, or `pextra_nodes (node1).pextra_address`, and the rest of a mistake's path.
_HEAD = re.compile(rf"(?:{GROUP} \((?P<host>.*?)\)\.)?(?P<variable>\w+)")
# What is taken where a variable is not given.
_ELSE = {"pextra_address": "ansible_host"}
# A key, or an index with the name of the element there.
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>[0-9]+)\](?: \(.*?\)(?=[.\[]|$))?")

# A file, absolute, and a line of it.
Position = tuple[str, int | None]


class Positions:
    """variables: those of the deployment, hosts: those of each node, all as they were loaded."""

    def __init__(self, variables: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]) -> None:
        self._variables = variables
        self._hosts = hosts

    def find(self, path: str) -> Position | None:
        """Return where the value of a path stands, or else the nearest that it is in."""
        match = _HEAD.match(path)
        if match is None:
            return None
        value: Any = self._hosts.get(match["host"], {}) if match["host"] else self._variables
        variable = match["variable"]
        value, position = _enter(value, variable if variable in value else _ELSE.get(variable, variable))
        for step in _STEP.finditer(path, match.end()):
            if step["key"] is not None and isinstance(value, Mapping):
                value, found = _enter(value, step["key"])
            elif step["index"] is not None and isinstance(value, list | tuple) and int(step["index"]) < len(value):
                value = value[int(step["index"])]
                found = _tagged(value)
            else:
                break
            position = found or position
        return position


def _enter(mapping: Mapping[str, Any], key: str) -> tuple[Any, Position | None]:
    """Return what is under a key, and where it stands.

    A mapping that several files add to, or a merge key (`<<`), keeps the key of the first and the value of the last. So
    the value tells where it is; its key stands a line before, if it is a list or a mapping, and tells it for what has
    no place of its own (true, false, null).
    """
    for name, value in mapping.items():
        if name == key:
            if not _has_origin(value):
                return value, _tagged(name)
            there, before = _tagged(value), _tagged(name)
            is_above = _is_just_above(before, there) and isinstance(value, Mapping | list | tuple)
            return value, before if is_above else there
    return None, None


def _is_just_above(key: Position | None, value: Position | None) -> bool:
    if key is None or value is None or key[0] != value[0] or key[1] is None or value[1] is None:
        return False
    return 0 <= value[1] - key[1] <= 1


def _has_origin(value: object) -> bool:
    return Origin is not None and Origin.get_tag(value) is not None


def _tagged(value: object) -> Position | None:
    """Return the place of what came from a file; the command line is none."""
    origin = Origin.get_tag(value) if Origin is not None else None
    return (str(origin.path), origin.line_num) if origin is not None and origin.path else None
