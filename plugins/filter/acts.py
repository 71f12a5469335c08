# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was done to a host, as entries of the audit trail."""

from __future__ import annotations

DOCUMENTATION = r"""
name: acts
short_description: Make entries of the audit trail of what was done
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes what was done, such as C(actions) of a module that acts on its own host, and returns entries as
    M(pextra.cloud.pextra_audit) takes them. What is there twice becomes one, and what is too long is cut.
positional: kind, node
options:
  _input:
    description: What was done, a line each.
    type: list
    elements: str
    required: true
  kind:
    description: What kind of thing it was done to, such as V(drive).
    type: str
    required: true
  node:
    description: The host that it was done on.
    type: str
    required: true
  name:
    description: The name of what it was done to. The host unless given.
    type: str
  outcome:
    description: How it ended, or V(started) before it is done.
    type: str
    default: done
seealso:
  - module: pextra.cloud.pextra_audit
"""

EXAMPLES = r"""
- name: Note what was done to drives
  ansible.builtin.set_fact:
    pextra_acts: >-
      {{ pextra_acts | default([]) + disks_result.actions | pextra.cloud.acts('drive', inventory_hostname) }}
"""

RETURN = r"""
_value:
  description: The entries.
  type: list
  elements: dict
"""

from collections.abc import Callable, Iterable

from ansible_collections.pextra.cloud.plugins.module_utils._model.foreign_text import make_harmless

_MOST = 2000


def acts(
    texts: Iterable[object], kind: str, node: str, name: str | None = None, outcome: str = "done"
) -> list[dict[str, str]]:
    """Return an entry for each text that says something, each once."""
    lines = dict.fromkeys(_line(text) for text in texts)
    about = {"kind": kind, "name": name or node, "node": node, "outcome": outcome}
    return [{**about, "what": line} for line in lines if line]


def _line(text: object) -> str:
    line = " ".join(make_harmless(str(text).encode("utf-8", "replace")).split())
    return line if len(line) <= _MOST else f"{line[: _MOST - 3]}..."


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[dict[str, str]]]]:
        return {"acts": acts}
