# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-runner with the execution environment: at once, or sent off, worked through and brought back, as by AWX."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "localhost/pextra-ee:bookworm"
CONTAINERS = ROOT / ".build" / "ee" / "containers.conf"
# Where the repository is in the container. The collection is not taken from there: it is in the image.
INSIDE = Path("/srv/deployment")
# Links of the lab lead there.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pextra-lab"


@dataclass(frozen=True)
class Outcome:
    """What a run left: how it ended, what it said, and what each host counted."""

    status: int
    said: str
    counts: dict[str, dict[str, int]]

    @property
    def failed(self) -> set[str]:
        """The hosts on which something failed, or that were not reached."""
        return set(self.counts.get("failures", ())) | set(self.counts.get("dark", ()))

    def changed(self) -> dict[str, int]:
        """The hosts on which something was changed, and how often. Fails where the run has not succeeded."""
        # A process ends well when it has told that the job has not.
        is_well = self.status == 0 and bool(self.counts) and not self.failed
        assert is_well, self.said[-6000:]
        return {host: number for host, number in self.counts.get("changed", {}).items() if number}


def prepare(folder: Path, *, network: str) -> Path:
    """Make the private data directory of a run. network: what the container has of the machine's."""
    mounts = [f"{ROOT}/{name}:{INSIDE}/{name}:rw" for name in ("inventories", ".build/lab")]
    settings: dict[str, Any] = {
        "process_isolation": True,
        "process_isolation_executable": "podman",
        "container_image": IMAGE,
        "container_options": [f"--network={network}", "--user=root", "--pull=never"],
        "container_volume_mounts": [*mounts, *([f"{CACHE}:{CACHE}:ro"] if CACHE.exists() else [])],
    }
    for name, value in (("settings", settings), ("envvars", {"ANSIBLE_INJECT_FACT_VARS": "false"})):
        path = folder / "env" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(value), encoding="utf-8")
    (folder / "project").mkdir(exist_ok=True)
    return folder


def arguments(playbook: str, inventory: str) -> list[str]:
    """What run and transmit are told: a playbook of the collection in the image, and an inventory of the repository."""
    # By --inventory it takes what is there outside of the container alone.
    return ["--playbook", f"pextra.cloud.{playbook}", f"--cmdline=--inventory={INSIDE / 'inventories' / inventory}"]


def run(folder: Path, playbook: str, inventory: str, *, timeout_s: float) -> Outcome:
    """Run a playbook in the execution environment."""
    done = _call(["run", str(folder), *arguments(playbook, inventory)], b"", timeout_s)
    return _read(folder, done)


def send(folder: Path, playbook: str, inventory: str, *, timeout_s: float) -> Outcome:
    """The same in three steps, between which there are streams alone: what AWX does between its parts."""
    sent = _call(["transmit", str(folder), *arguments(playbook, inventory)], b"", timeout_s)
    assert sent.returncode == 0, sent.stderr.decode()
    worker = folder.with_name(f"{folder.name}-worker")
    shutil.rmtree(worker, ignore_errors=True)
    worked = _call(["worker", "--private-data-dir", str(worker)], sent.stdout, timeout_s)
    back = folder.with_name(f"{folder.name}-back")
    back.mkdir(exist_ok=True)
    done = _call(["process", str(back)], worked.stdout, timeout_s)
    return _read(back, done)


def _call(words: list[str], given: bytes, timeout_s: float) -> subprocess.CompletedProcess[bytes]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment["CONTAINERS_CONF"] = str(CONTAINERS)
    return subprocess.run(
        ["ansible-runner", *words], input=given, env=environment, capture_output=True, check=False, timeout=timeout_s
    )


def _read(folder: Path, done: subprocess.CompletedProcess[bytes]) -> Outcome:
    said = (done.stdout + done.stderr).decode(errors="replace")
    events = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("artifacts/**/job_events/*.json")]
    stats = [event["event_data"] for event in events if event.get("event") == "playbook_on_stats"]
    return Outcome(done.returncode, said, stats[-1] if stats else {})
