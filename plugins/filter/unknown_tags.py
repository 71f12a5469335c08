# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags of a run that nothing has."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unknown_tags
short_description: Tell which tags of a run of site.yml are no stage
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns those tags that are not known, as Ansible would do nothing for them without a word.
  - Where a playbook of somebody's own is run, which may have tags of its own, returns nothing.
positional: _input, known
options:
  _input:
    description: The tags, C(ansible_run_tags) or C(ansible_skip_tags).
    type: list
    elements: str
    required: true
  known:
    description: The tags that there are.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse a run that would do nothing
  ansible.builtin.fail:
    msg: "{{ unknown | join(', ') }}: there is no such stage."
  when: unknown | length > 0
  vars:
    unknown: "{{ ansible_run_tags | pextra.cloud.unknown_tags(['network', 'storage']) }}"
"""

RETURN = r"""
_value:
  description: The tags that are not known, in the order given.
  type: list
  elements: str
"""

from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.pextra.cloud.plugins.plugin_utils.next_command import is_called

# Ansible's own, which stand for others.
_OF_ANSIBLE = frozenset({"all", "always", "never", "tagged", "untagged"})


def unknown_tags(tags: Sequence[str], known: Sequence[str]) -> list[str]:
    return [tag for tag in tags if tag not in {*known, *_OF_ANSIBLE}] if is_called("site") else []


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unknown_tags": unknown_tags}
