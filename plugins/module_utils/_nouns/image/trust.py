# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vouches for an image beside its checksum, signatures and signed lists; and the mirrors that it is had from."""

from __future__ import annotations

import base64
import binascii
import posixpath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ..._model.mistake import Mistake, shown
from ..._model.source import check_source, is_url
from .distributions import find_distribution

if TYPE_CHECKING:
    from .spec import Image

# How the action plugin hands over what is in a file of the controller.
_INLINE = "data:;base64,"
_KEY_BLOCK = "-----BEGIN PGP PUBLIC KEY BLOCK-----"


def to_inline(content: bytes) -> str:
    """Return a file's content as an option's value."""
    return _INLINE + base64.b64encode(content).decode("ascii")


def from_inline(value: str) -> bytes | None:
    """Return the content that an option's value holds, None if it is the name of a file or a URL."""
    if value.lstrip().startswith(_KEY_BLOCK):
        return value.encode("utf-8")
    if not value.startswith(_INLINE):
        return None
    try:
        return base64.b64decode(value[len(_INLINE) :], validate=True)
    except binascii.Error:
        return b""


def check_signed(value: str) -> str | None:
    """A signature, or a list of checksums: a file on the controller, or a URL."""
    return None if from_inline(value) is not None else check_source(value)


def check_key(value: str) -> str | None:
    """A public key: a file on the controller, or the text of an armored one."""
    if "PRIVATE KEY" in value:
        return "it is a private key; give the public one, and treat that one as known to others"
    if from_inline(value) is not None:
        return None
    if is_url(value):
        return f"{shown(value)} is a URL; who changes the image there would change the key as well: keep it in a file"
    return check_source(value)


def file_name_of(source: str) -> str:
    """Return the name under which lists of checksums and mirrors know a source."""
    return posixpath.basename(unquote(urlsplit(source).path) if is_url(source) else source)


def mirrored(mirror: str, source: str) -> str:
    """Return where a mirror has a source: beneath it, under its own name."""
    if is_url(mirror):
        return f"{mirror.rstrip('/')}/{posixpath.basename(urlsplit(source).path)}"
    return posixpath.join(mirror, file_name_of(source))


def find_trust_mistakes(image: Image, path: str) -> list[Mistake]:
    """Check the options of one image against each other. path: of the image."""
    here = f"{path}." if path else ""
    mistakes = []
    is_name = find_distribution(image.source) is not None
    if image.signature and not image.signing_key:
        mistakes.append(Mistake(f"{here}signing_key", "is missing; a signature needs the key that it is checked with"))
    if image.signing_key and not image.signature and not is_name:
        mistakes.append(Mistake(f"{here}signature", "is missing; write the detached signature that the key is for"))
    if image.checksums and not image.signature and not is_name:
        problem = (
            "is missing; a list of checksums that is not signed says what whoever changed it wants: write its detached "
            "signature, and signing_key, or leave checksums out and write sha256 alone"
        )
        mistakes.append(Mistake(f"{here}signature", problem))
    if image.mirrors and image.source and not is_url(image.source) and not is_name:
        mistakes.append(
            Mistake(f"{here}mirrors", "only what has a URL or a short name as its source has mirrors; leave them out")
        )
    if image.mirrors and image.source and is_url(image.source) and not file_name_of(image.source):
        problem = "names no file at its end, by which mirrors would know it"
        mistakes.append(Mistake(f"{here}source", problem))
    return mistakes
