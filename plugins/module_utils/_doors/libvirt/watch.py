# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching calls that wait for a daemon, so that none of them waits for ever.

A call to libvirt cannot be cancelled. But it ends when its connection's socket is shut down: one thread looks at all
calls that are under way. Of a connection on which one is silent for long it asks the daemon over a second connection;
if that does not open, the daemon is frozen, and every call to it fails at once, now and for the rest of the run. If it
opens, the call is let go on, up to its own limit.

Of two calls on one connection the later one can be stuck although the daemon answers: libvirt's client may miss that it
has begun (virNetClientIOEventLoop; seen with 9.0) and sends it when the earlier one ends, which for a move may be
minutes later. Any further call wakes it. So where one is silent while another is under way, a small one is made beside
them.

A call costs a few microseconds for this, and no thread.
"""

from __future__ import annotations

import collections
import contextlib
import ipaddress
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

from ..._model.errors import Problem

_LOOK_EVERY_S = 0.25
# A silent call lets the daemon be asked, again and again as long as it answers; it has this long to.
_ASK_AFTER_S = 4.0
ANSWER_S = 8.0
# So long a call is silent before it may be stuck behind another one; so many calls to wake it are under way at most.
_NUDGE_AFTER_S = 1.0
_NUDGES = 8

_calls: dict[int, Call] = {}
_lock = threading.Lock()
_thread: threading.Thread | None = None


class Call:
    """A call that is under way, or one after the other for one purpose: `go_on` says that one of them has ended."""

    __slots__ = ("doing", "heard", "limit_s", "watch")

    def __init__(self, watch: Watch, doing: str, limit_s: float) -> None:
        self.watch = watch
        self.doing = doing
        self.limit_s = limit_s
        self.heard = time.monotonic()

    def go_on(self) -> None:
        self.heard = time.monotonic()


class Watch:
    """Over one connection. ask: whether its daemon answers anybody, asked in a thread of its own; hung: what to say if
    it does not; shut: ends every call; nudge: makes a small call on the connection itself, likewise in a thread.
    """

    def __init__(
        self,
        ask: Callable[[], bool],
        shut: Callable[[], None],
        hung: Callable[[], Problem],
        nudge: Callable[[], object],
    ) -> None:
        self._ask = ask
        self.shut = shut
        self._hung = hung
        self._nudge = nudge
        self._asked = self._answered = self._nudged = -math.inf
        # How many nudges are under way.
        self.nudges = 0
        # Why the connection was given up: its daemon is frozen, or a call on it was stuck while the daemon answered.
        self.frozen: Problem | None = None
        self.stuck: str | None = None
        self._before: list[Callable[[], None]] = []

    @property
    def is_given_up(self) -> bool:
        return self.frozen is not None or self.stuck is not None

    @contextlib.contextmanager
    def watched(self, doing: str, limit_s: float) -> Iterator[Call]:
        """Watch what is called within."""
        call = Call(self, doing, limit_s)
        key = id(call)
        _calls[key] = call
        _start()
        try:
            yield call
        finally:
            del _calls[key]

    def look(self, call: Call, now: float, *, is_alone: bool) -> None:
        """Do what is due for one call that is under way. is_alone: no other one is, on this connection."""
        if self.is_given_up:
            return
        if not is_alone and now - max(call.heard, self._nudged) >= _NUDGE_AFTER_S and self.nudges < _NUDGES:
            self._nudged = now
            self._count_nudges(1)
            threading.Thread(target=self._wake, name="watch-nudge", daemon=True).start()
        if now - call.heard >= call.limit_s:
            self.drop(f"'{call.doing}' took more than {call.limit_s:g} s")
            return
        silent_s = now - max(call.heard, self._answered)
        if silent_s >= _ASK_AFTER_S + ANSWER_S:
            self.give_up()
        elif silent_s >= _ASK_AFTER_S and now - self._asked >= ANSWER_S:
            self._asked = now
            threading.Thread(target=self._find_out, name="watch-ask", daemon=True).start()

    @contextlib.contextmanager
    def before_giving_up(self, call: Callable[[], None]) -> Iterator[None]:
        """Call this first if the daemon freezes; it must not wait for anything."""
        self._before.append(call)
        try:
            yield
        finally:
            self._before.remove(call)

    def drop(self, why: str) -> None:
        """Give the connection up though its daemon answers."""
        self.stuck = self.stuck or why
        self.shut()

    def give_up(self) -> None:
        """The daemon does not answer: end every call, and let nobody begin another."""
        for call in list(self._before):
            call()
        self.frozen = self._hung()
        self.shut()

    def _wake(self) -> None:
        try:
            self._nudge()
        finally:
            self._count_nudges(-1)

    def _count_nudges(self, change: int) -> None:
        with _lock:
            self.nudges += change

    def _find_out(self) -> None:
        if self._ask():
            self._answered, self._asked = time.monotonic(), -math.inf


def _start() -> None:
    global _thread  # noqa: PLW0603 - one thread looks at all calls of the process
    if _thread is None:
        with _lock:
            if _thread is None:
                thread = threading.Thread(target=_look_on, name="watch", daemon=True)
                thread.start()
                _thread = thread


def _look_on() -> None:
    pause = threading.Event()
    while not pause.wait(_LOOK_EVERY_S):
        now = time.monotonic()
        calls = list(_calls.values())
        counts = collections.Counter(id(call.watch) for call in calls)
        for call in calls:
            call.watch.look(call, now, is_alone=counts[id(call.watch)] == 1)


def shut_sockets(host: str | None, port: int) -> None:
    """Shut down this process's connections to a server, whoever uses them; None: to libvirt's local sockets.

    A process has at most one connection to a daemon, and those with which it is asked.
    """
    addresses = _addresses_of(host, port) if host is not None else frozenset()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError, ValueError), _copy_of(int(number)) as found:
            peer = found.getpeername()
            if host is None:
                matches = found.family == socket.AF_UNIX and "/libvirt/" in str(peer)
            else:
                matches = found.family != socket.AF_UNIX and peer[1] == port and _plain(peer[0]) in addresses
            if matches:
                found.shutdown(socket.SHUT_RDWR)


def _copy_of(number: int) -> socket.socket:
    """Return a descriptor of our own, as the number may be another file's by now. Raises OSError for other files."""
    copy = os.dup(number)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def _addresses_of(host: str, port: int) -> frozenset[str]:
    with contextlib.suppress(ValueError):
        return frozenset({_plain(host)})
    with contextlib.suppress(OSError):
        return frozenset(_plain(str(found[4][0])) for found in socket.getaddrinfo(host, port))
    return frozenset()


def _plain(address: str) -> str:
    """One notation for each address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
