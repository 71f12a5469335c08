# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OVSDB over mutual TLS against a real ovsdb-server: who is let in, and what is said to those who are not."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.ovsdb.protocol import Ovsdb
from ansible_collections.pextra.cloud.plugins.module_utils._doors.ovsdb.tls import connect_tls
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import UnreachableError

from tests.contract.authority import Authority

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    if not SCHEMA.exists():
        pytest.skip("Open vSwitch is not installed here (apt-get install openvswitch-switch)")
    with tempfile.TemporaryDirectory(prefix="ovs-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def ours(directory: Path) -> Authority:
    return Authority(directory / "ours")


@pytest.fixture(scope="module")
def theirs(directory: Path) -> Authority:
    return Authority(directory / "theirs")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def serve(directory: Path) -> Iterator[Any]:
    """Start ovsdb-servers, given a certificate and the CA of the clients; returns the port."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(certificate: dict[str, str], clients: str) -> int:
        port, name = free_port(), f"{directory}/{len(processes)}"
        subprocess.run(["ovsdb-tool", "create", f"{name}.db", str(SCHEMA)], check=True)
        argv = [
            str(shutil.which("ovsdb-server", path=PATH)),
            f"--remote=pssl:{port}:127.0.0.1",
            f"--unixctl={name}.ctl",
            f"--private-key={certificate['key_file']}",
            f"--certificate={certificate['certificate_file']}",
            f"--ca-cert={clients}",
            f"{name}.db",
        ]
        processes.append(
            subprocess.Popen(argv, stderr=subprocess.DEVNULL, env={"PATH": PATH, "OVS_RUNDIR": str(directory)})
        )
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return port
            time.sleep(0.05)
        raise AssertionError("ovsdb-server does not listen")

    yield start
    for process in processes:
        process.terminate()
        process.wait(timeout=10)


def connect(port: int, ca: str, certificate: dict[str, str]) -> Ovsdb:
    files = {"ca_file": ca, "crl_file": "/nonexistent", **certificate}
    return Ovsdb.greet("node2", lambda: connect_tls("node2", "127.0.0.1", port, **files))


def test_a_coordinator_is_let_in(ours: Authority, serve: Any) -> None:
    database = connect(serve(ours.make("node2"), ours.ca), ours.ca, ours.make("node1"))
    rows = database.transact([{"op": "select", "table": "Bridge", "where": []}], "read")
    assert rows == [{"rows": []}]
    database.close()


@pytest.mark.parametrize(
    ("server", "clients", "client", "text"),
    [
        (("theirs", {}), "ours", ("ours", {}), "is not of this deployment's CA"),
        (("ours", {"address": "127.0.0.2"}), "ours", ("ours", {}), "does not name it"),
        (("ours", {"days": -1}), "ours", ("ours", {}), "of its OVSDB is not valid now"),
        (("ours", {}), "theirs", ("ours", {}), "does not know this deployment's CA"),
        (("ours", {}), "ours", ("ours", {"days": -1}), "says that this coordinator's certificate has expired"),
    ],
)
def test_who_is_at_fault_is_told(
    ours: Authority, theirs: Authority, serve: Any, server: Any, clients: str, client: Any, text: str
) -> None:
    authorities = {"ours": ours, "theirs": theirs}
    server_certificate = authorities[server[0]].make("server", **server[1])
    port = serve(server_certificate, authorities[clients].ca)
    with pytest.raises(UnreachableError) as caught:
        connect(port, ours.ca, authorities[client[0]].make("client", **client[1]))
    problem = caught.value.problems[0]
    assert (problem.node, text in problem.what) == ("node2", True), problem.what
    assert problem.remedy


def test_what_does_not_listen_or_speak_tls_is_told(ours: Authority) -> None:
    certificate = ours.make("node1")
    with pytest.raises(UnreachableError, match=r"nothing listens on 127\.0\.0\.1 port"):
        connect(free_port(), ours.ca, certificate)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(UnreachableError, match="takes the connection, and is silent"),
    ):
        connect(server.getsockname()[1], ours.ca, certificate)


def test_a_coordinator_without_its_certificate_is_told(ours: Authority) -> None:
    missing = {"certificate_file": "/nonexistent/cert.pem", "key_file": "/nonexistent/key.pem"}
    with pytest.raises(UnreachableError, match="this coordinator's own certificate cannot be used"):
        connect(free_port(), ours.ca, missing)
