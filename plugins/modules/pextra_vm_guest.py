#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_vm_guest
short_description: Run programs in guests, and set their passwords and clocks
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Has the agent in the guest of an instance, or of several side by side, do something. The guest needs no network.
  - Every instance has the agent's channel; in the guest C(qemu-guest-agent) has to be installed, to run, and to allow
    it. The instance has to run.
  - What a program runs as is up to the agent, which is root as a rule. A program that exits with another number than 0
    is a failure; C(failed_when) may see it otherwise.
  - Each call does it anew, and reports a change. In check mode it says what it would do, and asks no guest.
  - The audit trail has the program's name, and no arguments. Set C(no_log) on a task whose arguments, input or output
    are nobody's business.
  - A guest that does not answer costs some seconds, beside the others. What a guest answers is bounded, checked, and
    free of control sequences.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
attributes:
  idempotent:
    description: A second run with the same options changes nothing.
    support: none
    details: Each call does it anew.
options:
  # Options of one act: written by tools/write_module_docs.py
  name:
    description:
      - The instances, by name or identifier; one alone needs no list.
    type: list
    elements: str
    required: true
  cluster:
    description:
      - The cluster, by name or identifier.
      - With a single cluster it need not be given.
    type: str
  action:
    description:
      - V(run) runs a program (O(argv)) and waits for its end.
      - V(set_password) gives O(user) another password.
      - V(set_time) sets the guest's clock to the coordinator's, which is right after an instance was paused,
        suspended or saved.
    type: str
    required: true
    choices:
      - run
      - set_password
      - set_time
  argv:
    description:
      - For V(run), the program and its arguments.
      - There is no shell - write V([/bin/sh, -c, TEXT]) for one.
    type: list
    elements: str
  stdin:
    description:
      - For V(run), what the program reads from its standard input; at most 1 MiB.
    type: str
  timeout_s:
    description:
      - For V(run), how many seconds to wait for the end of the program.
      - After that the module fails, and the program goes on.
    type: int
    default: 60
  user:
    description:
      - For V(set_password), the name of a user of the guest.
    type: str
  hashed_password:
    description:
      - For V(set_password), the password as a crypt hash, as C(mkpasswd) prints it.
    type: str
  # End of the options of one act
seealso:
  - module: pextra.cloud.pextra_vm_guest_info
  - module: pextra.cloud.pextra_vm
"""

EXAMPLES = r"""
- name: Ask two guests whether their web server runs
  pextra.cloud.pextra_vm_guest:
    name: [web-1, web-2]
    action: run
    argv: [/usr/bin/systemctl, is-active, nginx.service]
  register: nginx
  changed_when: false

- name: Give a program what it reads
  pextra.cloud.pextra_vm_guest:
    name: db
    action: run
    argv: [/usr/bin/psql, --file=-, shop]
    stdin: "vacuum analyze;"
    timeout_s: 900

- name: Give a user another password
  pextra.cloud.pextra_vm_guest:
    name: web-1
    action: set_password
    user: ann
    hashed_password: "{{ vault_ann_hash }}"

- name: Set the clock of an instance that was saved
  pextra.cloud.pextra_vm_guest:
    name: db
    action: set_time
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
    - 'instance web-1 on node1: run /usr/bin/systemctl in the guest'
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
vms:
  description: The instances, in the order of their names.
  returned: success and partial failure
  type: list
  elements: dict
  contains:
    id:
      description: The identifier.
      type: str
      sample: inst-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: web-1
    cluster:
      description: The cluster.
      type: str
      sample: mtl-1
    node:
      description: The node that it is on.
      type: str
      sample: node1
    power:
      description: V(running), V(paused), V(asleep), V(saved) or V(stopped); V(undefined) if it is registered
        and on no node, V(unknown) if its node does not answer.
      type: str
      sample: running
    rc:
      description: With O(action=run), what the program exited with; none while that is not known, or
        if a signal ended it.
      type: int
      sample: 0
    signal:
      description: The number of the signal that ended it.
      type: int
      sample: 9
    stdout:
      description: What it wrote, as UTF-8 and without control sequences; 256 KiB at most.
      type: str
      sample: 'active

        '
    stderr:
      description: Likewise, of its errors.
      type: str
      sample: ''
    truncated:
      description: Whether something of either is left out.
      type: bool
      sample: false
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_guest.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_guest.resource import GuestResource

    return GuestResource


def main() -> None:
    run(_load, table=FIELDS, plural="vms", is_act=True)


if __name__ == "__main__":
    main()
