# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One act on several hosts, as entries of the audit trail."""

from __future__ import annotations

DOCUMENTATION = r"""
name: acts_on
short_description: Make entries of the audit trail of one act on several hosts
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes hosts, and returns an entry for each, as M(pextra.cloud.pextra_audit) takes them.
positional: kind, what, outcome
options:
  _input:
    description: The hosts, by name.
    type: list
    elements: str
    required: true
  kind:
    description: What kind of thing it is done to, such as V(host).
    type: str
    required: true
  what:
    description: What is done, on one line.
    type: str
    required: true
  outcome:
    description: How it ended, or V(started) before it is done.
    type: str
    default: done
  name:
    description: The name of what it is done to. The host unless given.
    type: str
seealso:
  - module: pextra.cloud.pextra_audit
  - plugin: pextra.cloud.acts
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Record that it begins
  pextra.cloud.pextra_audit:
    entries: "{{ ansible_play_hosts | pextra.cloud.acts_on('host', 'replace the power supply', 'started') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The entries.
  type: list
  elements: dict
"""

from collections.abc import Callable, Iterable

from ansible_collections.pextra.cloud.plugins.filter.acts import acts


def acts_on(
    hosts: Iterable[str], kind: str, what: str, outcome: str = "done", name: str | None = None
) -> list[dict[str, str]]:
    """Return an entry for each host."""
    return [entry for host in hosts for entry in acts([what], kind, host, name, outcome)]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[dict[str, str]]]]:
        return {"acts_on": acts_on}
