#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_vswitch_info
short_description: Read vSwitches
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the vSwitches, their uplinks with the state of their links on each node, and their port groups.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
seealso:
  - module: pextra.cloud.pextra_vswitch
  - module: pextra.cloud.pextra_port_group_info
"""

EXAMPLES = r"""
- name: Read all vSwitches
  pextra.cloud.pextra_vswitch_info:
  register: found

- name: Complain about uplinks without a link
  ansible.builtin.assert:
    that: found.vswitches | map(attribute='nodes') | flatten | rejectattr('status', 'eq', 'available') | length == 0

- name: Read one
  pextra.cloud.pextra_vswitch_info:
    names: [svswitch10]
"""

RETURN = r"""
# Values of a module that reads resources: written by tools/write_module_docs.py
vswitches:
  description: The vSwitches that were found.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The identifier; none when it does not exist.
      type: str
      sample: vsw-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: svswitch10
    cluster:
      description: The cluster it belongs to.
      type: str
      sample: mtl-1
    description:
      description: One line about it.
      type: str
      sample: Trunk to the core switches
    uplinks:
      description: The physical NICs that it is to use on each node.
      type: list
      elements: str
      sample:
        - eth1
        - eth2
    bond_mode:
      description: How several uplinks share the work.
      type: str
      sample: active-backup
    nodes:
      description: What it is like on each of its nodes.
      type: list
      elements: dict
      contains:
        node:
          description: The node.
          type: str
          sample: node1
        status:
          description: V(available), V(error) or V(unreachable).
          type: str
          sample: available
        reason:
          description: Why it is not available.
          type: str
          sample: no uplink has a link
        datapath:
          description: V(system) when the kernel switches, V(netdev) when Open vSwitch does so itself.
          type: str
          sample: system
        active_uplink:
          description: The uplink that carries the traffic now; none with V(balance-slb), which uses all.
          type: str
          sample: eth1
        uplinks:
          description: The uplinks as they are.
          type: list
          elements: dict
          contains:
            name:
              description: The NIC.
              type: str
              sample: eth1
            link:
              description: V(up), V(down), V(unknown) or V(error).
              type: str
              sample: up
            active:
              description: Whether it carries the traffic now.
              type: bool
              sample: true
            error:
              description: Why Open vSwitch cannot use it.
              type: str
              sample: could not open network device eth1 (No such device)
    port_groups:
      description: The port groups that belong to it.
      type: list
      elements: dict
      contains:
        id:
          description: The identifier.
          type: str
          sample: pg-qthm_iLrflJ_DtSS1l4Gx
        name:
          description: The name.
          type: str
          sample: Production
        vlan:
          description: The VLAN, none if it is untagged.
          type: int
          sample: 42
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
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.resource import VswitchResource

    return VswitchResource


def main() -> None:
    run_info(_load, plural="vswitches")


if __name__ == "__main__":
    main()
