# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tags that a run of one of our playbooks may name."""

from __future__ import annotations

DOCUMENTATION = r"""
name: known_tags
short_description: Tell which tags the playbook that is run knows
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the tags of the playbook of this collection that is run, with those that are Ansible's own.
  - For others Ansible does nothing, without a word.
  - Where a playbook of somebody's own is run, which may have tags of its own, returns nothing.
options:
  _input:
    description: The tags of each playbook, by its name. One that is not named has none.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse a run that would do nothing
  ansible.builtin.fail:
    msg: "{{ unknown | join(', ') }}: there is no such stage."
  when: known is not none and unknown | length > 0
  vars:
    known: "{{ {'site': ['network', 'storage']} | pextra.cloud.known_tags }}"
    unknown: "{{ ansible_run_tags | difference(known) }}"
"""

RETURN = r"""
_value:
  description: The tags, or nothing where the playbook is somebody's own.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.pextra.cloud.plugins.plugin_utils.next_command import name_called

# Ansible's own, which stand for others.
_OF_ANSIBLE = ("all", "always", "never", "tagged", "untagged")


def known_tags(tags_of: Mapping[str, Sequence[str]]) -> list[str] | None:
    called = name_called()
    return None if called is None else [*tags_of.get(called, ()), *_OF_ANSIBLE]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"known_tags": known_tags}
