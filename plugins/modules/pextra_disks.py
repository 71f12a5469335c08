#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare local disks of a node for volume groups, zpools and Ceph."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_disks
short_description: Prepare local disks for volume groups, zpools and Ceph
version_added: 0.1.0
description:
  - Makes volume groups and zpools of the disks of a node that meet declared filters, and extends them.
    For Ceph it selects the disks and returns them.
  - Takes exactly as many disks as are declared. If there are more or fewer to choose from, none is taken, and the
    error lists them, and why each other disk is passed over.
  - Never takes a disk that is in use (mounts, swap, LVM, md, ZFS, open files, definitions of libvirt), that is not the
    node's own (iSCSI, Fibre Channel, USB), or, unless wiping it is declared, that holds a signature or a partition
    table.
  - Takes no disk out of a volume group or zpool, and destroys neither.
author:
  - The pextra.cloud founders (@pextra)
extends_documentation_fragment:
  - pextra.cloud.disk_sets
  - pextra.cloud.attributes.host
requirements:
  - lvm2 on the node for volume groups; zfsutils-linux and a kernel with ZFS for zpools
notes:
  - Volume groups that it made bear the tag V(pextra), and zpools the property V(cloud.pextra:disks).
    Others are refused.
seealso:
  - module: pextra.cloud.pextra_disks_info
  - module: pextra.cloud.pextra_pool
"""

EXAMPLES = r"""
- name: Have a volume group of the two NVMe disks, and a zpool of four large disks
  pextra.cloud.pextra_disks:
    node: node1
    sets:
      - name: vg0
        use: lvm
        match: {rotational: false, path: /dev/disk/by-id/nvme-*}
        count: 2
      - name: tank
        use: zfs
        match:
          rotational: true
          size: {min: 3 TiB, max: 4 TiB}
        count: 4
        layout: mirror

- name: Make a volume group of one disk, and destroy what the disk holds
  pextra.cloud.pextra_disks:
    node: node1
    sets:
      - name: vg1
        use: lvm
        match: {serial: S4EVNX0R123456}
        count: 1
        wipe: true
        confirm: DESTROY
"""

RETURN = r"""
# Values of a module that acts on its own host: written by tools/write_module_docs.py
actions:
  description: What was done, or in check mode would be done, in order; one line for each resource and
    node, or act.
  returned: success and partial failure
  type: list
  elements: str
  sample:
    - make volume group vg0 of /dev/sdb (1.8 TiB, CT2000, serial 2231E6)
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
# End of the values that are written
sets:
  description: The sets, each with its disks by paths that stay with them.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: The name of the set., type: str, sample: vg0}
    use: {description: What the disks are prepared as., type: str, sample: lvm}
    devices:
      description: All its disks. For Ceph those that the role C(ceph) takes or has taken.
      type: list
      elements: str
      sample: [/dev/disk/by-id/ata-CT2000_2231E6]
    taken:
      description: Those among them that were taken by this run.
      type: list
      elements: str
      sample: [/dev/disk/by-id/ata-CT2000_2231E6]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.drives import Tools
from ansible_collections.pextra.cloud.plugins.module_utils._fields.argspec import options_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.preparing import DisksWork
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.spec import FIELDS, parse_disk_sets
from ansible_collections.pextra.cloud.plugins.module_utils._runner import require_no_mistakes, run_on_host

ARGUMENTS: dict[str, Any] = {
    "node": {"type": "str", "required": True},
    "sets": {"type": "list", "elements": "dict", "required": True, "options": options_of(FIELDS)},
}


def make(module: AnsibleModule) -> DisksWork:
    sets, mistakes = parse_disk_sets(module.params["sets"], "sets")
    require_no_mistakes(mistakes)
    return DisksWork(module.params["node"], sets, Tools(module.run_command, module.get_bin_path))


def main() -> None:
    run_on_host(ARGUMENTS, make, failing="the disks cannot be prepared")


if __name__ == "__main__":
    main()
