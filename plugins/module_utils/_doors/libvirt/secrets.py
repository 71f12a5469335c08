# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that storage pools use."""

from __future__ import annotations

import contextlib

import libvirt

from ..._model.errors import NotFoundError
from .connection import Connection


class Secrets(Connection):
    """What is asked and done of secrets."""

    def secrets(self) -> frozenset[str]:
        """Return the UUIDs of the secrets that have a value or wait for one; one call."""
        with self._errors("list secrets"):
            return frozenset(secret.UUIDString() for secret in self._connection.listAllSecrets())

    def set_secret(self, uuid: str, xml: str, value: bytes, resource: str) -> None:
        """Define a secret, unless it is there, and give it its value."""
        with self._errors("keep the credential", resource):
            try:
                secret = self._connection.secretLookupByUUIDString(uuid)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_SECRET:
                    raise
                secret = self._connection.secretDefineXML(xml)
            secret.setValue(value)

    def remove_secret(self, uuid: str, resource: str) -> None:
        """Forget a secret; gone already is fine."""
        with contextlib.suppress(NotFoundError), self._errors("remove the credential", resource):
            self._connection.secretLookupByUUIDString(uuid).undefine()
