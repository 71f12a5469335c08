# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One hash over everything that an image is made from: the image is current while the hash is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def hash_inputs(files: Iterable[Path], *texts: str) -> str:
    """SHA-256 over texts and files; of a directory, over all files in it with their modes."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"text {len(text)}\0{text}".encode())
    for given in files:
        for path in sorted(p for p in [given, *given.rglob("*")] if p.is_file()):
            content = path.read_bytes()
            is_executable = bool(path.stat().st_mode & 0o100)
            name = path.relative_to(given.parent)
            digest.update(f"file {name} {is_executable} {len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def read_lines(path: Path) -> list[str]:
    """The lines of a list file without comments and blank lines."""
    lines = (line.split("#", 1)[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]
