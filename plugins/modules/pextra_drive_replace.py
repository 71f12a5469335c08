#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace a drive of a volume group or zpool."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_drive_replace
short_description: Replace a drive of a volume group or zpool
version_added: 0.1.0
description:
  - Lets another disk take the place of a drive in a volume group or zpool that M(pextra.cloud.pextra_disks) made,
    copies what is on it while everything goes on working, and waits until that is done.
  - A drive of a zpool with redundancy may be gone already. What was on a missing drive of a volume group is lost, and
    needs O(confirm).
  - The disk that comes instead has to be empty. Nothing is wiped.
  - A replacement that was interrupted is gone on with by the next call.
author:
  - The pextra.cloud founders (@pextra)
options:
  node:
    description: The node's name in the inventory, for messages.
    type: str
    required: true
  drive:
    description:
      - The drive that leaves, by its serial number or one of its paths.
      - A drive that is missing can be named by what LVM or ZFS calls it. The error for a wrong name lists the drives.
    type: str
    required: true
  replacement:
    description:
      - The disk that comes instead, by its serial number or one of its paths.
      - Unless given, it is the only empty disk that meets the filter of the set.
    type: str
  timeout:
    description:
      - How many seconds to wait for the copying. After that the call fails, and another one goes on waiting.
    type: int
    default: 86400
  confirm:
    description: V(DESTROY) to consent to the loss of the logical volumes that had parts on a missing drive.
    type: str
    choices: [DESTROY]
  sets:
    description:
      - The declared sets of disks of this node, as in M(pextra.cloud.pextra_disks).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name of the set, unique on its node.
          - The volume group or zpool has it too, and so has the storage pool that uses it.
        type: str
        required: true
      use:
        description:
          - 'What the disks are prepared as: a volume group, a zpool, or devices that the role C(ceph) takes.'
        type: str
        required: true
        choices:
          - lvm
          - zfs
          - ceph
      match:
        description:
          - Which disks of the node.
          - A disk is taken only if it meets all that is given.
        type: dict
        required: true
        suboptions:
          size:
            description:
              - The range of sizes.
              - A disk sold as 1 TB has 931 GiB.
            type: dict
            suboptions:
              min:
                description:
                  - The smallest size, for example V(100 GiB).
                type: str
              max:
                description:
                  - The largest size.
                type: str
          rotational:
            description:
              - V(true) for disks that turn, V(false) for SSDs and NVMe.
            type: bool
          model:
            description:
              - The model, in which C(*) and C(?) stand for any characters.
            type: str
          serial:
            description:
              - The serial number, in which C(*) and C(?) stand for any characters.
            type: str
          path:
            description:
              - One of the disk's paths, such as V(/dev/disk/by-id/nvme-*).
              - C(*) and C(?) stand for any characters.
            type: str
      count:
        description:
          - Exactly how many disks.
          - If there are more or fewer to choose from, none is taken.
          - Raise it to add disks.
        type: int
        required: true
      layout:
        description:
          - How a zpool spreads data over its disks, for V(zfs).
          - V(stripe) survives no loss of a disk.
          - V(mirror) keeps everything on two disks, pair by pair.
          - V(raidz) survives the loss of one disk.
          - Needed with more than one disk.
        type: str
        choices:
          - stripe
          - mirror
          - raidz
      wipe:
        description:
          - Whether disks that hold something may be taken, and what they hold destroyed.
          - It needs C(confirm).
          - A disk that is in use is never taken.
        type: bool
        default: false
      confirm:
        description:
          - V(DESTROY) to consent to what C(wipe) destroys.
          - Take both out again once the disks have been taken.
        type: str
        choices:
          - DESTROY
attributes:
  action:
    description: Shows how far the copying is, on the controller.
    support: full
  check_mode:
    description: Can run in check mode, and then says what a real run would do.
    support: full
  diff_mode:
    description: Returns what differs, which is what it changes.
    support: none
    details: RV(actions) says it in words.
  idempotent:
    description: A second run with the same options changes nothing.
    support: partial
    details: Without O(replacement) a second call does not find the drive any more, and fails.
  action_group:
    description: Whether the module belongs to an action group.
    support: none
    membership: []
    details: It runs on each node, not on a coordinator, and shares no options with the modules that do.
seealso:
  - module: pextra.cloud.pextra_disks
  - module: pextra.cloud.pextra_disks_info
"""

EXAMPLES = r"""
- name: Replace a drive that is about to fail
  pextra.cloud.pextra_drive_replace:
    node: node1
    drive: S4EVNX0R123456
    sets: "{{ pextra_deployment.document.disks['node1'] }}"
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order.
  returned: success
  type: list
  elements: str
  sample:
    - replace /dev/sdb (1.8 TiB, serial 2231E6) in the zpool tank with /dev/sdf (1.8 TiB, serial 2231F9)
    - wait until the zpool tank has copied what the new disk needs
set:
  description: The name of the set that the drive is, or was, in.
  returned: success
  type: str
  sample: tank
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._argspec import options_of
from ansible_collections.pextra.cloud.plugins.module_utils._disk_host import Tools
from ansible_collections.pextra.cloud.plugins.module_utils._disk_replacement import ReplacementWork
from ansible_collections.pextra.cloud.plugins.module_utils._plan.disk_replacement import Drive
from ansible_collections.pextra.cloud.plugins.module_utils._runner import require_no_mistakes, run_on_host
from ansible_collections.pextra.cloud.plugins.module_utils._spec.disk import FIELDS, parse_disk_sets

ARGUMENTS: dict[str, Any] = {
    "node": {"type": "str", "required": True},
    "drive": {"type": "str", "required": True},
    "replacement": {"type": "str"},
    "timeout": {"type": "int", "default": 86400},
    "confirm": {"type": "str", "choices": ["DESTROY"]},
    "sets": {"type": "list", "elements": "dict", "required": True, "options": options_of(FIELDS)},
}


def make(module: AnsibleModule) -> ReplacementWork:
    given = module.params
    sets, mistakes = parse_disk_sets(given["sets"], "sets")
    require_no_mistakes(mistakes)
    asked = Drive(drive=given["drive"], replacement=given["replacement"])
    return ReplacementWork(given["node"], asked, sets, Tools(module.run_command, module.get_bin_path), given["timeout"])


def main() -> None:
    run_on_host(ARGUMENTS, make, failing="the drive cannot be replaced")


if __name__ == "__main__":
    main()
