# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running other programs: output is kept for the error message, a failure says what failed and why."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class LabError(Exception):
    """Something the lab cannot go on with. The text says what happened and what to do."""


def run(
    command: Sequence[str | Path],
    *,
    check: bool = True,
    input_text: str | None = None,
    cwd: Path | None = None,
    timeout_s: float = 900,
) -> subprocess.CompletedProcess[str]:
    """Runs a program without a terminal and returns its result; raises LabError if it fails (unless not checked)."""
    words = [str(word) for word in command]
    try:
        result = subprocess.run(
            words,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            input=input_text if input_text is not None else "",
            cwd=cwd,
            timeout=timeout_s,
        )
    except FileNotFoundError as error:
        raise LabError(f"{words[0]} is not installed. Run: tests/lab/lab requirements") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"No end after {timeout_s:.0f} s: {shlex.join(words)}") from error
    if check and result.returncode != 0:
        last_lines = "\n".join((result.stderr or result.stdout).strip().splitlines()[-15:])
        raise LabError(f"Failed with exit code {result.returncode}: {shlex.join(words)}\n{last_lines}")
    return result


def output_of(command: Sequence[str | Path]) -> str:
    return run(command).stdout.strip()


def succeeds(command: Sequence[str | Path], *, timeout_s: float = 60) -> bool:
    return run(command, check=False, timeout_s=timeout_s).returncode == 0


def inspect(kind: str, name: str) -> dict[str, Any] | None:
    """What podman knows of a container, image or network; None if there is no such thing."""
    result = run(["podman", kind, "inspect", name], check=False)
    if result.returncode != 0:
        if any(word in result.stderr.lower() for word in ("no such", "not known", "not found")):
            return None
        raise LabError(f"podman {kind} inspect {name}: {result.stderr.strip()}")
    described: dict[str, Any] = json.loads(result.stdout)[0]
    return described
