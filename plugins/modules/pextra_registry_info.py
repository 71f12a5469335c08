#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_registry_info
short_description: Read the registry's audit trail and leases
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns who did what to which resource, when, and how it ended.
  - Returns who is changing a resource now.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
options:
  names:
    description: Return only the events of these resources, by name or identifier.
    type: list
    elements: str
  limit:
    description: How many events to return at most, the newest first.
    type: int
    default: 100
seealso:
  - module: pextra.cloud.pextra_registry
  - module: pextra.cloud.pextra_audit_info
"""

EXAMPLES = r"""
- name: Read what was done to an instance
  pextra.cloud.pextra_registry_info:
    names: [web-1]
  register: trail
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
events:
  description: The events, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    number:
      description: The number of the entry. Numbers grow; some may be missing.
      type: int
      sample: 4711
    at:
      description: When, in seconds since the epoch.
      type: float
      sample: 1790000000.0
    run:
      description: The run that did it.
      type: str
      sample: 7f3a91c2
    actor:
      description: Who ran it, and where.
      type: str
      sample: alice at node1
    job:
      description: What started the run; null if nothing says.
      type: str
      sample: AWX job 42 (apply)
    revision:
      description: The revision of the project that the run was from; null if nothing says.
      type: str
      sample: 9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c
    organization:
      description: The identifier of the organization whose the resource is; null of what is nobody's.
      type: str
      sample: org-mEo1cSWnnbTFPVCwLEMvs
    kind:
      description: The kind of resource.
      type: str
      sample: instance
    resource:
      description: The identifier of the resource.
      type: str
      sample: inst-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name of the resource.
      type: str
      sample: web-1
    node:
      description: The node it was done on.
      type: str
      sample: node1
    what:
      description: What was done.
      type: str
      sample: create volume root in shared, define, start
    outcome:
      description: V(started), V(done) or V(failed).
      type: str
      sample: done
leases:
  description: The resources under change.
  returned: success
  type: list
  elements: dict
  contains:
    key:
      description: The resource.
      type: str
      sample: instance web-1
    holder:
      description: Who changes it.
      type: str
      sample: alice at node1
    since:
      description: Since when, in seconds since the epoch.
      type: float
      sample: 1790000000.0
    expires:
      description: When the lease runs out unless it is renewed, in seconds since the epoch.
      type: float
      sample: 1790000020.0
"""

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.pextra.cloud.plugins.module_utils._fields.argspec import info_arguments
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError
from ansible_collections.pextra.cloud.plugins.module_utils._module_classes import RegistryModule
from ansible_collections.pextra.cloud.plugins.module_utils._runner import fail


def main() -> None:
    module = RegistryModule(**info_arguments({"limit": {"type": "int", "default": 100}}))
    try:
        from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import audit, leases
        from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
    except ImportError as error:
        module.fail_json(msg=missing_required_lib(str(error.name)))
        return
    try:
        with Registry(module.params["registry"]) as registry:
            events = audit.read(registry, names=module.params["names"], limit=module.params["limit"])
            held = leases.read(registry)
    except PextraError as error:
        fail(module, error.problems)
    module.exit_json(changed=False, events=events, leases=held)


if __name__ == "__main__":
    main()
