#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_image
short_description: Have images in the storage pools of a cluster
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - An image is a disk that instances begin from. Each of its pools holds a copy of it on each of the pool's nodes, or
    one copy if the pool is shared.
  - A file of the controller is copied to the coordinator only when a copy is missing. A URL is fetched by the
    coordinator, at most once. The coordinator keeps the file in C(/var/lib/pextra/images) for nodes and pools to come.
  - The file's header is looked at before anything is touched, without running any program on it. Files that name other
    files (a backing file, an external data file), are encrypted, truncated or larger than O(max_size), and raw files
    that begin like another format, are refused. The format is never guessed.
  - With O(signature) and O(signing_key) a content is verified by C(gpgv), with that key alone, before it is registered
    or copied into a storage pool. The signature is of the file, or of a list of checksums (O(checksums)) that names it.
  - A copy is written, read back and compared, and only then recorded as complete. What a killed run has left is written
    anew. A copy that was deleted by hand is written again.
  - When the content of a name changes, instances begin from the new one, and the copies of the older ones stay while
    something uses them. O(retention) keeps some that nothing uses, to go back to; that takes no transfer.
  - An image is removed only when no instance uses it. It can be had again from its source, so no consent is needed; but
    to lose an older content that was kept because of O(retention) needs O(confirm=DESTROY).
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
options:
  # Options of one resource: written by tools/write_module_docs.py
  name:
    description:
      - The name, by which everything else refers to it.
      - Exactly one of O(name) and O(images) is needed.
    type: str
  kind: &kind
    description:
      - 'What it is: a disk that instances begin from, or a CD or DVD that is put into a drive of theirs
        (O(pextra.cloud.pextra_vm#module:cdroms)).'
      - It stays what it is.
      - A new one gets V(disk) unless it is given.
    type: str
    choices:
      - disk
      - iso
  source: &source
    description:
      - A file on the controller (absolute, or relative to the inventory), an http or https URL, or the
        short name of a distribution's cloud image, such as V(debian-12) or V(ubuntu-24.04).
      - There are V(debian-12), V(debian-13), V(ubuntu-22.04), V(ubuntu-24.04), V(ubuntu-26.04), V(alma-9),
        V(rocky-9), V(fedora-43), V(fedora-44), V(alpine-3.22), V(alpine-3.23).
    type: str
  sha256: &sha256
    description:
      - The SHA-256 of the file.
      - Required for a URL; computed from a local file unless given.
      - With a short name, the one content that it is to mean; unless given, what its publisher's list of
        checksums states when it is had for the first time.
    type: str
  signature: &signature
    description:
      - 'A detached OpenPGP signature of the file or, with O(checksums), of that list: a file on the controller,
        or an http or https URL.'
      - Needs O(signing_key).
      - Not with a short name, whose publisher's is known.
    type: str
  signing_key: &signing_key
    description:
      - 'The one public key that the signature is checked with: a file on the controller, or the text of
        an armored one.'
      - With a short name, the list of checksums of its publisher is then taken only if it is signed with
        this key, which must be the publisher's.
    type: str
  checksums: &checksums
    description:
      - 'A list of SHA-256 or SHA-512 (SHA256SUMS) that names the file and that O(signature) is of: a file
        on the controller, or an http or https URL.'
    type: str
  renew: &renew
    description:
      - Whether a short name as O(source) comes to mean what its publisher has now, in each call that says
        V(true).
      - Otherwise it means what it meant when it was had for the first time.
      - What began from that keeps it.
    type: bool
  mirrors: &mirrors
    description:
      - 'Where the file of a URL is looked for first, under its own name: directories on the controller,
        then http and https URLs in their order.'
    type: list
    elements: str
  format: &format
    description:
      - The format of the file.
      - 'It is never guessed: V(qcow2) unless given, and V(raw) of an O(kind=iso), which has no other.'
      - V(qcow2) and V(raw) are disks of virtual machines; V(tar), also compressed with gzip, and V(squashfs)
        are the files of containers.
    type: str
    choices:
      - qcow2
      - raw
      - tar
      - squashfs
  architecture: &architecture
    description:
      - The processors that what is in it is for.
      - Instances that begin from it are machines of them.
      - Not said unless given.
    type: str
    choices:
      - x86_64
      - aarch64
  pools: &pools
    description:
      - The storage pools that hold a copy of it, on each of their nodes; once where the pool is shared.
      - Unless given, in the deployment document those whose instances begin from it, or have it in a drive;
        to the module alone, for a new one, all pools of the cluster.
    type: list
    elements: str
  max_size: &max_size
    description:
      - The largest virtual size that is accepted of a new content.
      - A new one gets V(64 GiB) unless it is given.
    type: str
  retention: &retention
    description:
      - How many older contents that nothing uses are kept, to go back to.
      - As before unless given; 0 at first.
    type: int
  cluster: &cluster
    description:
      - The cluster, by name or identifier.
      - With a single cluster it need not be given.
    type: str
  description: &description
    description:
      - One line about it, for people.
    type: str
  protected: &protected
    description:
      - 'Whether it is protected: it cannot be removed, its name cannot come to mean another content, and
        of every content a copy stays, whatever else a call says or consents to.'
      - A call of its own that sets V(false) ends that.
      - A new one gets V(false) unless it is given.
    type: bool
  state: &state
    description:
      - Whether it exists.
    type: str
    choices:
      - present
      - absent
    default: present
  images:
    description:
      - Many images at once, each with the same options as one. They are read in bulk, planned together
        and applied in parallel.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name, by which everything else refers to it.
        type: str
        required: true
      kind: *kind
      source: *source
      sha256: *sha256
      signature: *signature
      signing_key: *signing_key
      checksums: *checksums
      renew: *renew
      mirrors: *mirrors
      format: *format
      architecture: *architecture
      pools: *pools
      max_size: *max_size
      retention: *retention
      cluster: *cluster
      description: *description
      protected: *protected
      state: *state
  # End of the options of one resource
seealso:
  - module: pextra.cloud.pextra_image_info
  - module: pextra.cloud.pextra_pool
"""

EXAMPLES = r"""
- name: Have an image from a file of the controller in all storage pools
  pextra.cloud.pextra_image:
    name: tiny
    source: /srv/images/tiny.qcow2

- name: Have a distribution's cloud image, by its short name
  pextra.cloud.pextra_image:
    name: debian
    source: debian-12

- name: Have what its publisher has now, if its list is signed with this key
  pextra.cloud.pextra_image:
    name: ubuntu
    source: ubuntu-24.04
    signing_key: keys/ubuntu-cloud.asc
    renew: true

- name: Have several, one of them from a URL
  pextra.cloud.pextra_image:
    images:
      - name: tiny
        source: /srv/images/tiny.qcow2
        pools: [local]
      - name: debian-12
        source: https://images.example.com/debian-12-genericcloud-amd64.qcow2
        sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
        description: Debian 12, generic cloud image
      - name: debian-12-arm64
        source: /srv/images/debian-12-genericcloud-arm64.qcow2
        architecture: aarch64
      - name: appliance
        source: /srv/images/appliance.img
        format: raw
        max_size: 256 GiB

- name: Have an image that its publisher has signed, from a mirror inside if that has it
  pextra.cloud.pextra_image:
    name: ubuntu-24.04
    source: https://images.example.com/noble/noble-server-cloudimg-amd64.img
    sha256: 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
    checksums: https://images.example.com/noble/SHA256SUMS
    signature: https://images.example.com/noble/SHA256SUMS.gpg
    signing_key: keys/publisher.asc
    mirrors:
      - /srv/mirror/images
      - http://192.0.2.7/images

- name: Renew an image, and keep the content before for a while
  pextra.cloud.pextra_image:
    name: debian-12
    source: https://images.example.com/debian-12-genericcloud-amd64-20260101.qcow2
    sha256: 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
    retention: 1

- name: Keep an image, and what its name means; a later call has to set false first
  pextra.cloud.pextra_image:
    name: debian-12
    protected: true

- name: Remove an image that no instance uses
  pextra.cloud.pextra_image:
    name: tiny
    state: absent
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
    - 'image debian-12 on node2: copy into pool local'
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
image:
  description: The image; none when it does not exist.
  returned: success and partial failure, unless many were given
  type: dict
  contains: &contains
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
    fetched:
      description: Where its file was had from, if this run has fetched it from a URL.
      type: dict
      contains:
        url:
          description: The place, without what may be secret in its URL.
          type: str
          sample: https://mirror.example.com/debian-12-genericcloud-amd64.qcow2
        passed_over:
          description: Why mirrors before that one were passed over.
          type: list
          elements: str
          sample: []
images:
  description: The images, in the order in which they were given.
  returned: success and partial failure, when many were given
  type: list
  elements: dict
  contains: *contains
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.resource import ImageResource

    return ImageResource


def main() -> None:
    run(_load, table=FIELDS, plural="images")


if __name__ == "__main__":
    main()
