#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_pool
short_description: Make storage pools on the nodes of a cluster
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - A storage pool is where volumes live. It is configured on a cluster, enabled on nodes, and propagated to them.
    On each of its nodes it is a libvirt storage pool of its name, which starts with the node.
  - A missing directory is made with mode 0711. One that is there is left as it is.
  - Before a pool is defined on a node, its source is tested. A node that cannot use it gets an error, and the others go
    on.
  - Passwords and keys are kept in secrets of the nodes' libvirt, which gives them to nobody.
  - Of a pool that exists only the nodes, the description and the password or key can change. A change of anything else
    is refused.
  - A pool that was stopped, undefined or changed by hand on a node is found and mended.
  - A libvirt storage pool that has the same name but is not ours, or lies in the same directory or in one within it or
    around it, is refused, and never touched.
  - A pool leaves a node only when the node holds no volumes in it. Copies of images do not count, and are deleted
    along. Neither the directory nor any other file in it is ever deleted, so no consent is needed.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
options:
  # Options of one resource: written by tools/write_module_docs.py
  name:
    description:
      - The name, by which everything else refers to it.
      - Exactly one of O(name) and O(pools) is needed.
    type: str
  type: &type
    description:
      - What the pool is made of.
      - For V(zfs) a zpool, and for V(lvm) a volume group, of the pool's name must exist on each of its
        nodes.
      - A new one gets V(directory) unless it is given.
    type: str
    choices:
      - directory
      - netfs
      - iscsi
      - rbd
      - zfs
      - lvm
  path: &path
    description:
      - The directory, for V(directory), or where it is mounted, for V(netfs).
      - V(/var/lib/pextra/pools/<name>) unless given.
      - It cannot be changed afterwards.
    type: str
  shared: &shared
    description:
      - Whether the nodes see the same files there, so that instances can move live between them.
      - It is for V(directory), where it is V(false) unless given; V(netfs), V(iscsi) and V(rbd) are shared,
        V(zfs) and V(lvm) are not.
    type: bool
  netfs: &netfs
    description:
      - The server's directory.
      - For the type V(netfs).
    type: dict
    suboptions:
      host:
        description:
          - The server, by host name or address.
          - Needed for a new one.
        type: str
      export:
        description:
          - 'What the server exports: a path such as V(/export/vms) for NFS, the name of the share for SMB.'
          - Needed for a new one.
        type: str
      format:
        description:
          - V(nfs), or V(cifs) for a share of an SMB server.
          - A new one gets V(nfs) unless it is given.
        type: str
        choices:
          - nfs
          - cifs
      username:
        description:
          - The user of the SMB server.
          - Without it the share is used as a guest.
        type: str
      password:
        description:
          - 'The user''s password. libvirt has no place for it: the role P(pextra.cloud.node#role) writes
            it on the nodes, to C(/etc/pextra/smb/<pool>), which root alone can read.'
        type: str
  iscsi: &iscsi
    description:
      - The target.
      - For the type V(iscsi).
    type: dict
    suboptions:
      host:
        description:
          - The server, by host name or address.
          - Needed for a new one.
        type: str
      port:
        description:
          - The TCP port of the portal.
          - A new one gets V(3260) unless it is given.
        type: int
      target:
        description:
          - The name of the target (IQN).
          - Needed for a new one.
        type: str
      username:
        description:
          - The user of CHAP.
          - Without it the target is used without a login.
        type: str
      password:
        description:
          - The password of CHAP, 12 characters or more.
          - It is kept in a secret of the nodes' libvirt.
        type: str
  rbd: &rbd
    description:
      - The pool of Ceph.
      - For the type V(rbd).
    type: dict
    suboptions:
      monitors:
        description:
          - The monitors of Ceph, by host name or address.
          - They are asked on port 3300 (messenger version 2).
          - In the deployment document they are derived for a pool of the deployment's own Ceph.
        type: list
        elements: str
      pool:
        description:
          - The pool of Ceph.
          - The name of the storage pool unless given.
        type: str
      user:
        description:
          - The user of Ceph, without V(client.) before it.
          - A new one gets V(pextra) unless it is given.
        type: str
      key:
        description:
          - The user's key.
          - It is kept in a secret of the nodes' libvirt.
        type: str
  adopt: &adopt
    description:
      - 'Whether storage pools of libvirt with this name that are not the cloud''s become this one as they
        are: no file, volume or guest in them is touched.'
      - They are started, and start with their nodes.
      - Unless O(nodes) is given, it is on those that have one.
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
  protected: &protected
    description:
      - 'Whether it is protected: it cannot be removed, nor taken off a node that has its own data in it,
        and what failed runs have left in it stays, whatever else a call says or consents to.'
      - A call of its own that sets V(false) ends that.
      - Instances and volumes in it have their own protection.
      - A new one gets V(false) unless it is given.
    type: bool
  state: &state
    description:
      - Whether it exists.
    type: str
    choices:
      - present
      - absent
    default: present
  pools:
    description:
      - Many storage pools at once, each with the same options as one. They are read in bulk, planned together
        and applied in parallel.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name, by which everything else refers to it.
        type: str
        required: true
      type: *type
      path: *path
      shared: *shared
      netfs: *netfs
      iscsi: *iscsi
      rbd: *rbd
      adopt: *adopt
      cluster: *cluster
      nodes: *nodes
      description: *description
      protected: *protected
      state: *state
  # End of the options of one resource
seealso:
  - module: pextra.cloud.pextra_pool_info
  - module: pextra.cloud.pextra_image
"""

EXAMPLES = r"""
- name: Have a pool on the local disks of all nodes
  pextra.cloud.pextra_pool:
    name: local

- name: Have several, one of them with the same files on every node
  pextra.cloud.pextra_pool:
    pools:
      - name: local
        path: /var/lib/pextra/pools/local
      - name: shared
        path: /srv/shared
        shared: true
        description: Instances in it can move live
      - name: fast
        path: /srv/nvme
        nodes: [node1, node2]

- name: Have an export of an NFS server on all nodes, and a volume group on one
  pextra.cloud.pextra_pool:
    pools:
      - name: vms
        type: netfs
        netfs:
          host: nfs.example.com
          export: /export/vms
      - name: vg0
        type: lvm
        nodes: [node1]

- name: Have a pool of Ceph
  pextra.cloud.pextra_pool:
    name: ceph
    type: rbd
    rbd:
      monitors: [192.0.2.1, 192.0.2.2, 192.0.2.3]
      pool: vms
      key: "{{ vault_ceph_key }}"

- name: Take over the pool of libvirt that the nodes have already, with all that is in it
  pextra.cloud.pextra_pool:
    name: images
    adopt: true

- name: Keep a pool from being removed; a later call has to set false first
  pextra.cloud.pextra_pool:
    name: shared
    protected: true

- name: Take a pool off all nodes, and keep it configured
  pextra.cloud.pextra_pool:
    name: fast
    path: /srv/nvme
    nodes: []

- name: Remove a pool that holds no volumes any more
  pextra.cloud.pextra_pool:
    name: fast
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
    - 'pool local: register'
    - 'pool local on node1: define and start'
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
pool:
  description: The storage pool; none when it does not exist.
  returned: success and partial failure, unless many were given
  type: dict
  contains: &contains
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
pools:
  description: The storage pools, in the order in which they were given.
  returned: success and partial failure, when many were given
  type: list
  elements: dict
  contains: *contains
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.resource import PoolResource

    return PoolResource


def main() -> None:
    run(_load, table=FIELDS, plural="pools")


if __name__ == "__main__":
    main()
