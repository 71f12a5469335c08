#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_image_info
short_description: Read images
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the images, which storage pools hold a complete copy of them, and who uses them.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
seealso:
  - module: pextra.cloud.pextra_image
"""

EXAMPLES = r"""
- name: Read all images
  pextra.cloud.pextra_image_info:
  register: found

- name: List the images that nothing uses
  ansible.builtin.debug:
    msg: "{{ found.images | selectattr('unused', 'true') | map(attribute='name') }}"

- name: Show where an image is
  ansible.builtin.debug:
    var: (found.images | selectattr('name', 'eq', 'tiny') | first).copies
"""

RETURN = r"""
# Values of a module that reads resources: written by tools/write_module_docs.py
images:
  description: The images that were found.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The identifier. Another content has another one.
      type: str
      sample: img-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: debian-12
    cluster:
      description: The cluster it belongs to.
      type: str
      sample: mtl-1
    kind:
      description: What it is, V(disk) or V(iso).
      type: str
      sample: disk
    number:
      description: Which content of the name it is, counted from 1.
      type: int
      sample: 2
    origin:
      description: The short name that it was had by; none of what was declared as a file or a URL.
      type: str
      sample: debian-12
    sha256:
      description: The SHA-256 of its file.
      type: str
      sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    format:
      description: The format of its file.
      type: str
      sample: qcow2
    architecture:
      description: The processors that what is in it is for; none where that is not said.
      type: str
      sample: x86_64
    virtual_size:
      description: The size of the disk that an instance sees, in bytes.
      type: int
      sample: 2147483648
    size:
      description: The size of the file, in bytes.
      type: int
      sample: 345178112
    description:
      description: One line about it.
      type: str
      sample: Debian 12, generic cloud image
    protected:
      description: Whether it is protected from being removed and replaced.
      type: bool
      sample: true
    copies:
      description: Where it is recorded to be complete.
      type: list
      elements: dict
      contains:
        pool:
          description: The storage pool.
          type: str
          sample: local
        node:
          description: The node; none where the pool is shared.
          type: str
          sample: node1
        status:
          description: V(complete), V(missing) (it has gone since), or V(unknown) when no node can tell.
          type: str
          sample: complete
    signed_by:
      description: The fingerprint of the key whose signature was verified; none if no signature was declared.
      type: str
      sample: D2FA6E9F3D0A5A8C7B61C3B9A1E2F3D4C5B6A798
    retention:
      description: How many older contents that nothing uses are kept.
      type: int
      sample: 1
    versions:
      description: Older contents that are still there, newest first, with the same keys.
      type: list
      elements: dict
      sample: []
    unused:
      description: Whether nothing uses it, in whichever version; none while a node that could tell does
        not answer.
      type: bool
      sample: false
    used_by:
      description: The instances that began from it, and volumes of others that need a copy of it.
      type: list
      elements: dict
      contains:
        type:
          description: V(instance) or V(volume).
          type: str
          sample: instance
        name:
          description: Its name.
          type: str
          sample: web-1
        node:
          description: The node it is on.
          type: str
          sample: node1
        pool:
          description: The storage pool of a volume.
          type: str
          sample: local
        version:
          description: The identifier of the version whose copies it needs; none if it is a full copy.
          type: str
          sample: img-qthm_iLrflJ_DtSS1l4Gx
unreachable_nodes:
  description: The nodes that did not answer, and why, as in RV(errors).
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
unknown:
  description: V(true) where a check cannot know yet what is there, and what would change; C(msg) says
    why.
  returned: in check mode, before the coordinator or what earlier tasks make is there
  type: bool
  sample: true
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_info


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.resource import ImageResource

    return ImageResource


def main() -> None:
    run_info(_load, plural="images")


if __name__ == "__main__":
    main()
