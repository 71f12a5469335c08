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
        value, position = _enter(value, match["variable"])
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
    """Return what is under a key, and where the key stands; not every value has a place of its own."""
    for name, value in mapping.items():
        if name == key:
            return value, _tagged(name) or _tagged(value)
    return None, None


def _tagged(value: object) -> Position | None:
    origin = Origin.get_tag(value) if Origin is not None else None
    return (str(origin.path), origin.line_num) if origin is not None and origin.path else None
