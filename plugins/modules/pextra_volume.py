#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_volume
short_description: Have volumes that live on their own, and attach them to instances
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - A volume lives in a storage pool, whatever becomes of the instances that have it. It is attached to one instance at
    a time, also while that runs, and detached again with its data. Volumes that belong to an instance are those of
    M(pextra.cloud.pextra_vm).
  - It lies in a pool of the type V(directory), V(netfs), V(rbd), V(lvm) or V(zfs). What it can be follows from the
    pool; what the pool cannot do is refused before anything is touched.
  - It is made empty, as a full or linked clone of another one, or from a qcow2, raw, VMDK or VDI file on the
    coordinator's disk. The file's header is looked at before anything is touched; files that name other files are
    refused. The format is stated, and never guessed. What is copied is read back and compared.
  - It grows while the guest runs, and the guest sees it. It shrinks only with consent, and never while it is in use.
  - It is destroyed only when no instance has it and no linked clone shares its blocks, and only with consent.
  - An instance that is removed lets its volumes of this kind go; they stay.
  - A killed run leaves a volume whose making is not finished, or a file on the way. The same declaration finishes it.
    M(pextra.cloud.pextra_volume_info) reports what is left, and O(purge) removes it.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
options:
  # Options of one resource: written by tools/write_module_docs.py
  name:
    description:
      - The name, by which everything else refers to it.
      - Exactly one of O(name) and O(volumes) is needed.
    type: str
  cluster: &cluster
    description:
      - The cluster, by name or identifier.
      - With a single cluster it need not be given.
    type: str
  pool: &pool
    description:
      - The storage pool, by name or identifier.
      - Needed to make the volume; it cannot be changed afterwards.
    type: str
  node: &node
    description:
      - The node where it lies, for pools that are not shared.
      - That of O(attached_to), or the one with most space, unless given.
      - It cannot be changed afterwards.
    type: str
  size: &size
    description:
      - Its size.
      - It may grow, also while an instance uses it.
      - It shrinks only with consent, and only while no running instance uses it.
      - In pools of the types V(lvm) and V(zfs) it does neither.
      - That of what it is cloned or imported from unless given.
    type: str
  format: &format
    description:
      - The format of the volume.
      - V(qcow2) unless given, and V(raw) for a thick volume, or where the pool knows no other.
      - It cannot be changed afterwards.
    type: str
    choices:
      - qcow2
      - raw
  provisioning: &provisioning
    description:
      - Whether it takes its space when it is written, or at once.
      - V(thin) unless given; in pools of the type V(lvm) always V(thick), and of the type V(rbd) always
        V(thin).
      - It cannot be changed afterwards.
    type: str
    choices:
      - thin
      - thick
  attached_to: &attached_to
    description:
      - The instance that has it, by name or identifier; the empty text for none.
      - Left as it is unless given; in the deployment document it is then attached to none.
    type: str
  cache: &cache
    description:
      - The cache mode.
      - V(none) unless given.
      - V(unsafe) loses data when the node does.
      - A running instance has a change after its next restart.
    type: str
    choices:
      - none
      - writeback
      - writethrough
      - directsync
      - unsafe
  discard: &discard
    description:
      - Whether blocks that the guest discards become free.
      - V(unmap) unless given.
      - A running instance has a change after its next restart.
    type: str
    choices:
      - unmap
      - ignore
  limits: &limits
    description:
      - Limits of its input and output.
      - They change at once, also while an instance uses it.
    type: dict
    suboptions:
      iops:
        description:
          - Operations per second; V(0) for no limit.
          - A new one gets V(0) unless it is given.
        type: int
      iops_read:
        description:
          - Read operations per second; V(0) for no limit.
          - A new one gets V(0) unless it is given.
        type: int
      iops_write:
        description:
          - Write operations per second; V(0) for no limit.
          - A new one gets V(0) unless it is given.
        type: int
      bandwidth:
        description:
          - Bytes read and written per second, such as 100 MiB; V(0 MiB) for no limit.
          - A new one gets V(0 MiB) unless it is given.
        type: str
      bandwidth_read:
        description:
          - Bytes read per second, such as 100 MiB; V(0 MiB) for no limit.
          - A new one gets V(0 MiB) unless it is given.
        type: str
      bandwidth_write:
        description:
          - Bytes written per second, such as 100 MiB; V(0 MiB) for no limit.
          - A new one gets V(0 MiB) unless it is given.
        type: str
  clone_of: &clone_of
    description:
      - The volume that it is made from, by name or identifier.
      - It only says how it begins.
    type: str
  clone_mode: &clone_mode
    description:
      - V(full) is independent of the other.
      - V(linked) shares the other's blocks until they are written; the other then can be neither attached,
        nor resized, nor destroyed.
      - Pools of the types V(lvm) and V(zfs) have no V(linked).
      - V(full) unless given.
    type: str
    choices:
      - full
      - linked
  import_from: &import_from
    description:
      - The file that it is made from.
      - It only says how it begins.
    type: dict
    suboptions:
      path:
        description:
          - A file on the coordinator's disk.
        type: str
        required: true
      format:
        description:
          - The format of the file.
          - It is never guessed.
          - Pools of the types V(rbd), V(lvm) and V(zfs) take V(qcow2) and V(raw).
        type: str
        required: true
        choices:
          - qcow2
          - raw
          - vmdk
          - vdi
      sha256:
        description:
          - The SHA-256 that the file must have.
          - It is not looked at unless given.
        type: str
  description: &description
    description:
      - One line about it, for people.
    type: str
  protected: &protected
    description:
      - 'Whether it is protected: it can neither be destroyed nor shrink, whatever else a call says or consents
        to.'
      - A call of its own that sets V(false) ends that.
      - A new one gets V(false) unless it is given.
    type: bool
  grow_by: &grow_by
    description:
      - 'How much larger than O(size) it is to be: O(size) is then what it has now.'
      - It grows once; what it has must be the one or the other.
    type: str
  state: &state
    description:
      - Whether it exists.
    type: str
    choices:
      - present
      - absent
    default: present
  volumes:
    description:
      - Many volumes at once, each with the same options as one. They are read in bulk, planned together
        and applied in parallel.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name, by which everything else refers to it.
        type: str
        required: true
      cluster: *cluster
      pool: *pool
      node: *node
      size: *size
      format: *format
      provisioning: *provisioning
      attached_to: *attached_to
      cache: *cache
      discard: *discard
      limits: *limits
      clone_of: *clone_of
      clone_mode: *clone_mode
      import_from: *import_from
      description: *description
      protected: *protected
      grow_by: *grow_by
      state: *state
  # End of the options of one resource
  purge:
    description:
      - Remove what failed runs have left, as M(pextra.cloud.pextra_volume_info) reports it. Needs O(confirm=DESTROY).
      - Nothing that is registered and complete, that an instance uses, or that does not bear a name of this kind is
        ever touched. Volumes that are no longer declared stay; remove those with O(state=absent).
    type: bool
    default: false
seealso:
  - module: pextra.cloud.pextra_volume_info
  - module: pextra.cloud.pextra_volume_export
  - module: pextra.cloud.pextra_vm
  - module: pextra.cloud.pextra_pool
"""

EXAMPLES = r"""
- name: Have a volume, attached to an instance
  pextra.cloud.pextra_volume:
    name: data
    pool: shared
    size: 20 GiB
    attached_to: db
    limits: {iops: 2000, bandwidth: 100 MiB}

- name: Let it grow by 5 GiB, once
  pextra.cloud.pextra_volume:
    name: data
    size: 20 GiB
    grow_by: 5 GiB

- name: Detach it; its data stays
  pextra.cloud.pextra_volume:
    name: data
    attached_to: ""

- name: Have several
  pextra.cloud.pextra_volume:
    volumes:
      - name: scratch
        pool: local
        node: node2
        size: 100 GiB
        provisioning: thick
        cache: writeback
      - name: data-copy
        pool: shared
        clone_of: data
      - name: appliance
        pool: shared
        import_from: {path: /srv/import/appliance.vmdk, format: vmdk}

- name: Keep a volume from being destroyed; a later call has to set false first
  pextra.cloud.pextra_volume:
    name: data
    protected: true

- name: Destroy one
  pextra.cloud.pextra_volume:
    name: scratch
    state: absent
    confirm: DESTROY

- name: Remove what failed runs have left
  pextra.cloud.pextra_volume:
    volumes: []
    purge: true
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
    - 'volume data on node1: grow it to 20 GiB'
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
volume:
  description: The volume; none when it does not exist.
  returned: success and partial failure, unless many were given
  type: dict
  contains: &contains
    id:
      description: The identifier.
      type: str
      sample: vol-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: data
    cluster:
      description: The cluster it belongs to.
      type: str
      sample: mtl-1
    pool:
      description: The storage pool it is in.
      type: str
      sample: shared
    node:
      description: The node it lies on; none where the pool is shared.
      type: str
      sample: node1
    file:
      description: Its name in the storage pool.
      type: str
      sample: data.vol-qthm_iLrflJ_DtSS1l4Gx.qcow2
    status:
      description: V(available), V(attached), V(kept) (an instance had it and has it no more; it becomes
        a volume on its own by being declared), V(unfinished) (a run that made it was killed; the same
        declaration makes it anew), V(missing) (its data has gone from the pool), or V(unknown) when no
        node can tell.
      type: str
      sample: attached
    size:
      description: Its size in MiB.
      type: int
      sample: 20480
    allocation:
      description: What it takes in the pool, in MiB; none when that cannot be told.
      type: int
      sample: 1312
    format:
      description: Its format.
      type: str
      sample: qcow2
    provisioning:
      description: V(thin) or V(thick).
      type: str
      sample: thin
    attached_to:
      description: The instance that has it.
      type: str
      sample: db
    target:
      description: Its device name in the definition of the instance. A guest may name it otherwise, and
        finds it by RV(volume.serial).
      type: str
      sample: vdb
    serial:
      description: What a guest finds it by, as C(/dev/disk/by-id/virtio-<serial>).
      type: str
      sample: qthm_iLrflJ_DtSS1l4G
    cache:
      description: The cache mode.
      type: str
      sample: none
    discard:
      description: The discard mode.
      type: str
      sample: unmap
    limits:
      description: The limits that are set; bandwidths are MiB per second.
      type: dict
      sample:
        iops: 2000
        bandwidth: 100
    clone_of:
      description: The volume that it was made from, by the name that it had.
      type: str
      sample: golden
    clone_mode:
      description: V(full) or V(linked).
      type: str
      sample: linked
    imported_from:
      description: The file that it was made from.
      type: str
      sample: /srv/import/data.vmdk
    linked_clones:
      description: The volumes that share its blocks.
      type: list
      elements: str
      sample: []
    description:
      description: One line about it.
      type: str
      sample: Database
    protected:
      description: Whether it is protected from being removed and replaced.
      type: bool
      sample: true
volumes:
  description: The volumes, in the order in which they were given.
  returned: success and partial failure, when many were given
  type: list
  elements: dict
  contains: *contains
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.resource import VolumeResource

    return VolumeResource


def main() -> None:
    run(_load, table=FIELDS, plural="volumes", extra={"purge": {"type": "bool", "default": False}})


if __name__ == "__main__":
    main()
