# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells in the end of a run all that went wrong in it, wherever that was. No connection is made."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._run_report import collect_problems, render_report
from ansible_collections.pextra.cloud.plugins.plugin_utils.next_command import tell_next

NOTED = "pextra_problems"
STOPPED = "pextra_coordinator_failed"
OUTCOME = "pextra_outcome"

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core is untyped
    """The action."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS: frozenset[str] = frozenset()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        present = [str(name) for name in variables["ansible_play_hosts"]]
        every = [str(name) for name in variables["ansible_play_hosts_all"]]
        hostvars = variables["hostvars"]
        noted = {name: hostvars.raw_get(name).get(NOTED) or [] for name in every}
        problems = collect_problems(noted, present)
        first = next(iter(variables["groups"].get("pextra_coordinators", ())), None)
        if first in every and (first not in present or hostvars.raw_get(first).get(STOPPED)):
            problems.append(
                Problem(
                    "nothing of the cloud was looked at, because the coordinator is out of the run",
                    "Mend what is said of it, then run again.",
                    str(first),
                )
            )
        result["changed"] = False
        result["errors"] = [problem.as_dict() for problem in problems]
        if not problems:
            then = tell_next("site", "report")
            if then is not None and first in present and _has_grown(hostvars.raw_get(first).get(OUTCOME)):
                display.display(f"Next: {then} writes a page that shows the cloud.")
            return result
        text = render_report(problems)
        if any(noted[name] for name in present):
            # Of the other hosts Ansible knows already that they have failed.
            return result | {"failed": True, "msg": text}
        for line in text.splitlines():
            display.display(line)
        return result


def _has_grown(outcome: dict[str, Any] | None) -> bool:
    """Return whether a node has joined; a check takes no time. Who runs the same day by day needs no guide."""
    works = (outcome or {}).get("plan") or ()
    return any((work["kind"], work["does"]) == ("node", "make") and work["took_s"] is not None for work in works)
