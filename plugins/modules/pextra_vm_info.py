#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_vm_info
short_description: Read instances
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the instances with their state, node, volumes and NICs.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
seealso:
  - module: pextra.cloud.pextra_vm
"""

EXAMPLES = r"""
- name: Read two instances
  pextra.cloud.pextra_vm_info:
    names: [web-1, db]
  register: instances
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
    uuid:
      description: The UUID of the libvirt domain.
      type: str
      sample: d3f0a1b2-0c4d-4e5f-8a9b-1c2d3e4f5a6e
    cluster:
      description: The cluster.
      type: str
      sample: mtl-1
    organization:
      description: The organization that owns it.
      type: str
      sample: acme
    node:
      description: The node that it is on.
      type: str
      sample: node1
    power:
      description: V(running), also if it is suspended to memory, V(stopped) or V(paused); V(undefined)
        if it is registered and on no node, V(unknown) if its node does not answer.
      type: str
      sample: running
    saved:
      description: Whether it is stopped, and goes on from what was saved of its memory when it is started.
      type: bool
      sample: false
    vcpus:
      description: The number of virtual CPUs.
      type: int
      sample: 2
    memory:
      description: The memory in MiB.
      type: int
      sample: 512
    image:
      description: The image that the root volume was made from.
      type: str
      sample: tiny
    autostart:
      description: Whether it starts with its node.
      type: bool
      sample: true
    description:
      description: One line about it.
      type: str
      sample: A web server
    tags:
      description: Its tags.
      type: list
      elements: str
      sample:
        - frontend
    volumes:
      description: Its volumes.
      type: list
      elements: dict
      contains:
        name:
          description: The name of the device.
          type: str
          sample: root
        pool:
          description: The storage pool it is in.
          type: str
          sample: shared
        size:
          description: Its size in MiB; none for a unit of an iSCSI target, of which it is not known.
          type: int
          sample: 1024
        unit:
          description: The unit of the iSCSI target; none for any other volume.
          type: str
          sample: unit:0:0:1
    nics:
      description: Its NICs.
      type: list
      elements: dict
      contains:
        name:
          description: The name by which it is known.
          type: str
          sample: nic0
        mac:
          description: The MAC address.
          type: str
          sample: 52:1f:3a:07:9c:41
        vswitch:
          description: The vSwitch it attaches to.
          type: str
          sample: svswitch10
        port_group:
          description: The port group it attaches to.
          type: str
          sample: Production
        addresses:
          description: The addresses that cloud-init gives it, with prefix lengths.
          type: list
          elements: str
          sample:
            - 172.20.0.11/24
    cpu:
      description: The processor as the guest sees it.
      returned: when the definition says something of it
      type: dict
      contains:
        topology:
          description: How its vCPUs are laid out.
          returned: when the definition says something of it
          type: dict
          contains:
            sockets:
              description: The number of sockets.
              returned: when the definition says something of it
              type: int
              sample: 1
            cores:
              description: The number of cores in each socket.
              returned: when the definition says something of it
              type: int
              sample: 1
            threads:
              description: The number of threads of each core.
              returned: when the definition says something of it
              type: int
              sample: 1
    watchdog:
      description: A watchdog.
      returned: when the definition says something of it
      type: dict
      contains:
        model:
          description: Its model.
          returned: when the definition says something of it
          type: str
          sample: i6300esb
        action:
          description: What happens to a guest that no longer answers.
          returned: when the definition says something of it
          type: str
          sample: reset
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
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.resource import VmResource

    return VmResource


def main() -> None:
    run_info(_load, plural="vms")


if __name__ == "__main__":
    main()
