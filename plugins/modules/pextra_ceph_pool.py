#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have pools of Ceph, and the clients that may use them."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_ceph_pool
short_description: Have pools of Ceph, and the clients that may use them
version_added: 0.1.0
description:
  - Makes pools with the declared number of copies, and for each a client that may use this pool and nothing else.
  - Waits after a change until all of Ceph is well, and otherwise says how it is.
  - A pool that is not declared is left alone. No pool is ever deleted.
  - Runs on a host that has the administrator's key, which is that of a monitor.
author:
  - The pextra.cloud founders (@pextra)
extends_documentation_fragment:
  - pextra.cloud.attributes.host
options:
  pools:
    description: The pools.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the pool.
        type: str
        required: true
      copies:
        description: How many hosts each object is kept on.
        type: int
        default: 3
      min_copies:
        description: With fewer copies than these within reach the pool stands still.
        type: int
        default: 2
      client:
        description: The user of Ceph, without V(client.) before it, that may use the pool.
        type: str
        required: true
  monitors:
    description: The names of the monitors that should be in the quorum.
    type: list
    elements: str
    required: true
  wait:
    description: Whether to wait until all is well, even if nothing had to be done.
    type: bool
    default: false
  timeout:
    description: How many seconds to wait.
    type: int
    default: 300
seealso:
  - module: pextra.cloud.pextra_ceph_monitor
  - module: pextra.cloud.pextra_ceph_daemons
  - module: pextra.cloud.pextra_pool
"""

EXAMPLES = r"""
- name: Have the pools of Ceph
  pextra.cloud.pextra_ceph_pool:
    pools:
      - {name: vms, copies: 3, min_copies: 2, client: pextra-vms}
    monitors: [node1, node2, node3]
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
    - create the pool vms
    - make the client pextra-vms, which may use the pool vms alone
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
health:
  description: How Ceph is, as it says itself.
  returned: success
  type: dict
  contains:
    status:
      description: V(HEALTH_OK), V(HEALTH_WARN) or V(HEALTH_ERR); V(unknown) in a check before there is a Ceph.
      type: str
      sample: HEALTH_OK
    text:
      description: The same with the reasons.
      type: str
      sample: HEALTH_OK
    osds:
      description: How many OSDs there are.
      type: int
      sample: 3
    osds_up:
      description: How many of them run.
      type: int
      sample: 3
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.pools import PoolsWork, WantedPool
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_on_host

ARGUMENTS = {
    "pools": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "copies": {"type": "int", "default": 3},
            "min_copies": {"type": "int", "default": 2},
            "client": {"type": "str", "required": True},
        },
    },
    "monitors": {"type": "list", "elements": "str", "required": True},
    "wait": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 300},
}


def make(module: AnsibleModule) -> PoolsWork:
    given = module.params
    wanted = [WantedPool(**pool) for pool in given["pools"]]
    return PoolsWork(wanted, given["monitors"], waits=given["wait"], timeout_s=given["timeout"])


def main() -> None:
    run_on_host(ARGUMENTS, make, failing="the pools of Ceph cannot be had")


if __name__ == "__main__":
    main()
