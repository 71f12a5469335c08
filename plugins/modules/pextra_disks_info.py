#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which disks a node has."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_disks_info
short_description: Tell which disks a node has, what they hold and who uses them
version_added: 0.1.0
description:
  - Returns what filters of M(pextra.cloud.pextra_disks) can ask for, and what would keep a disk from being taken.
author:
  - The pextra.cloud founders (@pextra)
extends_documentation_fragment:
  - pextra.cloud.attributes.host_info
options: {}
seealso:
  - module: pextra.cloud.pextra_disks
"""

EXAMPLES = r"""
- name: Look at the disks
  pextra.cloud.pextra_disks_info:
  register: disks
"""

RETURN = r"""
disks:
  description: The disks of the node.
  returned: success
  type: list
  elements: dict
  contains:
    path: {description: What the kernel calls the disk today., type: str, sample: /dev/sdb}
    device: {description: A path that stays with the disk., type: str, sample: /dev/disk/by-id/ata-CT2000_2231E6}
    links: {description: All its other paths., type: list, elements: str, sample: [/dev/disk/by-id/ata-CT2000_2231E6]}
    size_bytes: {description: Its size., type: int, sample: 2000398934016}
    rotational: {description: Whether it turns., type: bool, sample: false}
    model: {description: Its model., type: str, sample: CT2000}
    serial: {description: Its serial number., type: str, sample: 2231E6}
    transport: {description: How it is connected., type: str, sample: sata}
    contents: {description: The signatures on it., type: list, elements: str, sample: [ext4 on /dev/sdb1]}
    uses: {description: Who uses it., type: list, elements: str, sample: [/dev/sdb1 is mounted at /srv]}
    volume_group: {description: The volume group it belongs to., type: str, sample: vg0}
    is_osd: {description: Whether an OSD of Ceph is on it., type: bool, sample: false}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.drives import Tools, read_seen
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.plan import describe_disk


def main() -> None:
    module = AnsibleModule({}, supports_check_mode=True)
    module.run_command_environ_update = {"LC_ALL": "C"}
    try:
        seen = read_seen(Tools(module.run_command, module.get_bin_path))
    except PextraError as error:
        module.fail_json(msg=f"The disks cannot be read: {error}")
    module.exit_json(changed=False, disks=[describe_disk(disk) for disk in seen.disks])


if __name__ == "__main__":
    main()
