# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people leave empty has its default: a key without a value (null), a field of AWX's surveys (an empty text)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from guards.project import ROLES, ROOT, files, shown

FOLDERS = (ROOT / "playbooks", ROLES, ROOT / "extensions" / "molecule" / "own")
# Of ours, that no person writes: internal ones, what playbooks tell those that they import, and names within something.
_INTERNAL = re.compile(r"__|run_|item$|unit$|ansible_limit$|first$")
_DEFAULT = re.compile(r"(?P<within>[\]).]?)\b(?P<name>\w+)(?P<end>[\])]*)\s*\|\s*default\(")


def find_defaults(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield (variable, arguments) of every filter `default`. What is within something internal is passed over."""
    for match in _DEFAULT.finditer(text):
        name = match["name"]
        is_within = bool(match["within"] or match["end"])
        if name.startswith(("pextra_", "ansible_ssh_")) or not (is_within or _INTERNAL.match(name)):
            yield name, list(split_arguments(text[match.end() :]))


def split_arguments(text: str) -> Iterator[str]:
    """Yield the arguments at the begin of a text, up to the bracket that ends them."""
    depth, quote, begin = 0, "", 0
    for number, sign in enumerate(text):
        if quote or sign in "'\"":
            quote = "" if sign == quote else quote or sign
        elif sign in "([{":
            depth += 1
        elif depth == 0 and sign in ",)":
            yield text[begin:number].strip()
            begin = number + 1
            if sign == ")":
                return
        elif sign in ")]}":
            depth -= 1


def test_what_is_left_empty_has_its_default() -> None:
    found = [
        (f"{shown(path)}: {name} | default({', '.join(arguments)})", arguments)
        for folder in FOLDERS
        for path in files(".yml", ".j2", below=folder)
        for name, arguments in find_defaults(path.read_text(encoding="utf-8"))
    ]
    assert len(found) > 80, "there is none of these left to look at"
    assert [what for what, arguments in found if len(arguments) < 2 or arguments[1] != "true"] == []


def test_how_they_are_found() -> None:
    text = "{{ pextra_x | default(f(a, ')') ~ [1, 2]) }} {{ y\n | default('', true) }} {{ __z.y | default(1) }}"
    assert list(find_defaults(text)) == [("pextra_x", ["f(a, ')') ~ [1, 2]"]), ("y", ["''", "true"])]
