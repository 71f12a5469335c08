# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of an instance's console."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._fields.checks import check_hostname
from ..._fields.common import parse_spec
from ..._fields.field import Field
from ..._model.mistake import Mistake

MAX_PATTERN = 1000
_MARK = re.compile(r"begin|[0-9]{1,20}:[0-9]{1,20}")


def check_mark(value: str) -> str | None:
    if _MARK.fullmatch(value):
        return None
    return "is no mark; write what an earlier call has returned as mark, or begin"


def check_pattern(value: str) -> str | None:
    if len(value) > MAX_PATTERN:
        return f"has {len(value)} characters; write at most {MAX_PATTERN}"
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression of Python's: {error}"
    return None


FIELDS = {
    "name": Field(
        kind="str", required=True, check=check_hostname, help="The instances, by name; one alone needs no list."
    ),
    "lines": Field(
        kind="int",
        minimum=1,
        maximum=10_000,
        help="Only so many lines, the last ones. 100 unless this, O(since) or O(wait_for) is given.",
    ),
    "since": Field(
        kind="str",
        check=check_mark,
        help="Only what was written after a mark that an earlier call has returned; V(begin) for all that is kept. "
        "With one instance only.",
    ),
    "wait_for": Field(
        kind="str",
        check=check_pattern,
        help="A regular expression of Python's. The module waits until it is found in what was written after O(since), "
        "or, without that, after the call began. C(^) and C($) stand for the ends of lines.",
    ),
    "timeout_s": Field(
        kind="int",
        default=60,
        minimum=1,
        maximum=3600,
        help="How many seconds to wait for O(wait_for) before the module fails.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class ConsoleLook:
    name: str
    lines: int | None = None
    since: str | None = None
    wait_for: str | None = None
    timeout_s: int = 60


def parse_looks(params: Mapping[str, Any]) -> tuple[list[ConsoleLook], list[Mistake]]:
    """Parse the options of a call, whose `name` is a list. Returns (looks, mistakes)."""
    names, looks, mistakes = params["name"], [], []
    for index, name in enumerate(names):
        look, found = parse_spec(FIELDS, ConsoleLook, {**params, "name": name}, f"name[{index}] ({name})")
        looks += [look] if look is not None else []
        mistakes += found
    if len(set(names)) < len(names):
        mistakes.append(Mistake("name", "has an instance twice"))
    if params.get("since") is not None and len(names) > 1:
        mistakes.append(Mistake("since", "is the mark of one console; give one name, or leave it out"))
    return looks, mistakes
