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
attributes:
  check_mode:
    description: Can run in check mode, and then says what a real run would do.
    support: full
  diff_mode:
    description: Returns what differs, which is what it changes.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  action_group:
    description: Whether the module belongs to an action group.
    support: none
    membership: []
    details: It runs on each node, not on a coordinator, and shares no options with the modules that do.
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
actions:
  description: What was done, or would be done in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: [enable libvirtd-tls.socket, restart libvirtd.service]
"""

from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._units import (
    MARKER_DIR,
    PROPERTIES,
    Action,
    Unit,
    parse_status,
    plan_units,
    read_drop_ins,
    read_file_times,
    read_reload_times,
)

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


def make_unit(options: dict[str, Any]) -> Unit:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    return Unit(**values)


def plan(module: AnsibleModule, units: list[Unit]) -> list[Action]:
    """Read the units as they are and plan; two systemd calls at most, however many units there are."""
    names = list(dict.fromkeys(name for unit in units for name in (*unit.sockets, unit.name)))
    argv = ["systemctl", "show", "--timestamp=us+utc", f"--property={','.join(PROPERTIES)}", "--", *names]
    code, out, error = module.run_command(argv)
    if code != 0:
        module.fail_json(msg=f"systemd does not answer: {error.strip()}. Is it process 1 on this host?")
    status = parse_status(out, read_reload_times(names), read_drop_ins(names))
    paths = {path for unit in units for path in (*unit.files, *unit.reload_files)}
    paths |= {path for item in status.values() for path in item.unit_files}
    return plan_units(units, status, read_file_times(paths))


def apply(module: AnsibleModule, action: Action) -> None:
    if action.reloaded:
        # The moment before the reload: what is written while it runs counts as not yet read.
        MARKER_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
        pending = MARKER_DIR / f"{action.reloaded}.pending"
        pending.touch()
    code, out, error = module.run_command(list(action.argv))
    if code != 0:
        fail(module, action, error.strip() or out.strip())
    if action.reloaded:
        pending.replace(MARKER_DIR / action.reloaded)


def fail(module: AnsibleModule, action: Action, reason: str) -> None:
    names = [name for name in (action.reloaded, *action.argv[2:]) if name and name.endswith((".service", ".socket"))]
    argv = ["journalctl", "--no-pager", "--quiet", "--lines=10", "--output=cat"]
    # Without a unit journalctl would show everybody's lines.
    log = module.run_command([*argv, *(f"--unit={name}" for name in names)])[1].strip() if names else ""
    module.fail_json(
        msg=f"Could not {action.text}: {reason}" + (f"\nThe last lines of its journal:\n{log}" if log else ""),
        actions=[action.text],
    )


def main() -> None:
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    units = [make_unit(options) for options in module.params["units"]]
    actions = plan(module, units)
    if actions and not module.check_mode:
        for action in actions:
            apply(module, action)
        left = plan(module, [replace(unit, is_stale=False) for unit in units])
        if left:
            module.fail_json(
                msg="Units are still not as they should be after: "
                + "; ".join(action.text for action in actions)
                + ". What is left: "
                + "; ".join(action.text for action in left)
                + ". Look at systemctl status and journalctl of these units.",
            )
    texts = [action.text for action in actions]
    module.exit_json(
        changed=bool(actions),
        actions=texts,
        diff={"before": "", "after": "".join(f"{text}\n" for text in texts)},
    )


if __name__ == "__main__":
    main()
