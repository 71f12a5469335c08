# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which collections the controller lacks."""

from __future__ import annotations

DOCUMENTATION = r"""
name: missing_collections
short_description: List which of some collections the controller lacks
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes names of collections and returns those that Ansible does not find on the controller, so that a playbook can
    say so before it begins.
options:
  _input:
    description: The names.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse to begin without what is needed
  ansible.builtin.assert:
    that: "['community.crypto'] | pextra.cloud.missing_collections == []"
"""

RETURN = r"""
_value:
  description: The names of those that are missing.
  type: list
  elements: str
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any


def missing_collections(names: Sequence[str]) -> list[str]:
    """Return the names that Ansible's own finder of collections, which import goes through, does not know."""
    return [name for name in names if not _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        return find_spec(f"ansible_collections.{name}") is not None
    except ImportError:  # its namespace is not there either
        return False


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"missing_collections": missing_collections}
