# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits for a next start is told as it is once everything is done."""

from __future__ import annotations

from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Change, Plan, Work


def work(name: str, *pending: Change) -> Work:
    return Work(kind="instance", name=name, id=f"inst-{name}", pending=pending)


def test_what_a_guest_did_not_do_at_once_waits() -> None:
    told, kept = Change("cpu.model", "a", "b", "next_boot"), Change("memory", 1024, 512, "next_boot")
    plan = Plan(works=(work("web", told), work("db")), last=(work("old"),))
    after = plan.with_waiting(Plan(works=(work("web", kept),)))
    assert [(one.name, one.pending) for one in after.all] == [("web", (told, kept)), ("db", ()), ("old", ())]
    assert plan.with_waiting(Plan(works=(work("web", told),))) == plan
