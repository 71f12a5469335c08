#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_volume_info
short_description: Read volumes that live on their own, and what failed runs have left of such
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the volumes with their size, place and who has them, and files that bear the name of a volume and are none.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
seealso:
  - module: pextra.cloud.pextra_volume
"""

EXAMPLES = r"""
- name: Read two volumes
  pextra.cloud.pextra_volume_info:
    names: [data, scratch]
  register: volumes
"""

RETURN = r"""
# Values of a module that reads resources: written by tools/write_module_docs.py
volumes:
  description: The volumes that were found.
  returned: success
  type: list
  elements: dict
  contains:
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
        finds it by RV(volumes[].serial).
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
leftovers:
  description: What failed runs have left. M(pextra.cloud.pextra_volume) removes it with
    O(pextra.cloud.pextra_volume#module:purge).
  returned: success
  type: list
  elements: dict
  contains:
    file:
      description: Its name in the storage pool.
      type: str
      sample: data.vol-qthm_iLrflJ_DtSS1l4Gx.import.vmdk
    pool:
      description: The storage pool it is in.
      type: str
      sample: shared
    node:
      description: The node through which it was seen.
      type: str
      sample: node1
    name:
      description: The name of the volume that it was to be, or to become.
      type: str
      sample: data
    id:
      description: The identifier in its name.
      type: str
      sample: vol-qthm_iLrflJ_DtSS1l4Gx
    allocation:
      description: What it takes in the pool, in MiB.
      type: int
      sample: 512
    reason:
      description: Why it is taken for a leftover, and what keeps it from being removed now.
      type: str
      sample: no volume is registered under its identifier
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_info


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.resource import VolumeResource

    return VolumeResource


def main() -> None:
    run_info(_load, plural="volumes", further=("leftovers",))


if __name__ == "__main__":
    main()
