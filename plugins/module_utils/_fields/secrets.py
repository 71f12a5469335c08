# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of given options is secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .field import Table

# What is told in place of one.
HIDDEN = "(secret)"


def secrets_in(table: Table, raw: object) -> Iterator[str]:
    """Yield what an element holds of options that are secret. No text is one that is empty or blank: every place
    between two letters has it, and all that is told would be hidden.
    """
    if not isinstance(raw, Mapping):
        return
    for name, field in table.items():
        value = raw.get(name)
        if field.no_log:
            if value is not None and str(value).strip():
                yield str(value)
        elif field.table is not None:
            yield from secrets_in(field.table, value)
        elif field.element is not None and field.element.table is not None and isinstance(value, list):
            for item in value:
                yield from secrets_in(field.element.table, item)
