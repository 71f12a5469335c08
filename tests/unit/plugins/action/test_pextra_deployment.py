# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan in a run of Ansible itself, with callbacks and without a configuration of ours. Places need no node."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_playbook import play


def run(site: Path, datacenters: list[dict[str, Any]], *arguments: str, callback: str = "default") -> list[str]:
    """Return the lines that a run prints."""
    task = {
        "pextra.cloud.pextra_deployment": {
            "registry": f"sqlite:///{site}/registry.db",
            "organizations": [{"name": "acme"}],
            "datacenters": datacenters,
        }
    }
    local = {"hosts": "localhost", "gather_facts": False, "vars": {"ansible_python_interpreter": sys.executable}}
    registry = {"pextra.cloud.pextra_registry": {"registry": f"sqlite:///{site}/registry.db"}}
    (site / "play.yml").write_text(yaml.safe_dump([{**local, "tasks": [registry, task]}]), encoding="utf-8")
    done = play(site, str(site / "play.yml"), *arguments, ANSIBLE_STDOUT_CALLBACK=callback)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("callback", ["default", "minimal"])
def test_the_plan_is_lines_in_any_callback(tmp_path: Path, callback: str) -> None:
    montreal: dict[str, Any] = {"name": "Montreal", "organization": "acme"}
    made = run(tmp_path, [montreal, {"name": "Paris", "organization": "acme"}], callback=callback)
    start = next(number for number, line in enumerate(made) if line.startswith("3 made, 0 changed, 0 destroyed, in "))
    assert [line.partition(":")[0] for line in made[start + 1 : start + 4]] == [
        "  + organization acme",
        "  + datacenter Montreal",
        "  + datacenter Paris",
    ]
    assert made[start + 1].endswith(" s")

    changed = [{**montreal, "description": "the first"}, {"name": "Paris", "state": "absent"}]
    check = run(tmp_path, changed, "--check", callback=callback)
    start = check.index("0 to make, 1 to change, 1 to destroy")
    assert [line.partition(":")[0] for line in check[start + 1 : start + 3]] == [
        "  ~ datacenter Montreal",
        "  - datacenter Paris",
    ]
    run(tmp_path, changed)
    again = run(tmp_path, changed, callback=callback)
    assert again.count("Nothing to change.") == 1
    assert not [line for line in again if line.startswith(("  +", "  ~", "  -"))]
