# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that a guest has written: whoever reads it must not come to harm. Pure."""

from __future__ import annotations

import re

# What a terminal would do instead of showing it: colours, moves of the cursor, titles, device control. What begins one
# ends the one before, so that a text of nothing but beginnings is read once.
_SEQUENCE = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[\\]P^_X]|[\x9d\x90\x9e\x9f\x98])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]*[0-~]"
)
_LINE_END = re.compile("\r+\n?|\n\r+")


def make_harmless(data: bytes) -> str:
    """Return the text without control sequences, and without every character that is not shown as itself."""
    text = _SEQUENCE.sub("", data.decode("utf-8", "replace"))
    text = _LINE_END.sub("\n", text)
    return "".join(char for char in text if char in "\n\t" or char.isprintable())
