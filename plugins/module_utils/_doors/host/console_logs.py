# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs that virtlogd writes of guests' consoles: it turns one over at 2 MiB, and keeps three older ones."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

BEGIN = "begin"
_OLDER = 3


class Part(NamedTuple):
    """One of the files that a log consists of. size is bytes."""

    inode: int
    size: int


class Reading(NamedTuple):
    """What stands in a log. mark: where it ends. is_cut: something before it is left out, or gone."""

    data: bytes
    mark: str
    is_cut: bool


def find_end(path: str) -> str:
    """Return the mark of where a log ends now, without reading it; the beginning, if there is none yet."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return BEGIN
    return _mark(Part(found.st_ino, found.st_size))


def read_log(path: str, since: str, most: int) -> Reading | None:
    """Read the last bytes of a log, `most` at most, and none before a mark; None if there is no log. Raises OSError."""
    with ExitStack() as stack:
        files, parts = [], []
        for descriptor, part in _open_all(path, stack):
            files.append(descriptor)
            parts.append(part)
        if not parts:
            return None
        pieces, is_cut = choose_pieces(parts, since, most)
        data = b"".join(_read(files[index], offset, length) for index, offset, length in pieces)
    return Reading(data, _mark(parts[0]), is_cut)


def choose_pieces(parts: Sequence[Part], since: str, most: int) -> tuple[list[tuple[int, int, int]], bool]:
    """Choose what to read of which part: (index, offset, length), in the order in which it was written. Tells as well
    whether something is left out. parts: the newest first.
    """
    begin, is_cut = {len(parts) - 1: 0}, False
    if since != BEGIN:
        inode, offset = (int(number) for number in since.split(":"))
        found = next((index for index, part in enumerate(parts) if part.inode == inode and offset <= part.size), None)
        if found is None:
            is_cut = True  # it was turned over so often that it is gone
        else:
            begin = {found: offset}
    (oldest, first), left = next(iter(begin.items())), most
    pieces: list[tuple[int, int, int]] = []
    for index, part in enumerate(parts[: oldest + 1]):
        offset = first if index == oldest else 0
        length = min(part.size - offset, left)
        is_cut = is_cut or length < part.size - offset
        left -= length
        if length:
            pieces.insert(0, (index, part.size - length, length))
    return pieces, is_cut


def _open_all(path: str, stack: ExitStack) -> Iterator[tuple[int, Part]]:
    """Open what there is, the newest first. One that is turned over meanwhile is seen twice, and counts once."""
    seen = set()
    for name in (path, *(f"{path}.{number}" for number in range(_OLDER))):
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode) and found.st_ino not in seen:
                seen.add(found.st_ino)
                yield descriptor, Part(found.st_ino, found.st_size)


def _read(descriptor: int, offset: int, length: int) -> bytes:
    """What was cut off by hand since it was measured is not there."""
    return os.pread(descriptor, length, offset)


def _mark(part: Part) -> str:
    return f"{part.inode}:{part.size}"
