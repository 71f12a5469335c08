#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_node_info
short_description: Read nodes
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the nodes, their size and their health.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
seealso:
  - module: pextra.cloud.pextra_node
"""

EXAMPLES = r"""
- name: Read all nodes
  pextra.cloud.pextra_node_info:
  register: nodes
"""

RETURN = r"""
# Values of a module that reads resources: written by tools/write_module_docs.py
nodes:
  description: The nodes that were found.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The identifier.
      type: str
      sample: node-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: node1
    address:
      description: The management address.
      type: str
      sample: 10.91.0.11
    migration_address:
      description: The address to which running instances move.
      type: str
      sample: 10.92.0.11
    cluster:
      description: The cluster.
      type: str
      sample: mtl-1
    description:
      description: One line about it.
      type: str
      sample: Rack 3
    virt_type:
      description: How it runs virtual machines.
      type: str
      sample: kvm
    containers:
      description: Whether containers can be there.
      type: bool
      sample: false
    architectures:
      description: Architectures that it emulates beside its own.
      type: list
      elements: str
      sample:
        - aarch64
    shared_directories:
      description: Directories of it that instances may mount.
      type: list
      elements: str
      sample:
        - /srv/media
    memory_reserved:
      description: Memory kept for the host, in MiB.
      type: int
      sample: 2048
    health:
      description: V(healthy) or V(unreachable).
      type: str
      sample: healthy
    reason:
      description: Why it is not healthy.
      type: str
      sample: ''
    facts:
      description: What the host is made of; memory in MiB.
      type: dict
      sample:
        hostname: node1
        cores: 8
        memory: 32048
        memory_free: 20011
        libvirt_version: 9000000
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
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.resource import NodeResource

    return NodeResource


def main() -> None:
    run_info(_load, plural="nodes")


if __name__ == "__main__":
    main()
