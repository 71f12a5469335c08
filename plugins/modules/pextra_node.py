#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_node
short_description: Let nodes join and leave a cluster
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - A node is a host that runs instances. The role node prepares it; this module makes it a member.
  - A host that joins needs the certificate of this deployment and the cluster's clustering key.
  - A node that carries the identity of this cluster already needs no key.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
options:
  # Options of one resource: written by tools/write_module_options.py
  name:
    description:
      - The name of the node, as in the inventory.
      - Exactly one of O(name) and O(nodes) is needed.
    type: str
  address:
    description:
      - The management address.
      - It must not change after the node has joined.
    type: str
  cluster:
    description:
      - The cluster, by name or identifier.
      - With a single cluster it need not be given.
    type: str
  description:
    description:
      - One line about it, for people.
    type: str
  virt_type:
    description:
      - 'How the node runs virtual machines: V(kvm) in hardware, V(qemu) in software.'
    type: str
    choices:
      - kvm
      - qemu
  memory_reserved:
    description:
      - Memory kept for the host itself, which instances may not take.
      - An eighth of its memory, at most 8 GiB, unless given.
      - A host that runs OSDs of Ceph needs 4 GiB more for each.
    type: str
  state:
    description:
      - Whether it exists.
    type: str
    choices:
      - present
      - absent
    default: present
  nodes:
    description:
      - Many nodes at once, each with the same options as one. They are read in bulk, planned together and
        applied in parallel.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name of the node, as in the inventory.
        type: str
        required: true
      address:
        description:
          - The management address.
          - It must not change after the node has joined.
        type: str
      cluster:
        description:
          - The cluster, by name or identifier.
          - With a single cluster it need not be given.
        type: str
      description:
        description:
          - One line about it, for people.
        type: str
      virt_type:
        description:
          - 'How the node runs virtual machines: V(kvm) in hardware, V(qemu) in software.'
        type: str
        choices:
          - kvm
          - qemu
      memory_reserved:
        description:
          - Memory kept for the host itself, which instances may not take.
          - An eighth of its memory, at most 8 GiB, unless given.
          - A host that runs OSDs of Ceph needs 4 GiB more for each.
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
  clustering_key:
    description:
      - The key that lets the nodes join. Needed only for nodes that have not joined.
    type: str
  dead:
    description:
      - With O(state=absent), whether the nodes have died and will not come back. They are not asked then, and what
        only they had is forgotten, their instances and volumes included, for which O(confirm) is needed.
      - A node that answers is refused. Be sure that it cannot run instances any more before anything takes their place.
      - Volumes in shared storage pools stay, as volumes that an instance has left.
    type: bool
    default: false
seealso:
  - module: pextra.cloud.pextra_node_info
  - module: pextra.cloud.pextra_cluster
"""

EXAMPLES = r"""
- name: Let two nodes join
  pextra.cloud.pextra_node:
    clustering_key: "{{ cluster.cluster.clustering_key }}"
    nodes:
      - name: node1
        address: 10.91.0.11
        virt_type: kvm
      - name: node2
        address: 10.91.0.12
        virt_type: kvm
        memory_reserved: 2 GiB

- name: Let a node leave that holds nothing any more
  pextra.cloud.pextra_node:
    name: node2
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
node:
  description: The resource, when it was given by its options.
  returned: success, unless many were given
  type: dict
  contains:
    id:
      description: The identifier.
      type: str
      sample: node-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: node1
    address:
      description: The management address.
      type: str
      sample: 10.91.0.11
    cluster:
      description: The cluster.
      type: str
      sample: mtl-1
    description:
      description: One line about it.
      type: str
      sample: Rack 3
    virt_type:
      description: How it runs virtual machines.
      type: str
      sample: kvm
    memory_reserved:
      description: Memory kept for the host, in MiB.
      type: int
      sample: 2048
    health:
      description: V(healthy) or V(unreachable).
      type: str
      sample: healthy
    reason:
      description: Why it is not healthy.
      type: str
      sample: ''
    facts:
      description: What the host is made of; memory in MiB.
      type: dict
      sample:
        hostname: node1
        cores: 8
        memory: 32048
        memory_free: 20011
        libvirt_version: 9000000
nodes:
  description: The resources, when many were given, in their order.
  returned: success, when many were given
  type: list
  elements: dict
  contains:
    id:
      description: The identifier.
      type: str
      sample: node-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: node1
    address:
      description: The management address.
      type: str
      sample: 10.91.0.11
    cluster:
      description: The cluster.
      type: str
      sample: mtl-1
    description:
      description: One line about it.
      type: str
      sample: Rack 3
    virt_type:
      description: How it runs virtual machines.
      type: str
      sample: kvm
    memory_reserved:
      description: Memory kept for the host, in MiB.
      type: int
      sample: 2048
    health:
      description: V(healthy) or V(unreachable).
      type: str
      sample: healthy
    reason:
      description: Why it is not healthy.
      type: str
      sample: ''
    facts:
      description: What the host is made of; memory in MiB.
      type: dict
      sample:
        hostname: node1
        cores: 8
        memory: 32048
        memory_free: 20011
        libvirt_version: 9000000
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._runner import run
from ansible_collections.pextra.cloud.plugins.module_utils._spec.node import FIELDS


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._resource.node import NodeResource

    return NodeResource


_EXTRA = {"clustering_key": {"type": "str", "no_log": True}, "dead": {"type": "bool", "default": False}}


def main() -> None:
    run(_load, table=FIELDS, plural="nodes", extra=_EXTRA)


if __name__ == "__main__":
    main()
