# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of ssh with which a connection to a host that stopped answering ends."""

from __future__ import annotations

DOCUMENTATION = r"""
name: bounded_ssh_args
short_description: Let ssh give up on a host that stopped answering
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes the arguments of ssh that the inventory has for a host, as C(ansible_ssh_args), or if there are none those of
    the configuration of Ansible, and adds that a connection ends when the host has not answered for 10 seconds.
  - Without that a host that is frozen keeps a run waiting for ever. How long the first answer of a host is waited for
    is Ansible's own option C(timeout).
  - Of two values for the same option ssh takes the first, so what is configured counts more.
options:
  _input:
    description: The arguments that the inventory has, or an empty text.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Prepare the nodes
  hosts: pextra_nodes
  vars:
    ansible_ssh_args: >-
      {{ hostvars[inventory_hostname].ansible_ssh_args | default('') | pextra.cloud.bounded_ssh_args }}
"""

RETURN = r"""
_value:
  description: The arguments.
  type: str
"""

from collections.abc import Callable
from typing import Any

from ansible import constants
from ansible.plugins.loader import connection_loader

_BOUNDS = "-o ServerAliveInterval=5 -o ServerAliveCountMax=2"


def bounded_ssh_args(given: str) -> str:
    """Return the arguments with the bounds."""
    return f"{given or _configured()} {_BOUNDS}"


def _configured() -> str:
    # Not the lookup "config": it would find the variable that is just being made.
    connection_loader.get("ssh", class_only=True)
    return str(constants.config.get_config_value("ssh_args", plugin_type="connection", plugin_name="ssh") or "")


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"bounded_ssh_args": bounded_ssh_args}
