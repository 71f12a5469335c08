# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest writes does nothing to whoever reads it."""

from __future__ import annotations

import time

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.foreign_text import make_harmless


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        ("Grüße\n".encode(), "Grüße\n"),
        (b"a\r\nb\r\r\nc\rd", "a\nb\nc\nd"),
        (b"\x1b[1;31mred\x1b[0m \x1b[2J\x1b[10;20Hhere", "red here"),
        (b"\x1b]0;a title\x07on \x1b]52;c;aGVsbG8=\x1b\\off", "on off"),
        (b"\x1bP1$r0m\x1b\\x\x1b_secret\x1b\\y", "xy"),
        (b"\x1bc\x1b(Bcleared", "cleared"),
        ("\x9b31mred\x9d0;title\x9cx".encode(), "redx"),
        (b"bell\x07 null\x00 back\x08 delete\x7f", "bell null back delete"),
        (b"cut off \x1b[31", "cut off 31"),
        ("turned \u202eround\u2066 \u200bzero".encode(), "turned round zero"),
        (b"not utf-8: \xff\xfe", "not utf-8: \ufffd\ufffd"),
        (b"", ""),
    ],
)
def test_harmless(data: bytes, text: str) -> None:
    assert make_harmless(data) == text


@pytest.mark.parametrize("unit", ["\x1b]", "\x9d", "\x1b[", "\x9b1", "\x1bP", "\r", "\x1b[0", "\x9d\x9b", "\x1b "])
def test_whatever_it_is_it_is_read_once(unit: str) -> None:
    """Half a MiB of beginnings without an end would take minutes where each is looked at up to the end of the text."""
    data = (unit * 300_000).encode()[: 512 * 1024]
    begun = time.monotonic()
    text = make_harmless(data)
    assert time.monotonic() - begun < 5
    assert not any(char < " " and char not in "\n\t" for char in text)
