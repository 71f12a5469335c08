#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a monitor of Ceph on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_ceph_monitor
short_description: Have a monitor of Ceph on a host
version_added: 0.2.0
description:
  - Makes the store of a monitor and runs it. A store that is there is left as it is.
  - The first keys must be in C(/var/lib/ceph/bootstrap-pextra/ceph.keyring), and C(/etc/ceph/ceph.conf) must be
    written. The role C(pextra.cloud.ceph) does both.
author:
  - The pextra.cloud founders (@pextra)
options:
  name:
    description: The monitor's name, which is the node's.
    type: str
    required: true
  fsid:
    description: The identifier of this Ceph.
    type: str
    required: true
  monitors:
    description: The addresses of all monitors by their names.
    type: dict
    required: true
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
  - module: pextra.cloud.pextra_ceph_daemons
  - module: pextra.cloud.pextra_ceph_pool
"""

EXAMPLES = r"""
- name: Have the monitor
  pextra.cloud.pextra_ceph_monitor:
    name: node1
    fsid: 0f3a4a5c-9f0e-5b39-8a53-2c9e5f3c9d55
    monitors: {node1: 192.0.2.1, node2: 192.0.2.2, node3: 192.0.2.3}
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: [make the store of the monitor node1, start ceph-mon@node1.service]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._ceph.daemons import MonitorWork
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_on_host

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "fsid": {"type": "str", "required": True},
    "monitors": {"type": "dict", "required": True},
}


def make(module: AnsibleModule) -> MonitorWork:
    given = module.params
    return MonitorWork(module.run_command, given["name"], given["fsid"], given["monitors"])


def main() -> None:
    run_on_host(ARGUMENTS, make, failing="the monitor cannot be had")


if __name__ == "__main__":
    main()
