# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hook for other repositories, run by pre-commit itself: a commit with a mistake in it is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from guards.project import ROOT

# What of this repository the hook needs.
NEEDED = (".pre-commit-hooks.yaml", "galaxy.yml", "meta", "playbooks", "plugins", "roles", "tools/pre_commit_validate")
PROGRAMS = Path(sys.executable).parent


def run(where: Path, *command: str) -> subprocess.CompletedProcess[str]:
    names = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@x", "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@x"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "GIT_"))}
    places = {
        "HOME": str(where.parent),
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(where.parent / "pre-commit"),
    }
    return subprocess.run(
        command, cwd=where, env={**kept, **names, **places}, check=False, capture_output=True, text=True, timeout=120
    )


def repository(path: Path) -> str:
    """Make a git repository of what lies there, and return its commit."""
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "All"]):
        done = run(path, "git", *command)
        assert done.returncode == 0, done.stderr
    return run(path, "git", "rev-parse", "HEAD").stdout.strip()


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with an inventory, and with git's hook that runs ours."""
    top = tmp_path_factory.mktemp("hook")
    ours = top / "pextra.cloud"
    for name in NEEDED:
        source, target = ROOT / name, ours / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    rev = repository(ours)
    path = top / "mine"
    shutil.copytree(ROOT / "inventories" / "single", path / "inventories" / "mine")
    (path / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {ours}\n    rev: {rev}\n    hooks:\n"
        "      - {id: pextra-validate, args: [inventories/mine]}\n",
        encoding="utf-8",
    )
    repository(path)
    installed = run(path, "pre-commit", "install")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return path


def commit(users: Path, name: str, text: str) -> subprocess.CompletedProcess[str]:
    (users / name).write_text(text, encoding="utf-8")
    run(users, "git", "add", name)
    return run(users, "git", "commit", "--message", "Change it")


def test_a_deployment_without_mistakes_is_committed(users: Path) -> None:
    done = commit(users, "inventories/mine/group_vars/all/more.yml", "pextra_datacenters: [{name: Here}]\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pextra.cloud deployment" in done.stderr
    assert "Passed" in done.stderr


def test_a_mistake_is_told_and_not_committed(users: Path) -> None:
    before = run(users, "git", "rev-parse", "HEAD").stdout
    name = "inventories/mine/group_vars/all/wrong.yml"
    done = commit(users, name, "pextra_port_groups: [{name: Production, vlan: 5000}]\n")
    run(users, "git", "rm", "--quiet", "--force", name)
    assert done.returncode == 1
    assert "5000" in done.stderr
    assert "wrong.yml" in done.stderr
    assert run(users, "git", "rev-parse", "HEAD").stdout == before


def test_what_is_no_part_of_an_inventory_is_not_looked_at(users: Path) -> None:
    done = commit(users, "README.md", "# Mine\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Skipped" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [((), "name the inventories"), (("inventories/other",), "there is no inventory inventories/other in")],
)
def test_without_an_inventory_it_says_what_to_do(users: Path, arguments: tuple[str, ...], told: str) -> None:
    done = run(users, str(ROOT / "tools" / "pre_commit_validate"), *arguments)
    assert done.returncode == 2
    assert told in done.stderr
