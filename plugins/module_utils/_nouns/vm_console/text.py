# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a console: its text, and whether it says what is waited for. Pure."""

from __future__ import annotations

import re
from typing import Any

from ..._model.foreign_text import make_harmless
from .spec import ConsoleLook

LINES = 100


def tell(look: ConsoleLook, data: bytes, mark: str, *, is_cut: bool) -> dict[str, Any]:
    """Return what is told of what was read. is_cut: something before it is left out, so its first line is half one."""
    text = make_harmless(data)
    if is_cut and data:
        text = text.partition("\n")[2] or text
    found = re.search(look.wait_for, text, re.MULTILINE) if look.wait_for is not None else None
    most = look.lines
    if most is None and look.since is None and look.wait_for is None:
        most = LINES
    if most is not None:
        lines = text.splitlines(keepends=True)
        is_cut = is_cut or len(lines) > most
        text = "".join(lines[-most:])
    return {
        "name": look.name,
        "text": text,
        "mark": mark,
        "truncated": is_cut,
        "found": found.group() if found is not None else None,
    }
