# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The call to the coordinator: its words, its limits, and what is said when it fails. Programs run, no ssh does."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import (
    InvalidInputError,
    PextraError,
    UnreachableError,
)
from ansible_collections.pextra.cloud.plugins.plugin_utils import inventory_program
from ansible_collections.pextra.cloud.plugins.plugin_utils.inventory_program import Coordinator, ask, check, command_of

Script = Callable[[str], str]
PROGRAM = "/usr/local/lib/pextra/pextra-coordinator"


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Make a program of shell's lines."""

    def make(lines: str) -> str:
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        return str(path)

    return make


def test_on_the_coordinator_itself_there_is_no_ssh() -> None:
    assert command_of(Coordinator(host="localhost"), 60) == [PROGRAM, "inventory"]
    local = Coordinator(host="localhost", become=True)
    assert command_of(local, 60) == ["sudo", "-n", PROGRAM, "inventory"]


def test_the_words_of_ssh() -> None:
    coordinator = Coordinator(
        host="node1",
        user="ann",
        port=2222,
        private_key_file="/keys/a b",
        ssh_common_args="-J 'bastion x' -o BatchMode=no",
        become=True,
        program="/opt/it",
    )
    command = command_of(coordinator, 5)
    end = ["-p", "2222", "-l", "ann", "-o", "IdentitiesOnly=yes", "-i", "/keys/a b", "-J", "bastion x"]
    end += ["-o", "BatchMode=no", "--", "node1", "sudo -n /opt/it inventory"]
    assert command[:2] == ["ssh", "-T"]
    assert command[-len(end) :] == end
    assert command.index("BatchMode=yes") < command.index("BatchMode=no")
    assert "ConnectTimeout=5" in command
    assert "ConnectTimeout=10" in command_of(coordinator, 60)
    assert not [word for word in command if "StrictHostKeyChecking" in word or "UserKnownHostsFile" in word]


def test_openssh_takes_the_words() -> None:
    """Its own reading of them, which connects to nobody."""
    coordinator = Coordinator(host="node1", user="ann", port=2222, ssh_common_args="-o BatchMode=no")
    command = command_of(coordinator, 60)
    done = subprocess.run(["ssh", "-G", *command[1:]], capture_output=True, text=True, check=True, timeout=30)
    lines = set(done.stdout.splitlines())
    assert {"hostname node1", "user ann", "port 2222", "batchmode yes", "connecttimeout 10"} <= lines
    assert {"clearallforwardings yes", "serveraliveinterval 5", "serveralivecountmax 3", "forwardagent no"} <= lines


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"host": "-oProxyCommand=touch x"}, 'coordinator: "-oProxyCommand=touch x" is not allowed'),
        ({"host": ""}, "coordinator: "),
        ({"host": "a b"}, "coordinator: "),
        ({"host": "a\nb"}, "coordinator: "),
        ({"user": "-x"}, "user: "),
        ({"program": "rm -rf"}, "program: "),
        ({"port": 0}, "port: 0 is no port"),
        ({"port": 65536}, "port: 65536"),
        ({"ssh_common_args": "-o 'x"}, "ssh_common_args: "),
    ],
)
def test_what_no_call_can_be_made_of(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        ask(Coordinator(**{"host": "node1", "ssh_executable": "/nonexistent", **given}), 60)
    assert problem in str(caught.value)


@pytest.mark.parametrize("timeout_s", [0, -1, 601])
def test_the_time_is_bounded(timeout_s: int) -> None:
    with pytest.raises(InvalidInputError, match="timeout_s"):
        check(Coordinator(host="node1"), timeout_s)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(InvalidInputError) as caught:
        check(Coordinator(host="", user="", port=0), 0)
    assert len(caught.value.problems) == 4


def test_what_is_printed_is_returned(script: Script) -> None:
    program = script("echo to whom it may concern >&2; echo é; echo $1")
    assert ask(Coordinator(host="localhost", program=program), 30) == "é\ninventory\n"


def test_ssh_is_given_the_command_as_one_word(script: Script, tmp_path: Path) -> None:
    ssh = script(f'printf "%s\\n" "$@" >{tmp_path}/words; echo told')
    assert ask(Coordinator(host="node1", user="ann", ssh_executable=ssh), 30) == "told\n"
    assert (tmp_path / "words").read_text().splitlines()[-5:] == ["-l", "ann", "--", "node1", f"{PROGRAM} inventory"]


@pytest.mark.parametrize(
    ("lines", "kind", "texts"),
    [
        (
            "echo 'ssh: no route to host' >&2; exit 255",
            UnreachableError,
            ["ssh cannot log in: ssh: no route", "-l ann"],
        ),
        (
            "echo 'Host key verification failed.' >&2; exit 255",
            UnreachableError,
            ["Host key verification failed", "Compare the key's fingerprint"],
        ),
        (
            "echo 'ann@node1: Permission denied (publickey).' >&2; exit 255",
            UnreachableError,
            ["set user and private_key_file"],
        ),
        (
            "echo 'sudo: a password is required' >&2; exit 1",
            PextraError,
            [
                "sudo refuses: sudo: a password",
                f"exactly this command, see docs/inventory-plugin.md: sudo -n {PROGRAM} inv",
            ],
        ),
        ("echo 'sh: not found' >&2; exit 127", PextraError, ["cannot be run: sh: not found", "the first one"]),
        (
            f"echo 'sudo: {PROGRAM}: command not found' >&2; exit 1",
            PextraError,
            ["its program cannot be run: sudo: ", "Name that one"],
        ),
        ("exit 126", PextraError, ["cannot be run: it said nothing"]),
        ("echo 'pextra-coordinator: no' >&2; exit 1", PextraError, ["failed with 1: pextra-coordinator: no"]),
        ("kill -9 $$", PextraError, ["was ended by signal 9"]),
        ("printf '\\377'", PextraError, ["is no text in UTF-8"]),
        ("printf 'a\\033[2Jb\\n\\nc' >&2; exit 1", PextraError, ["a\\x1b[2Jb / c"]),
        ("seq 1 100000 >&2; exit 1", PextraError, ["99997 / 99998 / 99999 / 100000"]),
    ],
)
def test_failures(script: Script, lines: str, kind: type[PextraError], texts: list[str]) -> None:
    coordinator = Coordinator(host="node1", user="ann", become=True, ssh_executable=script(lines))
    with pytest.raises(PextraError) as caught:
        ask(coordinator, 30)
    assert isinstance(caught.value, UnreachableError) is (kind is UnreachableError)
    message = str(caught.value)
    assert message.startswith("node1: ")
    assert [text for text in texts if text not in message] == [], message
    assert message.isprintable()
    assert len(message) < 1500


def test_the_local_program_is_no_coordinator_that_does_not_answer(script: Script) -> None:
    with pytest.raises(PextraError) as caught:
        ask(Coordinator(host="localhost", program=script("exit 255")), 30)
    assert not isinstance(caught.value, UnreachableError)


@pytest.mark.parametrize(
    ("coordinator", "text"),
    [
        (Coordinator(host="node1", ssh_executable="/nonexistent/ssh"), "Install OpenSSH's client"),
        (Coordinator(host="node1", ssh_executable="/nonexistent/ssh", become=True), "Install OpenSSH's client"),
        (Coordinator(host="localhost", program="/nonexistent/it"), "site.yml --tags coordinator installs"),
    ],
)
def test_without_the_program(coordinator: Coordinator, text: str) -> None:
    with pytest.raises(PextraError) as caught:
        ask(coordinator, 30)
    assert "No such file or directory" in str(caught.value)
    assert text in str(caught.value)


def test_without_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PextraError, match=r"sudo cannot be run here: .* Install sudo, or be root"):
        ask(Coordinator(host="localhost", become=True), 30)


def is_alive(path: Path) -> bool:
    """Tell whether the process with the number in the file is there, and no zombie."""
    try:
        return Path(f"/proc/{path.read_text().strip()}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_hangs_is_ended_with_all_that_it_started(script: Script, tmp_path: Path) -> None:
    child = tmp_path / "child"
    program = script(f"sleep 600 & echo $! >{child}; wait")
    started = time.monotonic()
    with pytest.raises(UnreachableError, match="did not answer within 1 s"):
        ask(Coordinator(host="node1", ssh_executable=program), 1)
    assert time.monotonic() - started < 20
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)


def test_what_closes_its_output_and_hangs_is_ended(script: Script) -> None:
    program = script("exec >&- 2>&-; sleep 600")
    with pytest.raises(UnreachableError, match="did not answer within 1 s"):
        ask(Coordinator(host="node1", ssh_executable=program), 1)


def test_what_is_left_behind_is_not_waited_for(script: Script, tmp_path: Path) -> None:
    """As ssh leaves a connection for later calls, with the pipe of errors."""
    child = tmp_path / "child"
    program = script(f"sleep 600 >/dev/null & echo $! >{child}; echo told")
    started = time.monotonic()
    try:
        assert ask(Coordinator(host="node1", ssh_executable=program), 60) == "told\n"
        assert time.monotonic() - started < 30
    finally:
        os.kill(int(child.read_text()), 9)


def test_what_is_printed_is_bounded(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_program, "MAX_BYTES", 2**20)
    with pytest.raises(PextraError, match="printed more than 1 MiB"):
        ask(Coordinator(host="node1", ssh_executable=script("yes")), 60)
