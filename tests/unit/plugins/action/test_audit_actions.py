# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What actions hand over of where a run comes from, and the export of the audit trail. Only modules are made up."""

from __future__ import annotations

import json
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import _internal
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible_collections.pextra.cloud.plugins.action import (
    pextra_audit,
    pextra_audit_export,
    pextra_drive_replace,
    pextra_pool,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.origin import SYSTEMS
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.audit.lines import describe_entry

Result = dict[str, Any]
Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs an action, with what its module is to answer; calls are what it was asked."""
    monkeypatch.setattr(_internal, "is_controller", True)
    for name in ("SUDO_USER", *(name for one in SYSTEMS for name in (one.number, *one.users))):
        monkeypatch.delenv(name, raising=False)

    def run(
        action: Any, arguments: Result, answer: Any = None, *, check: bool = False, calls: Any = None, **more: Any
    ) -> Result:
        class Tried(action):  # type: ignore[misc, valid-type]
            def _execute_module(self, module_args: Result, **_: Any) -> Result:
                if calls is not None:
                    calls.append(dict(module_args))
                found: Result = answer(module_args) if callable(answer) else answer or {"changed": False}
                return found

        task = Task()
        task.action, task.args, task.check_mode, task.async_val = "pextra.cloud.pextra_it", arguments, check, 0
        context = PlayContext()
        connection = connection_loader.get("ansible.builtin.local", context, os.devnull)
        tried = Tried(task, connection, context, DataLoader(), templar=None, shared_loader_obj=None)
        result: Result = tried.run(task_vars={"inventory_hostname": "node1", **more})
        return result

    return run


def handed_over(run: Run, action: Any, arguments: Result, **more: Any) -> Result:
    calls: list[Result] = []
    run(action, arguments, calls=calls, **more)
    return calls[0]


@pytest.mark.parametrize("action", [pextra_audit, pextra_pool])
def test_awx_says_who_and_what(run: Run, action: Any) -> None:
    more = {"awx_job_id": 42, "awx_user_name": "ann", "awx_project_revision": "9f8e"}
    assert handed_over(run, action.ActionModule, {"name": "x"}, **more) == {
        "name": "x",
        "actor": "ann",
        "job": "AWX job 42",
        "revision": "9f8e",
    }


def test_what_the_task_says_counts(run: Run) -> None:
    given = {"actor": "bob", "job": "change 7", "revision": None}
    more = {"awx_job_id": 42, "awx_user_name": "ann", "awx_project_revision": "9f8e"}
    found = handed_over(run, pextra_pool.ActionModule, given, **more)
    assert found == {"actor": "bob", "job": "change 7", "revision": "9f8e"}


def test_who_runs_ansible(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    assert handed_over(run, pextra_pool.ActionModule, {}) == {"actor": me}
    monkeypatch.setenv("SUDO_USER", "carol")
    assert handed_over(run, pextra_pool.ActionModule, {}) == {"actor": "carol"}


def test_a_user_without_a_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    monkeypatch.delenv("USER", raising=False)
    assert handed_over(run, pextra_pool.ActionModule, {}) == {"actor": "user 4000000"}


def test_modules_without_a_registry_are_told_nothing(run: Run) -> None:
    assert handed_over(run, pextra_drive_replace.ActionModule, {"drive": "x"}, awx_user_name="ann") == {"drive": "x"}


# Export


def entries(count: int) -> list[Result]:
    about = {
        "at": 1790000000.0,
        "run": "7f3a",
        "actor": "ann at node1",
        "job": None,
        "revision": None,
        "kind": "instance",
        "resource": None,
        "organization": None,
        "node": None,
        "what": "start",
        "outcome": "done",
    }
    return [describe_entry({**about, "number": n, "name": f"web-{n}"}) for n in range(1, count + 1)]


def coordinator(found: list[Result]) -> Callable[[Result], Result]:
    def answer(asked: Result) -> Result:
        rest = [entry for entry in found if entry["number"] > asked["after"]]
        page = rest[: asked["limit"]]
        return {"changed": False, "entries": page, "next": page[-1]["number"] if len(rest) > len(page) else None}

    return answer


def export(run: Run, path: Path, found: Any, **more: Any) -> Result:
    check, calls = more.pop("check", False), more.pop("calls", None)
    arguments = {"path": str(path), "registry": "sqlite:////r.db", "actor": "ann", **more}
    answer = coordinator(found) if isinstance(found, list) else found
    return run(pextra_audit_export.ActionModule, arguments, answer, check=check, calls=calls)


def test_all_pages_in_their_order(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pextra_audit_export, "_PAGE", 3)
    path, calls = tmp_path / "audit.jsonl", []
    result = export(run, path, entries(7), since="30d", kinds=["instance"], calls=calls)
    assert result == {"changed": True, "path": str(path), "count": 7}
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [1, 2, 3, 4, 5, 6, 7]
    asked = {"since": "30d", "kinds": ["instance"], "registry": "sqlite:////r.db", "limit": 3}
    assert calls == [{**asked, "after": after} for after in (0, 3, 6)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_is_not_written_again(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    export(run, path, entries(2))
    before = path.stat().st_ino
    assert export(run, path, entries(2))["changed"] is False
    assert path.stat().st_ino == before
    assert export(run, path, entries(3))["changed"] is True
    assert len(path.read_text().splitlines()) == 3


def test_syslog(run: Run, tmp_path: Path) -> None:
    export(run, tmp_path / "log", entries(1), format="syslog")
    assert (tmp_path / "log").read_text().startswith("<109>1 2026-09-21T14:13:20.000000Z node1 pextra - instance [")


def test_a_check_writes_nothing(run: Run, tmp_path: Path) -> None:
    assert export(run, tmp_path / "audit", entries(2), check=True) == {
        "changed": True,
        "path": str(tmp_path / "audit"),
        "count": 2,
    }
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_what_was_there(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pextra_audit_export, "_PAGE", 1)
    before = '{"number":1,"actor":"me","what":"make it","outcome":"done"}\n'
    (tmp_path / "audit").write_text(before)

    def answer(asked: Result) -> Result:
        if asked["after"]:
            return {"failed": True, "msg": "gone"}
        return coordinator(entries(2))(asked)

    result = export(run, tmp_path / "audit", answer)
    assert (result["failed"], result["msg"]) == (True, "gone")
    assert [path.name for path in tmp_path.iterdir()] == ["audit"]
    assert (tmp_path / "audit").read_text() == before


def test_what_is_no_audit_trail_is_left_alone(run: Run, tmp_path: Path) -> None:
    calls: list[Result] = []
    (tmp_path / "hosts.yml").write_text("precious")
    result = export(run, tmp_path / "hosts.yml", entries(1), calls=calls)
    assert result["failed"]
    assert "hosts.yml is there already, and was not written by an earlier run" in result["msg"]
    assert (tmp_path / "hosts.yml").read_text() == "precious"
    assert not calls


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("none/audit", {}, "none/audit cannot be written: there is no directory "),
        (".", {}, "is a directory. Name a file"),
        ("audit", {"since": "soon"}, '"soon" is no point in time'),
        ("audit", {"kinds": ["vm"]}, '"vm"'),
    ],
)
def test_mistakes(run: Run, tmp_path: Path, name: str, more: Result, message: str) -> None:
    calls: list[Result] = []
    result = export(run, tmp_path / name, entries(1), calls=calls, **more)
    assert result["failed"]
    assert message in result["msg"]
    assert calls == []
    assert list(tmp_path.iterdir()) == []
