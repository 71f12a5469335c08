# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identifiers, and the values that follow from them.

An identifier is `<prefix>-<21 characters of A-Za-z0-9_->` (domain rules, "Identifiers"): 126 random bits.
They fit into a UUID, so the UUID of a libvirt object *is* the identifier of the resource.

A domain that is adopted keeps the UUID that it has. Of four such UUIDs three do not end in the bits of ours: these have
22 characters, which are the whole UUID. So each identifier is one UUID, and each UUID one identifier.
"""

from __future__ import annotations

import functools
import hashlib
import re
import secrets
import string
import uuid

from .nouns import NOUNS

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "_-"
LENGTH = 21
_NUMBERS = {character: number for number, character in enumerate(ALPHABET)}
PREFIXES = {noun.kind: noun.prefix for noun in NOUNS}
_PATTERN = re.compile(r"(?P<prefix>[a-z]{2,5})-(?P<body>[A-Za-z0-9_-]{21,22})")
# What an identifier of 21 characters has behind its bits in a UUID.
_MARK = 0b10


def new_id(kind: str) -> str:
    """Return a fresh identifier for a `kind` of PREFIXES."""
    return f"{PREFIXES[kind]}-{''.join(secrets.choice(ALPHABET) for _ in range(LENGTH))}"


def is_id(value: str, kind: str | None = None) -> bool:
    """Tell whether `value` has the form of an identifier (of `kind`)."""
    match = _PATTERN.fullmatch(value)
    if match is None or (len(match["body"]) > LENGTH and not _is_adopted(match["prefix"], match["body"])):
        return False
    return match["prefix"] == PREFIXES[kind] if kind else match["prefix"] in PREFIXES.values()


@functools.lru_cache(maxsize=2**16)
def uuid_of(identifier: str) -> str:
    """Return the UUID that stands for the identifier: its 126 bits, then the bits 10; or the 128 bits that it has."""
    body = identifier.split("-", 1)[1]
    return str(uuid.UUID(int=_number_of(body) if len(body) > LENGTH else _number_of(body) << 2 | _MARK))


def id_of(kind: str, value: str) -> str | None:
    """Return the identifier that a UUID stands for, or None if it stands for none."""
    number = uuid.UUID(value).int
    return f"{PREFIXES[kind]}-{_body_of(number >> 2, LENGTH)}" if number & 0b11 == _MARK else None


def adopted_id(value: str) -> str:
    """Return the identifier of an instance whose domain has had this UUID before it was ours."""
    return id_of("instance", value) or f"{PREFIXES['instance']}-{_body_of(uuid.UUID(value).int, LENGTH + 1)}"


def _is_adopted(prefix: str, body: str) -> bool:
    number = _number_of(body)
    return prefix == PREFIXES["instance"] and number < 2**128 and number & 0b11 != _MARK


def _number_of(body: str) -> int:
    number = 0
    for character in body:
        number = number << 6 | _NUMBERS[character]
    return number


def _body_of(number: int, length: int) -> str:
    return "".join(ALPHABET[number >> shift & 0b111111] for shift in range(6 * (length - 1), -1, -6))


def mac_of(instance_id: str, nic: str) -> str:
    """Return the stable MAC of an instance's NIC: unicast, locally administered, derived from the identifier.

    Only the first octet is fixed; 40 derived bits keep a large cloud free of collisions.
    """
    digest = hashlib.sha256(f"{instance_id}/{nic}".encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x52, *digest[:5]))
