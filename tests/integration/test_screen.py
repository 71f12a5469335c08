# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Screens with passwords, as those see them who look at them: on loopback, and on the network over TLS alone."""

from __future__ import annotations

import json
import socket
import ssl
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from .lab import GONE, Lab, Site, wait_until

VM, NAME = "pextra_vm", "screens"
RESTART = {"allow_restart": True, "force_stop": True, "stop_timeout_s": 1}
FIRST, OTHER = "pa55-1st", "pa55-2nd"
LONG, LONGER = "a longer one, as SPICE has", "another one that is as long"
MAIN_CHANNEL, WITH_CAPS = 1, 18


@pytest.fixture
def guest(lab: Lab, cloud: Site) -> Iterator[Site]:
    boots = lab.console(NAME).count("pextra-guest: ready")
    cloud.module(
        VM,
        name=NAME,
        node="node1",
        image="tiny",
        root={"pool": "shared"},
        memory="96 MiB",
        graphics={"password": FIRST},
    )
    wait_until("it is up", lambda: lab.console(NAME).count("pextra-guest: ready") > boots, timeout_s=90)
    yield cloud
    cloud.module(VM, name=NAME, **GONE)


def screen(lab: Lab, node: str = "node1") -> Any:
    return ET.fromstring(lab.exec(node, "virsh", "dumpxml", NAME)).find("devices/graphics")


def listening(lab: Lab, node: str) -> list[str]:
    """Return where the guest's QEMU listens on the network."""
    lines = lab.exec(node, "ss", "-Hlntp").splitlines()
    (pid,) = lab.sh(node, f"cat /run/libvirt/qemu/{NAME}.pid").split()
    return [line.split()[3] for line in lines if f"pid={pid}," in line]


def log_in_to_vnc(lab: Lab, password: str) -> dict[str, Any]:
    program = (Path(__file__).parent / "in_node" / "rfb.py").read_text(encoding="utf-8")
    told: dict[str, Any] = json.loads(
        lab.exec("node1", "python3", "-c", program, screen(lab).get("port"), stdin=password)
    )
    return told


def log_in_to_spice(lab: Lab, node: str, password: str) -> bool:
    """Connect to the screen over TLS, with the node's certificate checked, and say the password (SPICE's protocol)."""
    authority = lab.exec(node, "cat", "/etc/pki/pextra/ca.pem")
    address, port = screen(lab, node).get("listen"), int(screen(lab, node).get("tlsPort"))
    context = ssl.create_default_context(cadata=authority)
    with (
        socket.create_connection((address, port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=address) as connection,
    ):
        body = bytes(4) + bytes([MAIN_CHANNEL, 0]) + bytes(8) + WITH_CAPS.to_bytes(4, "little")
        head = b"REDQ" + b"".join(number.to_bytes(4, "little") for number in (2, 2, len(body)))
        connection.sendall(head + body)
        reply = connection.makefile("rb")
        size = int.from_bytes(reply.read(16)[12:], "little")
        answer = reply.read(size)
        assert answer[:4] == bytes(4), "the screen refuses to talk"
        key = load_der_public_key(answer[4:166])
        assert isinstance(key, rsa.RSAPublicKey)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
        connection.sendall(key.encrypt(password.encode() + b"\0", oaep))
        return reply.read(4) == bytes(4)


@pytest.mark.long
def test_vnc_asks_for_its_password(lab: Lab, guest: Site) -> None:
    assert log_in_to_vnc(lab, FIRST) == {"security": [2], "is_let_in": True}
    assert log_in_to_vnc(lab, OTHER)["is_let_in"] is False
    boots = lab.console(NAME).count("pextra-guest: ready")
    wanted = {"name": NAME, "graphics": {"password": OTHER}}
    check, changed, again = guest.calls(VM, {**wanted, "check": True}, wanted, wanted)
    assert (check["changed"], changed["changed"], again["changed"]) == (True, True, False)
    assert changed["actions"] == [f"instance {NAME} on node1: change the definition, change the graphics"]
    assert all(secret not in str(one) for secret in (FIRST, OTHER) for one in (check, changed, again))
    assert log_in_to_vnc(lab, OTHER)["is_let_in"] is True
    assert log_in_to_vnc(lab, FIRST)["is_let_in"] is False
    assert lab.console(NAME).count("pextra-guest: ready") == boots, "it was restarted"
    # Whether it asks at all is settled when it starts.
    (open_,) = guest.calls(VM, {"name": NAME, "graphics": {"password": ""}})
    assert [one["option"] for one in open_["pending"]] == ["graphics.password"]
    assert log_in_to_vnc(lab, OTHER) == {"security": [2], "is_let_in": True}
    guest.module(VM, name=NAME, graphics={"password": ""}, **RESTART)
    assert log_in_to_vnc(lab, "") == {"security": [1], "is_let_in": True}
    (port,) = listening(lab, "node1")
    assert port == f"127.0.0.1:{screen(lab).get('port')}"


@pytest.mark.long
def test_spice_listens_over_tls_and_moves(lab: Lab, guest: Site) -> None:
    refused = guest.refused_module(VM, name=NAME, graphics={"listen": "management"})
    assert "graphics.listen: VNC has no TLS of a single screen" in refused["msg"]
    refused = guest.refused_module(VM, name=NAME, graphics={"password": LONG})
    assert "graphics.password: its secret value is longer than the 8 characters" in refused["msg"]
    wanted = {"type": "spice", "listen": "management", "password": LONG}
    first, again = guest.calls(VM, {"name": NAME, "graphics": wanted, **RESTART}, {"name": NAME, "graphics": wanted})
    assert (first["changed"], again["changed"], again["pending"]) == (True, False, [])
    assert again["vm"]["graphics"] == {"type": "spice", "listen": "10.91.0.11"}
    assert listening(lab, "node1") == [f"10.91.0.11:{screen(lab).get('tlsPort')}"], "it listens in the clear as well"
    assert log_in_to_spice(lab, "node1", LONG)
    assert not log_in_to_spice(lab, "node1", LONGER)
    guest.module(VM, name=NAME, graphics={"password": LONGER})
    assert log_in_to_spice(lab, "node1", LONGER)
    assert not log_in_to_spice(lab, "node1", LONG)
    boots = lab.console(NAME).count("pextra-guest: ready")
    moved, again = guest.calls(VM, {"name": NAME, "node": "node2"}, {"name": NAME, "node": "node2", "graphics": wanted})
    assert (moved["pending"], moved["vm"]["graphics"]["listen"]) == ([], "10.91.0.12")
    assert again["actions"] == [f"instance {NAME} on node2: change the definition, change the graphics"]
    assert listening(lab, "node2") == [f"10.91.0.12:{screen(lab, 'node2').get('tlsPort')}"]
    assert log_in_to_spice(lab, "node2", LONG)
    assert lab.console(NAME).count("pextra-guest: ready") == boots, "it was restarted"
    # Those who do not know the deployment's authority trust nothing that it has issued.
    address = ("10.91.0.12", int(screen(lab, "node2").get("tlsPort")))
    stranger = ssl.create_default_context()
    with socket.create_connection(address, timeout=20) as plain, pytest.raises(ssl.SSLCertVerificationError):
        stranger.wrap_socket(plain, server_hostname=address[0])
    back = {"name": NAME, "graphics": {"listen": "loopback", "password": ""}}
    guest.module(VM, **back, **RESTART)
    assert {one.rpartition(":")[0] for one in listening(lab, "node2")} == {"127.0.0.1"}
