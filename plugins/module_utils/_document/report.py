# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the mistakes of a deployment document are told to a person."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .._model.mistake import Mistake, printable
from .hosts import COORDINATORS, GROUP
from .variables import DOCUMENT


def describe_mistakes(mistakes: Sequence[Mistake], directory: str = "/") -> str:
    """Return one line that counts them and one line for each: where, and what is wrong.

    directory: files beneath it are named as seen from there.
    """
    count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
    lines = [f"  {_show_place(mistake, directory)}{mistake}" for mistake in mistakes]
    return "\n".join([f"The deployment has {count}. Nothing was changed.", *lines])


def list_mistakes(mistakes: Sequence[Mistake]) -> list[dict[str, str | int | None]]:
    """Return the mistakes as plain data, for a program that shows them."""
    return [
        {key: getattr(mistake, key) for key in ("path", "file", "line", "problem", "allowed")} for mistake in mistakes
    ]


def _show_place(mistake: Mistake, directory: str) -> str:
    """Return `file:line: `, as compilers write it and editors read it."""
    if mistake.file is None:
        return ""
    file = printable(name_file(mistake.file, directory))
    return f"{file}: " if mistake.line is None else f"{file}:{mistake.line}: "


def name_file(file: str, directory: str) -> str:
    """Return a file's name as seen from a directory that it is beneath, and otherwise as it is."""
    return file.removeprefix(f"{directory.rstrip('/')}/")


def sort_mistakes(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """Order by the document: its variables in their order, then the position in them."""
    order = {name: number for number, name in enumerate((GROUP, COORDINATORS, *DOCUMENT))}

    def find_position(mistake: Mistake) -> tuple[int, int]:
        match = re.match(r"(\w+)(?:\[(\d+)\])?", mistake.path)
        if match is None:
            return len(order), 0
        return order.get(match[1], len(order)), int(match[2] or 0)

    return sorted(mistakes, key=find_position)
