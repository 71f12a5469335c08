#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_cluster
short_description: Make clusters and issue clustering keys
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - A cluster is a set of nodes that share storage pools, networks and instances.
  - How many virtual CPUs may run on its nodes is a rule of the cluster.
  - A node joins a cluster with a clustering key, which is signed, expires, and is shown once.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
options:
  # Options of one resource: written by tools/write_module_docs.py
  name:
    description:
      - The name, by which everything else refers to it.
      - Exactly one of O(name) and O(clusters) is needed.
    type: str
  former_name: &former_name
    description:
      - The name that it had.
      - What is registered by that name gets the new one, and keeps its identifier and all that belongs
        to it.
      - Without this, another name is another thing.
      - Of no effect afterwards.
    type: str
  description: &description
    description:
      - One line about it, for people.
    type: str
  datacenter: &datacenter
    description:
      - The datacenter it stands in, by name or identifier.
      - With a single one it need not be given.
    type: str
  vcpus_per_thread: &vcpus_per_thread
    description:
      - How many virtual CPUs may run on a node for each of its threads.
      - It may be a fraction, such as 1.5.
      - 'What would take a node beyond this is refused: an instance that is made, started, grows or moves
        there.'
      - What runs already goes on.
      - A new one gets V(4) unless it is given.
    type: float
  vcpus_per_thread_warn: &vcpus_per_thread_warn
    description:
      - How many virtual CPUs may run on a node for each of its threads without a warning.
      - At most O(vcpus_per_thread).
      - A new one gets V(3) unless it is given.
    type: float
  resource_pools: &resource_pools
    description:
      - Devices of its nodes that do the same, whichever of them an instance gets, by its C(host_devices).
      - The list is all of them.
      - What instances have of a pool that goes, they keep.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name by which instances ask for a device.
        type: str
        required: true
      pci_model:
        description:
          - 'The vendor and the product of PCI devices, such as V(10de:2204): those of all nodes are in
            it.'
        type: str
      mdev_type:
        description:
          - 'The type of mediated devices, such as V(nvidia-63): those of all nodes that are active are
            in it.'
        type: str
      numa:
        description:
          - Of the PCI devices of that model only those at this NUMA node of their host.
        type: int
      devices:
        description:
          - Devices that are in it by name.
        type: list
        elements: dict
        suboptions:
          node:
            description:
              - The node that it is in, by name or identifier.
            type: str
            required: true
          pci:
            description:
              - The address of a PCI device, such as V(0000:65:00.0).
            type: str
          mdev:
            description:
              - The UUID of a mediated device.
            type: str
      memory:
        description:
          - 'How much memory each of them has, for people: hosts do not tell.'
        type: str
  state: &state
    description:
      - Whether it exists.
    type: str
    choices:
      - present
      - absent
    default: present
  clusters:
    description:
      - Many clusters at once, each with the same options as one. They are read in bulk, planned together
        and applied in parallel.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name, by which everything else refers to it.
        type: str
        required: true
      former_name: *former_name
      description: *description
      datacenter: *datacenter
      vcpus_per_thread: *vcpus_per_thread
      vcpus_per_thread_warn: *vcpus_per_thread_warn
      resource_pools: *resource_pools
      state: *state
  # End of the options of one resource
  issue_key:
    description:
      - Issue a clustering key. This is an act, so the task is then always changed.
    type: bool
    default: false
  key_lifetime:
    description:
      - For how many minutes the key is valid.
    type: int
    default: 60
seealso:
  - module: pextra.cloud.pextra_cluster_info
  - module: pextra.cloud.pextra_node
"""

EXAMPLES = r"""
- name: Have a cluster
  pextra.cloud.pextra_cluster:
    name: mtl-1
    datacenter: Montreal

- name: Issue a key for nodes that are to join
  pextra.cloud.pextra_cluster:
    name: mtl-1
    issue_key: true
    key_lifetime: 30
  register: cluster
  no_log: true

- name: Run at most two virtual CPUs for each thread of a node, and warn above one and a half
  pextra.cloud.pextra_cluster:
    name: mtl-1
    vcpus_per_thread: 2
    vcpus_per_thread_warn: 1.5

- name: Have GPUs to choose from, and cards of two nodes by their addresses
  pextra.cloud.pextra_cluster:
    name: mtl-1
    resource_pools:
      - name: gpus
        pci_model: "10de:2204"
        memory: 24 GiB
      - name: cards
        devices:
          - node: node1
            pci: "0000:04:00.0"
          - node: node2
            pci: "0000:05:00.0"

- name: Give it another name
  pextra.cloud.pextra_cluster:
    name: mtl-a
    former_name: mtl-1
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
    - 'cluster mtl-1: register'
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
cluster:
  description: The cluster; none when it does not exist.
  returned: success and partial failure, unless many were given
  type: dict
  contains: &contains
    id:
      description: The identifier.
      type: str
      sample: cls-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: mtl-1
    description:
      description: One line about it.
      type: str
      sample: Production
    datacenter:
      description: The datacenter that it stands in.
      type: str
      sample: Montreal
    vcpus_per_thread:
      description: How many virtual CPUs may run on a node for each of its threads.
      type: float
      sample: 4.0
    vcpus_per_thread_warn:
      description: How many may run there without a warning.
      type: float
      sample: 3.0
    resource_pools:
      description: Its resource pools, each with what is said of it.
      type: list
      elements: dict
      sample:
        - name: gpus
          pci_model: 10de:2204
          numa: 0
          memory: 24576
    nodes:
      description: Its nodes.
      type: list
      elements: str
      sample:
        - node1
        - node2
        - node3
    clustering_key:
      description: The key, only when O(issue_key=true). It is shown once; register it with C(no_log).
      type: str
      sample: pck1.eyJj.c2ln
clusters:
  description: The clusters, in the order in which they were given.
  returned: success and partial failure, when many were given
  type: list
  elements: dict
  contains: *contains
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.cluster.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.cluster.resource import ClusterResource

    return ClusterResource


_EXTRA = {
    "issue_key": {"type": "bool", "default": False, "no_log": False},
    "key_lifetime": {"type": "int", "default": 60, "no_log": False},
}


def main() -> None:
    run(_load, table=FIELDS, plural="clusters", extra=_EXTRA)


if __name__ == "__main__":
    main()
