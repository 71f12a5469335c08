#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_port_group_info
short_description: Read port groups
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the port groups, their VLANs, and the running instances that are attached to them.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
seealso:
  - module: pextra.cloud.pextra_port_group
  - module: pextra.cloud.pextra_vswitch_info
"""

EXAMPLES = r"""
- name: Read all port groups
  pextra.cloud.pextra_port_group_info:
  register: found

- name: Read one
  pextra.cloud.pextra_port_group_info:
    names: [Production]
"""

RETURN = r"""
# Values of a module that reads resources: written by tools/write_module_docs.py
port_groups:
  description: The port groups that were found.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The identifier; none when it does not exist.
      type: str
      sample: pg-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: Production
    cluster:
      description: The cluster it belongs to.
      type: str
      sample: mtl-1
    description:
      description: One line about it.
      type: str
      sample: What customers reach
    vswitch:
      description: The vSwitch it belongs to.
      type: str
      sample: svswitch10
    vlan:
      description: The VLAN, none if it is untagged.
      type: int
      sample: 42
    nodes:
      description: The nodes it is on, which are those of its vSwitch.
      type: list
      elements: str
      sample:
        - node1
        - node2
        - node3
    running:
      description: The running instances that are attached to it.
      type: list
      elements: str
      sample:
        - web-1
        - web-2
unreachable_nodes:
  description: The nodes that did not answer, and why, as in RV(errors).
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
unknown:
  description: V(true) where a check cannot know yet what is there, and what would change; C(msg) says
    why.
  returned: in check mode, before the coordinator or what earlier tasks make is there
  type: bool
  sample: true
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_info


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.resource import PortGroupResource

    return PortGroupResource


def main() -> None:
    run_info(_load, plural="port_groups")


if __name__ == "__main__":
    main()
