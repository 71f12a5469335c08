# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detached OpenPGP signatures of images, checked by gpgv on the coordinator.

gpgv takes one keyring, made here of the declared key alone: no key of a user, no trust database, no network.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator

from ..._model.digest import is_sha512, of_sha512
from ..._model.errors import PextraError, Problem

_TIMEOUT_S = 3600
_SECRET_KEY, _PUBLIC_KEY = 5, 6
_SEARCH_PATH = "/usr/bin:/bin"
_ARMORED_KEY = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n:]+:[^\r\n]*\r?\n)*\r?\n(.*?)\r?\n=[A-Za-z0-9+/]{4}\r?\n"
    rb"-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL,
)
# coreutils writes the first form (a star before names of binary files), BSD and Fedora the second.
_DIGEST = r"(?P<digest>[0-9a-fA-F]{128}|[0-9a-fA-F]{64})"
_GNU_LINE = re.compile(rf"{_DIGEST} [ *](?:\./)?(?P<name>[^/]+)")
_BSD_LINE = re.compile(rf"SHA(?:256|512) \((?:\./)?(?P<name>[^/]+)\) = {_DIGEST}")
# What a list says that belongs to one file, and does not name it.
_BARE = re.compile(rf"\s*{_DIGEST}\s*")
_ANOTHER_KEY = "Declare the key that the publisher signs with, after comparing its fingerprint with what they state."
_AGAIN = "Fetch file and signature again, from the publisher. If it stays so, do not use the file."
_NOT_A_KEY = "Give the publisher's public key, as a file or as text: gpg --armor --export FINGERPRINT."
# gpgv's status word: what is wrong, what to do. The first that applies is told.
_REFUSED = (
    ("BADSIG", "its signature is of another content", _AGAIN),
    ("REVKEYSIG", "the key of its signature was revoked", _ANOTHER_KEY),
    ("EXPKEYSIG", "the key of its signature has expired", _ANOTHER_KEY),
    ("EXPSIG", "its signature has expired", _AGAIN),
    ("NO_PUBKEY", "it was signed with another key than signing_key", _ANOTHER_KEY),
    ("ERRSIG", "its signature cannot be checked: its kind is not known, or too weak", _AGAIN),
    ("NODATA", "what was given as its signature is none", "Give the publisher's detached signature of the file."),
)


class SignatureError(PextraError):
    """The file is not what the owner of the key has signed."""


def verify_signature(path: str, signature: bytes, key: bytes, label: str) -> str:
    """Check a detached signature of a file against one public key, each armored or not.

    Returns the fingerprint of the key that signed. Raises SignatureError.
    """
    with tempfile.TemporaryDirectory(prefix="pextra-gpgv-") as home:
        beside = _write(home, "signature", signature)
        return _ask_gpgv(home, key, ["--", beside, path], label)


def verify_signed_text(text: bytes, key: bytes, label: str) -> tuple[bytes, str]:
    """Check a text that holds its own signature. Returns (what was signed of it, the fingerprint of the key).

    Raises SignatureError. What else is in the text nobody has signed, so it is not to be used.
    """
    with tempfile.TemporaryDirectory(prefix="pextra-gpgv-") as home:
        signed = os.path.join(home, "signed")
        fingerprint = _ask_gpgv(home, key, ["--output", signed, "--", _write(home, "text", text)], label)
        with open(signed, "rb") as file:
            return file.read(), fingerprint


@contextlib.contextmanager
def written_for_check(content: bytes) -> Iterator[str]:
    """Give the path of a file that holds this, while it is checked: gpgv reads nothing else."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name


def find_digest(listing: bytes, name: str, label: str) -> str:
    """Return the digest that a list of checksums states for a file, a SHA-256 if it has one. Raises SignatureError."""
    text = listing.decode("utf-8", "replace")
    bare = _BARE.fullmatch(text)
    found = {_digest_in(bare)} if bare else set()
    for line in text.splitlines():
        match = _GNU_LINE.fullmatch(line.rstrip()) or _BSD_LINE.fullmatch(line.rstrip())
        if match and match["name"] == name:
            found.add(_digest_in(match))
    of_kind = {is_sha512(digest): digest for digest in found}
    if found and len(of_kind) == len(found):
        return of_kind.get(False) or of_kind[True]
    how = "twice, differently" if found else "not"
    raise _fail(
        f"the list of checksums names {name} {how}",
        "Give a list of SHA-256 or SHA-512 (SHA256SUMS) that names the file as its source does.",
        label,
    )


def _digest_in(match: re.Match[str]) -> str:
    digits = match["digest"].lower()
    return digits if len(digits) == 64 else of_sha512(digits)


def _write(home: str, name: str, content: bytes) -> str:
    path = os.path.join(home, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def _ask_gpgv(home: str, key: bytes, arguments: list[str], label: str) -> str:
    """Return the fingerprint of the key that signed. home: a directory for this check alone."""
    keyring = _write(home, "key.gpg", _dearmor(key, label))
    command = ["gpgv", "--homedir", home, "--keyring", keyring, "--weak-digest", "SHA1", "--status-fd", "1"]
    try:
        done = subprocess.run(  # noqa: S603 - gpgv, and paths of our own
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": _SEARCH_PATH, "LC_ALL": "C"},
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        remedy = "Run site.yml --tags coordinator, or install the package gpgv there."
        raise _fail("its signature cannot be checked: gpgv is not on the coordinator", remedy, label) from error
    except subprocess.TimeoutExpired as error:
        raise _fail(f"gpgv took longer than {_TIMEOUT_S} s", "Look at the coordinator's disk.", label) from error
    return _judge(done.stdout.decode("ascii", "replace"), label)


def _judge(status: str, label: str) -> str:
    words = [line.split()[1:] for line in status.splitlines() if line.startswith("[GNUPG:] ")]
    seen = {word[0] for word in words if word}
    # Several may have signed: one good signature of the declared key is enough, and a bad one is one too many.
    if "GOODSIG" in seen and "BADSIG" not in seen:
        valid = next((word for word in words if word[0] == "VALIDSIG" and len(word) > 1), None)
        if valid is not None:
            return valid[-1]
    for word, what, remedy in _REFUSED:
        if word in seen:
            raise _fail(what, remedy, label)
    raise _fail("its signature cannot be checked: gpgv does not understand it, or the key", _NOT_A_KEY, label)


def _dearmor(key: bytes, label: str) -> bytes:
    """Return a public key as packets: gpgv reads no other keyring."""
    if b"PRIVATE KEY" in key or _packet_of(key) == _SECRET_KEY:
        remedy = "Give the public one, and treat that one as known to others."
        raise _fail("signing_key is a private key", remedy, label)
    packets = key
    if key.lstrip().startswith(b"-----BEGIN"):
        try:
            bodies = [b"".join(match.group(1).split()) for match in _ARMORED_KEY.finditer(key)]
            packets = b"".join(base64.b64decode(body, validate=True) for body in bodies)
        except binascii.Error:
            packets = b""
    if _packet_of(packets) != _PUBLIC_KEY:
        raise _fail("signing_key is not an OpenPGP public key", _NOT_A_KEY, label)
    return packets


def _packet_of(packets: bytes) -> int | None:
    """Return the kind of the first packet (RFC 4880, 4.2), None if it is none."""
    if not packets or not packets[0] & 0x80:
        return None
    return packets[0] & 0x3F if packets[0] & 0x40 else packets[0] >> 2 & 0xF


def _fail(what: str, remedy: str, label: str) -> SignatureError:
    return SignatureError([Problem(what, remedy, resource=label)])
