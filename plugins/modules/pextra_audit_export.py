#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The documentation of the action plugin of the same name, which runs pextra_audit_info on a coordinator.

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_audit_export
short_description: Write the audit trail into a file on the controller
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Reads the audit trail page by page from the coordinator, and writes it as JSON lines or as syslog messages
    (RFC 5424) into a file. However long it is, only a page of it is in memory.
  - Entries are in the order of their numbers, so the same period gives the same file.
  - The file is whole or not there. It is written anew only if it differs, and only its owner may read it.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes
attributes:
  action:
    description: Runs on the controller, and reads on a coordinator.
    support: full
options:
  # Options of one export: written by tools/write_module_docs.py
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
  path:
    description:
      - The file to write, on the controller, from where Ansible was called.
      - Its directory has to be there.
      - What is in it already is replaced if it is an audit trail, and refused otherwise.
    type: str
    required: true
  format:
    description:
      - V(json) is a JSON object on each line, V(syslog) a message by RFC 5424 on each.
    type: str
    choices:
      - json
      - syslog
    default: json
  # End of the options of one export
seealso:
  - module: pextra.cloud.pextra_audit_info
  - module: pextra.cloud.pextra_audit
"""

EXAMPLES = r"""
- name: Write down what was done in October
  pextra.cloud.pextra_audit_export:
    path: audit-2026-10.jsonl
    since: 2026-10-01
    until: 2026-11-01

- name: Write down what happened to two instances, for a program that reads syslog
  pextra.cloud.pextra_audit_export:
    path: web.log
    format: syslog
    names: [web-1, web-2]
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
path:
  description: The file.
  returned: success
  type: str
  sample: /home/ann/audit-2026-10.jsonl
count:
  description: How many entries it has, or in check mode would have.
  returned: success
  type: int
  sample: 12034
"""
