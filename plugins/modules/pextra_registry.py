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
# Values of a module that reads or writes the registry: written by tools/write_module_docs.py
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

import os
from contextlib import ExitStack
from typing import Any

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.pextra.cloud.plugins.module_utils._fields.argspec import COMMON
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError
from ansible_collections.pextra.cloud.plugins.module_utils._runner import RegistryModule, fail

_ARGUMENTS = {**COMMON, "nodes": {"type": "list", "elements": "dict", "default": []}}


def main() -> None:
    module = RegistryModule(argument_spec=_ARGUMENTS, supports_check_mode=True)
    try:
        from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
        from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry, sqlite_path
        from ansible_collections.pextra.cloud.plugins.module_utils._nouns.registry import resource as registry_resource
    except ImportError as error:
        if module.check_mode:
            module.exit_json(changed=True, unknown=True, msg=f"{error.name} is not installed here yet")
        module.fail_json(msg=missing_required_lib(str(error.name)))
        return

    url = module.params["registry"]
    path = sqlite_path(url)
    result: dict[str, Any] = {"changed": False}
    try:
        if module.check_mode and path is not None and not os.path.exists(path):
            module.exit_json(changed=True, diff={"before": "", "after": f"a registry at {path}\n"})
        with ExitStack() as stack:
            registry = stack.enter_context(Registry(url, create=not module.check_mode))
            before, after = registry.migrated
            rebuilt = 0
            if registry_resource.is_empty(registry) and module.params["nodes"]:
                cloud = stack.enter_context(Cloud(registry))
                candidates = [
                    registry_resource.Candidate(node["name"], node["address"]) for node in module.params["nodes"]
                ]
                found = registry_resource.read_nodes(cloud, candidates)
                rebuilt = len(found.rows)
                if not module.check_mode:
                    registry_resource.write(registry, found)
                result["diff"] = {
                    "before": "",
                    "after": "".join(f"{row.kind} {row.name}: {row.id}\n" for row in found.rows),
                }
            result["changed"] = before != after or rebuilt > 0
            result["registry"] = {"schema_version": after, "rebuilt": rebuilt}
    except PextraError as error:
        fail(module, error.problems)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
