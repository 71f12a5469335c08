# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a file of the controller may be written over."""

from __future__ import annotations

DOCUMENTATION = r"""
name: refused_file
short_description: Tell why a file of the controller is not written
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns why the file cannot be written, or that it holds something else than what an earlier run has written.
  - Returns an empty text where it may be written.
positional: _input, kind
options:
  _input:
    description: The file's path on the controller.
    type: str
    required: true
  kind:
    description: What is to be written into it.
    type: str
    required: true
    choices: [audit, drift, findings]
"""

EXAMPLES = r"""
- name: Refuse to write over something else
  ansible.builtin.fail:
    msg: "{{ report }} {{ reason }}."
  when: reason != ''
  vars:
    reason: "{{ report | pextra.cloud.refused_file('drift') }}"
"""

RETURN = r"""
_value:
  description: The reason, which follows on the name of the file; empty where there is none.
  type: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.pextra.cloud.plugins.plugin_utils.own_file import tell_refusal


def refused_file(path: str, kind: str) -> str:
    return tell_refusal(path, kind)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"refused_file": refused_file}
