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
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import _tls
from ._errors import Problem, SwitchError, UnreachableError
from ._hung_nodes import forget, opening_bound, remember

PORT = 6640
SOCKET = "/run/openvswitch/db.sock"
DATABASE = "Open_vSwitch"
_WHOSE = "its OVSDB"
_DAEMON = "ovsdb"
_CONNECT_TIMEOUT_S = 5.0
_REQUEST_TIMEOUT_S = 12.0
_ALERT_TIMEOUT_S = 1.0
_CHUNK = 256 * 1024

Operation = Mapping[str, Any]


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
            databases = database._request("list_dbs", [], min(_CONNECT_TIMEOUT_S, opening_bound(node, _DAEMON)))
        except (OSError, EOFError) as error:
            database.close()
            if isinstance(error, TimeoutError):
                remember(node, _DAEMON)
            raise UnreachableError([_explain_greeting(node, connect, error)]) from error
        forget(node, _DAEMON)
        if DATABASE not in databases:
            database.close()
            raise UnreachableError([Problem(f"its OVSDB has no database {DATABASE}", _start_ovs(node), node)])
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
                remember(self.node, _DAEMON)
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


def connect_socket(node: str, path: str) -> socket.socket:
    """Connect to a local ovsdb-server."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_CONNECT_TIMEOUT_S)
    try:
        connection.connect(path)
    except OSError as error:
        connection.close()
        raise UnreachableError([Problem(f"{path}: {error.strerror or error}", _start_ovs(node), node)]) from error
    return connection


def connect_tls(
    node: str,
    address: str,
    port: int = PORT,
    *,
    ca_file: str = _tls.CA_FILE,
    crl_file: str = _tls.CRL_FILE,
    certificate_file: str = _tls.CERTIFICATE_FILE,
    key_file: str = _tls.KEY_FILE,
) -> socket.socket:
    """Connect over mutual TLS. Raises UnreachableError that says which side is at fault."""
    context = _tls.context_for(
        node, ca_file=ca_file, crl_file=crl_file, certificate_file=certificate_file, key_file=key_file
    )
    try:
        plain = socket.create_connection((address, port), timeout=_CONNECT_TIMEOUT_S)
    except ConnectionRefusedError as error:
        problem = Problem(
            f"nothing listens on {address} port {port}: OVSDB is not offered there",
            f"On {node}: systemctl status pextra-ovsdb-tls openvswitch-switch; "
            f"or run site.yml --tags node --limit {node}.",
            node,
        )
        raise UnreachableError([problem]) from error
    except OSError as error:
        problem = Problem(
            f"{address} port {port} does not answer within {_CONNECT_TIMEOUT_S:g} s ({error})",
            "Check that the node is up and that the network lets the port through.",
            node,
        )
        raise UnreachableError([problem]) from error
    plain.settimeout(min(_CONNECT_TIMEOUT_S, opening_bound(node, _DAEMON)))
    try:
        return context.wrap_socket(plain, server_hostname=address)
    except (OSError, EOFError) as error:
        plain.close()
        if isinstance(error, TimeoutError):
            remember(node, _DAEMON)
        raise UnreachableError([_explain_handshake(node, error)]) from error


# RFC 7047, section 5.1: a map is written as ["map", [[key, value], ...]].


def map_of(values: Mapping[str, str]) -> Any:
    """Return a map as a column's value."""
    return ["map", [[key, value] for key, value in values.items()]]


def mutate(table: str, where: list[Any], column: str, mutator: str, value: Any) -> Operation:
    """Return the operation that changes one column of the rows that match; an empty `where` matches all."""
    return {"op": "mutate", "table": table, "where": where, "mutations": [[column, mutator, value]]}


def edit_map(table: str, where: list[Any], column: str, values: Mapping[str, str | None]) -> list[Operation]:
    """Return the operations that set keys of a map and remove those whose value is None. Other keys stay."""
    if not values:
        return []
    # "insert" keeps a key that is there already, so it is removed first.
    fresh = {key: value for key, value in values.items() if value is not None}
    operations = [mutate(table, where, column, "delete", ["set", list(values)])]
    if fresh:
        operations.append(mutate(table, where, column, "insert", map_of(fresh)))
    return operations


def _explain_handshake(node: str, error: Exception) -> Problem:
    if isinstance(error, TimeoutError):
        return Problem(
            "stunnel before Open vSwitch's database is frozen or overloaded: it takes the connection, and is silent",
            f"On {node}: systemctl status pextra-ovsdb-tls. Then run again.",
            node,
        )
    return _tls.explain(node, _WHOSE, error)


def _explain_greeting(node: str, connect: Callable[[], socket.socket], error: Exception) -> Problem:
    if isinstance(error, TimeoutError):
        return Problem(
            "Open vSwitch's database (ovsdb-server) is frozen or overloaded: it takes the connection, and is silent",
            f"On {node}: systemctl status ovsdb-server. Then run again.",
            node,
        )
    alert = _tls.alert_of(error) or _listen_for_alert(connect)
    if alert is not None:
        return _tls.refused(node, _WHOSE, alert)
    return Problem(
        "its OVSDB closed the connection at once",
        f"Either ovsdb-server is down (systemctl status openvswitch-switch on {node}), or the node does not "
        f"accept this coordinator's name (run site.yml --tags node --limit {node}).",
        node,
    )


def _listen_for_alert(connect: Callable[[], socket.socket]) -> ssl.SSLError | None:
    """Connect again and only listen: what the other side says before it closes is lost to one who is writing."""
    with contextlib.suppress(UnreachableError):  # it does not even take a connection now
        try:
            with connect() as connection:
                connection.settimeout(_ALERT_TIMEOUT_S)
                connection.recv(1)
        except OSError as error:
            return _tls.alert_of(error)
    return None


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


def _start_ovs(node: str) -> str:
    return f"On {node}: systemctl status openvswitch-switch; or run site.yml --tags node --limit {node}."
