# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connecting to a node's OVSDB, over mutual TLS or the local socket, and why that fails."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable

from ..._model.errors import Problem, UnreachableError
from .. import tls
from ..hung_nodes import opening_bound, remember

PORT = 6640

_WHOSE = "its OVSDB"

DAEMON = "ovsdb"

CONNECT_TIMEOUT_S = 5.0

_ALERT_TIMEOUT_S = 1.0


def connect_socket(node: str, path: str) -> socket.socket:
    """Connect to a local ovsdb-server."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(CONNECT_TIMEOUT_S)
    try:
        connection.connect(path)
    except OSError as error:
        connection.close()
        raise UnreachableError([Problem(f"{path}: {error.strerror or error}", start_ovs(node), node)]) from error
    return connection


def connect_tls(
    node: str,
    address: str,
    port: int = PORT,
    *,
    ca_file: str = tls.CA_FILE,
    crl_file: str = tls.CRL_FILE,
    certificate_file: str = tls.CERTIFICATE_FILE,
    key_file: str = tls.KEY_FILE,
) -> socket.socket:
    """Connect over mutual TLS. Raises UnreachableError that says which side is at fault."""
    context = tls.context_for(
        node, ca_file=ca_file, crl_file=crl_file, certificate_file=certificate_file, key_file=key_file
    )
    try:
        plain = socket.create_connection((address, port), timeout=CONNECT_TIMEOUT_S)
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
            f"{address} port {port} does not answer within {CONNECT_TIMEOUT_S:g} s ({error})",
            "Check that the node is up and that the network lets the port through.",
            node,
        )
        raise UnreachableError([problem]) from error
    plain.settimeout(min(CONNECT_TIMEOUT_S, opening_bound(node, DAEMON)))
    try:
        return context.wrap_socket(plain, server_hostname=address)
    except (OSError, EOFError) as error:
        plain.close()
        if isinstance(error, TimeoutError):
            remember(node, DAEMON)
        raise UnreachableError([_explain_handshake(node, error)]) from error


def _explain_handshake(node: str, error: Exception) -> Problem:
    if isinstance(error, TimeoutError):
        return Problem(
            "stunnel before Open vSwitch's database is frozen or overloaded: it takes the connection, and is silent",
            f"On {node}: systemctl status pextra-ovsdb-tls. Then run again.",
            node,
        )
    return tls.explain(node, _WHOSE, error)


def explain_greeting(node: str, connect: Callable[[], socket.socket], error: Exception) -> Problem:
    if isinstance(error, TimeoutError):
        return Problem(
            "Open vSwitch's database (ovsdb-server) is frozen or overloaded: it takes the connection, and is silent",
            f"On {node}: systemctl status ovsdb-server. Then run again.",
            node,
        )
    alert = tls.alert_of(error) or _listen_for_alert(connect)
    if alert is not None:
        return tls.refused(node, _WHOSE, alert)
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
            return tls.alert_of(error)
    return None


def start_ovs(node: str) -> str:
    return f"On {node}: systemctl status openvswitch-switch; or run site.yml --tags node --limit {node}."
