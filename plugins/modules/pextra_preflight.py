#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check whether a host can become a node, and gather what the later stages need to know about it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pextra_preflight
short_description: Check whether a host can be a node
version_added: 0.1.0
description:
  - Gathers what a host is, in bulk, and holds it against every rule for nodes.
    All broken rules are reported at once, each with what was found, what is required and the remedy.
  - Finds out whether KVM really works on the host by running a small guest in it, with a time limit.
    A device that is there but cannot run guests at the processor's speed is reported as V(broken).
  - Changes nothing, and needs nothing on the host but Debian's own Python and C(ip).
author:
  - The pextra.cloud founders (@pextra)
extends_documentation_fragment:
  - pextra.cloud.attributes.host_info
options:
  node:
    description: The node's name in the inventory, for messages.
    type: str
    required: true
  address:
    description: The node's management address.
    type: str
    required: true
  uplinks:
    description: The network interfaces that vSwitches take as uplinks on this node.
    type: list
    elements: str
    default: []
  mounts:
    description: What storage pools mount from the network on this node. Nothing else may be mounted there.
    type: list
    elements: dict
    default: []
    suboptions:
      pool: {description: The name of the pool., type: str, required: true}
      path: {description: Where it is mounted., type: str, required: true}
      source:
        description: The export or share as the kernel names it, V(host:/path) or V(//host/share).
        type: str
        required: true
  directories:
    description:
      - Where the storage pools of this node have their directories.
      - No link may lead from there to a place of the system, or to the directory of another storage pool.
    type: list
    elements: dict
    default: []
    suboptions:
      pool: {description: The name of the pool., type: str, required: true}
      path: {description: The path of its directory., type: str, required: true}
  exceptions:
    description:
      - Names of rules that this host may break. What they find is reported as a warning.
      - The rules are C(architecture), C(os_release), C(init_system), C(cpu_cores), C(avx2), C(virtualization),
        C(memory), C(storage), C(hardware_raid), C(nic_speed), C(address_range), C(address_present),
        C(uplink_exists) and C(uplink_management). C(pool_mount), C(pool_directory) and C(foreign_deployment) know no
        exception, see O(mounts), O(directories) and O(takeover).
    type: list
    elements: str
    default: []
  ca_certificate:
    description:
      - The certificate of this deployment's CA, in PEM form. Not given as long as the deployment has none.
      - A host that holds the certificate of another CA belongs to another deployment and is refused.
    type: str
  takeover:
    description:
      - The name of the deployment that the host belongs to and from which it shall be taken over.
        It has to be the name that the refusal shows.
    type: str
seealso:
  - module: pextra.cloud.pextra_units
"""

EXAMPLES = r"""
- name: Check a host
  pextra.cloud.pextra_preflight:
    node: node1
    address: 192.0.2.11

- name: Check a small host in a laboratory, whose guests run in software
  pextra.cloud.pextra_preflight:
    node: node1
    address: 192.0.2.11
    uplinks: [eth1, eth2]
    exceptions: [cpu_cores, virtualization]

- name: Take a host over from another deployment, on purpose
  pextra.cloud.pextra_preflight:
    node: node1
    address: 192.0.2.11
    ca_certificate: "{{ lookup('ansible.builtin.file', 'ca.pem') }}"
    takeover: acme
"""

RETURN = r"""
violations:
  description: The rules that the host breaks. The module fails if there are any.
  returned: always
  type: list
  elements: dict
  contains:
    rule: {description: The name of the rule., type: str, sample: cpu_cores}
    found: {description: What the host has., type: str, sample: 2 cores}
    required: {description: What the rule requires., type: str, sample: at least 4; 8 are recommended}
    remedy: {description: What to do., type: str, sample: Use a larger host.}
    node: {description: The node., type: str, sample: node1}
excused:
  description: The rules that the host breaks by an exception.
  returned: always
  type: list
  elements: dict
  sample: []
node_facts:
  description: What the host is.
  returned: always
  type: dict
  sample:
    architecture: x86_64
    os: debian 12
    cores: 8
    cpus: 16
    sockets: 1
    cpu_model: AMD EPYC
    memory_mib: 32061
    storage_gib: 118
    kvm: works
    kvm_reason: a test guest ran through long mode and a timed loop at the processor's speed
    virt_type: kvm
    container: null
    virtual_machine: null
    management_interface: eth0
    time_zone: Etc/UTC
    has_apparmor: true
    is_prepared: true
    kvm_device_exists: true
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.facts import (
    describe,
    fingerprint,
    read_host_facts,
)
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.kvm import probe_host_kvm
from ansible_collections.pextra.cloud.plugins.module_utils._model.host_facts import Directory, Mount
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.preflight import (
    Wanted,
    check_exceptions,
    evaluate,
)

ARGUMENTS = {
    "node": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "uplinks": {"type": "list", "elements": "str", "default": []},
    "mounts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {key: {"type": "str", "required": True} for key in ("pool", "path", "source")},
    },
    "directories": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {key: {"type": "str", "required": True} for key in ("pool", "path")},
    },
    "exceptions": {"type": "list", "elements": "str", "default": []},
    "ca_certificate": {"type": "str"},
    "takeover": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    options: dict[str, Any] = module.params
    node = options["node"]
    if os.geteuid() != 0:
        module.fail_json(
            msg=f"{node}: preflight does not run as root, and has to look at devices. Log in as root (ansible_user: "
            "root), or as a user who may use sudo, and leave ansible_become as the playbooks set it."
        )
    wrong = check_exceptions(options["exceptions"])
    if wrong:
        module.fail_json(msg=f"{node}: the preflight exceptions are wrong. " + " ".join(wrong))
    try:
        ca_fingerprint = fingerprint(options["ca_certificate"]) if options["ca_certificate"] else None
    except ValueError as error:
        module.fail_json(msg=f"{node}: the deployment's CA certificate is not a PEM certificate: {error}.")
    wanted = Wanted(
        node=node,
        address=options["address"],
        uplinks=tuple(options["uplinks"]),
        mounts=tuple(Mount(**one) for one in options["mounts"]),
        directories=tuple(Directory(**one) for one in options["directories"]),
        ca_fingerprint=ca_fingerprint,
        takeover=options["takeover"],
    )
    kvm = probe_host_kvm()
    try:
        facts = read_host_facts(module.run_command, kvm, [one.path for one in wanted.directories])
    except OSError as error:
        module.fail_json(msg=f"{node}: the host's facts cannot be read: {error}. Install the package iproute2.")
    result = evaluate(facts, wanted, options["exceptions"])
    for violation in result.excused:
        module.warn(f"{node}: {violation.excused}")
    values = {
        "node_facts": describe(facts, kvm, wanted.address),
        "violations": [violation.as_dict() for violation in result.violations],
        "excused": [violation.as_dict() for violation in result.excused],
    }
    if result.violations:
        count = len(result.violations)
        lines = "".join(f"\n  {violation}" for violation in result.violations)
        module.fail_json(
            msg=f"{node} breaks {count} rule{'s' if count > 1 else ''} for nodes. Nothing was changed.{lines}",
            **values,
        )
    module.exit_json(changed=False, **values)


if __name__ == "__main__":
    main()
