#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the manager and the OSDs of Ceph on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_ceph_daemons
short_description: Have the manager and the OSDs of Ceph on a host
version_added: 0.1.0
description:
  - Makes the key of the manager and an OSD on each declared disk, and runs them.
  - An OSD is found by what it says of itself, in its directory and at the beginning of its disk. It is never made
    twice, and a run that was killed is continued by the next one.
  - A disk that holds anything else, is mounted, or belongs to another Ceph is refused before anything is changed.
    Nothing is ever wiped, and an OSD that is not declared is left alone.
author:
  - The pextra.cloud founders (@pextra)
extends_documentation_fragment:
  - pextra.cloud.attributes.host
options:
  node:
    description: The node's name, for messages.
    type: str
    required: true
  fsid:
    description: The identifier of this Ceph.
    type: str
    required: true
  manager:
    description: Whether the host has a manager, whose name is the node's. It needs the administrator's key.
    type: bool
    default: false
  osds:
    description: The disks that the host's OSDs keep data on.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The disk, by a name that lasts, or a file.
        type: str
        required: true
      size_mib:
        description: The size of a file. Not given for a disk.
        type: int
  timeout:
    description: How many seconds to wait for a quorum of the monitors.
    type: int
    default: 120
seealso:
  - module: pextra.cloud.pextra_ceph_monitor
  - module: pextra.cloud.pextra_ceph_pool
"""

EXAMPLES = r"""
- name: Have the manager and the OSDs
  pextra.cloud.pextra_ceph_daemons:
    node: node1
    fsid: 0f3a4a5c-9f0e-5b39-8a53-2c9e5f3c9d55
    manager: true
    osds:
      - path: /dev/disk/by-id/wwn-0x5000c500a1b2c3d4
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
    - create an OSD on /dev/disk/by-id/wwn-0x5000c500a1b2c3d4
    - start ceph-osd@0.service
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
osds:
  description: The OSDs that the host has afterwards.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The number of the OSD.
      type: int
      sample: 0
    path:
      description: What it keeps its data on.
      type: str
      sample: /dev/disk/by-id/wwn-0x5000c500a1b2c3d4
    fsid:
      description: Its own identifier.
      type: str
      sample: 3b8f1c9e-8a53-4c0b-9d55-0f3a4a5c9f0e
    is_declared:
      description: Whether it is among O(osds).
      type: bool
      sample: true
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.daemons import DaemonsWork
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.osd import Wanted
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_on_host

ARGUMENTS = {
    "node": {"type": "str", "required": True},
    "fsid": {"type": "str", "required": True},
    "manager": {"type": "bool", "default": False},
    "osds": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"path": {"type": "str", "required": True}, "size_mib": {"type": "int"}},
    },
    "timeout": {"type": "int", "default": 120},
}


def make(module: AnsibleModule) -> DaemonsWork:
    given = module.params
    manager = given["node"] if given["manager"] else None
    wanted = [Wanted(**osd) for osd in given["osds"]]
    return DaemonsWork(module.run_command, given["fsid"], manager, wanted, given["timeout"])


def main() -> None:
    run_on_host(ARGUMENTS, make, failing="the daemons of Ceph cannot be had")


if __name__ == "__main__":
    main()
