#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove what an OSD leaves on its host."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_ceph_osd_discard
short_description: Remove what an OSD leaves on its host
version_added: 0.1.0
description:
  - Stops an OSD, and when Ceph has forgotten it, wipes its disk and removes its directory.
  - A disk that does not bear the OSD's label is not wiped, as it is another one.
  - A host that does not have the OSD is left as it is.
  - The playbooks C(pextra.cloud.ceph_remove_osd) and C(pextra.cloud.ceph_replace_osd) use it, after
    M(pextra.cloud.pextra_ceph_osd_leave).
author:
  - The pextra.cloud founders (@pextra)
extends_documentation_fragment:
  - pextra.cloud.attributes.host
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
# Values of a module that acts on its own host: written by tools/write_module_docs.py
actions:
  description: What was done, or in check mode would be done, in order; one line for each resource and
    node, or act.
  returned: success and partial failure
  type: list
  elements: str
  sample:
    - stop ceph-osd@3.service
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
path:
  description: What the OSD keeps its data on. Empty if the host does not have it.
  returned: success
  type: str
  sample: /dev/disk/by-id/wwn-0x5000c500a1b2c3d4
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.discarding import DiscardingWork
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
