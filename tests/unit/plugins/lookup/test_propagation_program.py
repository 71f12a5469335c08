# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The coordinators' job as one file: the same to the byte, and all that it needs but Debian's packages is in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.lookup.propagation_program import LookupModule, build_program
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.leases import Leases
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "pextra-propagation"
    path.write_bytes(build_program())
    return path


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Isolated: nothing of the collection or its neighbours can be found outside the program.
    command = [sys.executable, "-B", "-I", str(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def configure(directory: Path, url: str) -> str:
    path = directory / "propagation.json"
    path.write_text(json.dumps({"registry": url}))
    return str(path)


def test_it_is_the_same_every_time() -> None:
    assert build_program() == build_program()


def test_the_lookup_tells_where_it_is() -> None:
    (first,), (second,) = LookupModule().run([]), LookupModule().run([])
    assert first == second
    assert Path(first["path"]).read_bytes() == build_program()


def test_a_round_with_nothing_to_do(program: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    with Registry(url, create=True):
        pass
    done = run(program, configure(tmp_path, url))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("text", [None, "no json", "{}"])
def test_without_a_registry_it_says_so_and_fails(program: Path, tmp_path: Path, text: str | None) -> None:
    path = configure(tmp_path, f"sqlite:///{tmp_path}/none.db")
    if text is not None:
        Path(path).write_text(text)
    done = run(program, path)
    assert done.returncode == 1
    assert done.stderr.startswith("propagation is not possible: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "none.db").exists()


def test_while_another_one_acts(program: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    with Registry(url, create=True) as registry, Leases(registry, ["job propagation"], holder="ann", timeout_s=0):
        done = run(program, configure(tmp_path, url))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("job propagation: ann has been changing it since ")


def test_without_a_configuration(program: Path) -> None:
    assert run(program).returncode == 2
