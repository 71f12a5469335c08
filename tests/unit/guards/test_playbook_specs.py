# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks can be told is written down, in playbooks/meta/argument_specs.yml: surveys of AWX are made from it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from guards.project import ROLES, ROOT, read_yaml

PLAYBOOKS = ROOT / "playbooks"
# Playbook: why nothing is written down of what it can be told.
WITHOUT_SPEC = {
    "audit": "it writes a file, and what AWX runs in is gone when the job ends",
    "awx": "the role's argument spec says it all, and AWX does not set itself up",
    "ceph": "a part of others",
    "cloud": "a part of others",
    "init": "it writes the inventory, without which AWX has nothing to run",
    "init_molecule": "it writes files beside the inventory, and what AWX runs in is gone when the job ends",
    "record": "a part of others",
    "report": "it writes a file, and what AWX runs in is gone when the job ends",
}


def specs() -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = read_yaml(PLAYBOOKS / "meta" / "argument_specs.yml")["argument_specs"]
    return entries


def text(playbook: str) -> str:
    """A playbook with those that it imports."""
    own = (PLAYBOOKS / f"{playbook}.yml").read_text(encoding="utf-8")
    imported = re.findall(r"^  ansible\.builtin\.import_playbook: (\w+)\.yml$", own, re.MULTILINE)
    return own + "".join(text(one) for one in imported)


def test_every_playbook_has_an_entry_or_a_reason() -> None:
    playbooks = {path.stem for path in PLAYBOOKS.glob("*.yml")}
    assert playbooks - set(WITHOUT_SPEC) == set(specs())
    assert set(WITHOUT_SPEC) <= playbooks


@pytest.mark.parametrize("playbook", sorted(specs()))
def test_what_is_written_down_is_read(playbook: str) -> None:
    source = text(playbook)
    options = specs()[playbook].get("options") or {}
    assert [name for name in options if not re.search(rf"\b{name}\b", source)] == []
    assert all(option.get("description") for option in options.values())


@pytest.mark.parametrize("playbook", sorted(specs()))
def test_what_its_comment_names_is_written_down(playbook: str) -> None:
    comment = "".join(re.findall(r"^#.*\n", (PLAYBOOKS / f"{playbook}.yml").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"-e (\w+)=", comment))
    assert named <= set(specs()[playbook].get("options") or {})


@pytest.mark.parametrize("playbook", sorted(specs()))
def test_defaults_are_those_of_the_playbook(playbook: str) -> None:
    """Where the playbook has a number of its own, the survey suggests the same."""
    for name, option in (specs()[playbook].get("options") or {}).items():
        for number in re.findall(rf"\b{name} \| default\((\d+), true\)", text(playbook)):
            assert option["default"] == int(number), name


def test_awx_runs_every_playbook_that_can_be_run() -> None:
    templates = read_yaml(ROLES / "awx" / "vars" / "main.yml")["__awx_templates"]
    assert {one.get("playbook", one["name"]) for one in templates} == set(specs())
