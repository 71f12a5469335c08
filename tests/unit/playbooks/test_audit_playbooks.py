# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""record.yml and audit.yml on this host as the coordinator, with a registry of the test's own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import audit
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._model.origin import SYSTEMS
from ansible_playbook import ROOT, play

# What roles have done, on one host twice the same, and on one nothing.
NOTING = """
- hosts: pextra_nodes
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        pextra_acts: >-
          {{ ['make vg0', 'make tank'] | pextra.cloud.acts('drive', inventory_hostname)
             + ['make the CA'] | pextra.cloud.acts('certificate', 'pextra') }}
      when: inventory_hostname != 'node3' and noted | default(true)
    - ansible.builtin.set_fact:
        pextra_problems: [{node: node2, resource: "", what: a problem of its own, remedy: ""}]
      when: inventory_hostname == 'node2'
- ansible.builtin.import_playbook: ROOT/playbooks/record.yml
- hosts: pextra_nodes
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "noted by {{ inventory_hostname }}: {{ pextra_problems | default([]) | map(attribute='what') | join }}"
"""
JOB = ("-e", "awx_job_id=42", "-e", "awx_user_name=ann")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    variables = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
        "pextra_registry_url": f"sqlite:///{tmp_path}/registry.db",
    }
    groups = {
        "pextra_coordinators": {"hosts": {"node1": {}}},
        "pextra_nodes": {"hosts": {f"node{n}": {} for n in "123"}},
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": variables, "children": groups}}))
    (tmp_path / "play.yml").write_text(NOTING.replace("ROOT", str(ROOT)))
    return tmp_path


def run(folder: Path, playbook: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    ci = {name for one in SYSTEMS for name in (one.number, *one.users)}
    return play(folder, "-i", str(folder / "hosts.yml"), str(playbook), *arguments, without=ci)


def recorded(folder: Path) -> list[tuple[str, str, str, str | None]]:
    with Registry(f"sqlite:///{folder}/registry.db") as registry:
        found = audit.read(registry)[::-1]
    return [(one["kind"], one["node"], one["what"], one["job"]) for one in found]


def test_what_roles_did_is_recorded_once_and_exported(folder: Path) -> None:
    with Registry(f"sqlite:///{folder}/registry.db", create=True):
        pass
    checked = run(folder, folder / "play.yml", "--check")
    assert checked.returncode == 0, checked.stdout
    nothing = run(folder, folder / "play.yml", "-e", '{"noted": false}')
    assert nothing.returncode == 0, nothing.stdout
    assert "changed=0" in nothing.stdout
    assert recorded(folder) == []
    done = run(folder, folder / "play.yml", *JOB)
    assert done.returncode == 0, done.stdout
    job = "AWX job 42"
    expected = [
        ("drive", "node1", "make vg0", job),
        ("drive", "node1", "make tank", job),
        ("certificate", "pextra", "make the CA", job),
        ("drive", "node2", "make vg0", job),
        ("drive", "node2", "make tank", job),
    ]
    assert recorded(folder) == expected

    export = ("-e", "audit_file=out.jsonl", "-e", "kind=drive", "-e", "actor=ann", "-e", "audit_since=1h")
    written = run(folder, ROOT / "playbooks" / "audit.yml", *export)
    assert written.returncode == 0, written.stdout
    assert f"{folder}/out.jsonl: 4 entries." in written.stdout
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [(one["kind"], one["node"], one["what"], one["job"]) for one in lines] == [
        one for one in expected if one[0] == "drive"
    ]
    assert "changed=0" in run(folder, ROOT / "playbooks" / "audit.yml", *export).stdout
    unsaid = run(folder, ROOT / "playbooks" / "audit.yml")
    assert unsaid.returncode != 0
    assert "-e audit_file=audit.jsonl" in unsaid.stdout


def test_hosts_are_prepared_before_there_is_a_registry(folder: Path) -> None:
    run_ = run(folder, folder / "play.yml")
    assert run_.returncode == 0, run_.stdout
    assert "what was done is not recorded" in run_.stdout + run_.stderr
    assert not (folder / "registry.db").exists()


def test_a_registry_that_cannot_be_written_is_a_problem_of_the_run(folder: Path) -> None:
    """The run goes on, and tells it in the end."""
    (folder / "registry.db").write_text("no database at all, but as long as one: " + "x" * 4096)
    run_ = run(folder, folder / "play.yml")
    assert run_.returncode == 0, run_.stdout
    # Hosts answer in any order.
    noted = dict(re.findall(r"noted by (\w+): ([^\"]*)", run_.stdout))
    assert {host: text.partition(" at ")[0] for host, text in noted.items()} == {
        "node1": "what this run did to the hosts is not in the audit trail: the registry",
        "node2": "a problem of its own",
        "node3": "",
    }
