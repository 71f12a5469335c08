# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""drift.yml on this host as the coordinator, whose registry cannot be read: that is told, and written down."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from ansible_playbook import ROOT, play


@pytest.mark.parametrize(
    ("report", "told"),
    [
        ("hosts.yml", "hosts.yml is there already, and was not written by an earlier run. Name another file."),
        ("none/found.json", "cannot be written: there is no directory"),
        (".", "is a directory."),
    ],
)
def test_a_report_that_is_not_written_is_told_before_anything_else(tmp_path: Path, report: str, told: str) -> None:
    groups = {"pextra_coordinators": {"hosts": {"node1": {}}}, "pextra_nodes": {"hosts": {"node1": {}}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": groups}}))
    before = (tmp_path / "hosts.yml").read_text()
    done = play(tmp_path, "-i", "hosts.yml", str(ROOT / "playbooks" / "drift.yml"), "-e", f"report={report}")
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in " ".join(done.stdout.split())
    assert "Nothing was done." in done.stdout
    assert done.stdout.count("TASK [") == 1
    assert (tmp_path / "hosts.yml").read_text() == before


@pytest.mark.parametrize("report", ["found.json", "~/found.json", "", None])
def test_the_report_is_where_it_is_from_where_the_run_was_started(tmp_path: Path, report: str | None) -> None:
    variables = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
        "pextra_address": "10.91.7.11",
        "pextra_registry_url": f"sqlite:///{tmp_path}/registry.db",
    }
    groups = {"pextra_coordinators": {"hosts": {"node1": {}}}, "pextra_nodes": {"hosts": {"node1": {}}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": variables, "children": groups}}))
    (tmp_path / "registry.db").write_text("no database at all, but as long as one: " + "x" * 4096)
    before = {*ROOT.iterdir(), *(ROOT / "playbooks").iterdir()}
    where = () if report is None else ("-e", f"report={report}")
    done = play(tmp_path, "-i", "hosts.yml", str(ROOT / "playbooks" / "drift.yml"), *where)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Not everything could be looked at" in done.stdout
    assert {*ROOT.iterdir(), *(ROOT / "playbooks").iterdir()} == before
    written = tmp_path / "found.json"
    assert written.exists() is bool(report)
    if report:
        found = json.loads(written.read_text(encoding="utf-8"))
        assert (found["complete"], len(found["problems"])) == (False, 1)
