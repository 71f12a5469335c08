# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people call it, beside its name (libvirt: Domain XML, general metadata)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...._fields.common import DESCRIPTION
from ..acts import Act, Describe
from ..kinds import TYPES, Aspect
from ..places import Text


def _describe(_path: str, value: Any, _live: Mapping[str, Any], _running: Callable[[], Any]) -> Sequence[Act]:
    return (Describe(value),)


ASPECT = Aspect(
    option="description",
    types=frozenset(TYPES),
    row=replace(DESCRIPTION, at=Text("description"), effect="live"),
    acts=_describe,
)
