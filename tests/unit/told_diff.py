# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a result tells of changes, and what the diff says, are the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._engine.diff import render_diff
from ansible_collections.pextra.cloud.plugins.module_utils._engine.telling import tell
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan

_NOTES = {
    "live": "",
    "hot_plug": "   (hot plug)",
    "next_boot": "   (next boot)",
    "replace": "   (replace: destroys data)",
}
_WAITS = "   (next boot: needs allow_restart, or the next restart)"


def require_same(plan: Plan) -> None:
    """Fail unless each line of the diff is told as data, with its values, its effect and its order, and nothing else
    is.
    """
    for work in plan.all:
        if not work.steps and not work.pending:
            continue
        alone = tell(Plan(works=(work,)))
        assert all((one["kind"], one["name"], one["node"]) == (work.kind, work.name, work.node) for one in _all(alone))
        diff = render_diff(work)
        for side in ("before", "after"):
            lines = [_line(one, side, _NOTES[one["when"]]) for one in alone["changes"]]
            lines += [_line(one, side, _WAITS) for one in alone["pending"]]
            steps = [re.escape(f"{step.text}\n") for step in work.steps] if side == "after" and not work.changes else []
            assert re.fullmatch("".join([*lines, *steps]), diff[side]), (side, diff, alone)
    told = tell(plan)
    every = [tell(Plan(works=(work,))) for work in plan.all]
    assert told == {name: [item for one in every for item in one[name]] for name in ("actions", "changes", "pending")}


def _all(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*told["changes"], *told["pending"]]


def _line(one: Mapping[str, Any], side: str, note: str) -> str:
    """Return a pattern of what the diff has to say. Of what waits it says both, also where there is nothing."""
    if one[side] is None and note != _WAITS:
        return ""
    return f"{re.escape(one['option'])}: {_value(one[side])}{re.escape(note)}\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return rf"(?:{value}|[\d.]+ [KMGTP]iB)"
    if isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        return re.escape(", ".join(map(str, value)))
    # Mappings, and what is in lists, the diff writes as Python does.
    return re.escape(str(value)) if value is None or isinstance(value, str) else ".*"
