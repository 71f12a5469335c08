# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal at which somebody types one command after the other, and answers what is asked."""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

# Written by a command of its own after each other one: the terminal's echo of that has it in two pieces.
_ENDED = re.compile(r"\n----ended (\d+)\n")
_TELL_END = "printf '\\n----%s %s\\n' ended $?"
# A question waits at the end of a line.
_QUESTION = re.compile(r"[^\n]*\[[^\n]*\]: \Z")
# Somebody reads before they type.
_READ_S = 0.3
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SIZE = (50, 160)


class Terminal:
    """One shell for all commands: a directory that one goes to is that of the next."""

    def __init__(self, shell: Sequence[str]) -> None:
        self._screen, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, _SIZE)
        self._process = subprocess.Popen(shell, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self.run("stty -echo; set +o history +H; export VIRTUAL_ENV_DISABLE_PROMPT=1; PS1= PS2=", 60)

    def run(self, command: str, limit_s: float, answers: Mapping[str, str] | None = None) -> tuple[int, str, float]:
        """Return (exit code, all that a command has said, the seconds that it took).

        answers: what is typed, by how a question begins; to all others, nothing but Enter. Raises AssertionError if it
        has not ended at the limit, or the shell has ended.
        """
        begun = time.monotonic()
        quoted = "'" + command.replace("'", "'\\''") + "'"
        self._type(f"eval {quoted}; {_TELL_END}")
        text = codecs.getincrementaldecoder("utf-8")(errors="replace")
        said = ""
        answered = 0
        while True:
            if time.monotonic() - begun > limit_s:
                raise AssertionError(f"no end after {limit_s:g} s: {command}\n{said}")
            if not select.select([self._screen], [], [], _READ_S)[0]:
                question = _QUESTION.search(said, answered)
                if question is not None:
                    self._type(_find_answer(question[0], answers or {}))
                    answered = len(said)
                continue
            try:
                piece = os.read(self._screen, 65536)
            except OSError:  # the end of a terminal
                piece = b""
            if not piece:
                raise AssertionError(f"the shell has ended in: {command}\n{said}")
            said = _COLOURS.sub("", said + text.decode(piece)).replace("\r\n", "\n")
            ended = _ENDED.search(said)
            if ended is not None:
                return int(ended[1]), said[: ended.start()], time.monotonic() - begun

    def close(self) -> None:
        self._process.kill()
        self._process.wait(timeout=60)
        os.close(self._screen)

    def _type(self, line: str) -> None:
        os.write(self._screen, f"{line}\n".encode())


def _find_answer(question: str, answers: Mapping[str, str]) -> str:
    return next((answer for begin, answer in answers.items() if question.startswith(begin)), "")
