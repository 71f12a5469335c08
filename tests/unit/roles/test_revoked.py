# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at a host: what it says of certificates, on real ones."""

from __future__ import annotations

import base64
import datetime
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SCRIPT = Path(__file__).resolve().parents[3] / "roles" / "node" / "files" / "differing.sh"
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


class Authority:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP384R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA")])
        self.certificate = (
            self._begin(self.name, self.key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def _begin(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - DAY)
            .not_valid_after(NOW + 90 * DAY)
        )

    def issue(self, folder: Path, name: str) -> x509.Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._begin(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (folder / "ca.pem").write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return certificate

    def revoke(self, *certificates: x509.Certificate, begins: datetime.datetime = NOW - DAY) -> str:
        """Return the list as the role hands it over."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(begins)
            .next_update(begins + 365 * DAY)
        )
        for certificate in certificates:
            revoked = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            builder = builder.add_revoked_certificate(revoked.revocation_date(begins).build())
        crl = builder.sign(self.key, hashes.SHA384())
        return base64.b64encode(crl.public_bytes(serialization.Encoding.PEM)).decode()


def look(folder: Path, crl: str, *names: str) -> list[str]:
    lines = [f"revoked {crl}"]
    lines += [
        f"certificate 86400 {folder}/{name}.key {folder}/ca.pem {folder}/{name}.pem CN={name} | DNS:{name}"
        for name in names
    ]
    done = subprocess.run(
        ["/bin/sh", str(SCRIPT)], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture
def authority() -> Authority:
    return Authority()


def test_a_revoked_certificate_is_to_be_issued_anew(authority: Authority, tmp_path: Path) -> None:
    leaving = authority.issue(tmp_path, "compute")
    authority.issue(tmp_path, "compute-2")
    crl = authority.revoke(leaving)
    path = f"{tmp_path}/compute.pem"
    assert look(tmp_path, crl, "compute", "compute-2") == [path, f"revoked:{path}"]
    assert look(tmp_path, authority.revoke(), "compute", "compute-2") == []


def test_another_clock_makes_no_difference(authority: Authority, tmp_path: Path) -> None:
    leaving = authority.issue(tmp_path, "compute")
    authority.issue(tmp_path, "compute-2")
    crl = authority.revoke(leaving, begins=NOW + 3 * DAY)
    path = f"{tmp_path}/compute.pem"
    assert look(tmp_path, crl, "compute", "compute-2") == [path, f"revoked:{path}"]


@pytest.mark.parametrize("crl", ["", base64.b64encode(b"no list").decode()], ids=["none", "no list"])
def test_without_a_list_nothing_is_revoked(authority: Authority, tmp_path: Path, crl: str) -> None:
    authority.issue(tmp_path, "compute")
    assert look(tmp_path, crl, "compute") == []
