# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done in guests: by whom it can be done, which options belong together, and what of it is told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import Hierarchy
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.whereabouts import Seen, Whereabouts
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_guest.plan import (
    Run,
    SetPassword,
    SetTime,
    plan_guest_acts,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_guest.spec import GuestAct, parse_guest_act

CLUSTER = Row("cls-AAAAAAAAAAAAAAAAAAAAA", "cluster", "mtl-1")
NODE = Row("node-111111111111111111111", "node", "node1", CLUSTER.id)
WEB = Row("inst-AAAAAAAAAAAAAAAAAAAAA", "instance", "web", CLUSTER.id, {"node": NODE.id})
HASH = "$6$saltsalt$" + "h" * 86
RUN = {"action": "run", "argv": ["/bin/sh", "-c", "echo secret-argument"], "stdin": "secret-input"}
PASSWORD = {"action": "set_password", "user": "ann", "hashed_password": HASH}
CLOCK = {"action": "set_time"}


def act_of(**options: Any) -> GuestAct:
    act, mistakes = parse_guest_act({"name": "web", **options}, "")
    assert mistakes == []
    assert act is not None
    return act


def plan(state: str = "running", *, done: tuple[str, ...] = (), **options: Any) -> Plan:
    hierarchy = Hierarchy(organizations=(), clusters=(CLUSTER,), members=(NODE, WEB))
    have = Whereabouts(hierarchy, {uuid_of(WEB.id): [Seen("node1", state)]}, {})
    return plan_guest_acts([act_of(**options)], have, done)


@pytest.mark.parametrize(
    ("options", "does", "text"),
    [
        (RUN, Run(("/bin/sh", "-c", "echo secret-argument"), "secret-input", 60), "run /bin/sh in the guest"),
        (PASSWORD, SetPassword("ann", HASH), "set the password of ann in the guest"),
        (CLOCK, SetTime(), "set the guest's clock"),
    ],
)
def test_what_is_done(options: dict[str, Any], does: object, text: str) -> None:
    (work,) = plan(**options).works
    assert [(step.does, step.text) for step in work.steps] == [(does, text)]
    assert (work.key, work.node, work.id) == ("instance web", "node1", WEB.id)
    assert plan(**options, done=(WEB.id,)).is_empty


def test_secrets_are_not_told() -> None:
    """Neither in what is shown, nor in what is written into the audit trail, nor in a traceback."""
    for options in (RUN, PASSWORD):
        text = str(plan(**options)) + repr(act_of(**{**options, "argv": None} if options is PASSWORD else PASSWORD))
        assert "secret" not in text
        assert HASH not in text


def test_a_programs_name_is_shown_as_text() -> None:
    (work,) = plan(action="run", argv=["/bin/\x1b[31m" + "x" * 500]).works
    assert work.steps[0].text == "run /bin/\\x1b[31m" + "x" * 87 + " in the guest"


@pytest.mark.parametrize("state", ["paused", "asleep", "saved", "stopped"])
def test_only_in_a_guest_that_runs(state: str) -> None:
    found = plan(state, **CLOCK)
    assert found.is_empty
    assert found.refusals[0].what.startswith("it is ")


@pytest.mark.parametrize(
    ("options", "path", "problem"),
    [
        ({"action": "run"}, "argv", "is needed for action run"),
        ({"action": "run", "argv": []}, "argv", "names no program"),
        ({"action": "run", "argv": [""]}, "argv", "names no program"),
        ({"action": "run", "argv": ["/bin/true", "a\0b"]}, "argv[1]", "holds a null character"),
        ({"action": "run", "argv": ["/bin/true", "x" * 65_536]}, "argv", "has 65547 bytes; write at most 65536"),
        ({**RUN, "stdin": "x" * (1024**2 + 1)}, "stdin", "has 1048577 bytes; write at most 1048576"),
        ({**RUN, "timeout_s": 0}, "timeout_s", "1"),
        ({**RUN, "user": "ann"}, "user", "has no meaning for action run"),
        ({"action": "set_password", "user": "ann"}, "hashed_password", "is needed for action set_password"),
        ({**PASSWORD, "hashed_password": "plain"}, "hashed_password", "no hash of a password"),
        ({**PASSWORD, "user": "ann; reboot"}, "user", "is no name of a user"),
        ({**PASSWORD, "argv": ["/bin/true"]}, "argv", "has no meaning for action set_password"),
        ({**CLOCK, "stdin": "x"}, "stdin", "has no meaning for action set_time"),
    ],
)
def test_mistakes(options: dict[str, Any], path: str, problem: str) -> None:
    act, mistakes = parse_guest_act({"name": "web", **options}, "")
    assert act is None
    assert [mistake.path for mistake in mistakes] == [path]
    assert problem in mistakes[0].problem
    assert "plain" not in mistakes[0].problem or path != "hashed_password"
