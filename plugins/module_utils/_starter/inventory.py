# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of a new deployment, as texts. Pure."""

from __future__ import annotations

import ipaddress
import json
import re

from .._nouns.image.distributions import DISTRIBUTIONS
from .spec import NO_IMAGE, Node, Starter

# Relative to a file of group_vars/all.
_SCHEMA = "# yaml-language-server: $schema=../../../deployment.schema.json\n"


# What YAML reads as the text that it is; other words are quoted.
_PLAIN = re.compile(r"(?!(?:on|off|yes|no|y|n|true|false|null)$)[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)*")


def render_inventory(starter: Starter) -> dict[str, str]:
    """Return the files below `inventory`, by name. Nothing else may lie there: Ansible reads all of it as inventory."""
    return {
        "hosts.yml": _render_hosts(starter),
        "group_vars/all/00-deployment.yml": _render_deployment(starter),
        "group_vars/all/20-storage.yml": _STORAGE,
        "group_vars/all/30-network.yml": _render_network(starter),
        "group_vars/all/40-images.yml": _render_images(starter),
        "group_vars/all/50-instances.yml": _render_instances(starter),
    }


def _render_hosts(starter: Starter) -> str:
    coordinators = "".join(f"        {_word(name)}:\n" for name in starter.coordinators)
    nodes = "".join(_render_node(node) for node in starter.nodes)
    why = "It manages the cloud." if len(starter.coordinators) == 1 else "The first manages the cloud; three, or five."
    return f"""---
pextra:
  vars:
    # root, or a user who may become root by sudo.
    ansible_user: {_word(starter.user)}
  children:
    # {why}
    pextra_coordinators:
      hosts:
{coordinators}    pextra_nodes:
      hosts:
        # ansible_host is the management address too, unless pextra_address says otherwise. It must not change.
{nodes}"""


def _render_node(node: Node) -> str:
    address = f'"{node.address}"' if ipaddress.ip_address(node.address).version == 6 else node.address
    return f"        {_word(node.name)}: {{ansible_host: {address}}}\n"


def _render_deployment(starter: Starter) -> str:
    return f"""---
{_SCHEMA}# All files here are one document; the numbers only keep them in order for people.

# The certificates of all nodes carry this name. It cannot be changed afterwards. Their authority is made at the first
# run, in ~/.pextra/{starter.deployment}/ca: outside of this directory. Keep a copy in a safe.
pextra_deployment_name: "{starter.deployment}"

pextra_organizations:
  - name: "{starter.deployment}"
pextra_datacenters:
  - name: default
pextra_clusters:
  - name: default
"""


_STORAGE = f"""---
{_SCHEMA}pextra_pools:
  # On every node, as nodes is not given.
  - name: local
    path: /var/lib/pextra/pools/local
  # A directory that is mounted on every node, with the same files: instances in it can move while they run.
  # - name: shared
  #   path: /srv/shared
  #   shared: true
"""


def _render_network(starter: Starter) -> str:
    uplinks = (
        f"    uplinks: [{', '.join(map(_word, starter.uplinks))}]\n"
        if starter.uplinks
        else "    # Without one, instances of a host reach each other, and nothing else.\n    # uplinks: [eno2]\n"
    )
    vlan = f"    vlan: {starter.vlan}\n" if starter.vlan else "    # vlan: 42\n"
    return f"""---
{_SCHEMA}# A vSwitch takes a NIC of its own: never the one that carries the management address.
pextra_vswitches:
  - name: svswitch1
{uplinks}pextra_port_groups:
  - name: Instances
{vlan}"""


def _render_images(starter: Starter) -> str:
    name = starter.image if starter.image != NO_IMAGE else next(iter(DISTRIBUTIONS))
    image = f"""pextra_images:
  # A distribution's cloud image by its short name: its publisher's list of checksums is asked once.
  - name: {name}
    source: {name}
  # A file of yours lies in images, beside the inventory and never in it:
  # - name: appliance
  #   source: ../images/appliance.qcow2
"""
    return f"---\n{_SCHEMA}{image if starter.image != NO_IMAGE else _commented(image)}"


def _render_instances(starter: Starter) -> str:
    name = starter.image if starter.image != NO_IMAGE else next(iter(DISTRIBUTIONS))
    users = f"""    cloud_init:
      users:
        - name: admin
          sudo: true
          ssh_authorized_keys:
            - {json.dumps(starter.ssh_key or "ssh-ed25519 AAAA... me@example.com")}
"""
    instance = f"""pextra_instances:
  - name: first
    vcpus: 1
    memory: 1 GiB
    image: {name}
    root: {{pool: local, size: 10 GiB}}
    nics:
      - port_group: Instances
        addresses: [{starter.first_address}]
        gateway: {starter.gateway}
"""
    if starter.image == NO_IMAGE:
        return f"---\n{_SCHEMA}{_commented(instance + users)}"
    if starter.ssh_key is None:
        users = f"    # Nobody can log in until this is written:\n{_commented(users)}"
    return f"---\n{_SCHEMA}{instance}{users}"


def _word(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _commented(text: str) -> str:
    """Return YAML as comments that are uncommented by taking `# ` away."""
    lines = (line if line.lstrip().startswith("#") else f"# {line}" for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines)
