# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which words of patterns of hosts name nobody."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unknown_hosts
short_description: List which words of patterns name no host and no group
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes patterns of hosts by the variables that hold them, and returns each word in them that matches no host and no
    group. Ansible itself passes over such a word, and over a play without hosts.
positional: groups
options:
  _input:
    description: The patterns, such as C(pextra_nodes:!node3), by the names of their variables.
    type: dict
    required: true
  groups:
    description: The groups of the inventory with their hosts, as the variable C(groups).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse to begin where nobody is meant
  ansible.builtin.assert:
    that: "{'pextra_node_hosts': pextra_node_hosts} | pextra.cloud.unknown_hosts(groups) == []"
"""

RETURN = r"""
_value:
  description: Of each word the variable, the whole pattern, and the word.
  type: list
  elements: dict
"""

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ansible.inventory.manager import split_host_pattern

# A range of those that match, such as [0] or [1:3].
_SUBSCRIPT = re.compile(r"\[-?[0-9]+(?:[:-]-?[0-9]*)?\]$")
_ALWAYS = ("all", "localhost", "127.0.0.1", "::1")


def unknown_hosts(patterns: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Return variable, pattern and word of every word that matches nobody."""
    known = {*groups, *_ALWAYS, *(str(host) for hosts in groups.values() for host in hosts)}
    return [
        {"variable": variable, "pattern": str(pattern), "word": word}
        for variable, pattern in patterns.items()
        for word in _words(pattern)
        if not word.startswith("~") and not any(fnmatchcase(name, word) for name in known)
    ]


def _words(pattern: Any) -> list[str]:
    texts = [pattern] if isinstance(pattern, str) else [str(one) for one in pattern]
    words = (str(word).strip().lstrip("!&") for text in texts for word in split_host_pattern(text))
    return [_SUBSCRIPT.sub("", word) for word in words if word]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unknown_hosts": unknown_hosts}
