# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries as JSON lines, as syslog and for the journal; times as people write them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.audit.lines import (
    describe_entry,
    render_journal,
    render_json,
    render_syslog,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.audit.times import check_time, parse_time, show_time
from hypothesis import given
from hypothesis import strategies as st

ENTRY = {
    "number": 7,
    "at": 1790000000.25,
    "run": "7f3a",
    "actor": "ann at node1",
    "job": "AWX job 42 (apply)",
    "revision": None,
    "kind": "instance",
    "name": "web",
    "resource": "inst-1",
    "organization": "org-1",
    "node": "node2",
    "what": "define, start",
    "outcome": "done",
}
TOLD = describe_entry(ENTRY)
# A message of RFC 5424, with one element of structured data.
SYSLOG = re.compile(
    r"<(?P<pri>[0-9]{1,3})>1 (?P<time>\S+) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) "
    r"(?P<id>[!-~]{1,32}) \[(?P<element>[!-~]+)(?P<values>( [a-z]+=\"([^\"\\\]]|\\[\"\\\]])*\")*)\]"
    r"( \ufeff?(?P<text>[^\n]*))?"
)


def test_a_line_of_json() -> None:
    line = render_json(TOLD)
    assert json.loads(line) == {**ENTRY, "time": "2026-09-21T14:13:20.250000Z"}
    assert line.startswith('{"number":7,"at":1790000000.25,"time":"2026-09-21T14:13:20.250000Z","run":"7f3a",')


def test_a_message_of_syslog() -> None:
    assert render_syslog(TOLD, "node1") == (
        "<109>1 2026-09-21T14:13:20.250000Z node1 pextra - instance "
        '[pextra@32473 number="7" at="1790000000.25" run="7f3a" actor="ann at node1" job="AWX job 42 (apply)" '
        'kind="instance" name="web" resource="inst-1" organization="org-1" node="node2" outcome="done"] '
        "instance web on node2: define, start: done, by ann at node1, AWX job 42 (apply)"
    )


def test_a_failure_is_a_warning() -> None:
    assert render_syslog({**TOLD, "outcome": "failed"}, "node1").startswith("<108>1 ")


def test_text_that_is_no_ascii_says_that_it_is_utf_8() -> None:
    assert " \ufeffinstance w\u00e9b on node2" in render_syslog({**TOLD, "name": "w\u00e9b"}, "node1")


def test_values_cannot_end_theirs() -> None:
    found = SYSLOG.fullmatch(render_syslog({**TOLD, "actor": 'ann"] x="\\'}, "node 1\n"))
    assert found is not None
    assert found["host"] == "node_1_"
    assert 'actor="ann\\"\\] x=\\"\\\\"' in found["values"]


def test_the_journal_has_a_field_for_each() -> None:
    lines = render_journal(TOLD).decode().splitlines()
    assert lines[0] == "MESSAGE=instance web on node2: define, start: done, by ann at node1, AWX job 42 (apply)"
    assert {"PRIORITY=5", "SYSLOG_IDENTIFIER=pextra-audit", "PEXTRA_ACTOR=ann at node1", "PEXTRA_NUMBER=7"} <= {*lines}
    assert not any(line.startswith("PEXTRA_REVISION") for line in lines)


ODD = st.text(max_size=50)


@given(actor=ODD, name=ODD, what=ODD, kind=ODD, job=ODD, host=ODD, at=st.floats())
def test_whatever_stands_in_it_is_one_entry(at: float, host: str, **values: Any) -> None:
    entry = describe_entry({**ENTRY, **values, "at": at})
    line = render_syslog(entry, host)
    assert SYSLOG.fullmatch(line), line
    assert all(part.isprintable() for part in line.replace("\ufeff", "")), line
    text = render_json(entry)
    assert text.isascii()
    assert "\n" not in text
    assert all("=" in one for one in render_journal(entry).decode().split("\n")[:-1])


def test_a_datagram_has_room_for_it() -> None:
    entry = {**TOLD, "what": "x" * 100_000}
    assert len(render_syslog(entry, "node1")) < 9000
    assert len(render_journal(entry)) < 9000
    assert render_syslog(entry, "node1").endswith("...: done, by ann at node1, AWX job 42 (apply)")


NOW = 1790000000.0
TIMES = [
    ("2026-09-21", 1789948800.0),
    ("2026-09-21T14:13:20Z", NOW),
    ("2026-09-21T14:13:20", NOW),
    ("2026-09-21 14:13:20", NOW),
    ("2026-09-21T16:13:20+02:00", NOW),
    ("2026-09-21T14:13", NOW - 20),
    ("1d", NOW - 86400),
    ("2w", NOW - 14 * 86400),
    ("90s", NOW - 90),
    ("0s", NOW),
]


@pytest.mark.parametrize(("text", "at"), TIMES)
def test_points_in_time(text: str, at: float) -> None:
    assert check_time(text) is None
    assert parse_time(text, NOW) == at


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "1y", "-1d", "1.5d", "2026-13-01", "2026-9-1", "20260921", "0000-01-01", "2026-09-21T25:00Z"],
)
def test_what_is_none_is_told(text: str) -> None:
    problem = check_time(text)
    assert problem is not None
    assert "is no point in time; write a date (2026-11-01)" in problem


@given(st.text(max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    if check_time(text) is None:
        parse_time(text, NOW)


@pytest.mark.parametrize("at", [1e300, float("nan"), float("inf"), -1e18])
def test_a_time_that_is_none(at: float) -> None:
    assert show_time(at) is None
    assert " - node1 pextra" in render_syslog(describe_entry({**ENTRY, "at": at}), "node1")
