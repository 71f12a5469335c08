# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances as hosts, as a coordinator tells them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pextra
short_description: Instances of a pextra.cloud as hosts
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Asks a coordinator for all instances, in one call of ssh, and makes a host of each.
  - The coordinator reads the registry and the definitions that libvirt has on the nodes, as the modules do. Nothing is
    asked of the guests, and nothing that they say is used.
  - Every host has the variables C(pextra_id), C(pextra_uuid), C(pextra_name), C(pextra_organization),
    C(pextra_datacenter), C(pextra_cluster), C(pextra_node), C(pextra_power), C(pextra_vcpus), C(pextra_memory),
    C(pextra_image), C(pextra_autostart), C(pextra_description), C(pextra_tags), C(pextra_flavor), C(pextra_profiles)
    and C(pextra_nics), of which each has C(name), C(mac), C(vswitch), C(port_group) and C(addresses). They are what
    M(pextra.cloud.pextra_vm_info) returns, memory in MiB. None of them is ever taken for a template.
  - C(ansible_host) is the first address that cloud-init was told for the NIC that is meant, see O(nic), O(network) and
    O(address_family). A host without one has none, as with DHCP.
  - An instance whose node does not answer is a host as well, with C(pextra_power=unknown). What is only known there
    (its size, tags, NICs and addresses) is empty then, and a warning names the node.
  - All hosts are in the group C(pextra_instances), and in groups by O(group_prefixes).
  - The file's name is C(pextra.yml) or ends with C(.pextra.yml), or C(.yaml) instead.
extends_documentation_fragment:
  - constructed
  - inventory_cache
requirements:
  - OpenSSH's client on the controller
  - the coordinator stage of site.yml on the coordinator
options:
  plugin:
    description: Says that the file is this plugin's.
    type: str
    required: true
    choices: [pextra.cloud.pextra]
  coordinator:
    description:
      - The coordinator that has the registry, by a name or an address that ssh understands. This is the first host of
        the group C(pextra_coordinators), or any of them if the registry is in PostgreSQL.
      - V(localhost) is this host, without ssh.
    type: str
    required: true
    env:
      - name: PEXTRA_COORDINATOR
  user:
    description: The user to log in as. As ssh is configured unless given.
    type: str
    env:
      - name: PEXTRA_USER
  port:
    description: The port of ssh. As ssh is configured unless given.
    type: int
    env:
      - name: PEXTRA_PORT
  private_key_file:
    description: The private key to log in with, and no other. As ssh is configured unless given.
    type: path
    env:
      - name: PEXTRA_PRIVATE_KEY_FILE
  ssh_common_args:
    description:
      - Further arguments of ssh, for example V(-o ProxyJump=bastion.example.org).
      - The host's key is verified as ssh is configured. Nothing is ever asked for.
    type: str
    default: ''
    env:
      - name: PEXTRA_SSH_COMMON_ARGS
  ssh_executable:
    description: The client of ssh.
    type: str
    default: ssh
  become:
    description:
      - Whether the coordinator's program is called by sudo, because the user is not root.
      - sudo must not ask for a password. The only command that it has to allow is
        C(/usr/local/lib/pextra/pextra-coordinator inventory).
    type: bool
    default: false
    env:
      - name: PEXTRA_BECOME
  program:
    description: The coordinator's program, where the coordinator stage has installed it.
    type: str
    default: /usr/local/lib/pextra/pextra-coordinator
  timeout_s:
    description: How long the call may take, in seconds, from 1 to 600. A node that hangs takes some ten seconds of it.
    type: int
    default: 60
  on_unreachable:
    description:
      - What is done if the coordinator does not answer. V(error) fails, V(warn) gives a warning and no hosts.
      - An answer that is wrong is an error in any case.
    type: str
    choices: [error, warn]
    default: error
  clusters:
    description: Only instances of these clusters, by name.
    type: list
    elements: str
    default: []
  organizations:
    description: Only instances of these organizations, by name.
    type: list
    elements: str
    default: []
  tags:
    description: Only instances that have one of these tags.
    type: list
    elements: str
    default: []
  power:
    description: Only instances in these states.
    type: list
    elements: str
    choices: [running, stopped, paused, undefined, unknown]
    default: []
  hostname:
    description:
      - What a host is called. V(name) is the instance's name, and C(name.cluster) where another cluster has one of the
        same name; V(full) is always C(name.cluster); V(id) is the identifier.
      - A name that another host or a group of the inventory has, or that means something to Ansible (V(localhost)), is
        not taken. C(name.cluster) is used instead, and if that is not possible either, the identifier.
    type: str
    choices: [name, full, id]
    default: name
  nic:
    description: The name of the NIC by which hosts are reached, such as V(nic0). Any unless given.
    type: str
  network:
    description: The port group of the NIC by which hosts are reached. Any unless given.
    type: str
  address_family:
    description: The family of the address by which hosts are reached.
    type: str
    choices: [any, ipv4, ipv6]
    default: any
  group_prefixes:
    description:
      - The beginnings of the names of groups, by what they group by, which is C(organization), C(datacenter),
        C(cluster), C(node), C(tag), C(flavor), C(profile) or C(power).
      - Those that are not named stay C(pextra_organization_), C(pextra_datacenter_) and so on. V(false) makes no groups
        of that kind.
      - Characters that names of groups cannot have become C(_).
    type: dict
    default: {}
seealso:
  - module: pextra.cloud.pextra_vm_info
"""

EXAMPLES = r"""
# cloud.pextra.yml: all instances; then: ansible-inventory -i cloud.pextra.yml --graph
plugin: pextra.cloud.pextra
coordinator: node1.example.org
user: root

---
# web.pextra.yml: the running web servers of one organization, by their IPv4 address in one network
plugin: pextra.cloud.pextra
coordinator: node1.example.org
user: inventory
become: true
organizations: [acme]
tags: [frontend]
power: [running]
network: Production
address_family: ipv4
group_prefixes: {tag: tag_, node: false, datacenter: false}
compose:
  ansible_user: "'debian'"
  # Guests that only the coordinator reaches.
  ansible_ssh_common_args: "'-o ProxyJump=root@node1.example.org'"
groups:
  small: pextra_memory is not none and pextra_memory < 1024
keyed_groups:
  - {key: pextra_image, prefix: image}
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/pextra
cache_timeout: 300

---
# On the coordinator itself, as root
plugin: pextra.cloud.pextra
coordinator: localhost
"""

import hashlib
import os
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import (
    InvalidInputError,
    PextraError,
    Problem,
    UnreachableError,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import printable, shown, suggest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.answer import Answer, read_answer
from ansible_collections.pextra.cloud.plugins.plugin_utils.inventory_hosts import (
    EVERYONE,
    Filters,
    Reach,
    groups_of,
    name_hosts,
    prefixes_of,
    variables_of,
)
from ansible_collections.pextra.cloud.plugins.plugin_utils.inventory_program import (
    Coordinator,
    ask,
    check,
    command_of,
    describe,
)

_FILES = ("pextra.yml", "pextra.yaml")
_SHOWN_WARNINGS = 20


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]  # ansible has no types
    """The plugin."""

    NAME = "pextra.cloud.pextra"

    def verify_file(self, path: str) -> bool:
        name = os.path.basename(path)
        is_named_so = name in _FILES or name.endswith(tuple(f".{file}" for file in _FILES))
        return bool(super().verify_file(path)) and is_named_so

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        try:
            self._refuse_unknown(config)
            prefixes = prefixes_of(self.get_option("group_prefixes"))
            answer = self._answer(path, cache=cache)
        except UnreachableError as error:
            if self.get_option("on_unreachable") == "error":
                raise AnsibleParserError(describe(error.problems)) from error
            self.display.warning(f"{path} gives no hosts: {describe(error.problems)}")
            return
        except PextraError as error:
            raise AnsibleParserError(describe(error.problems)) from error
        warnings = [*(str(problem) for problem in answer.unreachable), *answer.warnings]
        for text in warnings[:_SHOWN_WARNINGS]:
            self.display.warning(printable(text))
        if len(warnings) > _SHOWN_WARNINGS:
            self.display.warning(f"{len(warnings) - _SHOWN_WARNINGS} more warnings of {path} are not shown")
        self._fill(answer, prefixes)

    def _refuse_unknown(self, config: Any) -> None:
        """A misspelt filter would silently let all hosts pass."""
        known = list(self.get_options())
        wrong = [str(key) for key in config if key not in known]
        if wrong:
            raise InvalidInputError(
                [Problem(f"{shown(key)} is no option of this plugin.{suggest(key, known)}") for key in wrong]
            )

    def _answer(self, path: str, *, cache: bool) -> Answer:
        """Return what the coordinator tells, or what it told before."""
        timeout_s = self.get_option("timeout_s")
        coordinator = Coordinator(
            host=self.get_option("coordinator"),
            user=self.get_option("user"),
            port=self.get_option("port"),
            private_key_file=self.get_option("private_key_file"),
            ssh_executable=self.get_option("ssh_executable"),
            ssh_common_args=self.get_option("ssh_common_args"),
            become=self.get_option("become"),
            program=self.get_option("program"),
        )
        check(coordinator, timeout_s)
        if not self.get_option("cache"):
            return read_answer(ask(coordinator, timeout_s))
        # Another coordinator in the same file is another answer.
        asked = hashlib.sha256("\0".join(command_of(coordinator, timeout_s)).encode()).hexdigest()[:12]
        key = f"{self.get_cache_key(path)}_{asked}"
        if cache:
            try:
                return read_answer(self._cache[key])
            except (KeyError, TypeError, PextraError):
                pass  # there is none, or it is another version's: it is asked for anew
        text = ask(coordinator, timeout_s)
        answer = read_answer(text)
        # What a node could not tell now, it may tell the next time.
        if not answer.unreachable:
            self._cache[key] = text
        return answer

    def _fill(self, answer: Answer, prefixes: dict[str, str]) -> None:
        """Make the hosts, and then the groups: until then, what is in the inventory is other people's."""
        filters = Filters(
            clusters=frozenset(self.get_option("clusters")),
            organizations=frozenset(self.get_option("organizations")),
            tags=frozenset(self.get_option("tags")),
            power=frozenset(self.get_option("power")),
        )
        reach = Reach(
            nic=self.get_option("nic"),
            network=self.get_option("network"),
            address_family=self.get_option("address_family"),
        )
        strict, compose = self.get_option("strict"), self.get_option("compose")
        groups, keyed_groups = self.get_option("groups"), self.get_option("keyed_groups")
        # Of all, so that what one is called does not depend on which others are looked for.
        names = name_hosts(answer.instances, self.get_option("hostname"), self._taken(groups))
        hosts = [(name, one) for name, one in zip(names, answer.instances, strict=True) if filters.passes(one)]
        if answer.instances and not hosts:
            self.display.warning(f"The filters let none of {len(answer.instances)} instances pass")
        for name, instance in hosts:
            self.inventory.add_host(name)
            for variable, value in variables_of(instance, reach).items():
                self.inventory.set_variable(name, variable, value)
            self._set_composite_vars(compose, self.inventory.get_host(name).get_vars(), name, strict=strict)
        # Ansible takes a name for a group's before it takes it for a host's. None of these is called as a host is.
        for name, _ in hosts if groups else ():
            known = self.inventory.get_host(name).get_vars()
            self._add_host_to_composed_groups(groups, known, name, strict=strict, fetch_hostvars=False)
        called: dict[str, str] = {}
        made: dict[str, str] = {}
        self.inventory.add_group(EVERYONE)
        for name, instance in hosts:
            self.inventory.add_host(name, group=EVERYONE)
            for wanted in groups_of(instance, prefixes):
                if wanted not in called:
                    called[wanted] = self._add_group(wanted, made)
                self.inventory.add_host(name, group=called[wanted])
            if keyed_groups:
                known = self.inventory.get_host(name).get_vars()
                self._add_host_to_keyed_groups(keyed_groups, known, name, strict=strict, fetch_hostvars=False)

    def _taken(self, groups: dict[str, Any]) -> Callable[[str, str], bool]:
        """Return what tells whether a host must not be called so: other hosts would become it, or a group."""
        hosts = self.inventory.hosts
        others = {*self.inventory.groups, *(self._sanitize_group_name(name) for name in groups), EVERYONE}

        def is_taken(name: str, id_: str) -> bool:
            return name in others or (name in hosts and hosts[name].vars.get("pextra_id") != id_)

        return is_taken

    def _add_group(self, wanted: str, made: dict[str, str]) -> str:
        """Make a group, and return what it is called in the end. made: for what, by that."""
        name = str(self.inventory.add_group(to_safe_group_name(wanted, force=True, silent=True)))
        if made.setdefault(name, wanted) != wanted:
            self.display.warning(f"{shown(made[name])} and {shown(wanted)} are one group, {name}")
        return name
