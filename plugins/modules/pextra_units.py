#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the systemd units of a node as they should be."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_units
short_description: Keep systemd units running with their present configuration
version_added: 0.1.0
description:
  - Enables, starts and masks several systemd units in one go.
  - Restarts a service only if what it reads is newer than its start. This is decided by the times found on the host,
    so a run that was interrupted before a restart is mended by the next, and nothing restarts without a change.
  - Opens sockets before the service that they belong to, which is stopped for it if need be.
author:
  - The pextra.cloud founders (@pextra)
extends_documentation_fragment:
  - pextra.cloud.attributes.host
options:
  units:
    description: The units, in the order in which they are to be started.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The full name of the unit, such as V(libvirtd.service).
        type: str
        required: true
      masked:
        description: Whether the unit must not run and cannot be started.
        type: bool
        default: false
      files:
        description:
          - Files that the unit reads at its start. It is restarted if one of them is newer than that.
          - The files of the unit itself need not be given.
        type: list
        elements: path
        default: []
      reload_files:
        description: Files that the unit reads again by O(units[].reload), without a restart.
        type: list
        elements: path
        default: []
      reload:
        description: The command, as a list, that makes the unit read O(units[].reload_files) again.
        type: list
        elements: str
        default: []
      sockets:
        description: Socket units of the unit. They are enabled and listen before it starts.
        type: list
        elements: str
        default: []
      is_stale:
        description:
          - Whether to restart the unit in any case.
          - Serves check mode, in which the files that a task before would have written are still the old ones.
        type: bool
        default: false
seealso:
  - module: ansible.builtin.systemd_service
  - module: pextra.cloud.pextra_preflight
"""

EXAMPLES = r"""
- name: Run libvirt with TLS only
  pextra.cloud.pextra_units:
    units:
      - {name: libvirtd-tcp.socket, masked: true}
      - name: libvirtd.service
        sockets: [libvirtd.socket, libvirtd-tls.socket]
        files: [/etc/libvirt/libvirtd.conf, /etc/libvirt/qemu.conf]
        reload_files: [/etc/pki/pextra/cert.pem]
        reload: [virt-admin, server-update-tls, libvirtd]
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
    - enable libvirtd-tls.socket
    - restart libvirtd.service
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
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.unit.plan import Unit
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.unit.resource import UnitsWork
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_on_host

ARGUMENTS = {
    "units": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "masked": {"type": "bool", "default": False},
            "files": {"type": "list", "elements": "path", "default": []},
            "reload_files": {"type": "list", "elements": "path", "default": []},
            "reload": {"type": "list", "elements": "str", "default": []},
            "sockets": {"type": "list", "elements": "str", "default": []},
            "is_stale": {"type": "bool", "default": False},
        },
    }
}


def make(module: AnsibleModule) -> UnitsWork:
    return UnitsWork(module.run_command, [_make_unit(options) for options in module.params["units"]])


def _make_unit(options: dict[str, Any]) -> Unit:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    return Unit(**values)


def main() -> None:
    run_on_host(ARGUMENTS, make, failing="the units are not as they should be")


if __name__ == "__main__":
    main()
