# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures site.yml on the lab: converged, and with a thousand more instances. It leaves the lab as declared."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from .processes import BenchError, run
from .progress import step
from .project import REPOSITORY, Played, play

INVENTORY = REPOSITORY / "inventories" / "lab"
WITH_CEPH = REPOSITORY / "inventories" / "ceph-lab"
INSTALLED = REPOSITORY / ".build" / "ansible_collections" / "pextra" / "cloud" / "MANIFEST.json"
MANY = 1000
# The median of them counts.
ROUNDS = 5
# What the converged run is held against: as many tasks that do nothing, through the same connections.
EMPTY_EVERYWHERE, EMPTY_ON_ONE = 17, 13


@dataclass(frozen=True)
class SiteRun:
    """A converged run: of seconds and of plays, by name, the median of the rounds; all_seconds are those of each. tasks
    are counts by host; changed names the hosts with changes.
    """

    seconds: float
    all_seconds: tuple[float, ...]
    plays: Mapping[str, float]
    tasks: Mapping[str, int]
    changed: tuple[str, ...]


@dataclass(frozen=True)
class SiteFigures:
    """Seconds. ratio: of a converged run and the empty tasks beside it, the median of the rounds."""

    few: SiteRun
    many: SiteRun
    empty: float
    ratio: float
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
        play(["-i", INVENTORY, *overlays, REPOSITORY / "playbooks" / "site.yml"], REPOSITORY, environment())


def measure() -> SiteFigures:
    with TemporaryDirectory(prefix="pextra-bench-") as name:
        directory = Path(name)
        own = declared("pextra_instances")
        with step("site.yml, so that the lab is converged"):
            _play(directory, None, {})
        few, empty = [], []
        with step(f"site.yml, converged, and {EMPTY_EVERYWHERE + EMPTY_ON_ONE} empty tasks, {ROUNDS} rounds"):
            for _ in range(ROUNDS):
                few.append(measure_run(directory, None))
                empty.append(measure_empty(directory))
        many = []
        try:
            with step(f"site.yml, with {MANY} more stopped instances"):
                started = time.monotonic()
                _play(directory, [*own, _many("present")], {})
                defining_seconds = time.monotonic() - started
                _require_defined()
            with step(f"site.yml, converged with {MANY} more, {ROUNDS} rounds"):
                many += [measure_run(directory, [*own, _many("present")]) for _ in range(ROUNDS)]
        finally:
            with step(f"site.yml, to remove the {MANY}"):
                _play(directory, [*own, _many("absent")], {})
    ratio = median(run.seconds / beside for run, beside in zip(few, empty, strict=True))
    return SiteFigures(_median_of(few), _median_of(many), median(empty), ratio, defining_seconds)


def _median_of(runs: Sequence[SiteRun]) -> SiteRun:
    return SiteRun(
        median(run.seconds for run in runs),
        tuple(run.seconds for run in runs),
        {play: median(run.plays.get(play, 0.0) for run in runs) for play in runs[0].plays},
        runs[0].tasks,
        tuple(sorted({host for run in runs for host in run.changed})),
    )


def _require_defined() -> None:
    """A run is quick also when it leaves out what it should have looked at."""
    found = 0
    for node in ("node1", "node2", "node3"):
        listed = run(["podman", "exec", f"pextra-{node}", "virsh", "list", "--all", "--name"]).split()
        found += sum(name.startswith("bench") for name in listed)
    if found != MANY:
        raise BenchError(f"site.yml defined {found} of {MANY} instances.")


def _many(state: str) -> dict[str, Any]:
    return {
        "name": "bench",
        "count": MANY,
        "memory": "32 MiB",
        "power": "stopped",
        "autostart": False,
        "state": state,
    }


def declared(variable: str) -> list[Any]:
    """A list of the inventory's own, with its templates as they are written."""
    variables = json.loads(run(
        ["ansible-inventory", "-i", INVENTORY, "--host", "node1"], directory=REPOSITORY, environment=environment()
    ))  # fmt: skip
    found: list[Any] = variables[variable]
    return found


def environment() -> dict[str, str]:
    return {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")}


def _play(directory: Path, instances: list[Any] | None, further: Mapping[str, Any]) -> Played:
    arguments: list[str | Path] = ["-i", INVENTORY, REPOSITORY / "playbooks" / "site.yml"]
    if instances is not None:
        file = directory / "instances.json"
        file.write_text(json.dumps({"pextra_instances": instances, **further}), encoding="utf-8")
        arguments += ["--extra-vars", f"@{file}"]
    return play(arguments, REPOSITORY, environment())


def measure_run(directory: Path, instances: list[Any] | None, **further: Any) -> SiteRun:
    """Run site.yml with these instances. further: other variables that are otherwise than in the inventory."""
    started = time.monotonic()
    played = _play(directory, instances, further)
    seconds = time.monotonic() - started
    plays: dict[str, float] = {}
    for task in played.tasks:
        plays[task.play] = plays.get(task.play, 0.0) + task.seconds
    return SiteRun(
        seconds,
        (seconds,),
        plays,
        {host: stats["ok"] + stats["skipped"] for host, stats in played.stats.items()},
        tuple(host for host, stats in played.stats.items() if stats["changed"]),
    )


def measure_empty(directory: Path) -> float:
    """Measure tasks that do nothing, on the same hosts."""
    file = directory / "empty.yml"
    plays = [
        {"hosts": hosts, "gather_facts": False, "become": True, "tasks": [{"ansible.builtin.ping": {}}] * count}
        for hosts, count in (("pextra_nodes", EMPTY_EVERYWHERE), ("node1", EMPTY_ON_ONE))
    ]
    file.write_text(json.dumps(plays), encoding="utf-8")
    started = time.monotonic()
    play(["-i", INVENTORY, file], REPOSITORY, environment())
    return time.monotonic() - started
