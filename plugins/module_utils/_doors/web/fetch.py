# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching an image from a URL to the coordinator's cache.

The coordinator sits where the cloud's own services listen, so a URL, a redirect or a name that leads back to it or to
a link-local address (where cloud metadata services are) is refused, whoever wrote it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import http.client
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from ansible.module_utils.urls import open_url

from ..._model.digest import split_digest
from ..._model.errors import PextraError, Problem
from ..._model.source import check_source, is_inward, is_url
from ..bounded import TooLateError, bounded
from ..host.image_files import (
    CHUNK,
    is_cached,
    keep,
    known_sha256,
    make_directory,
    partial_path,
)

_MAX_REDIRECTS = 5
_OPENING_S = 15
_SILENCE_S = 30
_NAME_S = 10.0
_TOTAL_S = 3600
# How often a transfer that breaks off is taken up at once, if each time something came.
_MAX_BREAKS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_MIB = 1024**2
_SMALL = _MIB
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
_GOES_ON = "Run again: it goes on where it stopped."
_USE_ANOTHER = "Use an address that other hosts use."
_COMPARE = "Compare with what the publisher says; correct sha256, or do not use the file."
_CHECK_URL = "Check the URL, and that the coordinator reaches it."
# Servers that are not asked again by this process: of many images from one that hangs, each would wait for it.
_silent: set[str] = set()


class FetchError(PextraError):
    """The file could not be had."""


class _BrokenOffError(FetchError):
    """Something came, and then no more."""


@dataclass(frozen=True)
class Fetched:
    """Where a file was had from, without what may be secret in it; and why places before that one were passed over."""

    url: str
    passed_over: tuple[str, ...]


def fetch_image(
    urls: Sequence[str],
    digest: str,
    *,
    max_size_mib: int,
    label: str,
    if_other: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Fetched | None:
    """Bring the file into the cache, verified. A transfer that broke off is taken up where it stopped.

    urls: of the same file, tried in their order. digest: its SHA-256, or SHA-512 (`_model/digest.py`), by which the
    cache knows it then. if_other: what to do if a URL has another file. max_size_mib: the largest virtual size; a file
    is never much larger.
    Returns None if another run has fetched it meanwhile. Raises FetchError.
    """
    make_directory()
    wanted = _Wanted(digest, _longest(max_size_mib), label, if_other or _COMPARE, progress)
    problems: list[Problem] = []
    with _our_disk(label), open(partial_path(digest), "a+b", opener=_open_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another run may be fetching the same file
        known = known_sha256(digest)
        if known is not None and is_cached(known):
            if os.path.exists(partial_path(digest)):
                os.unlink(partial_path(digest))
            return None
        for url in urls:
            try:
                if urlsplit(url).netloc in _silent:
                    raise _fail(label, url, "is not asked for: its server did not answer a moment ago", _CHECK_URL)
                _fetch_persistently(file, url, wanted)
            except FetchError as error:
                problems += error.problems
            except OSError as error:
                if error.errno in _DISK_ERRORS:
                    raise
                if isinstance(error, TimeoutError):
                    _note_silence(url)
                problems.append(
                    Problem(f"{_shown(url)} could not be fetched: {error}", _GOES_ON, resource=label),
                )
            else:
                return Fetched(_shown(url), tuple(problem.what for problem in problems))
    raise FetchError(problems)


def fetch_small(url: str, label: str) -> bytes:
    """Return what a URL holds, a signature or a list of checksums, with the same checks. Raises FetchError."""
    try:
        with _open_checked(url, 0, label) as response:
            content = response.read(_SMALL + 1)
    except (OSError, http.client.HTTPException) as error:
        raise _fail(label, url, f"could not be fetched: {error}", _CHECK_URL) from error
    if len(content) > _SMALL:
        raise _fail(label, url, f"is longer than {_SMALL // _MIB} MiB, and no signature or list", _CHECK_URL)
    return bytes(content)


@contextlib.contextmanager
def _our_disk(label: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "Free space below /var/lib/pextra on the coordinator, and look at its disk."
        raise FetchError([Problem(f"the file cannot be written: {error}", remedy, resource=label)]) from error


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _longest(max_size_mib: int) -> int:
    """Tables of a qcow2 add less than 1/50 to its data."""
    return max_size_mib * _MIB * 51 // 50 + 16 * _MIB


class _Hashes:
    """The SHA-256 of a file, and its digest of the kind that is wanted."""

    def __init__(self, digest: str) -> None:
        kind, self._wanted = split_digest(digest)
        self.name = kind.replace("sha", "SHA-")
        self._sha256 = hashlib.sha256()
        self._other = None if kind == "sha256" else hashlib.new(kind)

    def update(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        if self._other is not None:
            self._other.update(chunk)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def found(self) -> str:
        return (self._other or self._sha256).hexdigest()

    @property
    def is_right(self) -> bool:
        return self.found == self._wanted


class _Wanted(NamedTuple):
    """A file. longest: how many bytes it may have. if_other: what to do if it is another one."""

    digest: str
    longest: int
    label: str
    if_other: str
    progress: Callable[[int, int], None] | None


def _fetch_persistently(file: IO[bytes], url: str, wanted: _Wanted) -> None:
    """Fetch, and take up what breaks off as long as each time something comes."""
    deadline = time.monotonic() + _TOTAL_S
    for left in reversed(range(_MAX_BREAKS)):
        before = file.seek(0, os.SEEK_END)
        try:
            _fetch_into(file, url, wanted, deadline)
        except _BrokenOffError:
            if not left or file.seek(0, os.SEEK_END) <= before:
                raise
        else:
            return


def _fetch_into(file: IO[bytes], url: str, wanted: _Wanted, deadline: float) -> None:
    digest, longest, label, if_other, progress = wanted
    hashes = _Hashes(digest)
    file.seek(0)
    while chunk := file.read(CHUNK):
        hashes.update(chunk)
    done = file.tell()
    resumed = bool(done)
    response = _open_checked(url, done, label)
    with response:
        if done and response.status != 206:
            done = 0  # the server begins anew
            hashes = _Hashes(digest)
            file.truncate(0)
        length = response.headers.get("Content-Length")
        total = done + int(length) if length and length.isdecimal() else 0
        if total > longest:
            raise _fail(label, url, f"is {total // _MIB} MiB long, more than max_size allows", "Raise max_size.")
        while chunk := _read(response, label, url):
            done += len(chunk)
            if done > longest:
                raise _fail(label, url, f"is longer than {longest // _MIB} MiB, against max_size", "Raise max_size.")
            if time.monotonic() > deadline:
                raise _fail(label, url, f"took longer than {_TOTAL_S} s", _GOES_ON)
            file.write(chunk)
            hashes.update(chunk)
            if progress is not None:
                progress(done, total)
    if total and done < total:
        raise _broken_off(label, url, f"broke off after {done} of {total} bytes")
    if progress is not None:
        progress(done, done)
    if not hashes.is_right:
        file.truncate(0)
        if resumed:  # what was there before may have been the beginning of another file
            _fetch_into(file, url, wanted, deadline)
            return
        raise _fail(
            label,
            url,
            f"has the {hashes.name} {hashes.found}, not {split_digest(digest)[1]} as declared",
            if_other,
        )
    file.flush()
    os.fsync(file.fileno())
    keep(digest, hashes.sha256)


def _read(response: Any, label: str, url: str) -> bytes:
    """Read a little. A body that comes in pieces and breaks off is no error of the operating system's."""
    try:
        # What has come, so that the time is looked at however slowly it comes.
        return bytes(response.read1(CHUNK))
    except http.client.HTTPException as error:
        raise _broken_off(label, url, f"broke off: {error}") from error


def _open_checked(url: str, offset: int, label: str) -> Any:
    """Open the URL from a byte on, following redirects one by one, each checked like the URL itself."""
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    for _ in range(_MAX_REDIRECTS + 1):
        _refuse_inward(url, label)
        try:
            response = open_url(url, headers=headers, follow_redirects="no", timeout=_OPENING_S, decompress=False)
        except urllib.error.HTTPError as error:
            if error.code in _REDIRECTS and error.headers.get("Location"):
                url = _redirected(url, error.headers["Location"], label)
                continue
            if error.code == 416 and offset:  # what we have is longer than the file: it is another one
                headers, offset = {}, 0
                continue
            raise _fail(label, url, f"answers {error.code} {error.reason}", _CHECK_URL) from error
        except (urllib.error.URLError, http.client.HTTPException, ValueError) as error:
            if isinstance(getattr(error, "reason", None), TimeoutError):
                _note_silence(url)
            raise _fail(label, url, f"cannot be opened: {error}", _CHECK_URL) from error
        if response.status in _REDIRECTS and response.headers.get("Location"):
            response.close()
            url = _redirected(url, response.headers["Location"], label)
            continue
        peer = None if _has_proxy(url) else _peer_of(response)
        if peer is not None and is_inward(peer):  # the name has changed its meaning since it was looked up
            response.close()
            raise _fail(label, url, f"leads to {peer}, a loopback or link-local address", _USE_ANOTHER)
        _allow_pauses(response)
        return response
    raise _fail(label, url, f"redirects more than {_MAX_REDIRECTS} times", "Use the final URL.")


def _redirected(url: str, location: str, label: str) -> str:
    target = urljoin(url, location)
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
        raise _fail(label, url, "redirects from https to something weaker", "Use a source that stays with https.")
    return target


def _refuse_inward(url: str, label: str) -> None:
    """Refuse a URL that leads to this host or a link-local address, by what is written or by what its name means."""
    problem = check_source(url) if is_url(url) else "it redirects to something that is not a URL"
    if problem:
        raise FetchError([Problem(problem, "Use an http or https URL of another host.", resource=label)])
    if _has_proxy(url):
        return  # the proxy resolves the name, and reaches what the coordinator does not
    host = urlsplit(url).hostname or ""
    try:
        answers = bounded(
            lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM), _NAME_S, OSError, UnicodeError
        )
    except TooLateError as error:
        raise _fail(label, url, f"names a host that is not resolved within {_NAME_S:g} s", _CHECK_URL) from error
    except (OSError, UnicodeError) as error:
        raise _fail(label, url, f"names a host that cannot be resolved: {error}", _CHECK_URL) from error
    for text in {str(answer[4][0]).partition("%")[0] for answer in answers}:
        if is_inward(text):
            raise _fail(label, url, f"leads to {text}, a loopback or link-local address", _USE_ANOTHER)


def _peer_of(response: Any) -> str | None:
    """Return the address that a response comes from, None if Python does not tell."""
    connection = getattr(getattr(getattr(response, "fp", None), "raw", None), "_sock", None)
    return str(connection.getpeername()[0]).partition("%")[0] if connection is not None else None


def _note_silence(url: str) -> None:
    _silent.add(urlsplit(url).netloc)


def _allow_pauses(response: Any) -> None:
    """What answers may pause for longer than what does not answer."""
    connection = getattr(getattr(getattr(response, "fp", None), "raw", None), "_sock", None)
    if connection is not None:
        connection.settimeout(_SILENCE_S)


def _has_proxy(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(parts.netloc)


def _fail(label: str, url: str, what: str, remedy: str) -> FetchError:
    return FetchError([Problem(f"{_shown(url)} {what}", remedy, resource=label)])


def _broken_off(label: str, url: str, what: str) -> _BrokenOffError:
    return _BrokenOffError([Problem(f"{_shown(url)} {what}", _GOES_ON, resource=label)])


def _shown(url: str) -> str:
    """A query may hold a token, which must not reach a log."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
