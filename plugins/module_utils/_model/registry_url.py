# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of the registry. Apart from the registry, because argument specs need no database."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

DEFAULT_URL = "sqlite:////var/lib/pextra/registry.db"
# Up to the last @, so that nothing of a password is left over that has a character which ends the address of the host.
_PASSWORD = re.compile(r"(?<=://)([^:@/]*:)(.+)(?=@)", re.DOTALL)


def password_of(url: str) -> str | None:
    """Return the password as it stands there, also of an address that is none."""
    found = _PASSWORD.search(url)
    return found[2] if found else None


def without_password(url: str) -> str:
    return _PASSWORD.sub(r"\1***", url)


def find_port_mistake(url: str) -> str | None:
    """Return what is wrong with the port, without what is written there: it may be a part of the password."""
    try:
        urlsplit(url).port  # noqa: B018 - reading it is the check, and peewee reads it alike
    except ValueError:
        return "has a port that is none; in a user and a password write / as %2F, # as %23, ? as %3F and [ as %5B"
    return None
