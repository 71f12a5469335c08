# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of the controller that is written as a stream, and is whole or as it was before."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from types import TracebackType

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError, Problem


class WrittenFile:
    """Use as a context manager. Raises PextraError. is_kept: what is there stays, and it is only told whether it
    differs.
    """

    def __init__(self, path: str, *, is_kept: bool) -> None:
        self.path = os.path.realpath(path)
        self._is_kept = is_kept
        self._digest = hashlib.sha256()
        self._beside: str | None = None
        self._file: int | None = None

    def __enter__(self) -> WrittenFile:
        if os.path.exists(self.path) and not os.path.isfile(self.path):
            raise self._error("it is there, and is no file")
        try:
            if self._is_kept:
                os.stat(os.path.dirname(self.path))
            else:
                # Nobody else may read it.
                self._file, self._beside = tempfile.mkstemp(
                    prefix=f".{os.path.basename(self.path)[:200]}.", dir=os.path.dirname(self.path)
                )
        except OSError as error:
            raise self._error(error.strerror or str(error)) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)
        if self._beside is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._beside)

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        if self._file is None:
            return
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            raise self._error(error.strerror or str(error)) from error

    def finish(self) -> bool:
        """Put it in its place, and tell whether it differs from what was there."""
        try:
            if os.path.isfile(self.path):
                with open(self.path, "rb") as there:
                    if hashlib.file_digest(there, "sha256").digest() == self._digest.digest():
                        return False
            if self._file is not None and self._beside is not None:
                os.fsync(self._file)
                os.replace(self._beside, self.path)
                self._beside = None
        except OSError as error:
            raise self._error(error.strerror or str(error)) from error
        return True

    def _error(self, what: str) -> PextraError:
        return PextraError(
            [
                Problem(
                    f"{self.path} cannot be written on the controller: {what}", "Give a file whose directory is there."
                )
            ]
        )
