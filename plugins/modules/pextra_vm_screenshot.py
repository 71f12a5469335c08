#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_vm_screenshot
short_description: Take pictures of instances' screens
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Writes what an instance shows on its screen to a PNG file on the coordinator's disk. The guest does not notice.
  - The instance has to run, to be paused, or to sleep, and needs a video device. One without is refused.
  - Each call takes a new picture, and reports a change. In check mode it says which file it would write.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
attributes:
  idempotent:
    description: A second run with the same options changes nothing.
    support: none
    details: Each call takes a new picture.
options:
  # Options of one picture: written by tools/write_module_docs.py
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
  directory:
    description:
      - The directory on the coordinator's disk, which must be there.
      - A picture is in the file C(NAME.png), which is replaced, and which only root may read.
    type: str
    required: true
  screen:
    description:
      - Which screen, of an instance that has several.
      - The first one is V(0).
    type: int
    default: 0
  # End of the options of one picture
seealso:
  - module: pextra.cloud.pextra_vm_console
  - module: pextra.cloud.pextra_vm
"""

EXAMPLES = r"""
- name: See what two instances show
  pextra.cloud.pextra_vm_screenshot:
    name: [web-1, web-2]
    directory: /srv/screens
  register: screens

- name: Bring the pictures to the controller
  ansible.builtin.fetch:
    src: "{{ item.path }}"
    dest: screens/
    flat: true
  loop: "{{ screens.vms }}"
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
    - 'instance web-1 on node1: write its screen to /srv/screens/web-1.png'
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
    path:
      description: The file on the coordinator; none in check mode, and where it failed.
      type: str
      sample: /srv/screens/web-1.png
    width:
      description: Its width in pixels, likewise.
      type: int
      sample: 1280
    height:
      description: Its height in pixels, likewise.
      type: int
      sample: 800
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_screenshot.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_screenshot.resource import ScreenshotResource

    return ScreenshotResource


def main() -> None:
    run(_load, table=FIELDS, plural="vms", is_act=True)


if __name__ == "__main__":
    main()
