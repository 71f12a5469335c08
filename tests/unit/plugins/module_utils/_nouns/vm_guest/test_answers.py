# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest's agent answers is the guest's word: of any shape and size."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_guest.answers import (
    MOST_OUTPUT,
    AnswerError,
    Outcome,
    read_outcome,
    read_pid,
    tell_facts,
)


def answer(**returned: Any) -> str:
    return json.dumps({"return": returned})


def packed(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def test_a_program_is_begun() -> None:
    assert read_pid(answer(pid=77)) == 77


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (answer(exited=False), None),
        (answer(exited=True, exitcode=0), Outcome(0, None, "", "", False)),
        (answer(exited=True, signal=9), Outcome(None, 9, "", "", False)),
        (
            answer(exited=True, exitcode=3, **{"out-data": packed("out\r\n"), "err-data": packed("\x1b[31merr")}),
            Outcome(3, None, "out\n", "err", False),
        ),
        (
            answer(exited=True, exitcode=0, **{"out-data": packed("x"), "out-truncated": True}),
            Outcome(0, None, "x", "", True),
        ),
        (
            answer(exited=True, exitcode=0, **{"err-data": packed(b"e" * (MOST_OUTPUT + 1))}),
            Outcome(0, None, "", "e" * MOST_OUTPUT, True),
        ),
    ],
)
def test_outcomes(found: str, outcome: Outcome | None) -> None:
    assert read_outcome(found) == outcome


@pytest.mark.parametrize(
    "found",
    [
        "",
        "[",
        "[" * 100_000,
        "null",
        "[]",
        "7",
        "{}",
        '{"return": []}',
        '{"return": null}',
        '{"error": {"desc": "no"}}',
        answer(),
        answer(exited=1),
        answer(exited="true"),
        answer(exited=True, exitcode="0"),
        answer(exited=True, exitcode=True),
        answer(exited=True, exitcode=10**30),
        answer(exited=True, exitcode=0.5),
        answer(exited=True, exitcode=0, **{"out-data": 7}),
        answer(exited=True, exitcode=0, **{"out-data": ["x"]}),
        answer(exited=True, exitcode=0, **{"err-data": "no base64!"}),
    ],
)
def test_what_is_no_answer(found: str) -> None:
    with pytest.raises(AnswerError):
        read_outcome(found)
    with pytest.raises(AnswerError):
        read_pid(found)


@pytest.mark.parametrize("pid", [None, -1, 2**32, "7", True, 1.5, [7]])
def test_what_is_no_number_of_a_program(pid: Any) -> None:
    with pytest.raises(AnswerError):
        read_pid(answer(pid=pid))


NOTHING = {"hostname": None, "time": None, "interfaces": [], "file_systems": []}


def test_facts() -> None:
    interfaces = {
        "eth0": {"hwaddr": "52:1F:3A:07:9C:41", "addrs": [{"addr": "172.20.0.11", "prefix": 24, "type": 0}]},
        "lo": {"hwaddr": "00:00:00:00:00:00", "addrs": None},
    }
    assert tell_facts({"seconds": 7, "nseconds": 5}, "web", interfaces, [("/", "vda1", "ext4", ["vda"])]) == {
        "hostname": "web",
        "time": 7,
        "interfaces": [
            {"name": "eth0", "mac": "52:1f:3a:07:9c:41", "addresses": ["172.20.0.11/24"]},
            {"name": "lo", "mac": "00:00:00:00:00:00", "addresses": []},
        ],
        "file_systems": [{"mountpoint": "/", "name": "vda1", "type": "ext4", "disks": ["vda"]}],
    }
    assert tell_facts(None, None, None, None) == NOTHING


@pytest.mark.parametrize(
    "facts",
    [
        ({"seconds": -1}, 7, [], {}),
        ({"seconds": 10**20}, b"web", {"eth0": None}, [None, (), ("/",), "four"]),
        (7, None, {"eth0": "x"}, "text"),
        (True, [], "text", 7),
    ],
)
def test_facts_of_another_shape_are_left_out(facts: tuple[Any, Any, Any, Any]) -> None:
    told = tell_facts(*facts)
    assert (told["hostname"], told["time"], told["interfaces"]) == (None, None, [])
    assert all(one["mountpoint"] is None or len(one["mountpoint"]) == 1 for one in told["file_systems"])


def test_facts_are_bounded_and_harmless() -> None:
    addresses = [{"addr": "172.20.0.1", "prefix": 24}, {"addr": "1.2.3.4; reboot", "prefix": 8}, "x"]
    many = {f"eth{n}": {"hwaddr": "x", "addrs": addresses * 100} for n in range(1000)}
    systems = [("/\x1b[31m" + "a" * 999, "b\nc", "d\0", ["vda"] * 999)] * 999
    told = tell_facts({"seconds": 7}, "h" * 999, many, systems)
    assert len(told["hostname"]) == 255
    assert len(told["interfaces"]) == 64
    assert told["interfaces"][0]["mac"] is None
    assert set(told["interfaces"][0]["addresses"]) == {"172.20.0.1/24"}
    assert len(told["interfaces"][0]["addresses"]) <= 64
    assert len(told["file_systems"]) == 256
    first = told["file_systems"][0]
    assert (first["mountpoint"][:4], len(first["mountpoint"])) == ("/aaa", 255)
    assert (first["name"], first["type"], len(first["disks"])) == ("b c", "d", 32)
