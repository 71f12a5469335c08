# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume that is to be written to a file of the coordinator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._fields.checks import check_absolute_path
from ..._fields.common import CLUSTER, NAME, parse_spec
from ..._fields.field import Field
from ..._model.mistake import Mistake
from ..volume.spec import FILE_FORMATS

FIELDS = {
    "name": NAME,
    "cluster": CLUSTER,
    "path": Field(
        kind="str",
        required=True,
        check=check_absolute_path,
        help="The file on the coordinator's disk. Its directory must be there.",
    ),
    "format": Field(
        kind="str",
        default="qcow2",
        choices=FILE_FORMATS,
        help="The format of the file. What lies in pools of the types V(rbd), V(lvm) and V(zfs) can be V(qcow2) or "
        "V(raw).",
    ),
    "overwrite": Field(kind="bool", default=False, help="Whether a file that is there may be replaced."),
}


@dataclass(frozen=True, kw_only=True)
class Export:
    name: str
    path: str
    cluster: str | None = None
    format: str = "qcow2"
    overwrite: bool = False


def parse_export(raw: Mapping[str, Any], path: str) -> tuple[Export | None, list[Mistake]]:
    """Parse one export. Returns (spec or None, mistakes)."""
    return parse_spec(FIELDS, Export, raw, path)
