#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_pool_info
short_description: Read storage pools
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the storage pools, their status on each node with the reason of an error, and how full they are.
options:
  foreign:
    description:
      - Whether to tell of the storage pools of the nodes' libvirt that are not the cloud's as well, in RV(foreign).
    type: bool
    default: false
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
seealso:
  - module: pextra.cloud.pextra_pool
"""

EXAMPLES = r"""
- name: Read all storage pools
  pextra.cloud.pextra_pool_info:
  register: found

- name: Complain about pools that are not available everywhere
  ansible.builtin.assert:
    that: found.pools | rejectattr('status', 'eq', 'available') | length == 0

- name: Tell what would adopt the storage pools that are not the cloud's
  pextra.cloud.pextra_pool_info:
    foreign: true
  register: pools

- name: Write them down as elements of a deployment document
  ansible.builtin.copy:
    content: "{{ {'pextra_pools': pools.foreign | map(attribute='element') | select} | to_nice_yaml }}"
    dest: /root/adopted-pools.yml
    mode: "0600"
"""

RETURN = r"""
foreign:
  description:
    - The storage pools of the nodes' libvirt that are not the cloud's, by name; those of one name that are made of the
      same are one. Empty without O(foreign=true).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
      sample: images
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
        uuid:
          description: The UUID that it has there.
          type: str
          sample: 6f0c8f0e-3a0d-4b49-9d5e-0b6c2f6f3a01
        active:
          description: Whether it is started.
          type: bool
          sample: true
        autostart:
          description: Whether it starts with the node.
          type: bool
          sample: true
    element:
      description: What adopts it as it is, an element of V(pextra_pools); none where that cannot be.
      type: dict
      sample: {name: images, adopt: true, nodes: [node1], type: directory, path: /var/lib/libvirt/images}
    remarks:
      description: What the adoption does to it, or why it cannot be adopted.
      type: list
      elements: str
      sample: ["node1: it is stopped; adopted, it is started"]
# Values of a module that reads resources: written by tools/write_module_docs.py
pools:
  description: The storage pools that were found.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The identifier.
      type: str
      sample: pool-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: local
    cluster:
      description: The cluster it is configured on.
      type: str
      sample: mtl-1
    type:
      description: What it is made of.
      type: str
      sample: directory
    path:
      description: The directory on each of its nodes; none for types that have none.
      type: str
      sample: /var/lib/pextra/pools/local
    shared:
      description: Whether its nodes see the same files.
      type: bool
      sample: false
    description:
      description: One line about it.
      type: str
      sample: The disks of the hosts
    protected:
      description: Whether it is protected from being removed and replaced.
      type: bool
      sample: true
    status:
      description:
        - V(unassigned) (enabled on no node), V(available) (on all its nodes), V(error), V(propagating)
          or V(destroying).
      type: str
      sample: available
    capacity:
      description: Bytes in all, of all its nodes together; once if it is shared.
      type: int
      sample: 107374182400
    allocation:
      description: Bytes in use, counted likewise.
      type: int
      sample: 21474836480
    available:
      description: Bytes that are free, counted likewise.
      type: int
      sample: 85899345920
    nodes:
      description: The nodes that have it, or still have it while it is being destroyed.
      type: list
      elements: dict
      contains:
        name:
          description: The node.
          type: str
          sample: node1
        enabled:
          description: Whether the node shall have it.
          type: bool
          sample: true
        status:
          description: V(available), V(error), V(propagating) or V(destroying).
          type: str
          sample: available
        error:
          description: Why it is in error.
          type: str
          sample: it is defined, but stopped
        error_at:
          description: When propagation failed, in seconds since the epoch.
          type: float
          sample: 1767225600.0
        capacity:
          description: Bytes in all.
          type: int
          sample: 107374182400
        allocation:
          description: Bytes in use.
          type: int
          sample: 21474836480
        available:
          description: Bytes that are free.
          type: int
          sample: 85899345920
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
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.resource import PoolResource

    return PoolResource


def main() -> None:
    extra = {"foreign": {"type": "bool", "default": False}}
    run_info(_load, plural="pools", extra=extra, further=("foreign",))


if __name__ == "__main__":
    main()
