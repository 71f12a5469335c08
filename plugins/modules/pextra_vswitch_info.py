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
options:
  foreign:
    description:
      - Whether to tell of the nodes' bridges of Open vSwitch that are not the cloud's as well, with the libvirt
        networks over them, in RV(foreign).
    type: bool
    default: false
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

- name: Tell what would adopt the bridges and networks that are not the cloud's
  pextra.cloud.pextra_vswitch_info:
    foreign: true
  register: switches

- name: Write them down as elements of a deployment document
  ansible.builtin.copy:
    content: >-
      {{ {'pextra_vswitches': switches.foreign | map(attribute='element') | select,
          'pextra_port_groups': switches.foreign | map(attribute='port_groups') | flatten} | to_nice_yaml }}
    dest: /root/adopted-networks.yml
    mode: "0600"
"""

RETURN = r"""
foreign:
  description:
    - The bridges of Open vSwitch on the nodes that are not the cloud's, by name; those of one name with the same
      uplinks are one. Empty without O(foreign=true).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
      sample: ovsbr0
    cluster:
      description: The cluster of its nodes.
      type: str
      sample: mtl-1
    nodes:
      description: The nodes that have it, and how it is there.
      type: list
      elements: dict
      contains:
        name:
          description: The node.
          type: str
          sample: node1
        network:
          description: The UUID of the libvirt network of its name; none if there is none.
          type: str
          sample: 6f0c8f0e-3a0d-4b49-9d5e-0b6c2f6f3a01
        ports:
          description: Its ports.
          type: list
          elements: str
          sample: [eth1, vnet0]
    element:
      description: What adopts it as it is, an element of V(pextra_vswitches); none where that cannot be.
      type: dict
      sample: {name: ovsbr0, adopt: true, nodes: [node1]}
    port_groups:
      description: What adopts the port groups of its network as they are, elements of V(pextra_port_groups).
      type: list
      elements: dict
      sample: [{name: Production, vswitch: ovsbr0, adopt: true, vlan: 42}]
    remarks:
      description: What of it stays as it is and is not managed, what the adoption makes, or why it cannot be adopted.
      type: list
      elements: str
      sample: ["node1: its ports eth1 stay as they are, and are not managed"]
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
    extra = {"foreign": {"type": "bool", "default": False}}
    run_info(_load, plural="vswitches", extra=extra, further=("foreign",))


if __name__ == "__main__":
    main()
