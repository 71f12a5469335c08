#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace a drive of a volume group or zpool."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_drive_replace
short_description: Replace a drive of a volume group or zpool
version_added: 0.1.0
description:
  - Lets another disk take the place of a drive in a volume group or zpool that M(pextra.cloud.pextra_disks) made,
    copies what is on it while everything goes on working, and waits until that is done.
  - A drive of a zpool with redundancy may be gone already. What was on a missing drive of a volume group is lost, and
    needs O(confirm).
  - The disk that comes instead has to be empty. Nothing is wiped.
  - A replacement that was interrupted is gone on with by the next call.
author:
  - The pextra.cloud founders (@pextra)
extends_documentation_fragment:
  - pextra.cloud.disk_sets
  - pextra.cloud.attributes.host
options:
  drive:
    description:
      - The drive that leaves, by its serial number or one of its paths.
      - A drive that is missing can be named by what LVM or ZFS calls it. The error for a wrong name lists the drives.
    type: str
    required: true
  replacement:
    description:
      - The disk that comes instead, by its serial number or one of its paths.
      - Unless given, it is the only empty disk that meets the filter of the set.
    type: str
  timeout:
    description:
      - How many seconds to wait for the copying. After that the call fails, and another one goes on waiting.
    type: int
    default: 86400
  confirm:
    description: V(DESTROY) to consent to the loss of the logical volumes that had parts on a missing drive.
    type: str
    choices: [DESTROY]
attributes:
  action:
    description: Shows how far the copying is, on the controller.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: partial
    details: Without O(replacement) a second call does not find the drive any more, and fails.
seealso:
  - module: pextra.cloud.pextra_disks
  - module: pextra.cloud.pextra_disks_info
"""

EXAMPLES = r"""
- name: Replace a drive that is about to fail
  pextra.cloud.pextra_drive_replace:
    node: node1
    drive: S4EVNX0R123456
    sets: "{{ pextra_deployment.document.disks['node1'] }}"
"""

RETURN = r"""
# Values of a module that acts on its own host: written by tools/write_module_docs.py
actions:
  description: What was done, or in check mode would be done, in order; one line for each resource and
    node, or act.
  returned: success and partial failure
  type: list
  elements: str
  sample:
    - replace /dev/sdb (1.8 TiB, serial 2231E6) in the zpool tank with /dev/sdf (1.8 TiB, serial 2231F9)
    - wait until the zpool tank has copied what the new disk needs
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
# End of the values that are written
set:
  description: The name of the set that the drive is, or was, in.
  returned: success
  type: str
  sample: tank
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.drives import Tools
from ansible_collections.pextra.cloud.plugins.module_utils._fields.argspec import options_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.replacement import Drive
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.replacing import ReplacementWork
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.spec import FIELDS, parse_disk_sets
from ansible_collections.pextra.cloud.plugins.module_utils._runner import require_no_mistakes, run_on_host

ARGUMENTS: dict[str, Any] = {
    "node": {"type": "str", "required": True},
    "drive": {"type": "str", "required": True},
    "replacement": {"type": "str"},
    "timeout": {"type": "int", "default": 86400},
    "confirm": {"type": "str", "choices": ["DESTROY"]},
    "sets": {"type": "list", "elements": "dict", "required": True, "options": options_of(FIELDS)},
}


def make(module: AnsibleModule) -> ReplacementWork:
    given = module.params
    sets, mistakes = parse_disk_sets(given["sets"], "sets")
    require_no_mistakes(mistakes)
    asked = Drive(drive=given["drive"], replacement=given["replacement"])
    return ReplacementWork(given["node"], asked, sets, Tools(module.run_command, module.get_bin_path), given["timeout"])


def main() -> None:
    run_on_host(ARGUMENTS, make, failing="the drive cannot be replaced")


if __name__ == "__main__":
    main()
