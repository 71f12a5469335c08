#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_tenant
short_description: Make organizations
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - An organization owns datacenters, instances and users.
  - The first one becomes the root organization, which owns the deployment and cannot be removed.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
options:
  # Options of one resource: written by tools/write_module_options.py
  name:
    description:
      - The name, by which everything else refers to it.
      - Exactly one of O(name) and O(tenants) is needed.
    type: str
  former_name:
    description:
      - The name that it had.
      - What is registered by that name gets the new one, and keeps its identifier and all that belongs
        to it.
      - Without this, another name is another thing.
      - Of no effect afterwards.
    type: str
  description:
    description:
      - One line about it, for people.
    type: str
  state:
    description:
      - Whether it exists.
    type: str
    choices:
      - present
      - absent
    default: present
  tenants:
    description:
      - Many organizations at once, each with the same options as one. They are read in bulk, planned together
        and applied in parallel.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name, by which everything else refers to it.
        type: str
        required: true
      former_name:
        description:
          - The name that it had.
          - What is registered by that name gets the new one, and keeps its identifier and all that belongs
            to it.
          - Without this, another name is another thing.
          - Of no effect afterwards.
        type: str
      description:
        description:
          - One line about it, for people.
        type: str
      state:
        description:
          - Whether it exists.
        type: str
        choices:
          - present
          - absent
        default: present
  # End of the options of one resource
seealso:
  - module: pextra.cloud.pextra_tenant_info
  - module: pextra.cloud.pextra_datacenter
"""

EXAMPLES = r"""
- name: Have an organization
  pextra.cloud.pextra_tenant:
    name: acme
    description: Everything we run

- name: Have several
  pextra.cloud.pextra_tenant:
    tenants:
      - name: acme
      - name: research
        description: The research department

- name: Remove one that owns nothing any more
  pextra.cloud.pextra_tenant:
    name: research
    state: absent
"""

RETURN = r"""
# Values of every module that changes something: written by tools/write_module_options.py
actions:
  description: What was done, or in check mode would be done, a line per resource and node.
  returned: success
  type: list
  elements: str
  sample: ["instance web-1 on node1: create volume root, define, start"]
pending:
  description: Differences that take effect at the next restart of the instance.
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
# End of the values of every module that changes something
tenant:
  description: The resource, when it was given by its options.
  returned: success, unless many were given
  type: dict
  contains:
    id:
      description: The identifier.
      type: str
      sample: org-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: acme
    description:
      description: One line about it.
      type: str
      sample: Everything we run
    root:
      description: Whether it owns the deployment.
      type: bool
      sample: true
    datacenters:
      description: Its datacenters.
      type: list
      elements: str
      sample:
        - Montreal
tenants:
  description: The resources, when many were given, in their order.
  returned: success, when many were given
  type: list
  elements: dict
  contains:
    id:
      description: The identifier.
      type: str
      sample: org-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: acme
    description:
      description: One line about it.
      type: str
      sample: Everything we run
    root:
      description: Whether it owns the deployment.
      type: bool
      sample: true
    datacenters:
      description: Its datacenters.
      type: list
      elements: str
      sample:
        - Montreal
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._runner import run
from ansible_collections.pextra.cloud.plugins.module_utils._spec.organization import FIELDS


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._resource.tenant import TenantResource

    return TenantResource


def main() -> None:
    run(_load, table=FIELDS, plural="tenants")


if __name__ == "__main__":
    main()
