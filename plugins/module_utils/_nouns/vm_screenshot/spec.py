# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture that is to be taken of an instance's screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._fields.checks import check_absolute_path
from ..._fields.common import CLUSTER, parse_spec
from ..._fields.field import Field
from ..._model.mistake import Mistake

FIELDS = {
    "name": Field(kind="str", required=True, help="The instances, by name or identifier; one alone needs no list."),
    "cluster": CLUSTER,
    "directory": Field(
        kind="str",
        required=True,
        check=check_absolute_path,
        help="The directory on the coordinator's disk, which must be there. A picture is in the file C(NAME.png), "
        "which is replaced, and which only root may read.",
    ),
    "screen": Field(
        kind="int",
        default=0,
        minimum=0,
        maximum=15,
        help="Which screen, of an instance that has several. The first one is V(0).",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Screenshot:
    name: str
    directory: str
    cluster: str | None = None
    screen: int = 0


def parse_screenshot(raw: Mapping[str, Any], path: str) -> tuple[Screenshot | None, list[Mistake]]:
    """Parse what is wanted of one instance. Returns (screenshot or None, mistakes)."""
    return parse_spec(FIELDS, Screenshot, raw, path)
