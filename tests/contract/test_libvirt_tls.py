# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is at fault when libvirt's TLS is refused: told by a handshake of our own, not by the words of an error."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors import tls

from tests.contract.authority import Authority


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Authority]:
    directory = tmp_path_factory.mktemp("authorities")
    return {name: Authority(directory / name) for name in ("ours", "theirs")}


@pytest.fixture
def serve() -> Iterator[Any]:
    """Listen as libvirtd does: it lets a client in with a first byte, or sends it away after the handshake."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def start(certificate: dict[str, str], clients: str, *, lets_in: bool) -> int:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate["certificate_file"], certificate["key_file"])
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED

            def talk() -> None:
                with suppress(OSError):
                    taken, _ = listening.accept()
                    with taken, context.wrap_socket(taken, server_side=True) as greeted:
                        if lets_in:
                            greeted.sendall(b"\1")
                            greeted.recv(1)

            threading.Thread(target=talk, daemon=True).start()
            return int(listening.getsockname()[1])

        yield start


@pytest.mark.parametrize(
    ("server", "clients", "client", "lets_in", "what"),
    [
        (("theirs", {}), "ours", ("ours", {}), True, "certificate of its libvirtd is not of this deployment's CA"),
        (
            ("ours", {"address": "127.0.0.2"}),
            "ours",
            ("ours", {}),
            True,
            "certificate of its libvirtd does not name it",
        ),
        (("ours", {"days": -1}), "ours", ("ours", {}), True, "certificate of its libvirtd is not valid now"),
        (("ours", {}), "theirs", ("ours", {}), True, "its libvirtd does not know this deployment's CA"),
        (("ours", {}), "ours", ("ours", {"days": -1}), True, "this coordinator's certificate has expired"),
        (("ours", {}), "ours", ("ours", {}), False, "its libvirtd refused the TLS connection"),
        (("ours", {}), "ours", ("ours", {}), True, None),
    ],
)
def test_who_is_at_fault_is_told(
    authorities: dict[str, Authority], serve: Any, server: Any, clients: str, client: Any, lets_in: bool, what: Any
) -> None:
    port = serve(authorities[server[0]].make("server", **server[1]), authorities[clients].ca, lets_in=lets_in)
    own = authorities[client[0]].make("client", **client[1])
    context = tls.context_for("node2", ca_file=authorities["ours"].ca, crl_file="/nonexistent", **own)
    problem = tls.find_fault("node2", "its libvirtd", "127.0.0.1", port, context)
    if what is None:
        assert problem is None
    else:
        assert problem is not None
        assert what in problem.what
        assert problem.node == "node2"
        assert "site.yml --tags node" in problem.remedy or "decommission it there first" in problem.remedy


def test_what_does_not_answer_is_no_fault_of_tls(authorities: dict[str, Authority], tmp_path: Path) -> None:
    context = tls.context_for(
        "node2", ca_file=authorities["ours"].ca, crl_file="/nonexistent", **authorities["ours"].make("own")
    )
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = int(taken.getsockname()[1])
    assert tls.find_fault("node2", "its libvirtd", "127.0.0.1", port, context) is None
