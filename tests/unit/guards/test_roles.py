# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles of one shape: documented options, equal defaults, names of their own."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
from guards.project import ROLES, ROOT, files, read_yaml, role_names, shown

# Fact: why several roles share it.
SHARED_FACTS = {
    "pextra_acts": "what was done to a host, for the audit trail",
    "pextra_ceph_devices": "the disks that are selected for Ceph, for the role that makes OSDs of them",
    "pextra_node_facts": "what preflight found out about a host, for the roles that prepare it",
    "pextra_earlier_changes": "in a check, that an earlier stage would change something",
}


def options(role: str) -> dict[str, dict[str, Any]]:
    """All options of all entry points."""
    spec = read_yaml(ROLES / role / "meta" / "argument_specs.yml")["argument_specs"]
    return {name: option for entry in spec.values() for name, option in (entry.get("options") or {}).items()}


@pytest.mark.parametrize("role", role_names())
def test_has_the_files_of_a_role(role: str) -> None:
    for file in ("meta/main.yml", "meta/argument_specs.yml", "defaults/main.yml", "tasks/main.yml"):
        assert (ROLES / role / file).is_file(), f"{role} has no {file}"
    entries = read_yaml(ROLES / role / "meta" / "argument_specs.yml")["argument_specs"]
    for entry, spec in entries.items():
        assert spec.get("short_description"), f"{entry} has no short description"
        assert (ROLES / role / "tasks" / f"{entry}.yml").is_file(), f"{entry} has no tasks"
    assert all(option.get("description") for option in options(role).values())


@pytest.mark.parametrize("role", role_names())
def test_the_readme_is_written_from_the_options(role: str) -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "write_role_readmes.py"))
    assert (ROLES / role / "README.md").read_text(encoding="utf-8") == tool["render"](ROLES / role), "run make readmes"


@pytest.mark.parametrize("role", role_names())
def test_defaults_are_the_documented_ones(role: str) -> None:
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert (read_yaml(ROLES / role / "defaults" / "main.yml") or {}) == documented


@pytest.mark.parametrize("role", role_names())
def test_variables_start_with_the_role(role: str) -> None:
    names = set(options(role))
    for path in files(".yml", below=ROLES / role):
        if path.parent.name == "vars":
            names |= set(read_yaml(path) or {})
        if path.parent.name in {"tasks", "handlers"}:
            names |= set(names_set_by(read_yaml(path) or []))
    pattern = re.compile(rf"(__)?{role}_\w+")
    foreign = {name for name in names if not pattern.fullmatch(name) and not name.startswith("ansible_")}
    assert foreign <= set(SHARED_FACTS)


def names_set_by(tasks: list[dict[str, Any]]) -> Iterator[str]:
    """The variables that tasks set for those that follow."""
    for task in tasks:
        if "register" in task:
            yield task["register"]
        yield from (name for name in task.get("ansible.builtin.set_fact") or {} if name != "cacheable")
        yield from task.get("vars") or {} if "name" in task and "ansible.builtin.include_role" not in task else ()
        for section in ("block", "rescue", "always"):
            yield from names_set_by(task.get(section) or [])


@pytest.mark.parametrize("role", role_names())
def test_knows_no_inventory_group(role: str) -> None:
    for path in files(below=ROLES / role):
        if path.suffix in {".yml", ".j2"}:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"\bgroups\s*[\[.]|\bgroup_names\b", text), f"{shown(path)} names a group"
