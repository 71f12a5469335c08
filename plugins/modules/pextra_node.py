#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

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
  # Options of one resource: written by tools/write_module_docs.py
  name:
    description:
      - The name of the node, as in the inventory.
      - Exactly one of O(name) and O(nodes) is needed.
    type: str
  address: &address
    description:
      - The management address.
      - It must not change after the node has joined.
    type: str
  migration_address: &migration_address
    description:
      - The address to which running instances move.
      - The management address unless given.
      - Of a cluster all nodes have one, in one network, or none.
    type: str
  cluster: &cluster
    description:
      - The cluster, by name or identifier.
      - With a single cluster it need not be given.
    type: str
  description: &description
    description:
      - One line about it, for people.
    type: str
  virt_type: &virt_type
    description:
      - 'How the node runs virtual machines: V(kvm) in hardware, V(qemu) in software.'
    type: str
    choices:
      - kvm
      - qemu
  containers: &containers
    description:
      - 'Whether containers can be there: instances of the type V(lxc), for which libvirt has a driver of
        its own.'
      - Not so unless given.
    type: bool
  architectures: &architectures
    description:
      - The architectures that the node emulates beside its own, in software and slowly, for instances that
        declare one of them (C(architecture)).
      - It needs QEMU for them.
      - None unless given.
    type: list
    elements: str
  shared_directories: &shared_directories
    description:
      - Directories of the host that instances may mount and write to (C(filesystems) of an instance), and
        no others.
      - They have to be there.
      - None unless given.
    type: list
    elements: str
  memory_reserved: &memory_reserved
    description:
      - Memory kept for the host itself, which instances may not take.
      - An eighth of its memory, at most 8 GiB, unless given.
      - A host that runs OSDs of Ceph needs 4 GiB more for each.
    type: str
  state: &state
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
      address: *address
      migration_address: *migration_address
      cluster: *cluster
      description: *description
      virt_type: *virt_type
      containers: *containers
      architectures: *architectures
      shared_directories: *shared_directories
      memory_reserved: *memory_reserved
      state: *state
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

- name: Let running instances move to it over a network of their own
  pextra.cloud.pextra_node:
    name: node1
    migration_address: 10.92.0.11

- name: Let instances mount a directory of it
  pextra.cloud.pextra_node:
    name: node2
    shared_directories: [/srv/media]

- name: Let a node leave that holds nothing any more
  pextra.cloud.pextra_node:
    name: node2
    state: absent

- name: Forget a node that has died, with all that only it had
  pextra.cloud.pextra_node:
    name: node2
    state: absent
    dead: true
    confirm: DESTROY
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
    - 'node node1: join cluster mtl-1, write its identity'
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
node:
  description: The node; none when it does not exist.
  returned: success and partial failure, unless many were given
  type: dict
  contains: &contains
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
    migration_address:
      description: The address to which running instances move.
      type: str
      sample: 10.92.0.11
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
    containers:
      description: Whether containers can be there.
      type: bool
      sample: false
    architectures:
      description: Architectures that it emulates beside its own.
      type: list
      elements: str
      sample:
        - aarch64
    shared_directories:
      description: Directories of it that instances may mount.
      type: list
      elements: str
      sample:
        - /srv/media
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
  description: The nodes, in the order in which they were given.
  returned: success and partial failure, when many were given
  type: list
  elements: dict
  contains: *contains
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.resource import NodeResource

    return NodeResource


_EXTRA = {"clustering_key": {"type": "str", "no_log": True}, "dead": {"type": "bool", "default": False}}


def main() -> None:
    run(_load, table=FIELDS, plural="nodes", extra=_EXTRA)


if __name__ == "__main__":
    main()
