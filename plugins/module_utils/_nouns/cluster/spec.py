# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cluster: nodes that share storage pools, networks and instances."""

from __future__ import annotations

from dataclasses import dataclass

from ..._fields.common import (
    DESCRIPTION,
    FORMER_NAME,
    NAME,
    STATE,
)
from ..._fields.field import Field

FIELDS = {
    "name": NAME,
    "former_name": FORMER_NAME,
    "description": DESCRIPTION,
    "datacenter": Field(
        kind="str", help="The datacenter it stands in, by name or identifier. With a single one it need not be given."
    ),
    "state": STATE,
}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    name: str
    former_name: str | None = None
    description: str | None = None
    datacenter: str | None = None
    state: str = "present"
