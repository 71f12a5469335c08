#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let an OSD leave Ceph, without losing data."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_ceph_osd_leave
short_description: Let an OSD leave Ceph, without losing data
version_added: 0.1.0
description:
  - Moves the data of an OSD to the others, and lets Ceph forget it when its data is not needed there any more.
  - Refuses, before anything is changed, when there is no place for every copy without it, when Ceph is not well, and
    when Ceph itself says that data would be lost or stand still.
  - The playbooks C(pextra.cloud.ceph_remove_osd) and C(pextra.cloud.ceph_replace_osd) use it.
  - Runs on a host that has the administrator's key, which is that of a monitor.
author:
  - The pextra.cloud founders (@pextra)
extends_documentation_fragment:
  - pextra.cloud.attributes.host
options:
  osd:
    description: The number of the OSD.
    type: int
    required: true
  state:
    description:
      - V(drained) means that its data is on the others; the OSD still runs.
      - V(absent) means that Ceph does not know it any more. It must not run.
    type: str
    choices: [drained, absent]
    required: true
  replaced:
    description:
      - Whether another OSD comes in its place. Where there is no place for every copy without it, data then has a copy
        less until the other one has filled itself.
    type: bool
    default: false
  monitors:
    description: The names of the monitors that should be in the quorum.
    type: list
    elements: str
    required: true
  confirm:
    description: V(DESTROY) to go ahead.
    type: str
    default: ""
  timeout:
    description: How many seconds to wait until the data is moved.
    type: int
    default: 3600
seealso:
  - module: pextra.cloud.pextra_ceph_osd_discard
  - module: pextra.cloud.pextra_ceph_daemons
"""

EXAMPLES = r"""
- name: Move the data of an OSD to the others
  pextra.cloud.pextra_ceph_osd_leave:
    osd: 3
    state: drained
    monitors: [node1, node2, node3]
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
    - move the data of osd.3 to the others
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
host:
  description: The host of the OSD, as Ceph knows it. Empty if Ceph does not know the OSD.
  returned: success
  type: str
  sample: node2
is_known:
  description: Whether Ceph knew the OSD.
  returned: success
  type: bool
  sample: true
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._doors.ceph.monitors import ADMIN, ADMIN_KEYRING, connected
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.leaving import DrainingWork, PurgingWork
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_on_host

CONNECT_TIMEOUT_S = 60
ARGUMENTS = {
    "osd": {"type": "int", "required": True},
    "state": {"type": "str", "choices": ["drained", "absent"], "required": True},
    "replaced": {"type": "bool", "default": False},
    "monitors": {"type": "list", "elements": "str", "required": True},
    "confirm": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 3600},
}


def make(module: AnsibleModule) -> DrainingWork | PurgingWork:
    given = module.params
    work = DrainingWork if given["state"] == "drained" else PurgingWork
    return work(
        lambda: connected(ADMIN, ADMIN_KEYRING, CONNECT_TIMEOUT_S),
        given["osd"],
        given["monitors"],
        is_replaced=given["replaced"],
        timeout_s=given["timeout"],
    )


def main() -> None:
    run_on_host(ARGUMENTS, make, failing="the OSD cannot leave Ceph")


if __name__ == "__main__":
    main()
