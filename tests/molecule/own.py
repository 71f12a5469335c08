# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own repository with a Molecule scenario in it, far from this one: as the guide says (docs/molecule.md)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOSTS = {"alpha": "192.168.1.11", "bravo": "192.168.1.12", "charlie": "192.168.1.13"}
# What the user declares beyond what init writes: instances, and a pool on a server that no test may write to.
INSTANCES = """\
---
pextra_instances:
  - name: web
    count: 2
    memory: 64 MiB
    root: {pool: vms, size: 64 MiB}
    nics: [{port_group: Instances, addresses: ["172.20.0.{{ 10 + pextra_index }}/24"]}]
  - name: spare
    memory: 64 MiB
    root: {pool: local, size: 64 MiB}
    power: stopped
"""
POOLS = """\
---
pextra_pools:
  - {name: local}
  - {name: vms, type: netfs, netfs: {host: nfs.example.com, export: /export/vms}}
"""
# The two files that a user changes, as the guide says: a directory instead of the server, and names and addresses that
# meet nobody else's on this machine.
POOLS_OF_THE_TEST = """
pextra_pools:
  - {name: local}
  - {name: vms, path: /srv/vms, shared: true}
"""
NAMES = {"pextra-test-": "pextra-own-test-", "10.98.0.": "10.97.3."}


@dataclass(frozen=True)
class Own:
    """A user's machine: a home, the collections that are installed there, and a directory with a deployment."""

    home: Path
    collections: Path

    @property
    def cloud(self) -> Path:
        return self.home / "cloud"

    @property
    def inventory(self) -> Path:
        return self.cloud / "inventory"

    @property
    def scenario(self) -> Path:
        return self.cloud / "molecule" / "default"

    def run(
        self, *command: str, cwd: Path | None = None, limit_s: int = 300, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
        return subprocess.run(
            command,
            cwd=cwd or self.cloud,
            env={
                **kept,
                "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
                "ANSIBLE_NOCOLOR": "1",
                "NO_COLOR": "1",
                # Wide enough that no line is broken.
                "COLUMNS": "200",
                "HOME": str(self.home),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                **variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=limit_s,
        )

    def must(self, *command: str, cwd: Path | None = None, limit_s: int = 300, **variables: str) -> str:
        """Run it; return what it said. Asserts that it succeeded."""
        done = self.run(*command, cwd=cwd, limit_s=limit_s, **variables)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def write_deployment(self) -> None:
        answers = {"directory": "cloud", "deployment": "acme", "nodes": HOSTS, "uplinks": "eno2", "image": "none"}
        self.must("ansible-playbook", "pextra.cloud.init", "-e", json.dumps(answers), cwd=self.home)
        (self.inventory / "group_vars" / "all" / "20-storage.yml").write_text(POOLS)
        (self.inventory / "group_vars" / "all" / "50-instances.yml").write_text(INSTANCES)

    def write_scenario(self, *arguments: str) -> str:
        return self.must("ansible-playbook", "pextra.cloud.init_molecule", *arguments)

    def change_both_files(self) -> None:
        for name, more in {"inventory/hosts.yml": "", "vars/test.yml": POOLS_OF_THE_TEST}.items():
            file = self.scenario / name
            text = file.read_text()
            for theirs, ours in NAMES.items():
                text = text.replace(theirs, ours)
            file.write_text(text + more)

    def play(self, playbook: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook of the scenario as Molecule does, which needs longer to begin."""
        given = [
            "-i",
            str(self.inventory),
            "-i",
            "inventory/hosts.yml",
            "-e",
            "@vars/containers.yml",
            "-e",
            "@vars/test.yml",
        ]
        return self.run("ansible-playbook", *given, playbook, cwd=self.scenario)


def install_tarball(root: Path, collections: Path, *, folder: Path) -> None:
    """Build the collection of this repository, and install its tarball, as users do. folder: for the tarball."""
    environment: Mapping[str, str] = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    galaxy = [str(Path(sys.executable).parent / "ansible-galaxy"), "collection"]
    subprocess.run([*galaxy, "build", "--output-path", str(folder)], cwd=root, env=environment, check=True, timeout=120)
    [tarball] = folder.glob("*.tar.gz")
    options = ["--offline", "--no-deps", "--collections-path", str(collections)]
    subprocess.run([*galaxy, "install", *options, str(tarball)], cwd=folder, env=environment, check=True, timeout=120)
