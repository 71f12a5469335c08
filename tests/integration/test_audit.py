# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail of a day with every kind of act, exported, shipped, and kept from being changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .lab import GONE, Lab, Site, wait_until

NAME = "it-audit"
GUEST: dict[str, Any] = {
    "name": NAME,
    "node": "node1",
    "memory": "96 MiB",
    "image": "tiny",
    "root": {"pool": "shared"},
    "power": "running",
}
AWX = ("-e", "awx_job_id=42", "-e", "awx_user_name=ann", "-e", "awx_project_revision=9f8e7d6")
# What somebody with the file would try, as Python of the node's own.
FORGE = """
import sqlite3, sys
database = sqlite3.connect("/var/lib/pextra/registry.db", timeout=20)
try:
    with database:
        database.execute(sys.argv[1])
except sqlite3.IntegrityError as error:
    print(error)
"""


def export(cloud: Site, path: Path, *arguments: str) -> list[dict[str, Any]]:
    run = cloud.run("-e", f"audit_file={path}", *arguments, playbook="pextra.cloud.audit")
    run.must_succeed()
    return [json.loads(line) for line in path.read_text().splitlines()]


def newest(cloud: Site) -> int:
    """Return the number of the last entry: what comes after is of this test."""
    events = cloud.module("pextra_registry_info", limit=1)["events"]
    return int(events[0]["number"]) if events else 0


def after(entries: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["number"] > number]


@pytest.mark.long
def test_a_day_with_every_kind_of_act(lab: Lab, cloud: Site, tmp_path: Path) -> None:
    cloud.run().must_change_nothing()
    begin = newest(cloud)
    # Who looks leaves no trace.
    cloud.run(*AWX).must_change_nothing()
    cloud.run("--check", *AWX).must_succeed()
    cloud.run(*AWX, "--check", playbook="pextra.cloud.renew_certificates").must_succeed()
    assert newest(cloud) == begin

    try:
        cloud.module("pextra_vm", **GUEST)
        wait_until("it boots", lambda: "pextra-guest: ready" in lab.since_boot(NAME))
        cloud.module("pextra_vm_power", name=NAME, action="pause", job="change 7", actor="bob")
        cloud.module("pextra_vm_power", name=NAME, action="resume")
        cloud.module("pextra_volume", name=f"{NAME}-data", pool="shared", size="16 MiB")
    finally:
        cloud.module("pextra_vm", name=NAME, **GONE)
        cloud.module("pextra_volume", name=f"{NAME}-data", pool="shared", state="absent", confirm="DESTROY")
    cloud.run(*AWX, "--limit", "node2,node1", playbook="pextra.cloud.renew_certificates").must_succeed()
    lab.sh("node3", "rm /etc/sysctl.d/60-pextra.conf")
    cloud.run(*AWX).must_succeed()
    cloud.module("pextra_audit", entries=[{"kind": "host", "name": "node3", "node": "node3", "what": "more memory"}])

    entries = after(export(cloud, tmp_path / "all.jsonl"), begin)
    assert [entry["number"] for entry in entries] == sorted({entry["number"] for entry in entries})
    told = {(one["kind"], one["name"], one["outcome"]) for one in entries}
    assert told >= {
        ("instance", NAME, "started"),
        ("instance", NAME, "done"),
        ("volume", f"{NAME}-data", "done"),
        ("certificate", "node2", "started"),
        ("certificate", "node2", "done"),
        ("host", "node3", "done"),
    }
    assert not any(one["outcome"] == "failed" for one in entries)
    assert all(one["organization"] for one in entries if one["kind"] == "instance")
    renewed = [one for one in entries if one["kind"] == "certificate"]
    assert {(one["job"], one["revision"]) for one in renewed} == {("AWX job 42", "9f8e7d6")}
    assert all(one["actor"].startswith("ann at node1 ") for one in renewed)
    (paused,) = (one for one in entries if one["what"] == "pause" and one["outcome"] == "done")
    assert (paused["actor"].split(" ")[0], paused["job"]) == ("bob", "change 7")
    assert any("60-pextra.conf" in one["what"] for one in entries if one["name"] == "node3")

    of_one = after(export(cloud, tmp_path / "one.jsonl", "-e", f"instance={NAME}", "-e", "audit_since=1h"), begin)
    assert of_one
    assert of_one == [one for one in entries if one["name"] == NAME]
    run = cloud.run(
        *("-e", f"audit_file={tmp_path / 'syslog'}", "-e", "audit_format=syslog", "-e", "kind=certificate"),
        playbook="pextra.cloud.audit",
    )
    run.must_succeed()
    lines = (tmp_path / "syslog").read_text().splitlines()
    assert len([line for line in lines if 'job="AWX job 42"' in line]) == len(renewed)

    for statement in (
        "UPDATE pextra_audit_event SET actor = 'nobody'",
        "DELETE FROM pextra_audit_event",
        "REPLACE INTO pextra_audit_event SELECT * FROM pextra_audit_event",
    ):
        said = lab.exec("node1", "python3", "-c", FORGE, statement)
        assert said.startswith("the audit trail is append-only"), said
    assert after(export(cloud, tmp_path / "again.jsonl"), begin) == entries


@pytest.mark.long
def test_it_arrives_in_the_journal_once(lab: Lab, cloud: Site) -> None:
    cloud.module("pextra_audit", entries=[{"kind": "host", "name": "node3", "what": "looked at"}], forward={})
    again = cloud.module("pextra_audit", forward={})
    assert not again["changed"]
    number = newest(cloud)

    def found() -> list[dict[str, Any]]:
        text = lab.exec("node1", "journalctl", "-t", "pextra-audit", "-o", "json", f"PEXTRA_NUMBER={number}")
        return [json.loads(line) for line in text.splitlines()]

    wait_until("it is in the journal", lambda: bool(found()))
    (entry,) = found()
    assert (entry["PEXTRA_KIND"], entry["PEXTRA_NAME"]) == ("host", "node3")
    assert "looked at" in entry["MESSAGE"]


@pytest.mark.long
def test_what_is_old_goes_with_consent_alone(lab: Lab, cloud: Site) -> None:
    old = (
        "INSERT INTO pextra_audit_event (at, run, actor, kind, name, what, outcome) "
        "VALUES (1000000000, '1', 'somebody', 'host', 'it-old', 'long ago', 'done')"
    )
    assert lab.exec("node1", "python3", "-c", FORGE, old) == ""
    refused = cloud.refused_module("pextra_audit", remove_before="3650d")
    assert "1 entry of the audit trail" in refused["msg"]
    assert cloud.module("pextra_audit", remove_before="3650d", confirm="DESTROY")["changed"]
    assert cloud.module("pextra_audit_info", names=["it-old"])["entries"] == []
    removed = cloud.module("pextra_audit_info", kinds=["audit"])["entries"]
    assert [one["outcome"] for one in removed][-2:] == ["started", "done"]
