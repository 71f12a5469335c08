# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identifiers, and the values that follow from them.

An identifier is `<prefix>-<21 characters of A-Za-z0-9_->` (domain rules, "Identifiers"): 126 random bits.
They fit into a UUID, so the UUID of a libvirt object *is* the identifier of the resource.
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
_PATTERN = re.compile(r"(?P<prefix>[a-z]{2,5})-(?P<body>[A-Za-z0-9_-]{21})")


def new_id(kind: str) -> str:
    """Return a fresh identifier for a `kind` of PREFIXES."""
    return f"{PREFIXES[kind]}-{''.join(secrets.choice(ALPHABET) for _ in range(LENGTH))}"


def is_id(value: str, kind: str | None = None) -> bool:
    """Tell whether `value` has the form of an identifier (of `kind`)."""
    match = _PATTERN.fullmatch(value)
    if match is None:
        return False
    return match["prefix"] == PREFIXES[kind] if kind else match["prefix"] in PREFIXES.values()


@functools.lru_cache(maxsize=2**16)
def uuid_of(identifier: str) -> str:
    """Return the UUID that stands for the identifier: its 126 bits, then the bits 10."""
    number = 0
    for character in identifier.split("-", 1)[1]:
        number = number << 6 | _NUMBERS[character]
    return str(uuid.UUID(int=number << 2 | 0b10))


def id_of(kind: str, value: str) -> str | None:
    """Return the identifier that a UUID stands for, or None if it stands for none."""
    number = uuid.UUID(value).int
    if number & 0b11 != 0b10:
        return None
    number >>= 2
    characters = [ALPHABET[number >> shift & 0b111111] for shift in range(6 * (LENGTH - 1), -1, -6)]
    return f"{PREFIXES[kind]}-{''.join(characters)}"


def mac_of(instance_id: str, nic: str) -> str:
    """Return the stable MAC of an instance's NIC: unicast, locally administered, derived from the identifier.

    Only the first octet is fixed; 40 derived bits keep a large cloud free of collisions.
    """
    digest = hashlib.sha256(f"{instance_id}/{nic}".encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x52, *digest[:5]))
