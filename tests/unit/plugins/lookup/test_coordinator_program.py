# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The coordinators' program as one file: the same to the byte, and all that it needs but Debian's packages is in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.lookup.coordinator_program import LookupModule, build_program
from ansible_collections.pextra.cloud.plugins.module_utils._compiled import find_compiled
from ansible_collections.pextra.cloud.plugins.module_utils._coordinator import main
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.leases import Leases
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.answer import read_answer

NOBODY = 65534


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "pextra-coordinator"
    path.write_bytes(build_program())
    return path


def run(program: Path, configuration: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Isolated: nothing of the collection or its neighbours can be found outside the program.
    command = [sys.executable, "-B", "-I", str(program), "--configuration", str(configuration), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def configure(directory: Path, url: str) -> Path:
    path = directory / "coordinator.json"
    path.write_text(json.dumps({"registry": url}))
    return path


def test_it_is_the_same_every_time() -> None:
    assert build_program() == build_program()


def test_the_lookup_tells_where_it_is() -> None:
    (first,), (second,) = LookupModule().run([]), LookupModule().run([])
    assert first == second
    assert Path(first["path"]).read_bytes() == build_program()


def test_python_is_alone_with_it(program: Path) -> None:
    """Root runs it, for others through sudo."""
    assert program.read_bytes().startswith(b"#!/usr/bin/python3 -IB\n")


def test_a_round_with_nothing_to_do(program: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    with Registry(url, create=True):
        pass
    done = run(program, configure(tmp_path, url), "propagate")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_instances_of_nothing(program: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    with Registry(url, create=True):
        pass
    done = run(program, configure(tmp_path, url), "inventory")
    assert (done.returncode, done.stderr) == (0, "")
    answer = read_answer(done.stdout)
    assert (list(answer.instances), list(answer.unreachable), list(answer.warnings)) == ([], [], [])


@pytest.mark.parametrize("command", ["propagate", "inventory"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "does not say where the registry is. Run site.yml --tags coordinator."),
        ("no json", "does not say where the registry is"),
        ("{}", "does not say where the registry is"),
        ("[]", "does not say where the registry is"),
        ('{"registry": 5}', "does not say where the registry is"),
        (None, "there is no registry at "),
        ("gone", "/coordinator.json. This host is not the coordinator that has the registry"),
    ],
)
def test_without_a_registry_it_says_so_and_fails(
    program: Path, tmp_path: Path, command: str, text: str | None, problem: str
) -> None:
    path = configure(tmp_path, f"sqlite:///{tmp_path}/none.db")
    if text == "gone":
        path.unlink()
    elif text is not None:
        path.write_text(text)
    done = run(program, path, command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"pextra-coordinator {command} is not possible: ")
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "none.db").exists()


def test_only_root_may_ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configure(tmp_path, "sqlite:////nowhere")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # root may read it all the same
        os.seteuid(NOBODY)
    try:
        code = main(["--configuration", str(path), "inventory"])
    finally:
        os.seteuid(user)
    assert code == 1
    assert f"only root may read {path}. Run it as root, with sudo." in capsys.readouterr().err


def test_while_another_one_acts(program: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    with Registry(url, create=True) as registry, Leases(registry, ["job propagation"], holder="ann", timeout_s=0):
        done = run(program, configure(tmp_path, url), "propagate")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("job propagation: ann has been changing it since ")


@pytest.mark.parametrize("arguments", [(), ("destroy",), ("inventory", "more")])
def test_other_commands_are_refused(program: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(program, tmp_path / "none", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: pextra-coordinator ")


def test_who_asked_and_went_is_no_defect(program: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    with Registry(url, create=True):
        pass
    command = [sys.executable, "-BI", str(program), "--configuration", str(configure(tmp_path, url)), "inventory"]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_it_is_compiled_once(program: Path, tmp_path: Path) -> None:
    """What it was compiled to is what runs then: nothing of the sources is asked for."""
    copy, cache = tmp_path / "pextra-coordinator", tmp_path / "cache"
    copy.write_bytes(program.read_bytes())
    made = find_compiled(str(copy), "0" * 64, str(cache))
    assert made is not None
    copy.unlink()
    code = f"import sys; sys.path.insert(0, {made!r}); from pextra_cloud._coordinator import main; main()"
    done = subprocess.run([sys.executable, "-IBc", code, "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[0][:6]) == (0, "usage:"), done.stderr
    written = os.stat(made).st_mtime_ns
    assert find_compiled(str(copy), "0" * 64, str(cache)) == made
    assert os.stat(made).st_mtime_ns == written


def test_of_another_program_nothing_is_taken(program: Path, tmp_path: Path) -> None:
    first = find_compiled(str(program), "0" * 64, str(tmp_path))
    second = find_compiled(str(program), "1" * 64, str(tmp_path))
    assert first != second
    assert [str(path) for path in tmp_path.iterdir()] == [second]


def test_what_a_power_cut_has_left_is_made_anew(program: Path, tmp_path: Path) -> None:
    made = Path(str(find_compiled(str(program), "0" * 64, str(tmp_path))))
    whole = made.read_bytes()
    for left in (b"", whole[: len(whole) // 2]):
        made.write_bytes(left)
        assert find_compiled(str(program), "0" * 64, str(tmp_path)) == str(made)
        assert len(made.read_bytes()) == len(whole)


def test_a_directory_of_others_lends_no_code(program: Path, tmp_path: Path) -> None:
    assert find_compiled(str(program), "0" * 64, str(tmp_path)) is not None
    tmp_path.chmod(0o777)
    assert find_compiled(str(program), "0" * 64, str(tmp_path)) is None


def test_without_room_for_it_the_sources_are_as_good(program: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert find_compiled(str(program), "0" * 64, str(tmp_path / "file" / "cache")) is None
