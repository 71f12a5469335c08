#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove what an OSD leaves on its host."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_ceph_osd_discard
short_description: Remove what an OSD leaves on its host
version_added: 0.2.0
description:
  - Stops an OSD, and when Ceph has forgotten it, wipes its disk and removes its directory.
  - A disk that does not bear the OSD's label is not wiped, as it is another one.
  - A host that does not have the OSD is left as it is.
  - The playbooks C(pextra.cloud.ceph_remove_osd) and C(pextra.cloud.ceph_replace_osd) use it, after
    M(pextra.cloud.pextra_ceph_osd_leave).
author:
  - The pextra.cloud founders (@pextra)
options:
  node:
    description: The node's name, for messages.
    type: str
    required: true
  osd:
    description: The number of the OSD.
    type: int
    required: true
  state:
    description: V(stopped), or V(absent) without its data.
    type: str
    choices: [stopped, absent]
    required: true
  confirm:
    description: V(DESTROY) to go ahead with V(absent).
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check mode, and then says what a real run would do.
    support: full
  diff_mode:
    description: Returns what differs, which is what it changes.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  action_group:
    description: Whether the module belongs to an action group.
    support: none
    membership: []
    details: It runs on the hosts of Ceph, not on a coordinator, and shares no options with the modules that do.
seealso:
  - module: pextra.cloud.pextra_ceph_osd_leave
  - module: pextra.cloud.pextra_ceph_daemons
"""

EXAMPLES = r"""
- name: Stop an OSD
  pextra.cloud.pextra_ceph_osd_discard:
    node: node2
    osd: 3
    state: stopped
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: [stop ceph-osd@3.service]
path:
  description: What the OSD keeps its data on. Empty if the host does not have it.
  returned: success
  type: str
  sample: /dev/disk/by-id/wwn-0x5000c500a1b2c3d4
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._ceph.discarding import DiscardingWork
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_on_host

ARGUMENTS = {
    "node": {"type": "str", "required": True},
    "osd": {"type": "int", "required": True},
    "state": {"type": "str", "choices": ["stopped", "absent"], "required": True},
    "confirm": {"type": "str", "default": ""},
}


def make(module: AnsibleModule) -> DiscardingWork:
    given = module.params
    return DiscardingWork(module.run_command, given["osd"], keeps_data=given["state"] == "stopped")


def main() -> None:
    run_on_host(ARGUMENTS, make, failing="the OSD cannot be discarded")


if __name__ == "__main__":
    main()
