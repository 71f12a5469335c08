#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_vm_guest_info
short_description: Read what guests say of themselves
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the addresses, file systems, host name and clock of guests, as the agent in each of them says.
  - It is the guest's own word, and whoever is root there can make it say anything. It is bounded, checked and free of
    control sequences.
  - A guest without an agent, or that does not answer, is told with RV(vms[].answers) and RV(vms[].why), and is no
    failure. It costs some seconds, beside the others; of one node four are asked at once.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
seealso:
  - module: pextra.cloud.pextra_vm_guest
  - module: pextra.cloud.pextra_vm_info
"""

EXAMPLES = r"""
- name: Read the addresses that a guest got from a DHCP server
  pextra.cloud.pextra_vm_guest_info:
    names: [web-1]
  register: guests
"""

RETURN = r"""
# Values of a module that reads resources: written by tools/write_module_docs.py
vms:
  description: The instances that were found.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The identifier.
      type: str
      sample: inst-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: web-1
    cluster:
      description: The cluster.
      type: str
      sample: mtl-1
    node:
      description: The node that it is on.
      type: str
      sample: node1
    power:
      description: V(running), V(paused), V(asleep), V(saved) or V(stopped); V(undefined) if it is registered
        and on no node, V(unknown) if its node does not answer.
      type: str
      sample: running
    answers:
      description: Whether its agent answers.
      type: bool
      sample: true
    why:
      description: Why not.
      type: str
      sample: it is stopped
    hostname:
      description: What the guest calls itself.
      type: str
      sample: web-1
    time:
      description: The guest's clock, in seconds since 1970.
      type: int
      sample: 1767225600
    interfaces:
      description: Its network interfaces; 64 at most.
      type: list
      elements: dict
      contains:
        name:
          description: The name in the guest.
          type: str
          sample: enp1s0
        mac:
          description: The MAC address.
          type: str
          sample: 52:1f:3a:07:9c:41
        addresses:
          description: The addresses, with prefix lengths; 64 at most.
          type: list
          elements: str
          sample:
            - 172.20.0.11/24
    file_systems:
      description: What is mounted in it; 256 at most.
      type: list
      elements: dict
      contains:
        mountpoint:
          description: Where it is mounted.
          type: str
          sample: /
        name:
          description: The name of its device.
          type: str
          sample: vda1
        type:
          description: Its type.
          type: str
          sample: ext4
        disks:
          description: The disks that it is on, as the definition calls them.
          type: list
          elements: str
          sample:
            - vda
unreachable_nodes:
  description: The nodes that did not answer, and why, as in RV(errors).
  returned: success
  type: list
  elements: dict
  sample: []
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
unknown:
  description: V(true) where a check cannot know yet what is there, and what would change; C(msg) says
    why.
  returned: in check mode, before the coordinator or what earlier tasks make is there
  type: bool
  sample: true
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_info


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_guest.resource import GuestInfoResource

    return GuestInfoResource


def main() -> None:
    run_info(_load, plural="vms")


if __name__ == "__main__":
    main()
