# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as Ansible's diff: the diff is the plan, rendered."""

from __future__ import annotations

from typing import Any

from .._model.plan import Change, Work
from .._model.sizes import show_size

_WHEN = {
    "live": "",
    "hot_plug": "   (hot plug)",
    "next_boot": "   (next boot)",
    "replace": "   (replace: destroys data)",
}


def render_diff(work: Work) -> dict[str, str]:
    """Return before and after of one work, one line per difference."""
    before, after = [], []
    for change in work.changes:
        note = _WHEN[change.when]
        if change.before is not None:
            before.append(f"{change.field}: {_show(change, change.before)}{note}\n")
        if change.after is not None:
            after.append(f"{change.field}: {_show(change, change.after)}{note}\n")
    for change in work.pending:
        note = "   (next boot: needs allow_restart, or the next restart)"
        before.append(f"{change.field}: {_show(change, change.before)}{note}\n")
        after.append(f"{change.field}: {_show(change, change.after)}{note}\n")
    if not work.changes:
        after += [f"{step.text}\n" for step in work.steps]
    return {
        "before_header": work.label,
        "after_header": work.label,
        "before": "".join(before),
        "after": "".join(after),
    }


def _show(change: Change, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and change.field.split(".")[-1] in ("memory", "size", "memory_reserved"):
        return show_size(value)
    if isinstance(value, tuple | list):
        return ", ".join(str(item) for item in value)
    return str(value)
