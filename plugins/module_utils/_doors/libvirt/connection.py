# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An open connection to one node's libvirt, and how its calls are bounded and its errors become ours."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import libvirt

from ..._model.errors import (
    HypervisorError,
    NotFoundError,
    PextraError,
    Problem,
    UnreachableError,
)
from .. import hung_nodes, tls
from ..bounded import TooLateError, begin, bounded, wait
from .faults import errno_of
from .watch import (
    ANSWER_S,
    Call,
    Watch,
    shut_sockets,
)

TLS_PORT = 16514
_CONNECT_TIMEOUT_S = 5.0
_DAEMON = "libvirtd"
# What libvirt answers from what it knows. It waits itself for 30 s for a guest that something else is done with.
_CALL_LIMIT_S = 45.0
_CLOSE_LIMIT_S = 2.0
_POLL_EVERY_S = 0.25
_AT_ONCE_S = 0.1
# libvirtd serves five calls of one connection at once (max_client_requests): so many may be left alone on one.
_MOST_LEFT_ALONE = 3
Result = TypeVar("Result")
_NOT_FOUND = {
    libvirt.VIR_ERR_NO_DOMAIN,
    libvirt.VIR_ERR_NO_NETWORK,
    libvirt.VIR_ERR_NO_STORAGE_POOL,
    libvirt.VIR_ERR_NO_STORAGE_VOL,
    libvirt.VIR_ERR_NO_DOMAIN_METADATA,
    libvirt.VIR_ERR_NO_SECRET,
}
_FULL = {errno.ENOSPC, errno.EDQUOT}
# What libvirt says of a guest in which no agent answers.
NO_AGENT = {libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_AGENT_UNSYNCED}


class Connection:
    """Open it with `connect`. What can be done over it is in the other rooms."""

    def __init__(self, node: str, connection: libvirt.virConnect, uri: str, *, is_local: bool = False) -> None:
        """is_local: it runs on this host, so that a volume's path can be opened here."""
        self.node = node
        self.is_local = is_local
        self._connection = connection
        self._uri = uri
        # Whether the node has the driver of containers, LXC, beside QEMU's: its connection is opened when it is needed.
        self.has_containers = False
        self._container_driver: Any = None
        self._driver_lock = threading.Lock()
        # Storage pools that were defined and not started yet, by UUID.
        self._defined: dict[str, Any] = {}
        self._left_alone = 0
        # Connections on which others are left alone.
        self._spent: list[Any] = []
        # Those whose source hangs, by name.
        self._late_pools: dict[str, Problem] = {}
        self._watch = Watch(
            lambda: _answers(uri), lambda: _shut(uri), lambda: _note_hung(node, uri, None), self._make_small_call
        )

    @classmethod
    def connect(cls, node: str, address: str | None) -> Self:
        """Connect over mutual TLS to `address`, or to the local socket if it is None."""
        if address is not None:
            _probe(node, address)
            host = f"[{address}]" if ":" in address else address
            return cls.open(node, f"qemu+tls://{host}/system")
        return cls.open(node, "qemu:///system")

    @classmethod
    def open(cls, node: str, uri: str) -> Self:
        """Connect to any libvirt URI. Raises UnreachableError."""
        _silence_libvirt()
        limit_s = hung_nodes.opening_bound(node, _DAEMON)
        try:
            connection = bounded(lambda: libvirt.open(uri), limit_s, libvirt.libvirtError)
        except TooLateError as error:
            _shut(uri)  # lets the thread end
            raise UnreachableError([_note_hung(node, uri, limit_s)]) from error
        except libvirt.libvirtError as error:
            raise UnreachableError([_explain_connect(node, uri, error)]) from error
        hung_nodes.forget(node, _DAEMON)
        return cls(node, connection, uri, is_local=urlsplit(uri).hostname is None)

    def close(self) -> None:
        if self._left_alone or self._watch.nudges:
            # A thread is still in a call: what it uses must not be freed. Its call ends with the connection.
            self._watch.shut()
            for connection in self._opened():
                connection._o = None
            return
        for connection in self._opened():
            with contextlib.suppress(libvirt.libvirtError), self._watch.watched("close", _CLOSE_LIMIT_S):
                connection.close()

    def _opened(self) -> list[Any]:
        return [one for one in (self._container_driver, self._connection, *self._spent) if one is not None]

    def _drivers(self) -> list[Any]:
        """Return what has domains on the node: QEMU's driver, and that of containers where there is one.

        Called where errors are made ours; storage and networks are the same whichever driver is asked.
        """
        if not self.has_containers:
            return [self._connection]
        with self._driver_lock:
            if self._container_driver is None:
                self._container_driver = libvirt.open(self._uri.replace("qemu", "lxc", 1))
        return [self._connection, self._container_driver]

    def _make_small_call(self) -> None:
        with contextlib.suppress(libvirt.libvirtError):
            self._connection.getLibVersion()

    @property
    def frozen(self) -> Problem | None:
        """What is to be said of a daemon that was found frozen: every call raises it from then on."""
        return self._watch.frozen

    @property
    def is_given_up(self) -> bool:
        """Whether every further call fails: the daemon is frozen, or, while it answers, a call was stuck."""
        return self._watch.is_given_up

    @contextlib.contextmanager
    def _errors(self, doing: str, resource: str | None = None, *, limit_s: float = _CALL_LIMIT_S) -> Iterator[Call]:
        """Make errors of libvirt ours, and watch that it answers: what is called within, or each part of it of which
        `go_on` is told, may take limit_s.
        """
        self._refuse_given_up(doing, resource)
        try:
            with self._watch.watched(doing, limit_s) as call:
                yield call
        except libvirt.libvirtError as error:
            self._refuse_given_up(doing, resource, error)
            kind = NotFoundError if error.get_error_code() in _NOT_FOUND else HypervisorError
            text = (error.get_error_message() or str(error)).strip()
            raise kind([Problem(f"{doing}: {text}", self._remedy(error), self.node, resource)]) from error

    def _refuse_given_up(self, doing: str, resource: str | None, error: Exception | None = None) -> None:
        if self._watch.frozen is not None:
            raise UnreachableError([self._watch.frozen]) from error
        if self._watch.stuck is not None:
            problem = Problem(
                f"{doing}: given up, while libvirtd answers: {self._watch.stuck}",
                f"Look at what that waits for: on {self.node}, systemctl status libvirtd; then run again.",
                self.node,
                resource,
            )
            raise HypervisorError([problem]) from error

    def _remedy(self, error: libvirt.libvirtError) -> str:
        if errno_of(error) in _FULL:
            return "The disk is full: free space, or use another storage pool."
        if error.get_error_code() in NO_AGENT:
            return "qemu-guest-agent has to run in the guest; while a guest boots or hangs, it does not answer."
        if error.get_error_code() == libvirt.VIR_ERR_NO_CONNECT:
            return "It is declared to have containers: site.yml --tags node installs libvirt's driver for them."
        if not self._connection.isAlive():
            return "The connection broke: check the node, then run again."
        return ""

    @contextlib.contextmanager
    def _unless_lost(self) -> Iterator[None]:
        """Pass over what cannot be read, unless it is the connection that broke."""
        try:
            yield
        except libvirt.libvirtError:
            if self.is_given_up or not self._connection.isAlive():
                raise

    def _slowly(self, call: Callable[[], Result], limit_s: float, late: Problem, pool: str = "") -> Result:
        """Return what `call` returns, or raise `late` when it takes longer, and leave it alone: others can go on
        meanwhile. For what waits for more than libvirtd itself. pool: one that was late is not waited for again.
        """
        self._refuse_late(pool)
        try:
            return bounded(call, limit_s, PextraError, libvirt.libvirtError)
        except TooLateError as error:
            self._leave_alone()
            if pool:
                self._late_pools[pool] = late
            raise HypervisorError([late]) from error

    def _meanwhile(self, call: Callable[[], Result], limit_s: float, late: Problem) -> Generator[float, None, Result]:
        """As `_slowly`, for what takes long: yields how many seconds to wait before it is looked at again, instead of
        waiting.
        """
        outcome = begin(call, PextraError, libvirt.libvirtError)
        deadline = time.monotonic() + limit_s
        # What does not wait for anything is done by then.
        with contextlib.suppress(TooLateError):
            return wait(outcome, _AT_ONCE_S)
        while not outcome.done():
            if time.monotonic() >= deadline:
                self._leave_alone()
                raise HypervisorError([late])
            yield _POLL_EVERY_S
        return outcome.result()

    def _leave_alone(self) -> None:
        """Let a call that is late be, and others have a connection on which they are served."""
        with self._driver_lock:
            self._left_alone += 1
            if self._left_alone % _MOST_LEFT_ALONE or self.is_given_up:
                return
            # If it does not open either, the watch over those that are under way will tell why.
            with contextlib.suppress(TooLateError, libvirt.libvirtError):
                connection = bounded(lambda: libvirt.open(self._uri), ANSWER_S, libvirt.libvirtError)
                self._spent.append(self._connection)
                self._connection = connection

    def _refuse_late(self, pool: str) -> None:
        if pool in self._late_pools:
            raise HypervisorError([self._late_pools[pool]])


def _probe(node: str, address: str) -> None:
    """libvirt's own connect has no time limit: find out within a bound whether anything listens."""
    try:
        socket.create_connection((address, TLS_PORT), timeout=_CONNECT_TIMEOUT_S).close()
    except ConnectionRefusedError as error:
        problem = Problem(
            f"nothing listens on {address} port {TLS_PORT}: libvirtd does not run there",
            f"On {node}: systemctl status libvirtd-tls.socket libvirtd; or run site.yml --tags node --limit {node}.",
            node,
        )
        raise UnreachableError([problem]) from error
    except OSError as error:
        problem = Problem(
            f"{address} port {TLS_PORT} does not answer within {_CONNECT_TIMEOUT_S:g} s ({error})",
            "Check that the node is up and that the network lets the port through.",
            node,
        )
        raise UnreachableError([problem]) from error


def _explain_connect(node: str, uri: str, error: libvirt.libvirtError) -> Problem:
    text = (error.get_error_message() or str(error)).strip()
    parts = urlsplit(uri)
    if parts.scheme == "qemu+tls" and parts.hostname is not None:
        # libvirt tells what TLS finds fault with in words only.
        try:
            context = tls.context_for(node)
        except UnreachableError as own:
            return own.problems[0]
        fault = tls.find_fault(node, "its libvirtd", parts.hostname, parts.port or TLS_PORT, context)
        if fault is not None:
            return fault
    return Problem(f"libvirt cannot be reached: {text}", f"On {node}: systemctl status libvirtd.", node)


def _answers(uri: str) -> bool:
    """Whether a second connection opens. Called in a thread that is left alone if it hangs."""
    try:
        libvirt.open(uri).close()
    except libvirt.libvirtError:
        return False
    return True


def _shut(uri: str) -> None:
    parts = urlsplit(uri)
    if parts.hostname is not None:
        shut_sockets(parts.hostname, parts.port or TLS_PORT)
    elif not parts.scheme.startswith("test"):
        shut_sockets(None, 0)


def _note_hung(node: str, uri: str, opening_s: float | None) -> Problem:
    """Note that libvirtd is frozen, and say it. opening_s: how long opening was waited for; None: it had been open."""
    hung_nodes.remember(node, _DAEMON)
    parts = urlsplit(uri)
    where = f"{parts.hostname} port {parts.port or TLS_PORT}" if parts.hostname else "its local socket"
    how_long = f"within {ANSWER_S if opening_s is None else opening_s:g} s"
    then = "opens no connection" if opening_s is None else "takes the connection, and does not answer"
    return Problem(
        f"libvirtd is frozen or overloaded: {where} {then} {how_long}",
        f"On {node}: systemctl status libvirtd. Then run again.",
        node,
    )


def _silence_libvirt() -> None:
    """libvirt otherwise prints every error to standard error, where Ansible takes it for output."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
