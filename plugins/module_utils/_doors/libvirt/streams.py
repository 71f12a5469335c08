# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in volumes, over libvirt's streams."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import libvirt

from ..._model.errors import PextraError
from .volumes import Volumes
from .watch import Call

if TYPE_CHECKING:
    from ..host.blocks import Blocks

# A part of a transfer, which a slow disk may hold up.
_TRANSFER_LIMIT_S = 60.0
_PART = 256 * 1024


class Streams(Volumes):
    """What is read from and written into volumes."""

    def upload_volume(
        self,
        pool: str,
        name: str,
        read: Callable[[int], bytes],
        length: int,
        resource: str,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Fill a volume with `length` bytes from `read`, over the connection."""
        with self._stream("upload a volume", resource) as stream:
            stream.begin(lambda inner: self._volume(pool, name).upload(inner, 0, length))
            sent = 0
            while chunk := read(_PART):
                stream.send(chunk)
                sent += len(chunk)
                if progress is not None:
                    progress(sent)

    def download_volume(
        self, pool: str, name: str, write: Callable[[bytes], object], length: int, resource: str
    ) -> None:
        """Hand the first `length` bytes of a volume to `write`, over the connection."""
        with self._stream("download a volume", resource) as stream:
            stream.begin(lambda inner: self._volume(pool, name).download(inner, 0, length))
            while chunk := stream.receive():
                write(chunk)

    def fill_volume(
        self,
        pool: str,
        name: str,
        blocks: Blocks,
        size: int,
        resource: str,
        *,
        is_blank: bool,
        begin: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Write blocks into a volume, in order; what is between them reads as zeros afterwards, from byte `begin` up to
        `size`.

        is_blank: it was never written and reads as zeros; what is between is then left alone. progress is told how far
        it is.
        """
        with self._errors("fill a volume", resource):
            volume = self._volume(pool, name)
        if is_blank:
            self._fill_parts(volume, blocks, resource, progress)
        else:
            self._fill_all(volume, blocks, begin, size, resource, progress)

    def _fill_all(
        self,
        volume: Any,
        blocks: Blocks,
        begin: int,
        size: int,
        resource: str,
        progress: Callable[[int], None] | None,
    ) -> None:
        """One stream; the node's libvirt writes the zeros, so that they do not travel."""
        flags = libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM
        with self._stream("fill a volume", resource) as stream:
            stream.begin(lambda inner: volume.upload(inner, begin, size - begin, flags))
            done = begin
            for offset, data in blocks:
                if offset > done:
                    stream.skip(offset - done)
                stream.send(data)
                done = offset + len(data)
                if progress is not None:
                    progress(done)
            if size > done:
                stream.skip(size - done)

    def _fill_parts(self, volume: Any, blocks: Blocks, resource: str, progress: Callable[[int], None] | None) -> None:
        """A stream for each run of blocks."""
        source = iter(blocks)
        block = next(source, None)
        while block is not None:
            with self._stream("fill a volume", resource) as stream:
                start = end = block[0]
                stream.begin(partial(_upload_from, volume, start))
                while block is not None and block[0] == end:
                    stream.send(block[1])
                    end += len(block[1])
                    if progress is not None:
                        progress(end)
                    block = next(source, None)

    def read_volume(self, pool: str, name: str, size: int, resource: str) -> Iterator[bytes]:
        """Yield the first `size` bytes of a volume, over the connection."""
        with self._stream("read a volume", resource) as stream:
            stream.begin(lambda inner: self._volume(pool, name).download(inner, 0, size))
            while chunk := stream.receive():
                yield chunk

    @contextlib.contextmanager
    def _stream(self, doing: str, resource: str) -> Iterator[_Stream]:
        """Open a stream; finish it in the end, or abort it. Its parts are watched, not what is done between them."""
        stream = _Stream(self._connection, lambda: self._errors(doing, resource, limit_s=_TRANSFER_LIMIT_S))
        try:
            yield stream
            stream.finish()
        except BaseException:
            stream.abort()
            raise


def _upload_from(volume: Any, offset: int, stream: Any) -> None:
    volume.upload(stream, offset, 0)


class _Stream:
    """libvirt's stream, of which each call is watched."""

    def __init__(
        self, connection: libvirt.virConnect, errors: Callable[[], contextlib.AbstractContextManager[Call]]
    ) -> None:
        self._errors = errors
        with errors():
            self._inner = connection.newStream()

    def begin(self, call: Callable[[Any], object]) -> None:
        """Let libvirt open what the stream goes to or comes from."""
        with self._errors():
            call(self._inner)

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        with self._errors() as call:
            while view:
                view = view[self._inner.send(bytes(view[:_PART])) :]
                call.go_on()

    def skip(self, length: int) -> None:
        """Send that there is nothing for so many bytes."""
        with self._errors():
            self._inner.sendHole(length)

    def receive(self) -> bytes:
        """Return what comes next; nothing at the end."""
        with self._errors():
            return bytes(self._inner.recv(_PART))

    def finish(self) -> None:
        with self._errors():
            self._inner.finish()

    def abort(self) -> None:
        with contextlib.suppress(PextraError), self._errors():
            self._inner.abort()
