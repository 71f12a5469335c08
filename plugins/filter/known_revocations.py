# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a controller without the list of revoked certificates learns from the nodes, which have it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: known_revocations
short_description: Tell which certificates are revoked, by the lists that nodes have
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Of several lists of revoked certificates, returns the one that has the most, and what others have beyond it.
  - Lists that the authority has not signed count as none.
positional: _input, authority
options:
  _input:
    description: The lists, as PEM. What is no list is passed over.
    type: list
    elements: str
    required: true
  authority:
    description: The certificate of the authority, as PEM.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show which list a new controller begins with
  ansible.builtin.debug:
    msg: "{{ ([first_list, second_list] | pextra.cloud.known_revocations(authority_pem)).list }}"
"""

RETURN = r"""
_value:
  description: What is known.
  type: dict
  contains:
    list:
      description: The list that has the most, as PEM, the newest of several. Empty if there is none.
      type: str
    more:
      description: What other lists have beyond it, as C(community.crypto.x509_crl) takes it.
      type: list
      elements: dict
"""

import datetime
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography import x509


def known_revocations(lists: Sequence[str], authority: str) -> dict[str, Any]:
    from cryptography import x509  # late: those who only ask for documentation may lack it

    key: Any = x509.load_pem_x509_certificate(authority.encode()).public_key()
    found = {}
    for text in lists:
        try:
            one = x509.load_pem_x509_crl(text.encode())
            if one.is_signature_valid(key):
                found[text] = one
        except (ValueError, TypeError):
            continue
    if not found:
        return {"list": "", "more": []}
    best = max(found, key=lambda text: (len(found[text]), _time(found[text], "last_update")))
    listed = {entry.serial_number for entry in found[best]}
    more = {entry.serial_number: entry for one in found.values() for entry in one if entry.serial_number not in listed}
    return {"list": best, "more": [_tell(entry) for _, entry in sorted(more.items())]}


def _tell(entry: x509.RevokedCertificate) -> dict[str, Any]:
    revoked = _time(entry, "revocation_date")
    return {"serial_number": entry.serial_number, "revocation_date": revoked.strftime("%Y%m%d%H%M%SZ")}


def _time(of: Any, what: str) -> datetime.datetime:
    """Return a time in UTC: by its new name, which versions before 42 of the library do not have."""
    found: datetime.datetime = getattr(of, f"{what}_utc", None) or getattr(of, what)
    return found.replace(tzinfo=datetime.UTC)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"known_revocations": known_revocations}
