# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of long work, written where the action plugins look for it."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .._model.plan import Work

DIRECTORY = "/run/pextra"
_WRITE_EVERY_S = 0.5

_current: Progress | None = None


class Progress:
    """Counts finished works. The file names the process, so that two runs do not write into one."""

    def __init__(self, plural: str, total: int) -> None:
        self._plural = plural
        self._total = total
        self._done: Counter[str] = Counter()
        self._transfers: dict[str, tuple[int, int]] = {}
        self._last = ""
        self._lock = threading.Lock()
        self._written = 0.0
        self._path = _path_of(plural)

    def __enter__(self) -> Progress:
        global _current  # noqa: PLW0603 - a run has one progress, and the steps need not carry it along
        _remove_stale()
        _current = self
        return self

    def __exit__(self, *_: object) -> None:
        global _current  # noqa: PLW0603 - as above
        _current = None
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def advance(self, work: Work) -> None:
        """Note that a work has ended, well or badly."""
        with self._lock:
            self._done[work.node or "registry"] += 1
            self._last = work.name
            self._write()

    def transfer(self, what: str, done: int, total: int) -> None:
        """Note how many bytes of a long transfer are done, of 0 if nobody knows; a finished one is forgotten."""
        with self._lock:
            if done < total or not total:
                self._transfers[what] = (done, total)
            else:
                self._transfers.pop(what, None)
            self._write()

    def _write(self) -> None:
        now = time.monotonic()
        if now - self._written < _WRITE_EVERY_S:
            return
        self._written = now
        state = {
            "noun": self._plural,
            "done": sum(self._done.values()),
            "total": self._total,
            "nodes": dict(self._done),
            "last": self._last,
            "transfers": {what: {"done": done, "total": total} for what, (done, total) in self._transfers.items()},
        }
        _show(self._path, state)


def note_transfer(what: str, done: int, total: int) -> None:
    """Report bytes of a transfer to the run's progress, if it shows one."""
    if _current is not None:
        _current.transfer(what, done, total)


@contextlib.contextmanager
def shown_wait(plural: str, what: str) -> Iterator[Callable[[str], None]]:
    """Show what is waited for. What it gives is called with how far that is, again and again."""
    path = _path_of(plural)
    try:
        yield lambda how_far: _show(path, {"noun": plural, "waiting": f"{what}: {how_far}"})
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _path_of(plural: str) -> str:
    """Return the file of this process. Its number alone would say that of a killed one lives, once it is given anew."""
    return os.path.join(DIRECTORY, f"progress-{plural}-{_started_at(os.getpid())}-{os.getpid()}.json")


def _remove_stale() -> None:
    """Remove what killed runs have left, which would be shown beside that of those that live."""
    for path in glob.glob(os.path.join(DIRECTORY, "progress-*-*-*.json")):
        started, _, number = path.removesuffix(".json").rpartition("-")
        if number.isdigit() and started.rpartition("-")[2] != _started_at(int(number)):
            with contextlib.suppress(OSError):
                os.unlink(path)


def _started_at(process: int) -> str:
    """Return when a process was started, in the kernel's ticks; nothing if there is none of the number."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _show(path: str, state: Mapping[str, Any]) -> None:
    # Progress is a courtesy: a full disk must not fail the work.
    with contextlib.suppress(OSError):
        os.makedirs(DIRECTORY, mode=0o700, exist_ok=True)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(json.dumps(state) + "\n")  # a line each, since all are shown at once
        os.replace(f"{path}.new", path)
