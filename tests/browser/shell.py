# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shell in a real terminal that nobody looks at: tmux holds it, and tells what is on its screen."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

PROMPT = "$ "
_EVERY_S = 0.1
_ENDED = re.compile(rf"(?:^|\n){re.escape(PROMPT.rstrip())}\s*$")


class Shell:
    """One screen. socket: of a tmux of its own, which knows no other and has no settings."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def type(self, command: str) -> None:
        """Type a command, and send it off."""
        self.tell("send-keys", "-l", command)
        self.tell("send-keys", "Enter")

    def look(self, *, is_coloured: bool = False) -> str:
        """Return the screen, line by line. is_coloured: with the sequences that colour it."""
        return self.tell("capture-pane", "-p", *(["-e"] if is_coloured else [])).rstrip("\n")

    def wait(self, pattern: str | None, timeout_s: float) -> str:
        """Return the coloured screen as soon as a pattern is on it; without one, when the command has ended.

        Raises TimeoutError, and LookupError if the command ends without.
        """
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            # Both from one look, or the screen could be another by then.
            screen = self.look(is_coloured=True)
            plain = without_colours(screen)
            has_ended = _ENDED.search(plain) is not None
            if has_ended and pattern is None:
                # Without the prompt for what comes next.
                return screen.rstrip().removesuffix(PROMPT.rstrip()).rstrip()
            if pattern is not None and re.search(pattern, plain, re.M):
                return screen
            if has_ended:
                raise LookupError(f"it never said {pattern}:\n{plain}")
            time.sleep(_EVERY_S)
        raise TimeoutError(f"after {timeout_s} s there is\n{self.look()}")

    def tell(self, *words: str) -> str:
        """Tell tmux something, and return what it says."""
        command = ["tmux", "-S", str(self._socket), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


def without_colours(screen: str) -> str:
    return re.sub(r"\x1b\[[0-9;:]*m", "", screen)


@contextlib.contextmanager
def running_shell(size: tuple[int, int], cwd: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    """Start a shell on a screen of so many columns and rows, and end it. environment: all that it has."""
    with tempfile.TemporaryDirectory() as folder:
        shell = Shell(Path(folder) / "tmux")
        given = [f"{name}={value}" for name, value in {**environment, "PS1": PROMPT}.items()]
        columns, rows = map(str, size)
        shell.tell(
            *("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", rows, "-c", str(cwd)),
            *("env", "--ignore-environment", "TERM=tmux-256color", *given, "bash", "--noprofile", "--norc"),
        )
        try:
            shell.tell("set-option", "-g", "status", "off")
            shell.tell("resize-window", "-x", columns, "-y", rows)
            shell.wait(None, 30)
            yield shell
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                shell.tell("kill-server")
