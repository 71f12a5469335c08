# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal for tests: runs a program in a real one of the kernel, and shows what a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])")


@dataclass
class Screen:
    """Characters as they stand, line by line, without an end at the top. Colours are noted, and not kept."""

    columns: int
    lines: list[str] = field(default_factory=lambda: [""])
    column: int = 0
    is_coloured: bool = False
    # What the last line said each time when what was left of an older one was taken away.
    seen: list[str] = field(default_factory=list)

    def feed(self, text: str) -> None:
        place = 0
        while place < len(text):
            match = _SEQUENCE.match(text, place)
            if match is not None:
                self._control(match[1], match[2])
                place = match.end()
                continue
            self._put(text[place])
            place += 1

    def _control(self, number: str, letter: str) -> None:
        if letter == "K":
            self.lines[-1] = self.lines[-1][: self.column]
            self.seen += [self.lines[-1]] if self.column else []
        elif letter == "m":
            self.is_coloured |= number not in ("", "0")
        else:
            raise AssertionError(f"the program uses ESC[{number}{letter}, which this terminal does not know")

    def _put(self, char: str) -> None:
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.lines.append("")
        elif char.isprintable():
            if self.column == self.columns:
                self.lines.append("")
                self.column = 0
            line = self.lines[-1].ljust(self.column)
            self.lines[-1] = line[: self.column] + char + line[self.column + 1 :]
            self.column += 1
        else:
            raise AssertionError(f"the program writes {char!r}")

    @property
    def text(self) -> list[str]:
        return [line.rstrip() for line in self.lines]


def run_in_terminal(
    command: Sequence[str], environment: Mapping[str, str], cwd: str, columns: int = 100, timeout_s: float = 200
) -> tuple[int, Screen]:
    """Return the exit code, and what is on the screen in the end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        command, env=environment, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    screen = Screen(columns)
    end = time.monotonic() + timeout_s
    said = b""
    while time.monotonic() < end:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            part = os.read(ours, 65536)
        except OSError:  # so the kernel says that nobody has it open any more
            break
        if not part:
            break
        said += part
    else:
        process.kill()
    os.close(ours)
    code = process.wait()
    screen.feed(said.decode())
    return code, screen
