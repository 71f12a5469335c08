# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what cloud-init in a guest is told. What it does not understand it skips, and nobody can log in."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ..._model.mistake import shown

# crypt(5); those of which the hash is too weak to be kept anywhere are left out.
_HASH = re.compile(
    r"\$g?y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{0,86}\$[./A-Za-z0-9]{43}"
    r"|\$7\$[./A-Za-z0-9]{11,97}\$[./A-Za-z0-9]{43}"
    r"|\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}"
    r"|\$6\$(rounds=[1-9][0-9]{3,8}\$)?[./A-Za-z0-9_-]{1,16}\$[./A-Za-z0-9]{86}"
    r"|\$5\$(rounds=[1-9][0-9]{3,8}\$)?[./A-Za-z0-9_-]{1,16}\$[./A-Za-z0-9]{43}"
)
# A line of authorized_keys, see sshd(8): options, which may hold blanks in quotes, the type, the key, a comment.
_KEY = re.compile(
    r"(\S.* )?(?P<type>ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)"
    r"@openssh\.com) +(?P<key>[A-Za-z0-9+/]{16,}={0,2})( .*)?"
)
# As cloud-init's user_data.py and handlers tell the parts of user data from each other.
_HEADERS = (
    "#cloud-config",  # and its -archive and -jsonp
    "#!",
    "#cloud-boothook",
    "#include",
    "#part-handler",
    "## template: jinja",
)
_MIME = re.compile(r"mime-version:", re.IGNORECASE)
_MIME_WITHIN = 4096
# Seeds are written and read as a whole, through libvirt, and are kept beside the volumes of each instance.
MAX_USER_DATA = 1024**2
# Letters that mean nothing to /etc/fstab and to shells.
_MOUNTPOINT = re.compile(r"(/[A-Za-z0-9@_+][A-Za-z0-9@_+.-]*)+")
# What a system cannot do without, or finds anew at each boot: nobody may hide it, nor anything in it ...
_SYSTEM_TREES = {"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys", "usr"}
# ... or the place itself, while there is room below it.
_SYSTEM_PLACES = {"/root", "/var", "/var/lib", "/var/lib/cloud", "/var/lib/dpkg", "/var/lock", "/var/run"}
_SYSTEM_PLACES |= {"/tmp"}  # noqa: S108 - a place in a guest that is refused, and nothing is written there
# What cloud-init's own schema says of a text. It lies on the controller alone: each call of a module would carry it.
_BY_SCHEMA: ContextVar[Callable[[str], str | None]] = ContextVar("by_schema", default=lambda _text: None)


def check_password_hash(value: str) -> str | None:
    """Return what is wrong with the hash of a password, without the value: it may be the password itself."""
    if _HASH.fullmatch(value):
        return None
    return (
        "its secret value is no hash of a password; write what `mkpasswd` prints, whole and in single quotes, or leave "
        "it out for no password log-in"
    )


def check_public_key(value: str) -> str | None:
    """Return what is wrong with a line of authorized_keys. A private key is not shown."""
    if "PRIVATE KEY" in value:
        return "is a private key; write the public one, from the file whose name ends with .pub"
    found = _KEY.fullmatch(value) if value.isprintable() else None
    if found is not None and _names_its_type(found["key"], found["type"]):
        return None
    return (
        f"{shown(value)} is no public key of OpenSSH; write the one line of a file whose name ends with .pub, such as "
        "ssh-ed25519 AAAA... me@example.com"
    )


def _names_its_type(key: str, key_type: str) -> bool:
    """A key begins with the length of its type's name, in four bytes, and the name (RFC 4253, 6.6)."""
    head = base64.b64decode(key[: len(key) // 4 * 4])
    return head[:4] == len(key_type).to_bytes(4, "big") and head[4:].startswith(key_type.encode())


def is_mime(value: str) -> bool:
    """Tell whether cloud-init would take it for several parts."""
    return _MIME.search(value[:_MIME_WITHIN]) is not None


def is_cloud_config(value: str) -> bool:
    """Tell whether it is cloud-config alone, as YAML: no archive or patch of it, and no template."""
    return re.match(r"#cloud-config(\s|$)", value.lstrip().lower()) is not None and not is_mime(value)


@contextmanager
def checked_by_schema(find_problem: Callable[[str], str | None]) -> Iterator[None]:
    """Let what cloud-init is told be checked by its schema as well, as long as this lasts."""
    token = _BY_SCHEMA.set(find_problem)
    try:
        yield
    finally:
        _BY_SCHEMA.reset(token)


def check_mountpoint(value: str) -> str | None:
    """Return what is wrong with a mount point. An empty text is none."""
    if not value:
        return None
    if len(value) > 255 or not _MOUNTPOINT.fullmatch(value):
        return (
            f"{shown(value)} is no mount point; write an absolute path of letters, digits, dots, dashes and "
            "underscores, such as /srv/data"
        )
    if value.split("/")[1] in _SYSTEM_TREES or value in _SYSTEM_PLACES:
        return f"{shown(value)} belongs to the guest's system; write a place of its own, such as /srv/data"
    return None


def check_user_data(value: str) -> str | None:
    """Return what is wrong with user data, without the value. An empty text is none."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "its secret value holds half of a character (a lone surrogate); write whole ones"
    if size > MAX_USER_DATA:
        return f"its secret value has {size} bytes; write at most {MAX_USER_DATA}, and let it fetch what is larger"
    beginning = value.lstrip().lower()
    if not beginning or beginning.startswith(_HEADERS) or is_mime(value):
        return _BY_SCHEMA.get()(value)
    return (
        "its secret value does not say what it is, and cloud-init would skip it; begin it with a line such as "
        "#cloud-config or #!/bin/sh"
    )
