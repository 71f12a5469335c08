# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detached signatures, made by a real gpg and checked by the real gpgv."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host import signatures as _image_signature
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.signatures import (
    SignatureError,
    find_digest,
    verify_signature,
)

CONTENT = bytes(range(256)) * 64
ONE, OTHER = "a" * 64, "b" * 64


@dataclass(frozen=True)
class Signer:
    """A key of its own, in a home of its own."""

    home: str

    def gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", self.home, "--batch", "--yes", "--quiet", "--passphrase", "", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=60).stdout

    def sign(self, content: bytes, *more: str) -> bytes:
        return self.gpg(*more, "--detach-sign", stdin=content)

    @property
    def key(self) -> bytes:
        return self.gpg("--armor", "--export")

    @property
    def fingerprint(self) -> str:
        lines = self.gpg("--with-colons", "--list-keys").decode().splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))


@pytest.fixture(scope="module")
def signers() -> Iterator[tuple[Signer, Signer]]:
    """The publisher, and somebody else. The agent's socket needs a short path."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as one, tempfile.TemporaryDirectory(prefix="gpg-") as other:
        found = Signer(one), Signer(other)
        for signer in found:
            signer.gpg("--quick-gen-key", "images <images@example.com>", "ed25519", "sign", "never")
        yield found
        for signer in found:
            subprocess.run(["gpgconf", "--homedir", signer.home, "--kill", "all"], check=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "-x.img"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("armor", [(), ("--armor",)], ids=["binary", "armored"])
def test_what_the_declared_key_has_signed(signers: tuple[Signer, Signer], file: Path, armor: tuple[str, ...]) -> None:
    publisher, _ = signers
    signature = publisher.sign(CONTENT, *armor)
    for key in (publisher.key, publisher.gpg("--export"), publisher.key.replace(b"\n", b"\r\n")):
        assert verify_signature(str(file), signature, key, "image tiny") == publisher.fingerprint


def test_one_of_several_signatures_is_enough(signers: tuple[Signer, Signer], file: Path) -> None:
    publisher, other = signers
    both = other.sign(CONTENT) + publisher.sign(CONTENT)
    assert verify_signature(str(file), both, publisher.key, "image tiny") == publisher.fingerprint
    changed = publisher.sign(CONTENT[::-1]) + publisher.sign(CONTENT)
    with pytest.raises(SignatureError, match="of another content"):
        verify_signature(str(file), changed, publisher.key, "image tiny")


def test_what_is_refused(signers: tuple[Signer, Signer], file: Path) -> None:
    publisher, other = signers
    good = publisher.sign(CONTENT)
    rows = [
        (publisher.sign(CONTENT[:-1]), publisher.key, "its signature is of another content"),
        (other.sign(CONTENT), publisher.key, "signed with another key than signing_key"),
        (good, other.key, "signed with another key than signing_key"),
        (b"", publisher.key, "its signature"),
        (b"no signature\n", publisher.key, "what was given as its signature is none"),
        (good[:-8], publisher.key, "its signature"),
        (publisher.sign(CONTENT, "--digest-algo", "SHA1"), publisher.key, "its signature cannot be checked"),
        (publisher.key, publisher.key, "its signature"),
        (good, b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", "not an OpenPGP public key"),
        (good, b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n", "is a private key"),
        (good, publisher.gpg("--export-secret-keys"), "is a private key"),
        (good, b"hunter2", "not an OpenPGP public key"),
        (good, b"", "not an OpenPGP public key"),
    ]
    for signature, key, said in rows:
        with pytest.raises(SignatureError) as caught:
            verify_signature(str(file), signature, key, "image tiny")
        assert said in str(caught.value)
        assert "hunter2" not in str(caught.value)


def test_an_expired_key_is_told(file: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        signer = Signer(home)
        before = ("--faked-system-time", "20200101T000000")
        signer.gpg(*before, "--quick-gen-key", "x <x@example.com>", "ed25519", "sign", "1d")
        signature = signer.sign(CONTENT, *before)
        with pytest.raises(SignatureError, match="the key of its signature has expired"):
            verify_signature(str(file), signature, signer.key, "image tiny")
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)


def test_a_coordinator_without_gpgv_says_so(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_image_signature, "_SEARCH_PATH", str(tmp_path))
    with pytest.raises(SignatureError, match="gpgv is not on the coordinator"):
        verify_signature(str(file), b"x", b"\x99\x00", "image tiny")


@pytest.mark.parametrize(
    ("listing", "found"),
    [
        (f"{OTHER}  other.img\n{ONE}  tiny.img\n", ONE),
        (f"{ONE.upper()} *tiny.img\r\n", ONE),
        (f"{ONE}  ./tiny.img", ONE),
        (f"# tiny.img: 1 bytes\nSHA256 (tiny.img) = {ONE}\n", ONE),
        (f"{ONE}  tiny.img\n{ONE}  tiny.img\n", ONE),
        (f"{ONE}  tiny.img\n{OTHER}  tiny.img\n", "twice, differently"),
        (f"{ONE}  dir/tiny.img\n", "names tiny.img not"),
        (f"{ONE}  tiny.img.xz\n", "names tiny.img not"),
        (f"{ONE * 2}  tiny.img\n", f"sha512:{ONE * 2}"),
        (f"SHA512 (tiny.img) = {ONE.upper() * 2}\n", f"sha512:{ONE * 2}"),
        (f"{ONE * 2}  tiny.img\n{ONE}  tiny.img\n", ONE),
        (f"{ONE * 2}  tiny.img\n{ONE + OTHER}  tiny.img\n{ONE}  tiny.img\n", "twice, differently"),
        (f"{ONE * 2}\n", f"sha512:{ONE * 2}"),
        (f"{ONE}\n{OTHER}\n", "names tiny.img not"),
        (f"{ONE}{ONE[:32]}  tiny.img\n", "names tiny.img not"),
        ("", "names tiny.img not"),
    ],
)
def test_lists_of_checksums(listing: str, found: str) -> None:
    if " " not in found and found != "twice, differently":
        assert find_digest(listing.encode(), "tiny.img", "image tiny") == found
    else:
        with pytest.raises(SignatureError, match=found):
            find_digest(listing.encode(), "tiny.img", "image tiny")
