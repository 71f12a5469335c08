# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options in module_utils/_fields/argspec.py that only modules that change something have."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  confirm:
    description:
      - Consent to lose data.
      - Without V(DESTROY) the module fails before it touches anything, and names what would be lost.
    type: str
    choices: [DESTROY]
  lease_timeout:
    description:
      - How many seconds to wait for another run that is changing the same resource.
    type: int
    default: 60
  earlier_changes:
    description:
      - Only for check mode, whether an earlier task of the same run would make something that this one may need.
      - What would be refused because it is not there yet is then a warning that it cannot be known, and no failure.
    type: bool
    default: false
"""

    # Return values that every such module has.
    RETURN = r"""
actions:
  description: What was done, or in check mode would be done, a line per resource and node.
  returned: success
  type: list
  elements: str
  sample: ["instance web-1 on node1: create volume root, define, start"]
pending:
  description: Differences that take effect at the next restart of the instance.
  returned: success
  type: list
  elements: dict
  sample: []
errors:
  description: Every problem, one element each.
  returned: failure
  type: list
  elements: dict
  contains:
    node:
      description: The node it is about.
      type: str
      sample: node3
    resource:
      description: The resource it is about.
      type: str
      sample: pool shared
    what:
      description: What happened.
      type: str
      sample: 10.91.0.13 port 16514 does not answer within 5 s
    remedy:
      description: What to do.
      type: str
      sample: Check that the node is up and that the network lets the port through.
"""
