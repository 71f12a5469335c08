# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Daemons that take a connection and then say nothing, or stop in the middle: each costs its bound, and no more."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors import hung_nodes
from ansible_collections.pextra.cloud.plugins.module_utils._doors.bounded import TooLateError, bounded
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt import watch
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._doors.ovsdb import protocol, tls
from ansible_collections.pextra.cloud.plugins.module_utils._doors.ovsdb.protocol import Ovsdb
from ansible_collections.pextra.cloud.plugins.module_utils._doors.ovsdb.tls import connect_socket, connect_tls
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import (
    HypervisorError,
    Problem,
    UnreachableError,
)

OPENING_S = 0.5
ASK_AFTER_S, ANSWER_S = 0.3, 0.7
# What the machine may add, busy as it is.
SLACK_S = 3.0


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The bounds of the real thing, in small."""
    monkeypatch.setattr(hung_nodes, "DIRECTORY", str(tmp_path / "hung"))
    monkeypatch.setattr(hung_nodes, "OPENING_S", OPENING_S)
    monkeypatch.setattr(hung_nodes, "_SHORT_S", OPENING_S / 5)
    monkeypatch.setattr(watch, "_LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(watch, "_ASK_AFTER_S", ASK_AFTER_S)
    monkeypatch.setattr(watch, "ANSWER_S", ANSWER_S)
    monkeypatch.setattr(tls, "CONNECT_TIMEOUT_S", OPENING_S)
    monkeypatch.setattr(protocol, "CONNECT_TIMEOUT_S", OPENING_S)
    monkeypatch.setattr(protocol, "_REQUEST_TIMEOUT_S", OPENING_S)


class Server:
    """Takes connections and lets `talk` do the rest. It listens at an address, or at a path."""

    def __init__(self, talk: Callable[[Server, socket.socket], None], path: Path | None = None) -> None:
        self.talk = talk
        self.frozen = threading.Event()
        self.accepted = 0
        self._taken: list[socket.socket] = []
        self._socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._socket.bind(str(path) if path else ("127.0.0.1", 0))
        self._socket.listen()
        self.port = 0 if path else int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = self._socket.accept()
                self.accepted += 1
                self._taken.append(taken)
                threading.Thread(target=self._talk, args=(taken,), daemon=True).start()

    def _talk(self, taken: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            self.talk(self, taken)

    def close(self) -> None:
        self._socket.close()
        for taken in self._taken:
            taken.close()


def silent(_: Server, __: socket.socket) -> None:
    """Says nothing."""


def few_bytes(_: Server, taken: socket.socket) -> None:
    """Says something that no message is complete with."""
    taken.recv(1)
    taken.sendall(b"\x00\x00\x00")


def trickle(_: Server, taken: socket.socket) -> None:
    """Never falls silent, and never ends."""
    taken.recv(1)
    while True:
        taken.sendall(b" ")
        time.sleep(OPENING_S / 5)


# libvirt's protocol, as far as a connection is opened with it: length, program, version, procedure, type, serial,
# status; then what belongs to the procedure.
_HEADER = struct.Struct(">IIIIiIi")
_OPEN, _CLOSE, _SUPPORTS, _AUTHS, _LIB_VERSION = 1, 2, 60, 66, 157
_ANSWERS = {
    _AUTHS: struct.pack(">I", 0),
    _OPEN: b"",
    _CLOSE: b"",
    _SUPPORTS: struct.pack(">i", 0),
    _LIB_VERSION: struct.pack(">Q", 9_000_000),
}


def libvirtd(server: Server, taken: socket.socket) -> None:
    """Opens connections until it freezes, and answers nothing else."""
    while True:
        head = _exactly(taken, _HEADER.size)
        length, program, version, procedure, _, serial, _ = _HEADER.unpack(head)
        _exactly(taken, length - _HEADER.size)
        if procedure in _ANSWERS and not server.frozen.is_set():
            body = _ANSWERS[procedure]
            taken.sendall(_HEADER.pack(_HEADER.size + len(body), program, version, procedure, 1, serial, 0) + body)


def _exactly(taken: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = taken.recv(length - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def ovsdb(server: Server, taken: socket.socket) -> None:
    """Tells its databases until it freezes, and answers nothing else."""
    while text := taken.recv(65536):
        request = json.loads(text)
        if request["method"] == "list_dbs" and not server.frozen.is_set():
            answer = {"id": request["id"], "result": ["Open_vSwitch"], "error": None}
            taken.sendall(json.dumps(answer).encode())


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(talk: Callable[[Server, socket.socket], None], path: Path | None = None) -> Server:
        servers.append(Server(talk, path))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def local(tmp_path: Path) -> Path:
    (tmp_path / "libvirt").mkdir()
    return tmp_path / "libvirt" / "sock"


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds + SLACK_S


def uri_of(server: Server) -> str:
    return f"qemu+tcp://127.0.0.1:{server.port}/system"


@pytest.mark.parametrize("talk", [silent, few_bytes])
def test_opening_libvirt_is_bounded(serve: Serve, talk: Callable[[Server, socket.socket], None]) -> None:
    server = serve(talk)
    with within(OPENING_S), pytest.raises(UnreachableError) as caught:
        Hypervisor.open("node2", uri_of(server))
    (problem,) = caught.value.problems
    assert problem.node == "node2"
    assert f"libvirtd is frozen or overloaded: 127.0.0.1 port {server.port}" in problem.what
    assert "On node2: systemctl status libvirtd" in problem.remedy


@pytest.mark.parametrize("talk", [silent, few_bytes])
def test_opening_the_local_libvirt_is_bounded(
    serve: Serve, local: Path, talk: Callable[[Server, socket.socket], None]
) -> None:
    serve(talk, local)
    with within(OPENING_S), pytest.raises(UnreachableError, match="node1: libvirtd is frozen or overloaded: its local"):
        Hypervisor.open("node1", f"qemu+unix:///system?socket={local}")


def test_the_next_run_asks_a_frozen_daemon_shortly_and_an_answer_ends_that(serve: Serve) -> None:
    server = serve(libvirtd)
    server.frozen.set()
    for seconds in (OPENING_S, OPENING_S / 5):
        assert hung_nodes.opening_bound("node2", "libvirtd") == pytest.approx(seconds)
        with pytest.raises(UnreachableError, match=f"within {seconds:g} s"):
            Hypervisor.open("node2", uri_of(server))
    assert hung_nodes.opening_bound("node3", "libvirtd") == hung_nodes.opening_bound("node2", "ovsdb") == OPENING_S
    server.frozen.clear()
    Hypervisor.open("node2", uri_of(server)).close()
    assert hung_nodes.opening_bound("node2", "libvirtd") == OPENING_S


def test_calls_to_a_daemon_that_freezes_end_and_no_other_begins(serve: Serve) -> None:
    server = serve(libvirtd)
    hypervisor = Hypervisor.open("node2", uri_of(server))
    server.frozen.set()
    with within(ASK_AFTER_S + ANSWER_S), pytest.raises(UnreachableError, match="node2: libvirtd is frozen") as caught:
        hypervisor.networks()
    assert hypervisor.frozen == caught.value.problems[0]
    asked = server.accepted
    with within(0):
        for call in (hypervisor.domains, hypervisor.pools, hypervisor.host, hypervisor.secrets):
            with pytest.raises(UnreachableError, match="node2: libvirtd is frozen"):
                call()
        with pytest.raises(UnreachableError, match="node2: libvirtd is frozen"):
            hypervisor.start_domain("11111111-2222-3333-4444-555555555555", "instance web-1")
        hypervisor.close()
    assert server.accepted == asked


def test_the_local_daemon_freezes_as_well(serve: Serve, local: Path) -> None:
    server = serve(libvirtd, local)
    hypervisor = Hypervisor.open("node1", f"qemu+unix:///system?socket={local}")
    server.frozen.set()
    with within(ASK_AFTER_S + ANSWER_S), pytest.raises(UnreachableError, match="node1: libvirtd is frozen"):
        hypervisor.domains()
    hypervisor.close()


def test_calls_of_all_threads_end(serve: Serve) -> None:
    server = serve(libvirtd)
    hypervisor = Hypervisor.open("node2", uri_of(server))
    server.frozen.set()
    failed: list[str] = []

    def call() -> None:
        with pytest.raises(UnreachableError) as caught:
            hypervisor.domains()
        failed.append(str(caught.value))

    threads = [threading.Thread(target=call) for _ in range(4)]
    with within(ASK_AFTER_S + ANSWER_S):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert len(failed) == 4
    assert len(set(failed)) == 1


def test_a_call_that_is_stuck_while_the_daemon_answers_has_its_own_limit(serve: Serve) -> None:
    server = serve(libvirtd)
    hypervisor = Hypervisor.open("node2", uri_of(server))
    began = time.monotonic()
    with pytest.raises(HypervisorError) as caught, hypervisor._errors("list networks", limit_s=3.0):
        hypervisor._connection.listAllNetworks()
    assert 3.0 <= time.monotonic() - began < 3.0 + SLACK_S
    assert "while libvirtd answers: 'list networks' took more than 3 s" in str(caught.value)
    assert not isinstance(caught.value, UnreachableError)
    assert hypervisor.is_given_up
    assert hypervisor.frozen is None
    hypervisor.close()


LATE = Problem("its QEMU may be frozen", node="node2", resource="instance web-1")


def hangs(hypervisor: Hypervisor) -> str:
    """Call what waits for a guest."""
    with hypervisor._errors("attach a device", "instance web-1", limit_s=math.inf):
        return str(hypervisor._connection.getHostname())


def late(hypervisor: Hypervisor, limit_s: float) -> None:
    hypervisor._slowly(lambda: hangs(hypervisor), limit_s, LATE)


def test_what_waits_for_a_guest_leaves_the_connection_to_others(serve: Serve) -> None:
    server = serve(libvirtd)
    hypervisor = Hypervisor.open("node2", uri_of(server))
    with within(0.5), pytest.raises(HypervisorError, match="its QEMU may be frozen"):
        late(hypervisor, 0.5)
    assert not hypervisor.is_given_up
    with within(0):
        hypervisor.close()


def few_at_once(server: Server, taken: socket.socket) -> None:
    """As libvirtd, which reads no more of a connection that five of its calls are under way on."""
    pending = 0
    while pending < 5:
        head = _exactly(taken, _HEADER.size)
        length, program, version, procedure, _, serial, _ = _HEADER.unpack(head)
        _exactly(taken, length - _HEADER.size)
        if procedure in _ANSWERS:
            body = _ANSWERS[procedure]
            taken.sendall(_HEADER.pack(_HEADER.size + len(body), program, version, procedure, 1, serial, 0) + body)
        else:
            pending += 1
    threading.Event().wait(30)


def test_guests_that_are_frozen_leave_a_connection_to_others(serve: Serve) -> None:
    server = serve(few_at_once)
    hypervisor = Hypervisor.open("node2", uri_of(server))
    with within(3.0):
        for _ in range(12):
            with pytest.raises(HypervisorError, match="its QEMU may be frozen"):
                late(hypervisor, 0.1)
            with hypervisor._errors("read its version"):
                assert hypervisor._connection.getLibVersion() == 9_000_000
    assert not hypervisor.is_given_up
    with within(0):
        hypervisor.close()


def test_what_is_waited_for_by_no_worker_leaves_a_connection_to_others(serve: Serve) -> None:
    server = serve(few_at_once)
    hypervisor = Hypervisor.open("node2", uri_of(server))
    asking = [hypervisor._in_turn(lambda: hangs(hypervisor), 0.3, LATE) for _ in range(8)]
    told: list[str] = []
    with within(10):
        while asking:
            time.sleep(0.05)
            for one in list(asking):
                try:
                    next(one)
                except HypervisorError as error:
                    told.append(str(error))
                    asking.remove(one)
                with hypervisor._errors("read its version"):
                    assert hypervisor._connection.getLibVersion() == 9_000_000
    assert told == ["node2: instance web-1: its QEMU may be frozen"] * 8
    assert not hypervisor.is_given_up
    with within(0):
        hypervisor.close()


def test_no_call_is_stuck_behind_one_that_waits(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """libvirt 9.0 sends about one of a hundred calls only when the one before it ends, or when another one begins."""
    monkeypatch.setattr(watch, "_NUDGE_AFTER_S", 0.1)
    server = serve(libvirtd)
    hypervisor = Hypervisor.open("node2", uri_of(server))
    with pytest.raises(HypervisorError):
        late(hypervisor, 0.1)
    for _ in range(1000):
        with within(1.0), hypervisor._errors("read its version", limit_s=30.0):
            # From a thread of its own, as another instance's step is.
            assert bounded(hypervisor._connection.getLibVersion, 30.0) == 9_000_000
    hypervisor.close()


def test_closing_is_bounded(serve: Serve) -> None:
    server = serve(libvirtd)
    hypervisor = Hypervisor.open("node2", uri_of(server))
    server.frozen.set()
    with within(2.0):
        hypervisor.close()


def test_a_process_ends_though_a_call_hangs() -> None:
    """Python waits for no thread of ours."""
    program = (
        "import sys, threading; sys.path[:0] = sys.argv[1:]\n"
        "from ansible_collections.pextra.cloud.plugins.module_utils._doors.bounded import TooLateError, bounded\n"
        "try: bounded(threading.Event().wait, 0.1)\n"
        "except TooLateError: print('late')"
    )
    with within(0.1):
        tree = str(Path(__file__).resolve().parents[2] / ".build" / "unit")
        done = subprocess.run(
            [sys.executable, "-c", program, tree], check=False, capture_output=True, text=True, timeout=20
        )
    assert done.stdout == "late\n", done.stderr


def test_bounded_tells_its_own_lateness_from_the_calls() -> None:
    def late() -> None:
        raise TimeoutError("of the call")

    with pytest.raises(TimeoutError, match="of the call"):
        bounded(late, 5, TimeoutError)
    with pytest.raises(TooLateError):
        bounded(threading.Event().wait, 0.1)
    assert bounded(lambda: 5, 5) == 5


# Open vSwitch's database


@pytest.mark.parametrize("talk", [silent, few_bytes, trickle])
def test_opening_ovsdb_behind_a_live_stunnel_is_bounded(
    serve: Serve, tmp_path: Path, talk: Callable[[Server, socket.socket], None]
) -> None:
    path = tmp_path / "db.sock"
    serve(talk, path)
    with within(OPENING_S), pytest.raises(UnreachableError) as caught:
        Ovsdb.greet("node2", lambda: connect_socket("node2", str(path)))
    (problem,) = caught.value.problems
    assert "Open vSwitch's database (ovsdb-server) is frozen or overloaded" in problem.what
    assert "On node2: systemctl status ovsdb-server" in problem.remedy
    assert hung_nodes.opening_bound("node2", "ovsdb") < OPENING_S


@pytest.mark.parametrize("talk", [silent, few_bytes])
def test_the_handshake_with_stunnel_is_bounded(
    serve: Serve, tmp_path: Path, talk: Callable[[Server, socket.socket], None]
) -> None:
    make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ca"]
    words = [*make, "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=tmp_path)
    own = str(tmp_path / "cert.pem")
    server = serve(talk)
    with within(OPENING_S), pytest.raises(UnreachableError) as caught:
        connect_tls(
            "node2",
            "127.0.0.1",
            server.port,
            ca_file=own,
            crl_file="/nowhere",
            certificate_file=own,
            key_file=str(tmp_path / "key.pem"),
        )
    (problem,) = caught.value.problems
    assert "stunnel before Open vSwitch's database is frozen or overloaded" in problem.what
    assert "On node2: systemctl status pextra-ovsdb-tls" in problem.remedy


def test_an_ovsdb_that_freezes_is_asked_once(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "db.sock"
    serve(ovsdb, path)
    database = Ovsdb.greet("node2", lambda: connect_socket("node2", str(path)))
    with within(OPENING_S), pytest.raises(UnreachableError, match="node2: Open vSwitch's database is frozen"):
        database.transact([{"op": "comment", "comment": "x"}], "say something")
    with within(0), pytest.raises(UnreachableError, match="node2: Open vSwitch's database is frozen"):
        database.transact([{"op": "comment", "comment": "x"}], "say something")
    assert database.frozen is not None
    assert database.is_given_up


def test_daemons_of_a_node_that_ssh_found_silent_are_asked_shortly(tmp_path: Path) -> None:
    hung_nodes.suspect("node2")
    assert hung_nodes.opening_bound("node2", "libvirtd") == hung_nodes.opening_bound("node2", "ovsdb") == OPENING_S / 5
    assert hung_nodes.opening_bound("node3", "libvirtd") == OPENING_S
    hung_nodes.forget("node2", "libvirtd")
    assert hung_nodes.opening_bound("node2", "ovsdb") == OPENING_S, "it answers"
