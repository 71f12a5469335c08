# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests of files: a SHA-256 as it is, and a SHA-512, which some publishers state alone, with its name before it."""

from __future__ import annotations

_SHA512 = "sha512:"


def of_sha512(digest: str) -> str:
    """Return a SHA-512 as everything here writes it."""
    return f"{_SHA512}{digest.lower()}"


def is_sha512(digest: str) -> bool:
    return digest.startswith(_SHA512)


def split_digest(digest: str) -> tuple[str, str]:
    """Return (what hashlib calls its kind, its hexadecimal digits)."""
    return ("sha512", digest.removeprefix(_SHA512)) if is_sha512(digest) else ("sha256", digest)


def name_digest(digest: str) -> str:
    """Return it for people."""
    kind, digits = split_digest(digest)
    return f"{'SHA-512' if kind == 'sha512' else 'SHA-256'} {digits}"
