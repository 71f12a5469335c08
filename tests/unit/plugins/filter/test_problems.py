# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed task of any kind comes to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.filter.problems import problems

ERROR = {"node": "node2", "resource": "pool fast", "what": "its server does not answer", "remedy": "Start it."}


def one(what: str, node: str = "node1") -> list[dict[str, str]]:
    return [{"node": node, "resource": "", "what": what, "remedy": ""}]


@pytest.mark.parametrize(
    ("result", "found"),
    [
        pytest.param({"failed": True, "msg": "2 problems", "errors": [ERROR, ERROR]}, [ERROR], id="ours, each once"),
        pytest.param(
            {"failed": True, "errors": [{**ERROR, "node": None}]},
            [{**ERROR, "node": ""}],
            id="of no node in particular",
        ),
        pytest.param(
            {"failed": True, "errors": [{"node": None, "resource": None, "what": "x", "remedy": ""}]},
            one("x"),
            id="of the host itself",
        ),
        pytest.param({"failed": True, "msg": "no space"}, one("no space"), id="a message"),
        pytest.param(
            {
                "failed": True,
                "msg": "Task failed: Premature end of stream waiting for become success.\n>>> Standard Error\n"
                "sudo: a password is required",
            },
            [
                {
                    "node": "node1",
                    "resource": "",
                    "what": "who logs in there may not become root: sudo: a password is required",
                    "remedy": "Log in as root (ansible_user: root), let that user use sudo without a password, or give "
                    "it with --ask-become-pass.",
                }
            ],
            id="nobody became root",
        ),
        pytest.param(
            {"failed": True, "msg": "non-zero return code", "stderr": "apt: locked\n"},
            one("non-zero return code: apt: locked"),
            id="a program",
        ),
        pytest.param(
            {"failed": True, "results": [{"msg": "fine"}, {"failed": True, "msg": "b"}, {"failed": True, "msg": "c"}]},
            one("b") + one("c"),
            id="a loop",
        ),
        pytest.param({"failed": True}, one('the task "Have it" failed without a word'), id="nothing"),
        pytest.param({"failed": True, "msg": "a" * 3000}, one("…" + "a" * 2000), id="very long"),
    ],
)
def test_problems(result: dict[str, Any], found: list[dict[str, Any]]) -> None:
    assert problems(result, "node1", {"name": "Have it"}) == found


def test_what_a_task_hides_stays_hidden() -> None:
    hidden = one('the task "Write passwords" failed, and hides its output')
    assert problems({"msg": "planted"}, "node1", {"name": "Write passwords", "no_log": True}) == hidden
    assert problems({"censored": "the output has been hidden"}, "node1", {"name": "Write passwords"}) == hidden
