# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of consoles' logs, and what is waited for: pieces by table, and on real files, turned over and grown."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.console_logs import (
    BEGIN,
    Part,
    choose_pieces,
    find_end,
    read_log,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_console import looking
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_console.spec import ConsoleLook, parse_looks
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_console.text import tell
from ansible_collections.pextra.cloud.plugins.modules import pextra_vm_console
from guards.project import returned

# The newest first.
PARTS = [Part(30, 100), Part(20, 2000), Part(10, 2000)]
Pieces = list[tuple[int, int, int]]


@pytest.mark.parametrize(
    ("since", "most", "pieces", "is_cut"),
    [
        (BEGIN, 9999, [(2, 0, 2000), (1, 0, 2000), (0, 0, 100)], False),
        (BEGIN, 4100, [(2, 0, 2000), (1, 0, 2000), (0, 0, 100)], False),
        (BEGIN, 4099, [(2, 1, 1999), (1, 0, 2000), (0, 0, 100)], True),
        (BEGIN, 150, [(1, 1950, 50), (0, 0, 100)], True),
        (BEGIN, 40, [(0, 60, 40)], True),
        ("30:100", 9999, [], False),
        ("30:70", 9999, [(0, 70, 30)], False),
        ("30:70", 10, [(0, 90, 10)], True),
        ("20:1990", 9999, [(1, 1990, 10), (0, 0, 100)], False),
        ("20:2000", 9999, [(0, 0, 100)], False),
        # Gone, or the number of another file by now: all that there is, and not all that there was.
        ("9:5", 9999, [(2, 0, 2000), (1, 0, 2000), (0, 0, 100)], True),
        ("30:101", 9999, [(2, 0, 2000), (1, 0, 2000), (0, 0, 100)], True),
    ],
)
def test_pieces(since: str, most: int, pieces: Pieces, is_cut: bool) -> None:
    assert choose_pieces(PARTS, since, most) == (pieces, is_cut)


def turn_over(path: Path) -> None:
    """As virtlogd does it."""
    for number in (1, 0):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.rename(path.with_name(f"{path.name}.{number + 1}"))
    path.rename(path.with_name(f"{path.name}.0"))
    path.touch()


def test_a_log_is_read_on_over_a_turn(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    assert read_log(str(path), BEGIN, 100) is None
    assert find_end(str(path)) == BEGIN
    path.write_bytes(b"one\n")
    first = read_log(str(path), BEGIN, 100)
    assert first is not None
    assert (first.data, first.is_cut, first.mark) == (b"one\n", False, find_end(str(path)))
    with path.open("ab") as file:
        file.write(b"two\n")
    turn_over(path)
    path.write_bytes(b"three\n")
    second = read_log(str(path), first.mark, 100)
    assert second is not None
    assert (second.data, second.is_cut) == (b"two\nthree\n", False)
    assert read_log(str(path), second.mark, 100) == (b"", second.mark, False)
    assert read_log(str(path), BEGIN, 8) == (b"o\nthree\n", second.mark, True)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """Neither a FIFO, which would wait for a writer, nor what a link leads to."""
    os.mkfifo(tmp_path / "fifo.log")
    assert read_log(str(tmp_path / "fifo.log"), BEGIN, 100) is None
    (tmp_path / "link.log").symlink_to("/etc/hostname")
    with pytest.raises(OSError, match="symbolic"):
        read_log(str(tmp_path / "link.log"), BEGIN, 100)


def numbers(first: int, last: int) -> str:
    return "".join(f"{number}\n" for number in range(first, last + 1))


@pytest.mark.parametrize(
    ("options", "text", "found", "truncated"),
    [
        ({}, numbers(201, 300), None, True),
        ({"lines": 2}, "299\n300\n", None, True),
        ({"lines": 1000}, numbers(1, 300), None, False),
        ({"since": "1:2"}, numbers(1, 300), None, False),
        ({"since": "1:2", "lines": 1}, "300\n", None, True),
        ({"wait_for": "^2[0-9]$"}, numbers(1, 300), "20", False),
        ({"wait_for": "^20$", "lines": 1}, "300\n", "20", True),
        ({"wait_for": "login"}, numbers(1, 300), None, False),
    ],
)
def test_what_is_told(options: dict[str, Any], text: str, found: str | None, truncated: bool) -> None:
    told = tell(ConsoleLook(name="web", **options), numbers(1, 300).encode(), "1:2", is_cut=False)
    assert told == {"name": "web", "text": text, "mark": "1:2", "truncated": truncated, "found": found}


def test_half_a_line_is_left_out() -> None:
    look = ConsoleLook(name="web", lines=5)
    assert tell(look, b"31mhalf\nwhole\n", "1:2", is_cut=True)["text"] == "whole\n"
    assert tell(look, b"one long line", "1:2", is_cut=True)["text"] == "one long line"


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": ["a", "b"], "since": "1:2"}, "since"),
        ({"name": ["a", "a"]}, "name"),
        ({"name": ["../etc/passwd"]}, "name[0] (../etc/passwd).name"),
        ({"name": ["a"], "since": "yesterday"}, "name[0] (a).since"),
        ({"name": ["a"], "wait_for": "("}, "name[0] (a).wait_for"),
        ({"name": ["a"], "wait_for": "a" * 1001}, "name[0] (a).wait_for"),
        ({"name": ["a"], "lines": 0}, "name[0] (a).lines"),
        ({"name": ["a"], "timeout_s": 3601}, "name[0] (a).timeout_s"),
    ],
)
def test_mistakes(options: dict[str, Any], path: str) -> None:
    _, mistakes = parse_looks(options)
    assert [mistake.path for mistake in mistakes] == [path]


Module = Callable[..., dict[str, Any]]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Module:
    """Run the module on logs in a folder of its own."""
    monkeypatch.setattr(looking, "console_log", lambda name: f"{tmp_path}/{name}.log")

    def run(**options: Any) -> dict[str, Any]:
        with patch_module_args(options), pytest.raises(SystemExit):
            pextra_vm_console.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert not result.get("changed")
        return result

    return run


def test_several_at_once(module: Module, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.log").write_text(f"this is \x1b[1m{name}\n")
    result = module(name=["b", "a"])
    assert [(one["name"], one["text"]) for one in result["vms"]] == [("b", "this is b\n"), ("a", "this is a\n")]
    assert result["vms"][0].keys() == returned("pextra_vm_console")["vms"]["contains"].keys()
    result = module(name=["a", "c"])
    assert result["failed"]
    assert result["msg"].startswith("instance c: this host has no log of its console.")
    assert [one["name"] for one in result["vms"]] == ["a"]


def test_it_waits_for_what_is_new(module: Module, tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("login: \n")
    result = module(name="web", wait_for="login: $", timeout_s=1)
    assert result["failed"]
    assert re.match(r"instance web: its console did not say 'login: \$' within 1 s\.", result["msg"])
    assert result["vms"][0]["text"] == ""

    def boot() -> None:
        turn_over(path)
        with path.open("a") as file:
            file.write("booting\r\nweb login: ")

    timer = threading.Timer(0.6, boot)
    timer.start()
    result = module(name="web", wait_for="login: $", timeout_s=20)
    timer.join()
    assert not result.get("failed"), result["msg"]
    assert (result["vms"][0]["text"], result["vms"][0]["found"]) == ("booting\nweb login: ", "login: ")


def test_what_has_been_said_since_a_mark_is_not_waited_for(module: Module, tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("before\n")
    mark = module(name="web")["vms"][0]["mark"]
    with path.open("a") as file:
        file.write("ready\n")
    assert module(name="web", since=mark, wait_for="ready")["vms"][0]["text"] == "ready\n"
    assert module(name="web", since="begin", wait_for="before")["vms"][0]["found"] == "before"


def test_a_check_waits_for_nothing(module: Module, tmp_path: Path) -> None:
    """What would be waited for is what a task before it has not done."""
    result = module(name="web", wait_for="ready", timeout_s=3600, _ansible_check_mode=True)
    assert not result.get("failed")
    assert result["vms"] == []
    (tmp_path / "web.log").write_text("so far\n")
    result = module(name="web", since="begin", wait_for="ready", timeout_s=3600, _ansible_check_mode=True)
    assert [(one["text"], one["found"]) for one in result["vms"]] == [("so far\n", None)]


def test_all_mistakes_at_once(module: Module) -> None:
    result = module(name="web", wait_for="(", since="x")
    assert len(result["errors"]) == 2
