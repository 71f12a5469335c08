# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts with which a node mounts SMB shares."""

from __future__ import annotations

DOCUMENTATION = r"""
name: smb_accounts
short_description: List the accounts with which a node mounts SMB shares
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes the storage pools of the validated document and returns the accounts of those of the type V(netfs) that the
    node shall have and that name a user.
positional: node
options:
  _input:
    description: The storage pools.
    type: list
    elements: dict
    required: true
  node:
    description: The node's name.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Prepare the node
  ansible.builtin.include_role:
    name: pextra.cloud.node
  vars:
    node_smb_accounts: "{{ pools | pextra.cloud.smb_accounts(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: Of each account the pool, the username and the password.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def smb_accounts(pools: Sequence[Mapping[str, Any]], node: str) -> list[dict[str, Any]]:
    """Return pool, username and password of every SMB share of a node that wants a user."""
    return [
        {"pool": pool["name"], "username": netfs["username"], "password": netfs["password"]}
        for pool in pools
        if pool.get("state") != "absent" and node in (pool.get("nodes") or ())
        if (netfs := pool.get("netfs") or {}).get("username")
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"smb_accounts": smb_accounts}
