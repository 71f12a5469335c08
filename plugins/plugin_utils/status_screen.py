# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line at the bottom of a terminal that is painted anew while others write above it.

Whatever Ansible shows goes through one method of one object, from its workers too; that is where the line makes room.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ansible.utils.color import stringc
from ansible_collections.pextra.cloud.plugins.plugin_utils import progress
from ansible_collections.pextra.cloud.plugins.plugin_utils.status_line import Status, render_status, wrap

_PAINT_EVERY_S = 0.5
_CLEAR_REST = "\x1b[K"
_COLOUR = "cyan"
_WIDTH = 80


class StatusScreen:
    """Paints a status, from `open` to `close`. display: Ansible's, by which everything else is shown."""

    def __init__(self, display: Any, status: Status) -> None:
        self._display = display
        self._status = status
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._is_paused = True
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._show: Callable[..., None] | None = None
        self._pipe: tuple[int, int] | None = None
        # What stands there: painted again without need, it would flicker.
        self._painted: str | None = None

    def open(self) -> None:
        """Begin. Workers that are forked from here on tell the progress of modules to this line."""
        self._show = self._display.display
        self._display.display = self._show_above
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        progress.tell_to(self._pipe[1])
        atexit.register(self.close)
        self._thread = threading.Thread(target=self._watch, args=(self._pipe[0],), name="status", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take the line away, and everything that is there for it."""
        if self._thread is None or os.getpid() != self._process:
            return
        self._stop.set()
        self._thread.join(timeout=5)
        self._thread = None
        atexit.unregister(self.close)
        progress.tell_to(None)
        # What is shown from here on needs no room made.
        with contextlib.suppress(AttributeError):
            del self._display.display
        with contextlib.suppress(OSError, ValueError):
            self.pause()
        for end in self._pipe or ():
            os.close(end)

    def pause(self) -> None:
        """Take the line away until it is painted again: somebody is asked something."""
        with self._lock:
            self._is_paused = True
            self._clear()

    @contextlib.contextmanager
    def changing(self) -> Iterator[Status]:
        """Give the status to be changed, and paint it then."""
        with self._lock:
            yield self._status
            self._is_paused = False
            self._paint()

    def _show_above(self, *arguments: Any, **options: Any) -> None:
        """Be Display.display: show something above the line."""
        if self._show is None:
            return
        if os.getpid() != self._process:
            self._show(*arguments, **options)  # a worker has it sent to where the line is
            return
        with self._lock:
            if not self._is_paused:
                self._clear()
            self._show(*self._fit(*arguments, **options), **options)
            if not self._is_paused:
                # Otherwise what is waiting in one of the two would come into the line.
                sys.stderr.flush()
                self._paint()

    def _fit(self, text: str, *more: Any, **options: Any) -> tuple[Any, ...]:
        """Return what to show. A line of plain words is broken between them; what has its own form is left alone."""
        is_plain = not more and not options and "\n" not in text and text.isprintable()
        return ("\n".join(wrap(text, self.width)),) if is_plain else (text, *more)

    def _paint(self) -> None:
        # A full last line would scroll.
        line = stringc(render_status(self._status, self.width - 1, time.monotonic()), _COLOUR)
        if line != self._painted:
            # Over what stands there, and then away with what is left of it: nobody sees it empty.
            self._write(f"\r{line}{_CLEAR_REST}")
            self._painted = line

    def _clear(self) -> None:
        self._write(f"\r{_CLEAR_REST}")
        self._painted = None

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    @property
    def width(self) -> int:
        """How many cells a line has."""
        try:
            return os.get_terminal_size(sys.stdout.fileno()).columns or _WIDTH
        except (OSError, ValueError):
            return _WIDTH

    def _watch(self, told: int) -> None:
        """Paint again and again, with what modules say of their long work."""
        rest = b""
        while not self._stop.is_set():
            with contextlib.suppress(OSError, ValueError):
                if select.select([told], [], [], _PAINT_EVERY_S)[0]:
                    *lines, rest = (rest + os.read(told, 65536)).split(b"\n")
                    self._note(lines)
                with self._lock:
                    if not self._is_paused:
                        self._paint()

    def _note(self, lines: list[bytes]) -> None:
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                state = json.loads(line)
                with self._lock:
                    self._status.wait = str(state["text"]).strip()
                    self._status.done, self._status.total = int(state["done"]), int(state["total"])
