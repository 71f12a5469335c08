# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that the benchmark runs, and its one error."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class BenchError(Exception):
    """Ends the benchmark. The text says to a person what is wrong and what to do."""


class ProgramError(BenchError):
    """A program failed; output is all that it wrote."""

    def __init__(self, command: str, exit_code: int, output: str) -> None:
        super().__init__(f"{command} failed with exit code {exit_code}:\n{output[-4000:]}")
        self.output = output


def run(
    command: Sequence[str | Path],
    *,
    stdin: bytes | None = None,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = 600,
) -> str:
    """Run a program and return what it wrote. Raises BenchError with the end of its output if it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, input=stdin, capture_output=True, cwd=directory, env=environment, timeout=timeout_s, check=False
        )
    except FileNotFoundError as error:
        raise BenchError(f"There is no program {words[0]} here. Run it through make: make bench") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{' '.join(words[:4])} did not end within {timeout_s:g} s.") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace")
        raise ProgramError(" ".join(words[:6]), done.returncode, said)
    return done.stdout.decode()
