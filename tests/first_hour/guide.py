# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that a guide tells, as somebody would copy them from the page. Pure."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "quickstart.md"
README = ROOT / "README.md"
# Under this heading of the guide stand the commands of the first hour, and no others.
HEADING = "The first hour"
# A block of the README has the first of them.
README_HEADING = "On your own hosts"

_HEADING = re.compile(r"#+ (?P<title>.+)")
_ANSWER = re.compile(r"\| (?P<question>[^|`]+) \| `(?P<answer>[^|`]+)` \|")


def list_commands(page: str, heading: str) -> list[str]:
    """Return the commands of all blocks under a heading, up to the next heading, in their order.

    A line that ends with a backslash goes on in the next one. Raises ValueError if the page has no such heading.
    """
    lines = list(_lines_below(page.splitlines(), heading))
    if not lines:
        raise ValueError(f'there is no "{heading}", or nothing stands below it')
    commands: list[str] = []
    is_code = goes_on = False
    for line in lines:
        if line.startswith("```"):
            is_code = not is_code
        elif is_code and goes_on:
            commands[-1] += f"\n{line}"
        elif is_code and line.strip() and not line.startswith("#"):
            commands.append(line)
        goes_on = is_code and line.endswith("\\")
    return commands


def list_answers(page: str, heading: str) -> dict[str, str]:
    """Return what a table under a heading says is to be answered, by how the question begins."""
    rows = (_ANSWER.fullmatch(line) for line in _lines_below(page.splitlines(), heading))
    return {match["question"]: match["answer"] for match in rows if match is not None}


def _lines_below(lines: list[str], heading: str) -> list[str]:
    """Return the lines between a heading and the next one. A `#` in a block of code begins no heading."""
    found: list[str] = []
    is_below = is_code = False
    for line in lines:
        is_code ^= line.startswith("```")
        match = None if is_code else _HEADING.fullmatch(line)
        if match is not None:
            if is_below:
                break
            is_below = match["title"] == heading
        elif is_below:
            found.append(line)
    return found


def fill_in(command: str, own: dict[str, str]) -> str:
    """Return a command with what is somebody's own in the places of the guide's examples."""
    for example, value in own.items():
        command = re.sub(rf"(?<![\w.]){re.escape(example)}(?![\w.])", value, command)
    return command
