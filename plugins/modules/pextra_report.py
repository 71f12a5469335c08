#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The documentation of the action plugin of the same name. Nothing runs on a host.

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_report
short_description: Write a page that shows the cloud
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Writes one file of HTML that holds all it needs and asks for nothing from elsewhere. It shows the tree, how well all
    is, how much room there is now and with a node lost, the network and the storage as pictures, storage pools, images,
    instances, what differs from the document, and the audit trail.
  - The playbook C(pextra.cloud.report) reads what the page shows, and calls this module.
  - The file is written as a whole or not at all. One that shows the same already is left as it is, whenever it was
    made; its time says since when the cloud has been so. See O(always).
  - A file that is no such page is never overwritten.
  - Secrets and what guests are told (C(cloud_init)) are not on the page. Names, addresses and who did what are.
  - Everything happens on the controller. No connection is made.
options:
  path:
    description: The file on the controller. A relative path begins where Ansible was started.
    type: path
    required: true
  document:
    description: The document, as M(pextra.cloud.pextra_deployment_validate) returns it.
    type: dict
    required: true
  source:
    description: V(cloud) shows what O(cloud) and the options after it hold, V(document) the document alone.
    type: str
    choices: [cloud, document]
    default: cloud
  cloud:
    description: What M(pextra.cloud.pextra_deployment_info) has returned. Without it the page says that nothing could
      be read.
    type: dict
  images:
    description: The images, as M(pextra.cloud.pextra_image_info) has returned them.
    type: list
    elements: dict
  events:
    description: The events of the audit trail, as M(pextra.cloud.pextra_registry_info) has returned them.
    type: list
    elements: dict
  check:
    description: What M(pextra.cloud.pextra_deployment) has returned in check mode, with C(diff).
    type: dict
  problems:
    description: What went wrong before, as the filter P(pextra.cloud.problems#filter) returns it.
    type: list
    elements: dict
    default: []
  mode:
    description: Who may read the file, in octal digits. It tells much of the cloud, so that is its owner alone unless
      given.
    type: str
    default: "0600"
  always:
    description: Whether the file is written also if it shows the same already, for its time to be that of this run.
    type: bool
    default: false
attributes:
  action:
    description: Runs on the controller only.
    support: full
  check_mode:
    description: Can run in check mode, and then says what a real run would do.
    support: full
  diff_mode:
    description: A page is not compared line by line.
    support: none
  idempotent:
    description: A second run writes nothing if nothing that the page shows has changed.
    support: partial
    details: With O(always=true) it writes each time.
  action_group:
    description: Reads neither registry nor nodes, so it takes no module defaults.
    support: none
    membership: []
seealso:
  - module: pextra.cloud.pextra_deployment_info
  - module: pextra.cloud.pextra_deployment_validate
"""

EXAMPLES = r"""
- name: Read the document
  pextra.cloud.pextra_deployment_validate:
  register: deployment

- name: Show on a page what it declares
  pextra.cloud.pextra_report:
    path: /srv/www/cloud.html
    document: "{{ deployment.document }}"
    source: document
    mode: "0644"

- name: Read the cloud
  pextra.cloud.pextra_deployment_info:
  register: cloud

- name: Show on a page how it is
  pextra.cloud.pextra_report:
    path: cloud.html
    document: "{{ deployment.document }}"
    cloud: "{{ cloud }}"
"""

RETURN = r"""
path:
  description: The file, absolute.
  returned: success
  type: str
  sample: /srv/www/cloud.html
size:
  description: How large the page is, in bytes.
  returned: success
  type: int
  sample: 51128
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: str
  sample: [write /srv/www/cloud.html (50 KiB)]
errors:
  description: Every problem, one element each, as the other modules return them.
  returned: failure
  type: list
  elements: dict
  sample:
    - {node: null, resource: null, what: /srv/www/cloud.html is a directory, remedy: Name a file.}
"""
