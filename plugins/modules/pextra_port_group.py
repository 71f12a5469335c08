#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

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
  # Options of one resource: written by tools/write_module_docs.py
  name:
    description:
      - The name, by which everything else refers to it.
      - Exactly one of O(name) and O(port_groups) is needed.
    type: str
  vswitch: &vswitch
    description:
      - The vSwitch it belongs to, by name or identifier.
    type: str
  vlan: &vlan
    description:
      - The VLAN of its frames on the uplinks, 1 to 4094; V(0) for untagged.
      - A new one gets V(0) unless it is given.
    type: int
  adopt: &adopt
    description:
      - 'Whether port groups of this name in the libvirt networks of its vSwitch that are nobody''s become
        this one as they are: guests on them stay.'
      - Where the network of a node has none, it is made.
      - The call says only what it names, also in the deployment document.
      - What is said otherwise than it is, is refused.
      - Of no effect where it is the cloud's already.
    type: bool
  cluster: &cluster
    description:
      - The cluster, by name or identifier.
      - With a single cluster it need not be given.
    type: str
  description: &description
    description:
      - One line about it, for people.
    type: str
  state: &state
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
      vswitch: *vswitch
      vlan: *vlan
      adopt: *adopt
      cluster: *cluster
      description: *description
      state: *state
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

- name: Take over one that the libvirt network of an adopted bridge has already
  pextra.cloud.pextra_port_group:
    name: Old
    vswitch: ovsbr0
    adopt: true

- name: Remove a port group
  pextra.cloud.pextra_port_group:
    name: DMZ
    state: absent
"""

RETURN = r"""
# Values of a module that changes resources: written by tools/write_module_docs.py
actions:
  description: What was done, or in check mode would be done, in order; one line for each resource and
    node, or act.
  returned: success and partial failure
  type: list
  elements: str
  sample:
    - 'port_group Production: register'
changes:
  description: What changes in it, or in check mode would, and when each of that takes effect; one element
    for each option of each resource, in the order of RV(actions). Nothing of what stays as it is.
  returned: success and partial failure
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of resource.
      type: str
      sample: instance
    name:
      description: The name of the resource.
      type: str
      sample: web-1
    node:
      description: The node it is on; none for what is registered alone.
      type: str
      sample: node1
    option:
      description: The option, with what stands in a list by its name, such as C(volumes.data.size); or
        what else differs, such as C(node), or C(name) of what is removed.
      type: str
      sample: memory
    before:
      description: What is; none for nothing. Sizes are in MiB. In place of a secret stands that there
        is one.
      type: raw
      sample: 512
    after:
      description: What should be, likewise.
      type: raw
      sample: 1024
    when:
      description: V(live) if it takes effect at once; V(hot_plug) if it is plugged into a running guest,
        or out of it, which has to play along; V(next_boot) if a guest has it from its next start on;
        V(replace) if it destroys data.
      type: str
      sample: next_boot
pending:
  description: Differences that a running instance has until its next restart, each as in RV(changes),
    and told by every run until then.
  returned: success and partial failure
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of resource.
      type: str
      sample: instance
    name:
      description: The name of the resource.
      type: str
      sample: web-1
    node:
      description: The node it is on; none for what is registered alone.
      type: str
      sample: node1
    option:
      description: The option, with what stands in a list by its name, such as C(volumes.data.size); or
        what else differs, such as C(node), or C(name) of what is removed.
      type: str
      sample: memory
    before:
      description: What is; none for nothing. Sizes are in MiB. In place of a secret stands that there
        is one.
      type: raw
      sample: 512
    after:
      description: What should be, likewise.
      type: raw
      sample: 1024
    when:
      description: V(live) if it takes effect at once; V(hot_plug) if it is plugged into a running guest,
        or out of it, which has to play along; V(next_boot) if a guest has it from its next start on;
        V(replace) if it destroys data.
      type: str
      sample: next_boot
diff:
  description: What differs before and after; of many resources the first 200.
  returned: with C(--diff), when something differs
  type: list
  elements: dict
  contains:
    before_header:
      description: What it is about.
      type: str
      sample: instance web-1 on node1
    before:
      description: What is, one line for each difference.
      type: str
      sample: 'memory: 512 MiB'
    after_header:
      description: What it is about.
      type: str
      sample: instance web-1 on node1
    after:
      description: What should be, likewise.
      type: str
      sample: 'memory: 1 GiB'
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
port_group:
  description: The port group.
  returned: success and partial failure, unless many were given
  type: dict
  contains: &contains
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
port_groups:
  description: The port groups, in the order in which they were given.
  returned: success and partial failure, when many were given
  type: list
  elements: dict
  contains: *contains
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.resource import PortGroupResource

    return PortGroupResource


def main() -> None:
    run(_load, table=FIELDS, plural="port_groups")


if __name__ == "__main__":
    main()
