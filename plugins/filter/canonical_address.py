# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An IP address in its one form."""

from __future__ import annotations

DOCUMENTATION = r"""
name: canonical_address
short_description: Write an IP address in its one form
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns an address as RFC 5952 writes it, so that files which hold it do not differ when an inventory spells it
    otherwise.
positional: _input
options:
  _input:
    description: The address. What is no address is returned as it is.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the address of a host
  ansible.builtin.debug:
    msg: "{{ 'FD00:0:0::0011' | pextra.cloud.canonical_address }}" # fd00::11
"""

RETURN = r"""
_value:
  description: The address.
  type: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._fields.addresses import canonical_address


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"canonical_address": canonical_address}
