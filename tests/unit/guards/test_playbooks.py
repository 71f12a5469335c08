# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks that call the same role tell it the same: a role with fewer variables would take away what they are for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from guards.project import ROLES, ROOT, files, read_yaml, shown

PLAYBOOKS = ROOT / "playbooks"
# Variable of a role: why one playbook alone gives it.
OF_ONE_PLAYBOOK = {
    "node_certificate_renew_days": "renew_certificates.yml is there for it",
    "node_confirm": "the consent to leave, which no other playbook asks for",
}
# Imported by others, which ask before.
PARTS = {"ceph", "cloud", "record"}
FIRST = "pextra_first_coordinator"
# Playbook that contacts the first coordinator: how it asks whether that is in the run.
WITHOUT_RUN_IS_WHOLE = {"decommission.yml": "in its first play, together with the nodes that leave"}


class Call(NamedTuple):
    """A play that calls a role's entry, and what it tells the role: in the play's files, and at the call."""

    playbook: str
    role: str
    entry: str
    files: frozenset[str]
    variables: frozenset[str]


def calls() -> Iterator[Call]:
    for path in files(".yml", below=PLAYBOOKS):
        content = read_yaml(path)
        if not isinstance(content, list):
            continue
        for play in content:
            given = frozenset(play.get("vars_files") or ())
            for role in play.get("roles") or ():
                name = role if isinstance(role, str) else role["role"]
                variables = frozenset() if isinstance(role, str) else frozenset(role.get("vars") or ())
                yield Call(shown(path), name, "main", given, variables)
            for section in ("pre_tasks", "tasks", "post_tasks"):
                for role, entry, variables in calls_of_tasks(play.get(section) or []):
                    yield Call(shown(path), role, entry, given, variables)


def calls_of_tasks(tasks: list[dict[str, Any]]) -> Iterator[tuple[str, str, frozenset[str]]]:
    for task in tasks:
        for section in ("block", "rescue", "always"):
            yield from calls_of_tasks(task.get(section) or [])
        for kind in ("ansible.builtin.import_role", "ansible.builtin.include_role"):
            if kind in task:
                entry = str(task[kind].get("tasks_from", "main")).removesuffix(".yml")
                yield task[kind]["name"], entry, frozenset(task.get("vars") or ())


def told(call: Call) -> set[str]:
    """All variables of the role that a call gives, wherever they are written."""
    variables = set(call.variables)
    for file in call.files:
        variables |= set(read_yaml(PLAYBOOKS / file))
    begin = call.role.rpartition(".")[2] + "_"
    return {name for name in variables if name.startswith(begin)} - set(OF_ONE_PLAYBOOK)


def plays() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (file, play) of all playbooks, with those that are imported."""
    for path in files(".yml", below=PLAYBOOKS):
        content = read_yaml(path)
        for play in content if isinstance(content, list) else ():
            yield path.name, play


def test_what_is_asked_once_is_asked_of_a_node() -> None:
    """The first host of a play answers for all. Of all hosts it may be an instance, which has variables of its own."""
    begin = "{{ pextra_hosts | default('pextra_nodes:pextra_coordinators', true) }}:"
    everyone = [(file, play) for file, play in plays() if "all" in str(play.get("hosts", "")).split(":")]
    assert everyone, "there is none of these left to look at"
    assert [f"{file}: {play['name']}" for file, play in everyone if not play["hosts"].startswith(begin)] == []


def chain(name: str) -> Iterator[dict[str, Any]]:
    """Yield the plays of a playbook in their order, also of those that it imports, after each import itself."""
    for play in read_yaml(PLAYBOOKS / name):
        yield play
        if "ansible.builtin.import_playbook" in play:
            yield from chain(play["ansible.builtin.import_playbook"])


def test_every_playbook_says_why_it_could_do_nothing() -> None:
    """A play without hosts is passed over, and the run succeeds: so each asks first whether there are any.

    Whoever asks the first coordinator, and could go on without an answer, says that the run is whole (run_is_whole).
    """
    silent, partial = [], []
    for path in sorted(PLAYBOOKS.glob("*.yml")):
        if path.stem in PARTS:
            continue
        found = list(chain(path.name))
        contacting = [number for number, play in enumerate(found) if play.get("become")]
        refusing = [
            number
            for number, play in enumerate(found)
            if "vars/run.yml" in play.get("vars_files", ())
            and any("__run_mistake" in str(task) for task in play.get("tasks") or ())
        ]
        if contacting and not (refusing and refusing[0] < contacting[0]):
            silent.append(path.name)
        asks = any(play.get("become") and FIRST in str(play["hosts"]) for play in found)
        if asks and not any("run_is_whole" in (play.get("vars") or {}) for play in found):
            partial.append(path.name)
    assert silent == []
    assert partial == sorted(WITHOUT_RUN_IS_WHOLE)


def test_no_play_waits_for_a_frozen_host() -> None:
    """Each that becomes root somewhere contacts hosts, and says when ssh gives up."""
    careless = [
        f"{shown(path)}: {play['name']}"
        for path in files(".yml", below=PLAYBOOKS)
        if isinstance(content := read_yaml(path), list)
        for play in content
        if play.get("become") and "vars/connection.yml" not in play.get("vars_files", ())
    ]
    assert careless == []


def tasks_of(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield task
        for section in ("block", "rescue", "always"):
            yield from tasks_of(task.get(section) or [])


def test_whom_nobody_reaches_takes_no_other_host_out_of_the_run() -> None:
    """Ansible takes out all of them after a task run once that did not reach its host, unless it ignores errors too."""
    once = [
        (f"{shown(path)}: {task['name']}", bool(task.get("ignore_errors")))
        for path in files(".yml", below=PLAYBOOKS)
        if isinstance(content := read_yaml(path), list)
        for play in content
        for section in ("pre_tasks", "tasks", "post_tasks")
        for task in tasks_of(play.get(section) or [])
        if task.get("run_once") and task.get("ignore_unreachable")
    ]
    assert once, "there is none of these left to look at"
    assert [name for name, ignores in once if not ignores] == []


def test_there_are_calls() -> None:
    assert {"site.yml", "renew_certificates.yml"} <= {call.playbook.rpartition("/")[2] for call in calls()}


@pytest.mark.parametrize("role", sorted({(call.role, call.entry) for call in calls()}), ids="-".join)
def test_all_playbooks_tell_a_role_the_same(role: tuple[str, str]) -> None:
    found = {call.playbook: told(call) for call in calls() if (call.role, call.entry) == role}
    assert len({frozenset(one) for one in found.values()}) == 1, found


def test_variables_of_a_role_that_several_call_have_one_place() -> None:
    """In playbooks/vars, named for the role: beside a call they would be written again beside the next."""
    count: dict[tuple[str, str], set[str]] = {}
    for call in calls():
        count.setdefault((call.role, call.entry), set()).add(call.playbook)
    beside = {
        f"{call.playbook}: {name}"
        for call in calls()
        if len(count[(call.role, call.entry)]) > 1
        for name in call.variables - set(OF_ONE_PLAYBOOK)
    }
    assert beside == set()


def test_each_role_is_told_only_what_it_documents() -> None:
    for call in calls():
        role = call.role.rpartition(".")[2]
        spec = read_yaml(ROLES / role / "meta" / "argument_specs.yml")["argument_specs"]
        known = {name for entry in spec.values() for name in entry.get("options") or {}}
        assert told(call) <= known, call
