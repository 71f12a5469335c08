# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment that `make ee` built, driven by ansible-runner."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.ee.runner import CONTAINERS, IMAGE, ROOT, Outcome, prepare, run, send
from tests.integration.lab import Lab

SITE_S = 1800
Way = Callable[..., Outcome]


def in_image(*words: str) -> str:
    """Run a program in the image, without a network, and return what it said."""
    done = subprocess.run(
        ["podman", "run", "--rm", "--network=none", "--pull=never", IMAGE, *words],
        env={**os.environ, "CONTAINERS_CONF": str(CONTAINERS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_holds_the_collection_and_what_it_needs() -> None:
    found = json.loads(in_image("ansible-galaxy", "collection", "list", "--format", "json"))
    collections = {name: one["version"] for part in found.values() for name, one in part.items()}
    ours = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    assert collections["pextra.cloud"] == ours["version"]
    assert set(ours["dependencies"]) <= set(collections)
    in_image("python3", "-c", "import cryptography, jsonschema, netaddr")
    in_image("ssh", "-V")
    in_image("git", "--version")


def test_has_the_versions_that_are_written_down() -> None:
    pinned = (ROOT / "extensions" / "execution-environment" / "constraints.txt").read_text(encoding="utf-8")
    wanted = dict(line.split("==") for line in pinned.splitlines() if "==" in line)
    listed = json.loads(in_image("python3", "-m", "pip", "list", "--format", "json"))
    found = {one["name"].lower().replace("_", "-"): one["version"] for one in listed}
    for name in ("ansible-core", "ansible-runner", "cryptography", "jsonschema", "netaddr"):
        assert found[name] == wanted[name]


@pytest.mark.parametrize("way", [run, send])
def test_validates_without_a_network(way: Way, tmp_path: Path) -> None:
    """No host is asked: validation is what a job template of AWX can do first."""
    outcome = way(prepare(tmp_path / "data", network="none"), "validate", "lab", timeout_s=300)
    assert outcome.changed() == {}
    assert set(outcome.counts["ok"]) == {"node1"}


@pytest.mark.parametrize("way", [run, send])
def test_a_mistake_fails_the_job_and_is_told(way: Way, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "data", network="none")
    (folder / "env" / "extravars").write_text(yaml.safe_dump({"pextra_cluters": []}), encoding="utf-8")
    outcome = way(folder, "validate", "lab", timeout_s=300)
    assert "pextra_cluters" in outcome.said
    assert outcome.failed == {"node1"}, outcome.said


@pytest.fixture(scope="module")
def lab() -> Lab:
    lab = Lab()
    missing = [node for node in lab.nodes if not lab.is_running(node)]
    assert not missing, f"the lab is not up ({', '.join(missing)} missing): run make ee-test"
    return lab


def test_converges_the_lab_and_changes_nothing_more(lab: Lab, tmp_path: Path) -> None:
    """Once at once, and then as AWX does it; what is there is looked at from outside."""
    run(prepare(tmp_path / "first", network="host"), "site", "lab", timeout_s=SITE_S).changed()
    assert "running" in lab.sh("node2", "virsh domstate db")
    second = run(prepare(tmp_path / "second", network="host"), "site", "lab", timeout_s=SITE_S)
    assert second.changed() == {}
    sent = send(prepare(tmp_path / "third", network="host"), "site", "lab", timeout_s=SITE_S)
    assert sent.changed() == {}
    assert set(sent.counts["ok"]) >= {"node1", "node2", "node3"}
