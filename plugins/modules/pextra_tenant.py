#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

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
  # Options of one resource: written by tools/write_module_docs.py
  name:
    description:
      - The name, by which everything else refers to it.
      - Exactly one of O(name) and O(tenants) is needed.
    type: str
  former_name: &former_name
    description:
      - The name that it had.
      - What is registered by that name gets the new one, and keeps its identifier and all that belongs
        to it.
      - Without this, another name is another thing.
      - Of no effect afterwards.
    type: str
  description: &description
    description:
      - One line about it, for people.
    type: str
  state: &state
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
      former_name: *former_name
      description: *description
      state: *state
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

- name: Give it another name
  pextra.cloud.pextra_tenant:
    name: acme-group
    former_name: acme
"""

RETURN = r"""
# Values of a module that changes resources: written by tools/write_module_docs.py
actions:
  description: What was done, or in check mode would be done, in order; one line for each resource and
    node, or act.
  returned: success and partial failure
  type: list
  elements: str
  sample:
    - 'organization acme: register'
changes:
  description: What changes in it, or in check mode would, and when each of that takes effect; one element
    for each option of each resource, in the order of RV(actions). Nothing of what stays as it is.
  returned: success and partial failure
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of resource.
      type: str
      sample: instance
    name:
      description: The name of the resource.
      type: str
      sample: web-1
    node:
      description: The node it is on; none for what is registered alone.
      type: str
      sample: node1
    option:
      description: The option, with what stands in a list by its name, such as C(volumes.data.size); or
        what else differs, such as C(node), or C(name) of what is removed.
      type: str
      sample: memory
    before:
      description: What is; none for nothing. Sizes are in MiB. In place of a secret stands that there
        is one.
      type: raw
      sample: 512
    after:
      description: What should be, likewise.
      type: raw
      sample: 1024
    when:
      description: V(live) if it takes effect at once; V(hot_plug) if it is plugged into a running guest,
        or out of it, which has to play along; V(next_boot) if a guest has it from its next start on;
        V(replace) if it destroys data.
      type: str
      sample: next_boot
pending:
  description: Differences that a running instance has until its next restart, each as in RV(changes),
    and told by every run until then.
  returned: success and partial failure
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of resource.
      type: str
      sample: instance
    name:
      description: The name of the resource.
      type: str
      sample: web-1
    node:
      description: The node it is on; none for what is registered alone.
      type: str
      sample: node1
    option:
      description: The option, with what stands in a list by its name, such as C(volumes.data.size); or
        what else differs, such as C(node), or C(name) of what is removed.
      type: str
      sample: memory
    before:
      description: What is; none for nothing. Sizes are in MiB. In place of a secret stands that there
        is one.
      type: raw
      sample: 512
    after:
      description: What should be, likewise.
      type: raw
      sample: 1024
    when:
      description: V(live) if it takes effect at once; V(hot_plug) if it is plugged into a running guest,
        or out of it, which has to play along; V(next_boot) if a guest has it from its next start on;
        V(replace) if it destroys data.
      type: str
      sample: next_boot
diff:
  description: What differs before and after; of many resources the first 200.
  returned: with C(--diff), when something differs
  type: list
  elements: dict
  contains:
    before_header:
      description: What it is about.
      type: str
      sample: instance web-1 on node1
    before:
      description: What is, one line for each difference.
      type: str
      sample: 'memory: 512 MiB'
    after_header:
      description: What it is about.
      type: str
      sample: instance web-1 on node1
    after:
      description: What should be, likewise.
      type: str
      sample: 'memory: 1 GiB'
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
tenant:
  description: The organization; none when it does not exist.
  returned: success and partial failure, unless many were given
  type: dict
  contains: &contains
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
  description: The organizations, in the order in which they were given.
  returned: success and partial failure, when many were given
  type: list
  elements: dict
  contains: *contains
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.organization.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.organization.resource import TenantResource

    return TenantResource


def main() -> None:
    run(_load, table=FIELDS, plural="tenants")


if __name__ == "__main__":
    main()
