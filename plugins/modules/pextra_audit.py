#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_audit
short_description: Add to the audit trail, send it to a log, or remove what is old
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Modules that change a resource write into the audit trail by themselves. With this one the playbooks of the
    collection write what they do to hosts, and yours can do the same.
  - Sends what was not sent yet to the journal, or to a syslog daemon of the coordinator.
  - Removes entries that are older than a time, which is the only way to remove any; the database refuses all others.
    That it was done becomes an entry itself, and what is younger than a day stays.
  - Adding comes first, then sending, then removing.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes
attributes:
  idempotent:
    support: partial
    details: What is given in O(entries) is added each time; all else is done once.
options:
  # Options of one call: written by tools/write_module_docs.py
  entries:
    description:
      - Entries to add, in this order.
    type: list
    elements: dict
    suboptions:
      kind:
        description:
          - What kind of thing it was done to.
        type: str
        required: true
        choices:
          - organization
          - datacenter
          - cluster
          - node
          - vswitch
          - port_group
          - pool
          - image
          - instance
          - volume
          - audit
          - ceph
          - certificate
          - drive
          - host
          - osd
          - registry
      name:
        description:
          - The name of what it was done to.
        type: str
        required: true
      what:
        description:
          - What was done, on one line, for people.
          - Never a secret.
        type: str
        required: true
      node:
        description:
          - The node that it was done on.
        type: str
      outcome:
        description:
          - How it ended, or V(started) before it is done.
        type: str
        choices:
          - started
          - done
          - failed
        default: done
  forward:
    description:
      - Where to send all that was not sent there yet.
      - A call that is killed may have sent some of it, which the next one sends again; it loses none.
    type: dict
    suboptions:
      socket:
        description:
          - 'The socket on the coordinator, which takes datagrams: the journal''s, or a syslog daemon''s.'
        type: str
        default: /run/systemd/journal/socket
      format:
        description:
          - V(journal) is the journal's own, with a field for each value.
          - V(syslog) is RFC 5424, a datagram for each entry, for daemons that read it on that socket.
        type: str
        choices:
          - journal
          - syslog
        default: journal
  remove_before:
    description:
      - Remove the entries that are older than a date (V(2026-01-01)), a date and a time (V(2026-01-01T08:00:00Z))
        or an age (V(365d)).
      - It needs O(confirm=DESTROY), and nothing younger than a day is removed.
      - At least one of O(entries), O(forward) and O(remove_before) is needed.
    type: str
  without_registry:
    description:
      - What becomes of O(entries) where there is no registry yet, or one of an older version of the collection,
        as on hosts that are being prepared.
      - With V(warn) they are lost, with a warning.
    type: str
    choices:
      - fail
      - warn
    default: fail
  # End of the options of one call
  confirm:
    description:
      - Consent to lose entries.
      - Without V(DESTROY) the module fails before it touches anything, and says how many would be lost.
    type: str
    choices: [DESTROY]
seealso:
  - module: pextra.cloud.pextra_audit_info
  - module: pextra.cloud.pextra_audit_export
"""

EXAMPLES = r"""
- name: Say that a node got more memory
  pextra.cloud.pextra_audit:
    entries:
      - kind: host
        name: node3
        node: node3
        what: two memory modules of 32 GiB added

- name: Send what is new to the journal
  pextra.cloud.pextra_audit:
    forward: {}

- name: Send what is new to the syslog daemon, which reads RFC 5424 there
  pextra.cloud.pextra_audit:
    forward:
      socket: /run/rsyslog/audit
      format: syslog

- name: Keep two years
  pextra.cloud.pextra_audit:
    remove_before: 730d
    confirm: DESTROY
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
    - add 1 entry to the audit trail
    - send 120 entries of the audit trail to /run/systemd/journal/socket
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

from collections.abc import Callable
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._fields.argspec import COMMON, options_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.audit.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_registry

ARGUMENTS = {
    "argument_spec": {
        **COMMON,
        **options_of(FIELDS),
        "confirm": {"type": "str", "choices": ["DESTROY"]},
    },
    "required_one_of": [("entries", "forward", "remove_before")],
}


def load() -> Callable[..., Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.audit.resource import make_work

    return make_work


def main() -> None:
    run_registry(ARGUMENTS, load, where="audit trail")


if __name__ == "__main__":
    main()
