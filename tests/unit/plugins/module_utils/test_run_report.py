# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that went wrong in a run, as one list."""

from __future__ import annotations

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._run_report import collect_problems, render_report

POOL = {"node": "node2", "resource": "pool fast", "what": "its server does not answer", "remedy": "Start it."}
DISK = {"node": "node3", "resource": "", "what": "the disk A1 is missing", "remedy": ""}


def test_all_hosts_are_told_each_problem_once() -> None:
    found = collect_problems({"node1": [POOL, POOL], "node3": [DISK], "node4": []}, present=["node1", "node4"])
    assert [str(each) for each in found] == [
        "node2: pool fast: its server does not answer. Start it.",
        "node3: the disk A1 is missing",
    ]


def test_a_host_that_fell_out_without_a_note_did_not_answer() -> None:
    (found,) = collect_problems({"node1": [], "node2": []}, present=["node1"])
    assert found.node == "node2"
    assert "did not answer over ssh" in found.what
    assert "systemctl status ssh" in found.remedy


def test_the_report_is_lines() -> None:
    assert render_report([Problem("it is away", "Start it.", "node2")]) == (
        "1 problem; what does not need it is done. node2: it is away. Start it."
    )
    assert render_report([Problem("a", node="node1"), Problem("b", node="node2")]).splitlines() == [
        "2 problems; what does not need these is done:",
        "  node1: a",
        "  node2: b",
    ]


def test_what_many_suffer_from_is_told_once() -> None:
    frozen = [Problem("libvirtd is frozen", "Look.", "node3", name) for name in ("", "pool fast", "instance web")]
    assert render_report([*frozen, Problem("b", node="node2", resource="pool fast")]).splitlines() == [
        "2 problems; what does not need these is done:",
        "  node3: libvirtd is frozen. Look.",
        "    so not as declared: pool fast, instance web",
        "  node2: pool fast: b",
    ]
    assert render_report(frozen).splitlines()[0].startswith("1 problem; what does not need it is done. node3: libvirtd")
