# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OVSDB's protocol (RFC 7047): transactions with one ovsdb-server, over mutual TLS or the local socket.

JSON over a socket, spoken with the standard library. The Python IDL that Open vSwitch ships keeps a replica
of the database, which a process that reads once and writes once has no use for: fetching the schema and the
replica costs more than the work, its TLS settings are global to the process, and it hides why one was
refused.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..._model.errors import Problem, SwitchError, UnreachableError
from ..hung_nodes import forget, opening_bound, remember
from .tls import (
    CONNECT_TIMEOUT_S,
    DAEMON,
    connect_socket,
    connect_tls,
    explain_greeting,
    start_ovs,
)
from .values import Operation

SOCKET = "/run/openvswitch/db.sock"

DATABASE = "Open_vSwitch"

_REQUEST_TIMEOUT_S = 12.0

_CHUNK = 256 * 1024


class Ovsdb:
    """An open connection. Safe to use from several threads: requests take turns."""

    def __init__(self, node: str, connection: socket.socket) -> None:
        self.node = node
        self._socket: socket.socket | None = connection
        self.frozen: Problem | None = None
        self._lock = threading.Lock()
        self._buffer = b""
        self._serial = 0

    @classmethod
    def connect(cls, node: str, address: str | None) -> Ovsdb:
        """Connect over mutual TLS to `address`, None is the local socket. Raises UnreachableError."""
        if address is None:
            return cls.greet(node, lambda: connect_socket(node, SOCKET))
        return cls.greet(node, lambda: connect_tls(node, address))

    @classmethod
    def greet(cls, node: str, connect: Callable[[], socket.socket]) -> Ovsdb:
        """Connect and ask something harmless: with TLS 1.3 a refused client hears of it only when it first reads."""
        connection = connect()
        database = cls(node, connection)
        try:
            databases = database._request("list_dbs", [], min(CONNECT_TIMEOUT_S, opening_bound(node, DAEMON)))
        except (OSError, EOFError) as error:
            database.close()
            if isinstance(error, TimeoutError):
                remember(node, DAEMON)
            raise UnreachableError([explain_greeting(node, connect, error)]) from error
        forget(node, DAEMON)
        if DATABASE not in databases:
            database.close()
            raise UnreachableError([Problem(f"its OVSDB has no database {DATABASE}", start_ovs(node), node)])
        return database

    @property
    def is_given_up(self) -> bool:
        """Whether it was closed, by an error or in the end."""
        return self._socket is None

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def transact(
        self, operations: Sequence[Operation], doing: str, resource: str | None = None
    ) -> list[dict[str, Any]]:
        """Carry out operations, all or none, and return their results.

        Raises SwitchError if one is refused, UnreachableError if the connection broke: then nobody knows whether
        it was carried out, and the next run finds out.
        """
        # The server itself waits for what it is asked to wait for.
        timeout_s = _REQUEST_TIMEOUT_S + sum(operation.get("timeout", 0) for operation in operations) / 1000
        with self._lock:
            if self.frozen is not None:
                raise UnreachableError([self.frozen])
            try:
                results = self._request("transact", [DATABASE, *operations], timeout_s)
            except TimeoutError as error:
                self.close()
                remember(self.node, DAEMON)
                self.frozen = Problem(
                    f"Open vSwitch's database is frozen or overloaded: nothing came within {timeout_s:g} s",
                    f"On {self.node}: systemctl status ovsdb-server pextra-ovsdb-tls. Then then run again.",
                    self.node,
                )
                raise UnreachableError([self.frozen]) from error
            except (OSError, EOFError) as error:
                self.close()
                problem = Problem(
                    f"{doing}: the connection to OVSDB broke ({error})",
                    "Check the node, then run again.",
                    self.node,
                    resource,
                )
                raise UnreachableError([problem]) from error
        # A refused commit is one result more than there are operations.
        for result in results:
            if result is not None and "error" in result:
                raise SwitchError([_explain_refusal(doing, result, self.node, resource)])
        return list(results)

    def _request(self, method: str, params: Sequence[Any], timeout_s: float) -> Any:
        """Ask, and return the answer. Raises TimeoutError when it has not all come in time."""
        connection = self._socket
        if connection is None:
            raise ConnectionError("it was closed after an error")
        deadline = time.monotonic() + timeout_s
        connection.settimeout(timeout_s)
        self._serial += 1
        _send(connection, {"method": method, "params": params, "id": self._serial})
        while True:
            message = self._receive(connection, deadline)
            if message.get("method") == "echo":
                _send(connection, {"result": message["params"], "error": None, "id": message["id"]})
            elif message.get("id") == self._serial:
                if message.get("error") is not None:
                    raise SwitchError([Problem(f"OVSDB refused {method}: {message['error']}", "", self.node)])
                return message["result"]

    def _receive(self, connection: socket.socket, deadline: float) -> dict[str, Any]:
        decoder = json.JSONDecoder()
        while True:
            # Parsing is tried only where a message may end, so that a long one is not parsed at every chunk.
            if self._buffer.endswith(b"}"):
                text = self._buffer.decode()
                with contextlib.suppress(json.JSONDecodeError):
                    message, end = decoder.raw_decode(text)
                    self._buffer = text[end:].encode()
                    return dict(message)
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("it did not come in time")
            connection.settimeout(left_s)
            chunk = connection.recv(_CHUNK)
            if not chunk:
                raise EOFError("the other side closed it")
            self._buffer += chunk


def _send(connection: socket.socket, message: Mapping[str, Any]) -> None:
    connection.sendall(json.dumps(message).encode())


def _explain_refusal(doing: str, result: Mapping[str, Any], node: str, resource: str | None) -> Problem:
    text = f"{result['error']}: {result['details']}" if result.get("details") else str(result["error"])
    if result["error"] == "timed out":
        return Problem(
            f"{doing}: it is not as it was a moment ago",
            "Something else is changing it; run again.",
            node,
            resource,
        )
    remedy = "Look at the node's disk: it may be full." if result["error"] == "I/O error" else ""
    return Problem(f"{doing}: {text}", remedy, node, resource)
