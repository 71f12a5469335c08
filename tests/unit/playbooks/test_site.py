"""site.yml as far as it comes without hosts."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Inventory:
    """Two hosts that nobody may contact: whoever tries leaves a trace."""

    folder: Path

    def write(self, name: str, value: Any) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(value), encoding="utf-8")

    @property
    def is_contacted(self) -> bool:
        return (self.folder / "contacted").exists()

    def run(self, *arguments: str, playbook: str = "site.yml") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(sys.executable, "-m", "ansible", "playbook", "-i", str(self.folder / "hosts.yml")),
                *(str(ROOT / "playbooks" / playbook), *arguments),
            ],
            env={
                **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "unit"),
                "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
                "ANSIBLE_NOCOLOR": "1",
                "HOME": str(self.folder),
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    inventory = Inventory(tmp_path)
    trace = f"-F /dev/null -o ProxyCommand='sh -c \"echo x >>{tmp_path}/contacted; exit 1\"'"
    inventory.write(
        "hosts.yml",
        {
            "pextra": {
                "vars": {"ansible_ssh_common_args": trace},
                "children": {
                    "pextra_coordinators": {"hosts": {"node1": None}},
                    "pextra_nodes": {"hosts": {f"node{n}": {"ansible_host": f"10.91.7.1{n}"} for n in (1, 2)}},
                },
            }
        },
    )
    return inventory


def test_validating_contacts_no_host(inventory: Inventory) -> None:
    run = inventory.run("--tags", "validate")
    assert run.returncode == 0, run.stdout + run.stderr
    assert not inventory.is_contacted
    assert inventory.run(playbook="validate.yml").returncode == 0
    assert not inventory.is_contacted


def test_the_proof_that_contact_is_seen(inventory: Inventory) -> None:
    run = inventory.run("--tags", "preflight")
    assert run.returncode == 4, run.stdout + run.stderr
    assert inventory.is_contacted
