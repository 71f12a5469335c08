#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_vm_console
short_description: Read what instances write to their serial consoles
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the end of an instance's console, or what was written since an earlier call, or waits for what it says.
  - It reads the log that C(virtlogd) writes on the instance's node, so it needs no running guest, and takes the console
    from nobody. It runs on that node, not on a coordinator - with C(delegate_to), as in the examples.
  - C(virtlogd) turns a log over at 2 MiB and keeps three older ones, which are read too. What an instance wrote before
    it moved is on the node where it was. An instance has the log of another one that had its name before.
  - It never changes anything. In check mode O(wait_for) is looked for, and not waited for.
extends_documentation_fragment:
  - pextra.cloud.attributes.host
options:
  # Options of one look: written by tools/write_module_docs.py
  name:
    description:
      - The instances, by name; one alone needs no list.
    type: list
    elements: str
    required: true
  lines:
    description:
      - Only so many lines, the last ones. 100 unless this, O(since) or O(wait_for) is given.
    type: int
  since:
    description:
      - Only what was written after a mark that an earlier call has returned; V(begin) for all that is kept.
      - With one instance only.
    type: str
  wait_for:
    description:
      - A regular expression of Python's.
      - The module waits until it is found in what was written after O(since), or, without that, after the
        call began.
      - C(^) and C($) stand for the ends of lines.
    type: str
  timeout_s:
    description:
      - How many seconds to wait for O(wait_for) before the module fails.
    type: int
    default: 60
  # End of the options of one look
seealso:
  - module: pextra.cloud.pextra_vm_info
  - module: pextra.cloud.pextra_vm_power
"""

EXAMPLES = r"""
- name: Find the node of an instance
  pextra.cloud.pextra_vm_info:
    names: [web-1]
  register: instances

- name: Read the last twenty lines of its console
  pextra.cloud.pextra_vm_console:
    name: web-1
    lines: 20
  delegate_to: "{{ instances.vms[0].node }}"
  register: before

- name: Restart it
  pextra.cloud.pextra_vm_power:
    name: web-1
    action: restart

- name: Wait until one can log in again
  pextra.cloud.pextra_vm_console:
    name: web-1
    since: "{{ before.vms[0].mark }}"
    wait_for: "login: $"
    timeout_s: 300
  delegate_to: "{{ instances.vms[0].node }}"
"""

RETURN = r"""
# Values of a module that looks at instances: written by tools/write_module_docs.py
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
vms:
  description: What the consoles say, in the order of the names; those without a log are not in it.
  returned: success and partial failure
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
      sample: web-1
    text:
      description: What was written, as UTF-8 and without control sequences; at most the last 256 KiB.
      type: str
      sample: 'web-1 login: '
    mark:
      description: Where the log ends now, for O(since) of another call.
      type: str
      sample: 1573041:20480
    truncated:
      description: Whether something before RV(vms[].text) was left out, or is not kept any more.
      type: bool
      sample: false
    found:
      description: What matched O(wait_for); none if that was not given, and in check mode where it is
        not there yet.
      type: str
      sample: 'login:'
# End of the values that are written
"""

from ansible_collections.pextra.cloud.plugins.module_utils._fields.argspec import look_arguments
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_console.looking import look_at_consoles
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_console.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_look


def main() -> None:
    run_look(look_arguments(FIELDS), look_at_consoles, plural="vms")


if __name__ == "__main__":
    main()
