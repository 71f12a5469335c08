# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that was revoked is forgotten where a controller begins without its list."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import pytest
from ansible_collections.pextra.cloud.plugins.filter.known_revocations import FilterModule
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FILTER = FilterModule().filters()["known_revocations"]
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])
DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Authority:
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(self.key.public_key())
        valid = builder.not_valid_before(DAY).not_valid_after(DAY + datetime.timedelta(days=9)).serial_number(1)
        return valid.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def revoke(self, *serials: int, day: int = 0) -> str:
        begun = DAY + datetime.timedelta(days=day)
        builder = x509.CertificateRevocationListBuilder().issuer_name(NAME).last_update(begun)
        builder = builder.next_update(begun + datetime.timedelta(days=9))
        for serial in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(DAY).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def ours() -> Authority:
    return Authority(ec.generate_private_key(ec.SECP256R1()))


def test_the_newest_of_those_that_have_all(ours: Authority) -> None:
    old, new, empty = ours.revoke(5, 7), ours.revoke(5, 7, day=1), ours.revoke(day=2)
    assert FILTER([old, new, empty, ""], ours.pem) == {"list": new, "more": []}
    assert FILTER([empty], ours.pem) == {"list": empty, "more": []}


def test_what_none_has_alone_is_told(ours: Authority) -> None:
    one, other = ours.revoke(5, 7), ours.revoke(9, day=1)
    more = [{"serial_number": 9, "revocation_date": "20260101000000Z"}]
    assert FILTER([one, other], ours.pem) == {"list": one, "more": more}


def test_what_the_authority_has_not_signed_counts_as_none(ours: Authority) -> None:
    other = Authority(ec.generate_private_key(ec.SECP256R1()))
    assert FILTER([other.revoke(5), "no list", ""], ours.pem) == {"list": "", "more": []}
