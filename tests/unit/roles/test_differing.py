"""The look at a host, with a real certificate authority."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "roles/node/files/differing.sh"


def run(*argv: str, stdin: str = "") -> str:
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True, timeout=30).stdout


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and a certificate for node1, node1.control and fd00::11."""
    home = tmp_path_factory.mktemp("pki")
    new = ("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run(*new, "-x509", "-subj", "/O=acme/CN=CA", "-days", "2", "-keyout", f"{home}/ca.key", "-out", f"{home}/ca.pem")
    run(*new, "-subj", "/O=acme/CN=node1", "-keyout", f"{home}/key.pem", "-out", f"{home}/csr.pem")
    (home / "names").write_text("subjectAltName=DNS:node1,DNS:node1.control,IP:fd00::11\n")
    sign = ("openssl", "x509", "-req", "-in", f"{home}/csr.pem", "-CA", f"{home}/ca.pem", "-CAkey", f"{home}/ca.key")
    run(*sign, "-CAcreateserial", "-days", "2", "-extfile", f"{home}/names", "-out", f"{home}/cert.pem")
    return home


@pytest.mark.parametrize(
    ("names", "is_as_wanted"),
    [
        ("DNS:node1 DNS:node1.control IP:fd00::11", True),
        ("DNS:node1 DNS:node1.control IP:FD00:0:0:0:0:0:0:11", True),
        ("DNS:node1.control DNS:node1 IP:fd00::11", True),
        ("DNS:node1 DNS:node1.control IP:fd00::12", False),
        ("DNS:node1 DNS:node1.control", False),
        ("DNS:node1 DNS:node2 IP:fd00::11", False),
        ("DNS:node1 DNS:node1.control IP:fd00::11 IP:10.0.0.11", False),
    ],
)
def test_a_certificate_is_judged_by_its_names_not_by_their_notation(pki: Path, names: str, is_as_wanted: bool) -> None:
    line = f"certificate 3600 {pki}/key.pem {pki}/ca.pem {pki}/cert.pem CN=node1,O=acme | {names}\n"
    out = run("/bin/sh", "-c", SCRIPT.read_text(), stdin=line)
    assert out == ("" if is_as_wanted else f"{pki}/cert.pem\n")


def test_a_certificate_that_ends_soon_is_renewed(pki: Path) -> None:
    names = "DNS:node1 DNS:node1.control IP:fd00::11"
    line = f"certificate 864000 {pki}/key.pem {pki}/ca.pem {pki}/cert.pem CN=node1,O=acme | {names}\n"
    assert run("/bin/sh", "-c", SCRIPT.read_text(), stdin=line) == f"{pki}/cert.pem\nexpires:{pki}/cert.pem\n"
