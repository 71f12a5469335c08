#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_vm_power
short_description: Restart, reset, pause, suspend, save and resume instances
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Does one thing to the power of one instance, or of several side by side. Whether an instance runs at all is declared
    with M(pextra.cloud.pextra_vm) (O(pextra.cloud.pextra_vm#module:power)), which also starts and stops it.
  - V(restart), V(reset) and V(nmi) are done anew at each call. The others lead to a state, and change nothing where an
    instance is in it already - V(pause) of a paused one, V(suspend_to_memory) of one that sleeps, V(save) of a saved
    one, V(resume) of one that runs, V(discard_saved) of one of which nothing is saved.
  - V(restart) takes an instance that runs, is paused, or sleeps; the two are resumed first, since they would not hear
    that they are to stop. Its definition takes effect, with all that was pending. If the run is killed while the
    instance is stopped, the next V(restart), or the next call of M(pextra.cloud.pextra_vm), starts it.
  - V(reset) takes one that runs or is paused; it runs afterwards.
  - V(pause) and V(nmi) take one that runs; V(save) one that runs or is paused, and when it goes on, it runs.
  - V(suspend_to_memory) takes one that runs. It needs C(qemu-guest-agent) in the guest, and a guest that can sleep.
  - V(resume) takes one that is paused, sleeps, or is saved.
  - Any other state is refused, before anything is done to any of them. What is stopped is never started.
  - A saved instance is V(stopped) to M(pextra.cloud.pextra_vm), whose V(power=running) lets it go on too. Until then
    its definition, its node and its volumes cannot be changed - it goes on with those that it had. With
    O(pextra.cloud.pextra_vm#module:autostart) it goes on by itself when its node starts.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
attributes:
  idempotent:
    description: A second run with the same options changes nothing.
    support: partial
    details: V(restart), V(reset) and V(nmi) are done at each call.
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
      - V(restart) asks the guest to stop, waits for it, and starts it.
      - 'V(reset) presses the reset button: what the guest had not written is lost.'
      - V(pause) halts its virtual CPUs; its memory stays taken.
      - V(suspend_to_memory) has the agent in the guest suspend it (S3).
      - V(save) writes its memory to the node's disk, and ends it.
      - V(resume) lets go on what is paused, suspended to memory or saved.
      - V(nmi) sends it a non-maskable interrupt, on which many guests write a dump.
      - V(discard_saved) deletes what was saved of its memory, so that it boots at its next start; it needs
        O(confirm=DESTROY).
    type: str
    required: true
    choices:
      - restart
      - reset
      - pause
      - suspend_to_memory
      - save
      - resume
      - nmi
      - discard_saved
  stop_timeout_s:
    description:
      - For V(restart), how many seconds the guest has to stop after it was asked to.
    type: int
    default: 90
  force_stop:
    description:
      - For V(restart), whether the power of a guest that has not stopped by then is cut.
      - What it had not written is lost.
      - Without it the restart fails, and the guest goes on.
    type: bool
    default: false
  # End of the options of one act
seealso:
  - module: pextra.cloud.pextra_vm
  - module: pextra.cloud.pextra_vm_info
"""

EXAMPLES = r"""
- name: Restart two instances, and cut the power of what does not stop within a minute
  pextra.cloud.pextra_vm_power:
    name: [web-1, web-2]
    action: restart
    stop_timeout_s: 60
    force_stop: true

- name: Save an instance before its node is switched off
  pextra.cloud.pextra_vm_power:
    name: db
    action: save

- name: Let it go on
  pextra.cloud.pextra_vm_power:
    name: db
    action: resume

- name: Have a guest that hangs write a dump
  pextra.cloud.pextra_vm_power:
    name: mail
    action: nmi

- name: Give up what was saved of its memory, so that it boots
  pextra.cloud.pextra_vm_power:
    name: db
    action: discard_saved
    confirm: DESTROY
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
    - 'instance web-1 on node1: register, stop, start, note that it runs'
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
  description: The instances as they are afterwards, in the order of their names.
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
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_power.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_power.resource import PowerResource

    return PowerResource


def main() -> None:
    run(_load, table=FIELDS, plural="vms", is_act=True)


if __name__ == "__main__":
    main()
