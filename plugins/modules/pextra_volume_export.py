#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_volume_export
short_description: Write volumes to files of the coordinator
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Writes a volume that lives on its own to a file on the coordinator's disk, which only root may read. Another format
    than the volume's is made beside the volume by the node's libvirt, and removed afterwards. What lies in pools that
    hold no files comes over the network as blocks, and the coordinator writes qcow2 or raw itself.
  - No running instance may have the volume.
  - The file is read again and compared with what was received, and its header is looked at, before it gets its name.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
attributes:
  idempotent:
    description: An act; each call writes the file anew.
    support: none
options:
  # Options of one resource: written by tools/write_module_docs.py
  name:
    description:
      - The name, by which everything else refers to it.
      - Exactly one of O(name) and O(exports) is needed.
    type: str
  cluster: &cluster
    description:
      - The cluster, by name or identifier.
      - With a single cluster it need not be given.
    type: str
  path:
    description:
      - The file on the coordinator's disk.
      - Its directory must be there.
    type: str
  format: &format
    description:
      - The format of the file.
      - What lies in pools of the types V(rbd), V(lvm) and V(zfs) can be V(qcow2) or V(raw).
    type: str
    choices:
      - qcow2
      - raw
      - vmdk
      - vdi
    default: qcow2
  overwrite: &overwrite
    description:
      - Whether a file that is there may be replaced.
    type: bool
    default: false
  exports:
    description:
      - Many exports at once, each with the same options as one. They are read in bulk, planned together
        and applied in parallel.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name, by which everything else refers to it.
        type: str
        required: true
      cluster: *cluster
      path:
        description:
          - The file on the coordinator's disk.
          - Its directory must be there.
        type: str
        required: true
      format: *format
      overwrite: *overwrite
  # End of the options of one resource
seealso:
  - module: pextra.cloud.pextra_volume
"""

EXAMPLES = r"""
- name: Write a volume to a file that other systems read
  pextra.cloud.pextra_volume_export:
    name: data
    path: /srv/export/data.vmdk
    format: vmdk
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
    - 'volume data on node1: convert it to vmdk, write it to /srv/export/data.vmdk'
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
export:
  description: The file that was written.
  returned: success and partial failure, unless many were given
  type: dict
  contains: &contains
    name:
      description: The name of the volume.
      type: str
      sample: data
    path:
      description: The file.
      type: str
      sample: /srv/export/data.vmdk
    format:
      description: Its format.
      type: str
      sample: vmdk
    sha256:
      description: Its SHA-256; none in check mode.
      type: str
      sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    size:
      description: Its size in bytes; none in check mode.
      type: int
      sample: 345178112
exports:
  description: The exports, in the order in which they were given.
  returned: success and partial failure, when many were given
  type: list
  elements: dict
  contains: *contains
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume_export.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume_export.resource import ExportResource

    return ExportResource


def main() -> None:
    run(_load, table=FIELDS, plural="exports")


if __name__ == "__main__":
    main()
