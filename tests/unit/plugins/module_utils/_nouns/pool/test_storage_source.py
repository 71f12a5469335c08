# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether servers of storage pools answer, with real sockets: none that hangs may hang us."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool import source_test as _storage_source
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.sources import SourceTest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.source_test import find_bad_sources

Answer = Callable[[socket.socket], None]


@pytest.fixture
def listen() -> Iterator[Callable[[Answer], int]]:
    """Serve on loopback, each connection by `answer`; returns the port."""
    servers: list[socket.socket] = []

    def start(answer: Answer) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for server in servers:
        server.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_storage_source, "_ANSWER_TIMEOUT_S", 0.3)


def hang(connection: socket.socket) -> None:
    time.sleep(5)
    connection.close()


def speak(connection: socket.socket) -> None:
    """As a monitor of Ceph."""
    connection.sendall(b"ceph v2\n")
    hang(connection)


def reply(connection: socket.socket) -> None:
    """As an NFS server, which answers a call of RPC and nothing else."""
    call = connection.recv(100)
    assert len(call) == 44
    assert call[:4] == b"\x80\x00\x00\x28"
    connection.sendall(b"\x80\x00\x00\x18" + call[4:8] + b"\0\0\0\1" + bytes(16))
    hang(connection)


def started(pool_type: str, source: dict[str, Any], name: str = "one") -> SourceTest:
    row = Row("pool-x", "pool", name, "", {"type": pool_type, "source": source})
    return SourceTest(row, "node1", is_started=True)


def nfs(name: str = "one") -> SourceTest:
    return started("netfs", {"host": "127.0.0.1", "export": "/export", "format": "nfs"}, name)


def reason_of(test: SourceTest) -> str | None:
    cloud: Any = None  # servers are asked without the nodes
    return find_bad_sources(cloud, [test]).get((test.pool.name, test.node))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply, None),
        (hang, "127.0.0.1 port {port} does not answer within 0.3 s"),
        (lambda connection: connection.close(), "127.0.0.1 port {port} "),
    ],
)
def test_an_nfs_server(
    listen: Callable[[Answer], int], monkeypatch: pytest.MonkeyPatch, answer: Answer, reason: str | None
) -> None:
    port = listen(answer)
    monkeypatch.setitem(_storage_source._PORTS, "nfs", port)
    found = reason_of(nfs())
    assert (found is None) is (reason is None)
    assert found is None or found.startswith(str(reason).format(port=port))


def test_a_server_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    monkeypatch.setitem(_storage_source._PORTS, "nfs", port)
    assert str(reason_of(nfs())).startswith(f"127.0.0.1 port {port} cannot be reached (")


@pytest.mark.parametrize(("answer", "is_bad"), [(speak, False), (hang, True)])
def test_a_monitor_of_ceph(
    listen: Callable[[Answer], int], monkeypatch: pytest.MonkeyPatch, answer: Answer, is_bad: bool
) -> None:
    monkeypatch.setattr(_storage_source, "CEPH_PORT", listen(answer))
    # One that answers is enough: of two names, one is nobody's.
    test = started("rbd", {"monitors": ["127.0.0.1", "monitor.invalid"], "pool": "vms", "user": "pextra"})
    found = reason_of(test)
    assert (found is not None) is is_bad
    assert found is None or found.startswith("no monitor of Ceph answers: 127.0.0.1 port ")


def test_an_iscsi_portal_has_only_to_accept(listen: Callable[[Answer], int]) -> None:
    source = {"host": "127.0.0.1", "port": listen(hang), "target": "iqn.2026-01.com.example:a"}
    assert reason_of(started("iscsi", source)) is None


def test_a_server_of_many_pools_is_asked_once(listen: Callable[[Answer], int], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def count(connection: socket.socket) -> None:
        asked.append(connection)
        hang(connection)

    monkeypatch.setitem(_storage_source._PORTS, "nfs", listen(count))
    cloud: Any = None
    begun = time.monotonic()
    found = find_bad_sources(cloud, [nfs(f"pool{n}") for n in range(100)])
    assert len(found) == 100
    assert len(asked) == 1
    assert time.monotonic() - begun < 2
