#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_audit_info
short_description: Read the audit trail, page by page
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns who did what to which resource or host, when, from which job, and how it ended, in the order in which it was
    written. Where M(pextra.cloud.pextra_registry_info) shows what was last, this is for whole periods.
  - A page holds at most O(limit) entries. M(pextra.cloud.pextra_audit_export) writes all of them into a file.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
options:
  # Options of one page: written by tools/write_module_docs.py
  since:
    description:
      - 'Only entries from then on: a date (V(2026-11-01)), a date and a time (V(2026-11-01T08:00:00Z),
        in UTC unless it says otherwise), or how long ago (V(30d), V(12h)).'
    type: str
  until:
    description:
      - Only entries from before then, written likewise.
    type: str
  organizations:
    description:
      - Only entries of these organizations and of what is theirs, by name or identifier.
      - Of one that is gone the identifier alone is known.
      - What is nobody's, such as a node, is left out.
    type: list
    elements: str
  kinds:
    description:
      - Only entries of these kinds.
    type: list
    elements: str
  actors:
    description:
      - Only entries of these people or jobs, by name, wherever they were.
    type: list
    elements: str
  names:
    description:
      - Only entries of these resources, such as instances, by name or identifier.
    type: list
    elements: str
  after:
    description:
      - 'Only entries with greater numbers: RV(next) of the page before.'
    type: int
    default: 0
  limit:
    description:
      - How many entries to return at most.
      - RV(next) says where the others begin.
    type: int
    default: 1000
  # End of the options of one page
seealso:
  - module: pextra.cloud.pextra_audit
  - module: pextra.cloud.pextra_audit_export
  - module: pextra.cloud.pextra_registry_info
"""

EXAMPLES = r"""
- name: Read what was done to instances of acme this week
  pextra.cloud.pextra_audit_info:
    since: 7d
    organizations: [acme]
    kinds: [instance]
  register: trail

- name: Read the next page
  pextra.cloud.pextra_audit_info:
    since: 7d
    organizations: [acme]
    kinds: [instance]
    after: "{{ trail.next }}"
  when: trail.next is not none
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
entries:
  description: The entries, in the order of their numbers, the oldest first.
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
    time:
      description: When, as people read it, in UTC.
      type: str
      sample: "2026-09-21T14:13:20.000000Z"
    run:
      description: The run that did it.
      type: str
      sample: 7f3a91c2
    actor:
      description: Who ran it, and where.
      type: str
      sample: alice at node1 (process 812, 14:13:19 UTC)
    job:
      description: What started the run; null if nothing says.
      type: str
      sample: AWX job 42 (apply)
    revision:
      description: The revision of the project that the run was from; null if nothing says.
      type: str
      sample: 9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c
    kind:
      description: The kind of resource, or of what was done to a host.
      type: str
      sample: instance
    name:
      description: The name of the resource.
      type: str
      sample: web-1
    resource:
      description: The identifier of the resource; null of what has none.
      type: str
      sample: inst-qthm_iLrflJ_DtSS1l4Gx
    organization:
      description: The identifier of the organization whose it is; null of what is nobody's.
      type: str
      sample: org-mEo1cSWnnbTFPVCwLEMvs
    node:
      description: The node it was done on; null of what is on none.
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
next:
  description: What O(after) of the next page is; null if there is none.
  returned: success
  type: int
  sample: 4712
"""

from ansible_collections.pextra.cloud.plugins.module_utils._fields.argspec import COMMON, options_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError
from ansible_collections.pextra.cloud.plugins.module_utils._module_classes import RegistryModule
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.audit.spec import PAGE
from ansible_collections.pextra.cloud.plugins.module_utils._runner import describe_missing, fail


def main() -> None:
    module = RegistryModule(argument_spec={**COMMON, **options_of(PAGE)}, supports_check_mode=True)
    try:
        from ansible_collections.pextra.cloud.plugins.module_utils._nouns.audit.looking import look_at_entries
    except ImportError as error:
        module.fail_json(msg=describe_missing(error))
        return
    try:
        found = look_at_entries(module.params)
    except PextraError as error:
        fail(module, error.problems)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
