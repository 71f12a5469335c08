#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The documentation of the action plugin of the same name. Nothing runs on a host.

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_deployment_validate
short_description: Check the whole deployment document
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Reads the deployment document from the variables of the inventory, which begin with C(pextra_), and the nodes from
    the inventory group C(pextra_nodes), checks the document as a whole, and returns it complete.
  - Every mistake is told at once, with file and line, the path of the value and what is allowed. Types, unknown keys
    and variables, references, names given twice, addresses, MAC addresses, uplinks, paths of storage pools, placement
    and capacity are checked.
  - Everything happens on the controller. No connection is made, and nothing runs on a host.
  - What cannot be known without the hosts is left to preflight, and what only the registry knows (whatever is given by
    an identifier instead of a name) to the modules.
  - The keys of the document are described in the guide to the deployment document of this collection.
notes:
  - The document holds user data and password hashes. On success the result is therefore hidden on screens and in
    logs, as with C(no_log); registered, it is whole.
  - Of the memory of a host it knows what the variable C(pextra_memory) or gathered facts tell. Without them the
    capacity of the cluster is not checked.
seealso:
  - module: pextra.cloud.pextra_tenant
  - module: pextra.cloud.pextra_datacenter
  - module: pextra.cloud.pextra_cluster
  - module: pextra.cloud.pextra_node
  - module: pextra.cloud.pextra_disks
  - module: pextra.cloud.pextra_pool
  - module: pextra.cloud.pextra_vswitch
  - module: pextra.cloud.pextra_port_group
  - module: pextra.cloud.pextra_image
  - module: pextra.cloud.pextra_vm
extends_documentation_fragment:
  - pextra.cloud.attributes.controller
options:
  dest:
    description:
      - A file of the controller that what is found is written to, instead of to the screen. A path that is not absolute
        begins in the directory that Ansible was started in. It is written in check mode as well.
    type: path
    version_added: 0.1.0
  format:
    description:
      - How to tell what is found, whether there are mistakes or not. V(text) is for people, and begins without mistakes
        with how many of each kind are declared and what they ask for; V(json) is for programs; V(sarif) is SARIF 2.1.0,
        for code scanners; V(github) are annotations of GitHub, which shows them beside the lines that they are about.
      - Files beneath the directory that Ansible was started in are named as seen from there.
      - Unless given, mistakes are told by the failure alone, and with O(dest) it is V(text).
    type: str
    choices: [text, json, sarif, github]
    version_added: 0.1.0
  explain:
    description:
      - The name of an instance of which to tell, on the screen and in the result, where each of its values comes from.
    type: str
    version_added: 0.1.0
"""

EXAMPLES = r"""
- name: Validate the deployment before anything is touched
  pextra.cloud.pextra_deployment_validate:
  run_once: true
  delegate_to: localhost
  register: pextra_deployment

- name: Write down what is wrong, for a code scanner
  pextra.cloud.pextra_deployment_validate:
    format: sarif
    dest: pextra.sarif
  run_once: true
  delegate_to: localhost

- name: Tell where the values of an instance come from
  pextra.cloud.pextra_deployment_validate:
    explain: web-1
  run_once: true
  delegate_to: localhost

- name: Hand its instances to the module that makes them
  pextra.cloud.pextra_vm:
    vms: "{{ pextra_deployment.document.instances }}"
  run_once: true
  delegate_to: "{{ groups['pextra_coordinators'] | first }}"
"""

RETURN = r"""
mistakes:
  description:
    - Everything that is wrong with the document, in the document's order. The message of the failure says the same, and
      on screens and in logs is all that is shown of the result.
  returned: failure
  type: list
  elements: dict
  contains:
    path:
      description: The path of the value.
      type: str
      sample: pextra_instances[3] (db).memory
    file:
      description: The file that it stands in, absolute. Where a template makes the value, that of the template. V(null)
        if it does not come from a file.
      type: str
      sample: /srv/cloud/inventories/lab/group_vars/all/50-instances.yml
    line:
      description: Its line there.
      type: int
      sample: 12
    problem:
      description: What is wrong, and what to do.
      type: str
      sample: 900 is not a size; write a number and a unit, such as 512 MiB or 2 GiB
    allowed:
      description: What the value may be. V(null) where that depends on other values.
      type: str
      sample: a size with a unit, such as 512 MiB or 2 GiB, from 32 MiB to 16 TiB
document:
  description:
    - The document, complete. What was left out because it is the default, single or derived is there.
    - Each list is what the list option of the module of that resource takes. A count has become that many instances,
      and flavors and profiles the values that they stand for.
  returned: success
  type: dict
  contains:
    deployment_name:
      description: The name of the deployment, which its certificates carry.
      type: str
      sample: lab
    organizations:
      description: The organizations. The first is the root organization.
      type: list
      elements: dict
      sample: [{name: acme, state: present}]
    datacenters:
      description: The datacenters.
      type: list
      elements: dict
      sample: [{name: Montreal, organization: acme, state: present}]
    clusters:
      description: The clusters.
      type: list
      elements: dict
      sample: [{name: mtl-1, datacenter: Montreal, state: present}]
    nodes:
      description: The nodes, one for each host of the inventory group C(pextra_nodes).
      type: list
      elements: dict
      sample: [{name: node1, address: 10.91.0.11, cluster: mtl-1, state: present}]
    disks:
      description: The sets of disks of each node that has some, as M(pextra.cloud.pextra_disks) takes them.
      type: dict
      sample:
        node1:
          - {name: vg0, use: lvm, match: {rotational: false}, count: 2, wipe: false}
    memory:
      description: The memory of each node of which it is known, in MiB.
      type: dict
      sample: {node1: 32048}
    pools:
      description: The storage pools.
      type: list
      elements: dict
      sample:
        - name: local
          type: directory
          path: /var/lib/pextra/pools/local
          shared: false
          cluster: mtl-1
          nodes: [node1, node2, node3]
          state: present
    vswitches:
      description: The vSwitches.
      type: list
      elements: dict
      sample:
        - name: svswitch10
          uplinks: [eth1, eth2]
          bond_mode: active-backup
          cluster: mtl-1
          nodes: [node1, node2, node3]
          state: present
    port_groups:
      description: The port groups.
      type: list
      elements: dict
      sample: [{name: Production, vswitch: svswitch10, vlan: 42, cluster: mtl-1, state: present}]
    images:
      description: The images. The source of a file is absolute.
      type: list
      elements: dict
      sample:
        - name: debian-12
          source: /srv/images/debian-12.qcow2
          format: qcow2
          pools: [local]
          max_size: 64 GiB
          cluster: mtl-1
          state: present
    instances:
      description: The instances.
      type: list
      elements: dict
      sample:
        - name: web-1
          cluster: mtl-1
          organization: acme
          vcpus: 1
          memory: 512 MiB
          image: debian-12
          root: {pool: local, size: 4 GiB, mode: overlay}
          volumes: []
          nics: [{port_group: Production, addresses: [172.20.0.11/24]}]
          autostart: true
          power: running
          tags: [frontend]
          state: present
effective:
  description:
    - Every value of each instance of the name O(explain), with where it comes from; each cluster may have one.
  returned: success, with O(explain)
  type: list
  elements: dict
  contains:
    instance:
      description: The path of the instance.
      type: str
      sample: pextra_instances[0] (web-1)
    values:
      description: Its values.
      type: list
      elements: dict
      contains:
        path:
          description: The path of the value, below the instance.
          type: str
          sample: cpu.model
        value:
          description: The value. A secret is shown as V((secret\)).
          type: raw
          sample: host-model
        source:
          description: V(default), V(instance), or the flavor or profile that it comes from.
          type: str
          sample: profile web
summary:
  description: How many of each are to be present, and what those that are to run ask for.
  returned: success
  type: dict
  sample:
    organizations: 1
    datacenters: 1
    clusters: 1
    nodes: 3
    pools: 2
    vswitches: 1
    port_groups: 2
    images: 1
    instances: 9
    volumes: 0
    instances_running: 8
    vcpus_running: 8
    memory_running_mib: 800
    storage:
      - {cluster: mtl-1, pool: local, asked_mib: 36864, without_size: 0}
"""
