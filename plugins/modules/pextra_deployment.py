#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_deployment
short_description: Have a whole deployment as declared
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Makes everything of a document so, noun after noun, with one connection to each node. C(site.yml) calls it once.
  - What is refused or fails stops only what needs it. The rest is done, and all problems are told in the end.
  - Nodes that have not joined yet join with a clustering key that is issued for them.
  - The elements of each option are those of the module that the option names, complete as
    M(pextra.cloud.pextra_deployment_validate) returns them. An option that is not given is not managed.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
options:
  organizations:
    description: As O(pextra.cloud.pextra_tenant#module:tenants).
    type: list
    elements: dict
  datacenters:
    description: As O(pextra.cloud.pextra_datacenter#module:datacenters).
    type: list
    elements: dict
  clusters:
    description: As O(pextra.cloud.pextra_cluster#module:clusters).
    type: list
    elements: dict
  nodes:
    description: As O(pextra.cloud.pextra_node#module:nodes).
    type: list
    elements: dict
  vswitches:
    description: As O(pextra.cloud.pextra_vswitch#module:vswitches).
    type: list
    elements: dict
  port_groups:
    description: As O(pextra.cloud.pextra_port_group#module:port_groups).
    type: list
    elements: dict
  pools:
    description: As O(pextra.cloud.pextra_pool#module:pools).
    type: list
    elements: dict
  images:
    description:
      - As O(pextra.cloud.pextra_image#module:images). Files of the controller are copied to the coordinator if they are
        needed.
    type: list
    elements: dict
  instances:
    description: As O(pextra.cloud.pextra_vm#module:vms).
    type: list
    elements: dict
  volumes:
    description: As O(pextra.cloud.pextra_volume#module:volumes).
    type: list
    elements: dict
  allow_restart:
    description: Whether running instances may be restarted for changes that need it.
    type: bool
    default: false
  unanswering:
    description: Nodes that did not answer earlier in the run. Their daemons are not waited for as long as others.
    type: list
    elements: str
    default: []
  declared:
    description:
      - The declared power state by the name of the instance, to count in the tree how many are as declared.
      - For a call without O(instances), from which it otherwise follows.
    type: dict
    default: {}
seealso:
  - module: pextra.cloud.pextra_deployment_info
  - module: pextra.cloud.pextra_deployment_validate
"""

EXAMPLES = r"""
- name: Validate the deployment
  pextra.cloud.pextra_deployment_validate:
  register: deployment

- name: Have the storage pools and the instances as declared
  pextra.cloud.pextra_deployment:
    pools: "{{ deployment.document.pools }}"
    instances: "{{ deployment.document.instances }}"
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
    - 'pool fast on node2: define and start'
    - 'instance web-1 on node1: define, start'
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
# End of the values that are written
plan:
  description:
    - What was done to each resource on each node, or in check mode would be, in the order of RV(actions). On the screen
      it is one line for each resource, below a line that counts them.
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
    does:
      description: V(make), V(change) or V(destroy) the resource.
      type: str
      sample: make
    steps:
      description: What is done, in order.
      type: list
      elements: str
      sample: [define, start]
    restarts:
      description: Whether a guest has something of it from its next start on only.
      type: bool
      sample: false
    loses_data:
      description: Whether data is lost by it.
      type: bool
      sample: false
    took_s:
      description: How many seconds it took. None for what was not done, in check mode or because it failed.
      type: float
      sample: 3.2
    failed:
      description: Whether it failed, or was not begun because of another that did.
      type: bool
      sample: false
tree:
  description: The cloud as it is in the end, several lines of text.
  returned: always
  type: str
  sample: "acme · Montreal · mtl-1   3 of 3 nodes healthy · 8 of 8 instances as declared"
"""

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.cluster import spec as cluster
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.datacenter import spec as datacenter
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image import spec as image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import spec as vm
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node import spec as node
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.organization import spec as organization
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool import spec as pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group import spec as port_group
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume import spec as volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch import spec as vswitch
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_deployment

_TABLES = {
    "organizations": organization.FIELDS,
    "datacenters": datacenter.FIELDS,
    "clusters": cluster.FIELDS,
    "nodes": node.FIELDS,
    "vswitches": vswitch.FIELDS,
    "port_groups": port_group.FIELDS,
    "pools": pool.FIELDS,
    "images": image.FIELDS,
    "instances": vm.FIELDS,
    "volumes": volume.FIELDS,
}


def main() -> None:
    run_deployment(_TABLES)


if __name__ == "__main__":
    main()
