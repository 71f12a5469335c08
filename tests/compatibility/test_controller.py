# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed collection with whatever ansible-core and Python run this: tests/compatibility/run starts it in the
collection's own directory, once for each controller. No host is contacted.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INVENTORIES = sorted(path.name for path in (ROOT / "inventories").iterdir())
# Those that lie on top of another, and say only what differs.
OVERLAYS = {"ceph-lab": "lab"}
# Plugins that are documented, by ansible-doc's word for their kind. Actions are documented as modules.
KINDS = {"module": "modules", **{kind: kind for kind in ("callback", "filter", "inventory", "lookup")}}
# What Ansible warns of that is its own: since 2.21 its ansible-doc finds a collection within it that has no version.
THEIRS = "_protomatter"
# A message of Ansible's, as far as the next one, in output that was made one line.
WARNING = re.compile(r"\[(?:DEPRECATION )?WARNING\]: .*?(?=\[(?:DEPRECATION )?WARNING\]|PLAY |playbook: |$)")


def run(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs as a user would in a directory of theirs, with whatever Python itself warns of."""
    return subprocess.run(
        [Path(sys.executable).parent / program, *arguments],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "PYTHONWARNINGS": "default"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def must_be_silent(done: subprocess.CompletedProcess[str]) -> None:
    """Assert that it succeeded, and that neither Ansible nor Python warns of anything that is ours."""
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert [text for text in WARNING.findall(" ".join(output.split())) if THEIRS not in text] == [], output
    of_python = [line for line in output.splitlines() if re.search(r"pextra/cloud/.*: \w*Warning: ", line)]
    assert of_python == [], output


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A user's directory, with the inventories of the collection, and the files that those of the labs expect."""
    shutil.copytree(ROOT / "inventories", tmp_path / "inventories")
    for name in ("lab/tiny.qcow2", "storage-node/chap_password", "storage-node/smb_password"):
        path = tmp_path / ".build" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("0123456789abcdef", encoding="ascii")
    return tmp_path


def test_every_playbook_is_understood(site: Path) -> None:
    names = [f"pextra.cloud.{path.stem}" for path in sorted((ROOT / "playbooks").glob("*.yml"))]
    done = run(site, "ansible-playbook", "-i", "inventories/example", "--syntax-check", *names)
    must_be_silent(done)
    assert done.stdout.count("playbook: ") == len(names)


@pytest.mark.parametrize("name", INVENTORIES)
def test_an_inventory_is_valid(site: Path, name: str) -> None:
    given = [word for one in (OVERLAYS.get(name), name) if one for word in ("-i", f"inventories/{one}")]
    done = run(site, "ansible-playbook", *given, "pextra.cloud.validate")
    must_be_silent(done)
    assert "has no mistakes. No host was contacted." in done.stdout


def test_a_mistake_is_told(site: Path) -> None:
    """So that the test above can fail."""
    path = site / "inventories" / "example" / "group_vars" / "all" / "30-network.yml"
    path.write_text(f"{path.read_text(encoding='utf-8')}\npextra_vswitchs: []\n", encoding="utf-8")
    done = run(site, "ansible-playbook", "-i", "inventories/example", "pextra.cloud.validate")
    assert done.returncode == 2
    assert "pextra_vswitchs" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_every_plugin_is_documented(site: Path, kind: str) -> None:
    names = {f"pextra.cloud.{path.stem}" for path in (ROOT / "plugins" / KINDS[kind]).glob("[!_]*.py")}
    done = run(site, "ansible-doc", "--json", "--type", kind, *sorted(names))
    must_be_silent(done)
    told = json.loads(done.stdout)
    assert {name for name, found in told.items() if found.get("doc", {}).get("short_description")} == names


def test_every_role_is_documented(site: Path) -> None:
    names = {f"pextra.cloud.{path.name}" for path in (ROOT / "roles").iterdir()}
    done = run(site, "ansible-doc", "--json", "--type", "role", *sorted(names))
    must_be_silent(done)
    assert {name for name, found in json.loads(done.stdout).items() if found.get("entry_points")} == names


def sources() -> Iterator[Path]:
    return (path for folder in ("plugins", "tools") for path in sorted((ROOT / folder).rglob("*.py")))


def test_python_warns_of_no_source() -> None:
    """Those too that only a host runs, which has this Python if it is a Debian of its time."""
    found = []
    for path in sources():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            compile(ast.parse(path.read_text(encoding="utf-8"), str(path)), str(path), "exec", dont_inherit=True)
        found += [f"{path.relative_to(ROOT)}: {one.message}" for one in caught]
    assert found == []
