# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organization: who owns datacenters, instances and users. The root organization owns the deployment."""

from __future__ import annotations

from dataclasses import dataclass

from ..._fields.common import (
    DESCRIPTION,
    FORMER_NAME,
    NAME,
    STATE,
)

FIELDS = {"name": NAME, "former_name": FORMER_NAME, "description": DESCRIPTION, "state": STATE}


@dataclass(frozen=True, kw_only=True)
class Organization:
    name: str
    former_name: str | None = None
    description: str | None = None
    state: str = "present"
