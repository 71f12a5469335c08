# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of nodes that carry rows of the registry: a prefix and the name, and JSON of identifier and attributes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from .ids import is_id
from .rows import Row


def read_labels(labels: Mapping[str, str], prefix: str, kind: str, scope: str) -> Iterator[Row]:
    """Yield the rows that labels of a prefix carry, in their order. Labels are texts that others can write: those that
    are no row of this kind are passed over.
    """
    for key, text in sorted(labels.items()):
        if not key.startswith(prefix):
            continue
        try:
            value = json.loads(text)
        except ValueError:
            continue
        id_ = value.pop("id", None) if isinstance(value, dict) else None
        if isinstance(id_, str) and is_id(id_, kind):
            yield Row(id_, kind, key.removeprefix(prefix), scope, value)
