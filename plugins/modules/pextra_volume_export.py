#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

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
  # Options of one resource: written by tools/write_module_options.py
  name:
    description:
      - The name, by which everything else refers to it.
      - Exactly one of O(name) and O(exports) is needed.
    type: str
  cluster:
    description:
      - The cluster, by name or identifier.
      - With a single cluster it need not be given.
    type: str
  path:
    description:
      - The file on the coordinator's disk.
      - Its directory must be there.
    type: str
  format:
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
  overwrite:
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
      cluster:
        description:
          - The cluster, by name or identifier.
          - With a single cluster it need not be given.
        type: str
      path:
        description:
          - The file on the coordinator's disk.
          - Its directory must be there.
        type: str
        required: true
      format:
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
      overwrite:
        description:
          - Whether a file that is there may be replaced.
        type: bool
        default: false
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
export:
  description: What was written, when it was given by its options.
  returned: success, unless many were given
  type: dict
  contains:
    name: &name
      description: The name of the volume.
      type: str
      sample: data
    path: &path
      description: The file.
      type: str
      sample: /srv/export/data.vmdk
    format: &format
      description: Its format.
      type: str
      sample: vmdk
    sha256: &sha256
      description: Its SHA-256; none in check mode.
      type: str
      sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    size: &size
      description: Its size in bytes; none in check mode.
      type: int
      sample: 345178112
exports:
  description: What was written, when many were given, in their order.
  returned: success, when many were given
  type: list
  elements: dict
  contains:
    name: *name
    path: *path
    format: *format
    sha256: *sha256
    size: *size
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._runner import run
from ansible_collections.pextra.cloud.plugins.module_utils._spec.volume_export import FIELDS


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._resource.volume_export import ExportResource

    return ExportResource


def main() -> None:
    run(_load, table=FIELDS, plural="exports")


if __name__ == "__main__":
    main()
