# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options of the modules that act on a node's sets of disks."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  node:
    description: The node's name in the inventory, for messages.
    type: str
    required: true
  sets:
    description: The declared sets of disks of this node. What is not among them stays as it is.
    type: list
    elements: dict
    required: true
    suboptions:
      # Options of one set: written by tools/write_module_docs.py
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
      # End of the options of one set
"""
