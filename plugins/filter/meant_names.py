# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names a person may have meant who wrote others."""

from __future__ import annotations

DOCUMENTATION = r"""
name: meant_names
short_description: Say which names may have been meant
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes names that nobody has, and returns a sentence that helps to mend them. It names what is like each of them, or
    else which names there are. Of many the first eight are told.
positional: known
options:
  _input:
    description: The names that nobody has.
    type: list
    elements: str
    required: true
  known:
    description: The names that there are.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse to begin with a node that is none
  ansible.builtin.assert:
    that: node in groups['pextra_nodes']
    # node33 is no node. Did you mean "node3"?
    fail_msg: "{{ node }} is no node. {{ [node] | pextra.cloud.meant_names(groups['pextra_nodes']) }}"
"""

RETURN = r"""
_value:
  description: The sentence, such as C(Did you mean "node3"?) or C(There are node1, node2, node3.)
  type: str
"""

from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import find_nearest, shown

_LISTED = 8


def meant_names(names: Sequence[str], known: Sequence[str]) -> str:
    """Return the sentence. A wildcard is like nothing."""
    near = [find_nearest(name, known) if "*" not in name else None for name in names]
    if near and None not in near:
        return f"Did you mean {' and '.join(shown(name) for name in dict.fromkeys(near))}?"
    if len(known) < 2:
        return f"There is {known[0] if known else 'none'}."
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"There are {', '.join(known[:_LISTED])}{more}."


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"meant_names": meant_names}
