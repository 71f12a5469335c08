#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_registry
short_description: Have the registry, and rebuild it if it was lost
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - The registry holds what neither the inventory nor the nodes can hold, such as identifiers, placement, leases and
    the audit trail.
  - Makes the database if it is not there, and brings its schema to this version of the collection.
  - An empty registry is filled from the nodes, which carry every identifier. The audit trail cannot be rebuilt.
  - Refused while a node does not answer and others show that the deployment is not new, because instances on that
    node would be forgotten.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes
options:
  nodes:
    description:
      - The nodes to rebuild from, as for M(pextra.cloud.pextra_node). Only name and address are used.
    type: list
    elements: dict
    default: []
seealso:
  - module: pextra.cloud.pextra_registry_info
"""

EXAMPLES = r"""
- name: Have the registry
  pextra.cloud.pextra_registry:
    nodes:
      - name: node1
        address: 10.91.0.11
      - name: node2
        address: 10.91.0.12
"""

RETURN = r"""
# Values of a module that makes the registry: written by tools/write_module_docs.py
actions:
  description: What was done, or in check mode would be done, in order; one line for each resource and
    node, or act.
  returned: success and partial failure
  type: list
  elements: str
  sample:
    - make the registry at /var/lib/pextra/registry.db
    - register 14 resources that the nodes carry
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
registry:
  description: What was found and done.
  returned: success
  type: dict
  contains:
    schema_version:
      description: The version of the schema.
      type: int
      sample: 1
    rebuilt:
      description: How many resources were rebuilt from the nodes.
      type: int
      sample: 0
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._fields.argspec import COMMON
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_registry

ARGUMENTS = {"argument_spec": {**COMMON, "nodes": {"type": "list", "elements": "dict", "default": []}}}


def load() -> Callable[..., Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.registry.resource import make_work

    return make_work


def main() -> None:
    run_registry(ARGUMENTS, load, where="registry")


if __name__ == "__main__":
    main()
