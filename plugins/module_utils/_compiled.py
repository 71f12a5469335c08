# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The coordinators' program as this host's Python has compiled it, kept from one start to the next.

Python keeps nothing of what it compiles out of an archive, and to compile it all takes ten times as long as the rest
of most starts. This is the beginning of the program itself, before anything of it is imported: it imports nothing of
its neighbours.
"""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
import sys
import tempfile
import zipfile
import zipimport

DIRECTORY = "/var/cache/pextra"
_BEGIN, _END = "coordinator-", ".zip"
# Of a file of compiled code (PEP 552): it has its source's hash, and nobody is to look whether that is right.
_UNCHECKED = (1).to_bytes(4, "little")


def find_compiled(program: str, digest: str, directory: str = DIRECTORY) -> str | None:
    """Return the archive of what this program's sources compile to, made now if it is not there yet; None where it
    cannot be had, and the sources are as good.

    digest: of the sources, so that no other program's is taken for it. Nothing comes from a directory to which anybody
    else may write.
    """
    name = f"{_BEGIN}{digest[:32]}.{sys.implementation.cache_tag}{_END}"
    path = os.path.join(directory, name)
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
        about = os.stat(directory)
        if about.st_uid not in (0, os.geteuid()) or about.st_mode & 0o022:
            return None
        if _is_whole(path):
            return path
        _write(program, path)
    except OSError:  # a full or a read-only disk
        return None
    _remove_others(directory, name)
    return path


def _is_whole(path: str) -> bool:
    try:
        zipimport.zipimporter(path)
    except zipimport.ZipImportError:
        return False
    return True


def _write(program: str, path: str) -> None:
    descriptor, beside = tempfile.mkstemp(prefix=_BEGIN, dir=os.path.dirname(path))
    try:
        with open(descriptor, "wb") as file, zipfile.ZipFile(program) as sources:
            with zipfile.ZipFile(file, "w") as archive:
                for name in sources.namelist():
                    archive.writestr(f"{name}c", _compile(sources.read(name), os.path.join(program, name)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def _compile(source: bytes, where: str) -> bytes:
    code = marshal.dumps(compile(source, where, "exec", dont_inherit=True))
    return importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source) + code


def _remove_others(directory: str, but: str) -> None:
    """What earlier programs, other versions of Python and starts that were killed have left."""
    for name in os.listdir(directory):
        if name.startswith(_BEGIN) and name != but:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(directory, name))
