#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_deployment_info
short_description: Read the whole cloud, and show it as a tree
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns organizations, datacenters, clusters, nodes with health, storage pools, vSwitches and instances of the
    deployment, as the other C(_info) modules return them, in one run; and all of it as a tree for people.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes
options:
  declared:
    description:
      - The declared power state by the name of the instance, to count how many are as declared.
    type: dict
    default: {}
seealso:
  - module: pextra.cloud.pextra_deployment
  - module: pextra.cloud.pextra_node_info
  - module: pextra.cloud.pextra_vm_info
"""

EXAMPLES = r"""
- name: Read the cloud
  pextra.cloud.pextra_deployment_info:
  register: cloud

- name: Show it
  ansible.builtin.debug:
    msg: "{{ cloud.tree }}"
"""

RETURN = r"""
# Values of a module that reads or writes the registry: written by tools/write_module_docs.py
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
tree:
  description: The cloud as a tree, several lines of text.
  returned: success
  type: str
  sample: "acme · Montreal · mtl-1   3 of 3 nodes healthy · 8 of 8 instances as declared"
organizations:
  description: As M(pextra.cloud.pextra_tenant_info) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
datacenters:
  description: As M(pextra.cloud.pextra_datacenter_info) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
clusters:
  description: As M(pextra.cloud.pextra_cluster_info) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
nodes:
  description: As M(pextra.cloud.pextra_node_info) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
pools:
  description: As M(pextra.cloud.pextra_pool_info) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
vswitches:
  description: As M(pextra.cloud.pextra_vswitch_info) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
instances:
  description: As M(pextra.cloud.pextra_vm_info) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
volumes:
  description: As M(pextra.cloud.pextra_volume_info) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.pextra.cloud.plugins.module_utils._fields.argspec import COMMON
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError
from ansible_collections.pextra.cloud.plugins.module_utils._module_classes import RegistryModule
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.registry.tree import render_tree
from ansible_collections.pextra.cloud.plugins.module_utils._runner import fail


def main() -> None:
    module = RegistryModule(
        argument_spec={**COMMON, "declared": {"type": "dict", "default": {}}}, supports_check_mode=True
    )
    try:
        from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
        from ansible_collections.pextra.cloud.plugins.module_utils._document.converge import read_everything
        from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import (
            Registry,
            is_there,
            sqlite_path,
        )
    except ImportError as error:
        if module.params["registry"].startswith("sqlite"):
            _exit_empty(module, f"nothing yet: {error.name} is not installed on the coordinator")
        module.fail_json(msg=missing_required_lib(str(error.name)))
        return
    url = module.params["registry"]
    path = sqlite_path(url)
    try:
        if path is not None and not is_there(path):
            _exit_empty(module, "nothing yet: there is no registry")
        with Registry(url) as registry, Cloud(registry) as cloud:
            found = read_everything(cloud)
    except PextraError as error:
        fail(module, error.problems)
    lines = render_tree(**found, declared=module.params["declared"])
    module.exit_json(changed=False, tree="\n".join(lines), **found)


def _exit_empty(module: AnsibleModule, tree: str) -> None:
    nothing: dict[str, list[Any]] = {
        noun: []
        for noun in ("organizations", "datacenters", "clusters", "nodes", "pools", "vswitches", "instances", "volumes")
    }
    module.exit_json(changed=False, tree=tree, **nothing)


if __name__ == "__main__":
    main()
