# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the controller that every run writes anew: over what an earlier run has written, and over nothing else."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

# Nothing of ours is longer but the audit trail, of which the first line will do.
_LONGEST = 64 << 20
_FINDINGS = re.compile(r"The deployment (\S+ has no mistakes|has \d+ mistakes?)\. |::(error|warning) ")
_SYSLOG = re.compile(r"<\d{1,3}>1 \S+ \S+ pextra ")


def tell_refusal(path: str, kind: str) -> str:
    """Return why a file is not written, as what follows on its name; nothing if it may be.

    kind: one of KINDS. What is no regular file, such as a pipe, holds nothing that could be lost.
    """
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        return "is a directory. Name a file"
    if not os.path.exists(path):
        directory = os.path.dirname(os.path.realpath(path))
        if not os.path.isdir(directory):
            return f"cannot be written: there is no directory {directory}. Make it, or name another file"
        is_writable = os.access(directory, os.W_OK | os.X_OK)
        return "" if is_writable else f"cannot be written: {directory} is not yours to write to. Name another file"
    if not os.path.isfile(path) or path.startswith("/dev/"):
        return ""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            held = file.read(_LONGEST)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}. Name another file"
    if held.strip() and not KINDS[kind](held):
        return "is there already, and was not written by an earlier run. Name another file"
    return ""


def _is_findings(held: str) -> bool:
    if _FINDINGS.match(held):
        return True
    value = _read(held)
    if {"valid", "mistakes", "warnings", "summary"} <= value.keys():
        return True
    runs = value.get("runs")
    return isinstance(runs, list) and bool(runs) and '"name": "pextra.cloud"' in json.dumps(runs[0])


def _is_drift(held: str) -> bool:
    return {"differs", "complete", "actions", "problems"} <= _read(held).keys()


def _is_audit(held: str) -> bool:
    first = held.lstrip("\ufeff").partition("\n")[0]
    return _SYSLOG.match(first) is not None or {"number", "actor", "what", "outcome"} <= _read(first).keys()


def _read(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


# What is written: what a validation has found, what differs, and the audit trail.
KINDS: Mapping[str, Callable[[str], bool]] = {"findings": _is_findings, "drift": _is_drift, "audit": _is_audit}
