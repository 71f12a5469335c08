#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_port_group
short_description: Make port groups, which instances attach to
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - A port group belongs to a vSwitch and carries the VLAN of the instances that are attached to it.
  - On each node of the vSwitch it is a port group of the libvirt network. Instances that run follow at once when the
    VLAN changes, without an interruption of their link; all of a node in one transaction.
  - A VLAN that was changed by hand, in the network or on the port of an instance, is found and mended.
  - A port group is removed, or moved to another vSwitch, only when no instance has a NIC on it.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
options:
  # Options of one resource: written by tools/write_module_options.py
  name:
    description:
      - The name, by which everything else refers to it.
      - Exactly one of O(name) and O(port_groups) is needed.
    type: str
  vswitch:
    description:
      - The vSwitch it belongs to, by name or identifier.
    type: str
  vlan:
    description:
      - The VLAN of its frames on the uplinks, 1 to 4094; V(0) for untagged.
      - A new one gets V(0) unless it is given.
    type: int
  cluster:
    description:
      - The cluster, by name or identifier.
      - With a single cluster it need not be given.
    type: str
  description:
    description:
      - One line about it, for people.
    type: str
  state:
    description:
      - Whether it exists.
    type: str
    choices:
      - present
      - absent
    default: present
  port_groups:
    description:
      - Many port groups at once, each with the same options as one. They are read in bulk, planned together
        and applied in parallel.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name, by which everything else refers to it.
        type: str
        required: true
      vswitch:
        description:
          - The vSwitch it belongs to, by name or identifier.
        type: str
      vlan:
        description:
          - The VLAN of its frames on the uplinks, 1 to 4094; V(0) for untagged.
          - A new one gets V(0) unless it is given.
        type: int
      cluster:
        description:
          - The cluster, by name or identifier.
          - With a single cluster it need not be given.
        type: str
      description:
        description:
          - One line about it, for people.
        type: str
      state:
        description:
          - Whether it exists.
        type: str
        choices:
          - present
          - absent
        default: present
  # End of the options of one resource
notes:
  - An instance in a port group without a VLAN sends and receives untagged frames only. It cannot join a VLAN by tagging
    its frames itself.
seealso:
  - module: pextra.cloud.pextra_port_group_info
  - module: pextra.cloud.pextra_vswitch
  - module: pextra.cloud.pextra_vm
"""

EXAMPLES = r"""
- name: Have a port group for VLAN 42
  pextra.cloud.pextra_port_group:
    name: Production
    vswitch: svswitch10
    vlan: 42

- name: Have several
  pextra.cloud.pextra_port_group:
    port_groups:
      - name: Production
        vswitch: svswitch10
        vlan: 42
      - name: DMZ
        vswitch: svswitch10
        vlan: 99
        description: What the world reaches

- name: Have an untagged one, on the only vSwitch there is
  pextra.cloud.pextra_port_group:
    name: Native

- name: Remove a port group
  pextra.cloud.pextra_port_group:
    name: DMZ
    state: absent
"""

RETURN = r"""
# Values of every module that changes something: written by tools/write_module_options.py
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
# End of the values of every module that changes something
port_group:
  description: The resource, when it was given by its options.
  returned: success, unless many were given
  type: dict
  contains:
    id:
      description: The identifier; none for what check mode would make.
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
      sample: [node1, node2, node3]
    running:
      description: The running instances that are attached to it.
      type: list
      elements: str
      sample: [web-1, web-2]
port_groups:
  description: The resources, when many were given, in their order.
  returned: success, when many were given
  type: list
  elements: dict
  contains:
    id:
      description: The identifier; none for what check mode would make.
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
      sample: [node1, node2, node3]
    running:
      description: The running instances that are attached to it.
      type: list
      elements: str
      sample: [web-1, web-2]
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._runner import run
from ansible_collections.pextra.cloud.plugins.module_utils._spec.port_group import FIELDS


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._resource.port_group import PortGroupResource

    return PortGroupResource


def main() -> None:
    run(_load, table=FIELDS, plural="port_groups")


if __name__ == "__main__":
    main()
