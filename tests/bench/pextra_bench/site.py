# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures site.yml on the lab: converged, and with a thousand more instances. It leaves the lab as declared."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .processes import BenchError, run
from .progress import step
from .project import REPOSITORY, Played, play

INVENTORY = REPOSITORY / "inventories" / "lab"
WITH_CEPH = REPOSITORY / "inventories" / "ceph-lab"
INSTALLED = REPOSITORY / ".build" / "ansible_collections" / "pextra" / "cloud" / "MANIFEST.json"
MANY = 1000
# The stages that work on the cloud as a whole, not on hosts.
CLOUD_STAGES = ("cluster", "network", "storage", "images", "instances")


@dataclass(frozen=True)
class SiteRun:
    """One converged run. stages are seconds by role; tasks are counts by host; changed names the hosts with changes."""

    instances: int
    seconds: float
    stages: Mapping[str, float]
    tasks: Mapping[str, int]
    changed: tuple[str, ...]

    @property
    def cloud_seconds(self) -> float:
        return sum(self.stages.get(stage, 0.0) for stage in CLOUD_STAGES)


@dataclass(frozen=True)
class SiteFigures:
    few: SiteRun
    many: SiteRun
    defining_seconds: float


def why_not() -> str | None:
    """Say why the lab cannot be measured, or return None."""
    names = run(["podman", "ps", "--format", "{{.Names}}"]).split()
    if "pextra-node1" not in names:
        return "No lab is up; bring it up with make demo, then run this again."
    if not (REPOSITORY / ".build" / "lab" / "id_ed25519").exists():
        return "The lab that is up belongs to another working tree."
    if not INSTALLED.exists():
        return "The collection is not installed in .build; run make install."
    return None


def converge(*, with_ceph: bool = False) -> None:
    """Bring the lab to its inventory."""
    overlays: list[str | Path] = ["-i", WITH_CEPH] if with_ceph else []
    with step("site.yml, so that the lab is converged"):
        play(["-i", INVENTORY, *overlays, REPOSITORY / "playbooks" / "site.yml"], REPOSITORY, _environment())


def measure() -> SiteFigures:
    with TemporaryDirectory(prefix="pextra-bench-") as name:
        directory = Path(name)
        declared = _declared_instances()
        with step("site.yml, so that the lab is converged"):
            _play(directory, None)
        with step("site.yml, converged"):
            few = _measure(directory, None)
        try:
            with step(f"site.yml, with {MANY} more stopped instances"):
                started = time.monotonic()
                _play(directory, [*declared, _many("present")])
                defining_seconds = time.monotonic() - started
            with step(f"site.yml, converged with {MANY} more"):
                many = _measure(directory, [*declared, _many("present")])
        finally:
            with step(f"site.yml, to remove the {MANY}"):
                _play(directory, [*declared, _many("absent")])
    return SiteFigures(few, many, defining_seconds)


def _many(state: str) -> dict[str, Any]:
    return {
        "name": "bench",
        "count": MANY,
        "memory": "32 MiB",
        "power": "stopped",
        "autostart": False,
        "state": state,
    }


def _declared_instances() -> list[Any]:
    """The inventory's own instances, with their templates as they are written."""
    environment = _environment()
    variables = json.loads(run(
        ["ansible-inventory", "-i", INVENTORY, "--host", "node1"], directory=REPOSITORY, environment=environment
    ))  # fmt: skip
    found: list[Any] = variables["pextra_instances"]
    return found


def _environment() -> dict[str, str]:
    return {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")}


def _play(directory: Path, instances: list[Any] | None) -> Played:
    arguments: list[str | Path] = ["-i", INVENTORY, REPOSITORY / "playbooks" / "site.yml"]
    if instances is not None:
        file = directory / "instances.json"
        file.write_text(json.dumps({"pextra_instances": instances}), encoding="utf-8")
        arguments += ["--extra-vars", f"@{file}"]
    return play(arguments, REPOSITORY, _environment())


def _measure(directory: Path, instances: list[Any] | None) -> SiteRun:
    started = time.monotonic()
    played = _play(directory, instances)
    seconds = time.monotonic() - started
    stages: dict[str, float] = {}
    for task in played.tasks:
        stage = task.role.rpartition(".")[2] or "validate"
        stages[stage] = stages.get(stage, 0.0) + task.seconds
    return SiteRun(
        _count_of(played),
        seconds,
        stages,
        {host: stats["ok"] + stats["skipped"] for host, stats in played.stats.items()},
        tuple(host for host, stats in played.stats.items() if stats["changed"]),
    )


def _count_of(played: Played) -> int:
    """The number of instances that the module reported."""
    for task in played.tasks:
        for result in task.hosts.values():
            if task.role.endswith("instances") and isinstance(result.get("vms"), list):
                return len(result["vms"])
    raise BenchError("site.yml reported no instances.")
