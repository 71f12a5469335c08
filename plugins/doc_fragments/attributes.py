# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes of the modules."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode, and then says what a real run would do.
    support: full
  diff_mode:
    description: Returns what differs, which is what it changes.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  action_group:
    description: Takes module defaults from the action group C(pextra.cloud.cloud).
    support: full
    membership: [pextra.cloud.cloud]
"""

    INFO = r"""
attributes:
  check_mode:
    description: Only reads, and does so in check mode too.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to compare.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
  action_group:
    description: Takes module defaults from the action group C(pextra.cloud.cloud).
    support: full
    membership: [pextra.cloud.cloud]
options:
  names:
    description: Return only these, by name or identifier.
    type: list
    elements: str
"""

    # Of a module that acts on its own host.
    HOST = r"""
attributes:
  check_mode:
    description: Can run in check mode, and then says what a real run would do.
    support: full
  diff_mode:
    description: Returns what differs, which is what it changes.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  action_group:
    description: Takes module defaults from the action group C(pextra.cloud.cloud).
    support: none
    membership: []
    details: It runs on each of the hosts, not on a coordinator, and shares no options with the modules that do.
"""

    # Of a module that reads its own host.
    HOST_INFO = r"""
attributes:
  check_mode:
    description: Only reads, and does so in check mode too.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to compare.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
  action_group:
    description: Takes module defaults from the action group C(pextra.cloud.cloud).
    support: none
    membership: []
    details: It runs on each of the hosts, not on a coordinator, and shares no options with the modules that do.
"""

    # Of an action that has no module, and takes all that it needs from the run's variables.
    CONTROLLER = r"""
attributes:
  action:
    description: Runs on the controller only.
    support: full
  check_mode:
    description: Changes nothing, and does the same in check mode.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to compare.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
  action_group:
    description: Has no options, so it takes no module defaults.
    support: none
    membership: []
"""
