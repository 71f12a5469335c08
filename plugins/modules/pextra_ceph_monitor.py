#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a monitor of Ceph on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_ceph_monitor
short_description: Have a monitor of Ceph on a host
version_added: 0.1.0
description:
  - Makes the store of a monitor and runs it. A store that is there is left as it is.
  - The first keys must be in C(/var/lib/ceph/bootstrap-pextra/ceph.keyring), and C(/etc/ceph/ceph.conf) must be
    written. The role C(pextra.cloud.ceph) does both.
author:
  - The pextra.cloud founders (@pextra)
extends_documentation_fragment:
  - pextra.cloud.attributes.host
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
# Values of a module that acts on its own host: written by tools/write_module_docs.py
actions:
  description: What was done, or in check mode would be done, in order; one line for each resource and
    node, or act.
  returned: success and partial failure
  type: list
  elements: str
  sample:
    - make the store of the monitor node1
    - start ceph-mon@node1.service
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
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.daemons import MonitorWork
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
