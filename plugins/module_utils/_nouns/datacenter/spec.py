# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Datacenter: a place that clusters stand in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._fields.common import (
    DESCRIPTION,
    FORMER_NAME,
    NAME,
    STATE,
)
from ..._fields.field import Field

LOCATION = {
    "latitude": Field(
        kind="float", required=True, minimum=-90, maximum=90, help="Degrees north of the equator, -90 to 90."
    ),
    "longitude": Field(
        kind="float", required=True, minimum=-180, maximum=180, help="Degrees east of Greenwich, -180 to 180."
    ),
}

FIELDS = {
    "name": NAME,
    "former_name": FORMER_NAME,
    "description": DESCRIPTION,
    "organization": Field(
        kind="str", help="The organization it belongs to, by name or identifier. The root organization unless given."
    ),
    "location": Field(kind="dict", table=LOCATION, help="Where it stands."),
    "state": STATE,
}


@dataclass(frozen=True, kw_only=True)
class Datacenter:
    name: str
    former_name: str | None = None
    description: str | None = None
    organization: str | None = None
    location: Mapping[str, Any] | None = None
    state: str = "present"
