#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_vswitch
short_description: Make vSwitches on the nodes of a cluster
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - A vSwitch is the bridge between instances and physical networks. On each of its nodes it is an Open vSwitch bridge
    and a libvirt network, both of its name.
  - Several uplinks are a bond, so that if one fails the others carry on. Uplinks can be changed at any time, the bridge
    stays. A change that Open vSwitch cannot carry out, because there is no such NIC for example, is taken back.
  - What was changed by hand on a node is found and mended. A bridge or a libvirt network of that name that is not this
    vSwitch's is refused, and never touched.
  - A vSwitch is removed from a node only when no instance there has a NIC on it. Its port groups go with it.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
options:
  # Options of one resource: written by tools/write_module_docs.py
  name:
    description:
      - The name, V(svswitchN) with N from 1, unique in the cluster.
      - Exactly one of O(name) and O(vswitches) is needed.
    type: str
  uplinks: &uplinks
    description:
      - The physical NICs it uses, the preferred first.
      - 'Several give redundancy: if one fails others carry on.'
    type: list
    elements: str
  bond_mode: &bond_mode
    description:
      - How several uplinks share the work.
      - A new one gets V(active-backup) unless it is given.
    type: str
    choices:
      - active-backup
      - balance-slb
  adopt: &adopt
    description:
      - 'Whether bridges of Open vSwitch with this name that are nobody''s become this vSwitch as they are,
        each with the libvirt network of its name that leads to it: their ports stay, and so do guests on
        them.'
      - A network is made where there is none, started, and starts with its node.
      - Unless O(nodes) is given, it is on those that have such a bridge.
      - Only with it the name may be another than V(svswitchN).
      - The call says only what it names, also in the deployment document.
      - What is said otherwise than it is, is refused.
      - Of no effect where it is the cloud's already.
    type: bool
  cluster: &cluster
    description:
      - The cluster, by name or identifier.
      - With a single cluster it need not be given.
    type: str
  nodes: &nodes
    description:
      - The nodes it is on, by name or identifier.
      - All nodes of the cluster unless given.
    type: list
    elements: str
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
  vswitches:
    description:
      - Many vSwitches at once, each with the same options as one. They are read in bulk, planned together
        and applied in parallel.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name, V(svswitchN) with N from 1, unique in the cluster.
        type: str
        required: true
      uplinks: *uplinks
      bond_mode: *bond_mode
      adopt: *adopt
      cluster: *cluster
      nodes: *nodes
      description: *description
      state: *state
  # End of the options of one resource
seealso:
  - module: pextra.cloud.pextra_vswitch_info
  - module: pextra.cloud.pextra_port_group
"""

EXAMPLES = r"""
- name: Have a vSwitch with two uplinks on all nodes
  pextra.cloud.pextra_vswitch:
    name: svswitch10
    uplinks: [eth1, eth2]

- name: Let both uplinks carry traffic
  pextra.cloud.pextra_vswitch:
    name: svswitch10
    uplinks: [eth1, eth2]
    bond_mode: balance-slb

- name: Have several, some on some nodes only
  pextra.cloud.pextra_vswitch:
    vswitches:
      - name: svswitch10
        uplinks: [eth1, eth2]
        description: Trunk to the core switches
      - name: svswitch20
        uplinks: [eth3]
        nodes: [node1, node2]

- name: Have a vSwitch without uplinks, for instances of the same node
  pextra.cloud.pextra_vswitch:
    name: svswitch99
    uplinks: []

- name: Take over a bridge that node1 has already, with the libvirt network of its name and the guests on it
  pextra.cloud.pextra_vswitch:
    name: ovsbr0
    adopt: true
    nodes: [node1]

- name: Remove a vSwitch
  pextra.cloud.pextra_vswitch:
    name: svswitch20
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
    - 'vswitch svswitch10: register'
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
vswitch:
  description: The vSwitch.
  returned: success and partial failure, unless many were given
  type: dict
  contains: &contains
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
vswitches:
  description: The vSwitches, in the order in which they were given.
  returned: success and partial failure, when many were given
  type: list
  elements: dict
  contains: *contains
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.resource import VswitchResource

    return VswitchResource


def main() -> None:
    run(_load, table=FIELDS, plural="vswitches")


if __name__ == "__main__":
    main()
