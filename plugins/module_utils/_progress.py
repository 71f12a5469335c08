"""Progress of long work, written where the action plugins look for it."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import Counter

from ._plan._types import Work

DIRECTORY = "/run/pextra"
_WRITE_EVERY_S = 0.5


class Progress:
    """Counts finished works. The file names the process, so that two runs do not write into one."""

    def __init__(self, plural: str, total: int) -> None:
        self._plural = plural
        self._total = total
        self._done: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._written = 0.0
        self._path = os.path.join(DIRECTORY, f"progress-{plural}-{os.getpid()}.json")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def advance(self, work: Work) -> None:
        """Note that a work has ended, well or badly."""
        with self._lock:
            self._done[work.node or "registry"] += 1
            now = time.monotonic()
            if now - self._written < _WRITE_EVERY_S:
                return
            self._written = now
            state = {
                "noun": self._plural,
                "done": sum(self._done.values()),
                "total": self._total,
                "nodes": dict(self._done),
                "last": work.name,
            }
            # Progress is a courtesy: a full disk must not fail the work.
            with contextlib.suppress(OSError):
                os.makedirs(DIRECTORY, mode=0o700, exist_ok=True)
                with open(f"{self._path}.new", "w", encoding="utf-8") as file:
                    json.dump(state, file)
                os.replace(f"{self._path}.new", self._path)
