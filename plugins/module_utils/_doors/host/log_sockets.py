# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending to a log daemon of this host: datagrams to a socket of the file system, the journal's or syslog's."""

from __future__ import annotations

import socket
from types import TracebackType

from ..._model.errors import PextraError, Problem

_TIMEOUT_S = 5.0


class LogSocket:
    """A socket that takes datagrams. Use as a context manager. Raises PextraError, also when nobody reads it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> LogSocket:
        self._socket.settimeout(_TIMEOUT_S)
        try:
            self._socket.connect(self._path)
        except OSError as error:
            self._socket.close()
            raise self._error(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, datagram: bytes) -> None:
        try:
            self._socket.send(datagram)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> PextraError:
        what = "nobody reads it" if isinstance(error, TimeoutError) else error.strerror or str(error)
        return PextraError(
            [
                Problem(
                    f"nothing can be sent to the log socket {self._path}: {what}",
                    "See that the daemon that reads it runs (systemctl status systemd-journald), then run again: "
                    "it goes on where it was.",
                )
            ]
        )
