# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight has found out about the hosts, added to the declared nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: with_node_facts
short_description: Add what preflight found out to declared nodes
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes a list of nodes and adds C(virt_type) from the fact C(pextra_node_facts) of the host of the same name.
  - A node that declares it itself, or whose host has no such fact in this run, stays as it is.
positional: hostvars
options:
  _input:
    description: The nodes.
    type: list
    elements: dict
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Have the nodes
  pextra.cloud.pextra_node:
    nodes: "{{ nodes | pextra.cloud.with_node_facts(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The nodes, with what was found out.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def with_node_facts(nodes: Sequence[Mapping[str, Any]], hostvars: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the nodes with the virt_type that preflight found to work."""
    return [_with_facts(node, hostvars) for node in nodes]


def _with_facts(node: Mapping[str, Any], hostvars: Mapping[str, Any]) -> dict[str, Any]:
    if node.get("virt_type") is not None or node["name"] not in hostvars:
        return dict(node)
    facts = hostvars[node["name"]].get("pextra_node_facts") or {}
    return {**node, "virt_type": facts["virt_type"]} if "virt_type" in facts else dict(node)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"with_node_facts": with_node_facts}
