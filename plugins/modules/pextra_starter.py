#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The documentation of the action plugin of the same name. Nothing runs on a host.

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_starter
short_description: Write a new deployment of one, three or five hosts
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Writes a directory that C(pextra.cloud.site) brings up as it is, with an inventory of the hosts, the deployment
    document in files with the schema for editors, places for images and keys outside of the inventory, C(ansible.cfg),
    files for GitHub Actions and GitLab, and a README.
  - What is there already is never overwritten. A directory that holds the same is left alone; one that holds files of
    these names which differ is refused, before anything is written. A run that was killed can be run again.
  - Every mistake in the options is told at once.
  - The playbook C(pextra.cloud.init) asks for the options at a terminal, and calls this.
  - Everything happens on the controller. No connection is made.
seealso:
  - module: pextra.cloud.pextra_deployment_validate
attributes:
  check_mode:
    description: Can run in check mode, and then says what a real run would do.
    support: full
  diff_mode:
    description: Returns the files that it writes.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  action_group:
    description: Needs no registry, so it is in no action group.
    support: none
    membership: []
options:
  directory:
    description:
      - The directory that it is written to, from where C(ansible-playbook) was called. It is made if it is not there.
    type: str
    required: true
  deployment:
    description:
      - The name of the deployment, which its certificates carry. It cannot be changed afterwards.
    type: str
    required: true
  nodes:
    description:
      - The hosts, one, three or five. A list of mappings with C(name) and C(address), a mapping of names to addresses,
        or text such as C(alpha=192.168.1.11, bravo=192.168.1.12, charlie=192.168.1.13).
      - By its address Ansible and the other nodes reach a host. It must not change. The first three are coordinators.
    type: raw
    required: true
  user:
    description:
      - Who Ansible logs in as, V(root) or who may become root by sudo.
    type: str
    default: root
  uplinks:
    description:
      - The NICs that carry the instances' frames, by the names that all hosts have of them; never the one of the
        management address. A list, or text separated by commas; V(none) for none.
      - Without one, instances of a host reach each other and nothing else.
    type: raw
  vlan:
    description:
      - The VLAN of the first port group, 1 to 4094, or V(untagged). Untagged unless given.
    type: raw
  subnet:
    description:
      - The network of the first instance; the first address in it is the gateway, and no host's. The instance has the
        first address from the eleventh on that is no host's.
    type: str
    default: 172.20.0.0/24
  image:
    description:
      - The short name of the cloud image that the first instance begins from, such as V(debian-12), or V(none). Then
        image and instance are written as comments.
    type: str
    default: debian-12
  ssh_key:
    description:
      - The public key that may log in on the first instance, as one line of C(authorized_keys), or the file on the
        controller that has it, such as V(~/.ssh/id_ed25519.pub). Without one, or with
        V(none), nobody can until it is written down.
    type: str
  pipelines:
    description:
      - For which services files are written that validate a change, comment with its plan, and apply it once it is
        merged, of V(github) and V(gitlab). A list, or text separated by commas. Both unless given.
    type: raw
"""

EXAMPLES = r"""
- name: Write a deployment of one host
  pextra.cloud.pextra_starter:
    directory: cloud
    deployment: acme
    nodes: cloud1=192.168.1.10

- name: Write one of three hosts, with files for GitLab alone
  pextra.cloud.pextra_starter:
    directory: /srv/acme
    deployment: acme
    nodes:
      - {name: alpha, address: 192.168.1.11}
      - {name: bravo, address: 192.168.1.12}
      - {name: charlie, address: 192.168.1.13}
    user: debian
    uplinks: [eno2, eno3]
    vlan: 42
    image: ubuntu-24.04
    ssh_key: ~/.ssh/id_ed25519.pub
    pipelines: [gitlab]
"""

RETURN = r"""
directory:
  description: The directory, absolute.
  returned: success
  type: str
  sample: /srv/acme
files:
  description: The files that are there now, or in check mode would be, by their names in the directory.
  returned: success
  type: list
  elements: str
  sample: [README.md, inventory/hosts.yml]
errors:
  description: Everything that is wrong with the options, or why nothing was written.
  returned: failure
  type: list
  elements: dict
  sample:
    - node: null
      resource: nodes
      what: has 2 hosts; begin with one, three or five, and add others to the inventory afterwards
      remedy: ""
"""
