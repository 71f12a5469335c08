# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of an image: looked at, its signature verified, registered under its name."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

from ..._cloud import Cloud
from ..._doors.host import image_files as cache
from ..._doors.host.image_inspection import inspect_image
from ..._doors.host.signatures import find_digest, verify_signature, written_for_check
from ..._doors.web.fetch import fetch_small
from ..._model.digest import name_digest, split_digest
from ..._model.errors import PextraError, Problem
from ..._model.rows import Row
from ..._model.source import is_url
from .copies import change_images
from .plan.state import Proof
from .spec import Image, image_kind
from .trust import file_name_of, from_inline
from .versions import OF_NAME, describe_anew, keep_copies


def inspect_cached(wants: Sequence[Image]) -> dict[tuple[str | None, str], tuple[Problem, ...]]:
    """Look at the files that are here and not registered; return what is wrong, by the image's cluster and name."""
    refused = {}
    for want in wants:
        if want.sha256 is None:
            continue
        with contextlib.suppress(FileNotFoundError), open(cache.cached_path(want.sha256), "rb") as file:
            try:
                inspect_image(
                    file, want.format or "", want.max_size or 0, f"image {want.name}", is_iso=want.kind == "iso"
                )
            except PextraError as error:
                refused[want.cluster, want.name] = error.problems
    return refused


@contextlib.contextmanager
def open_cached(sha256: str, label: str) -> Iterator[BinaryIO]:
    """Open the coordinator's file. Raises PextraError, also for what goes wrong while it is read."""
    try:
        with open(cache.cached_path(sha256), "rb") as file:
            yield file
    except OSError as error:
        raise PextraError(
            [Problem(f"the coordinator's file cannot be read: {error}", "Run again.", resource=label)]
        ) from error


def drop_changed(sha256: str, label: str) -> PextraError:
    """Drop a file of the coordinator that is not what it was. Returns what is to be raised."""
    cache.drop(sha256)
    return PextraError(
        [
            Problem(
                "the coordinator's file has changed since it was verified, and was dropped",
                "Run again: it is fetched anew. Check the coordinator's disk.",
                resource=label,
            )
        ]
    )


def verify(proof: Proof, sha256: str, label: str) -> dict[str, str]:
    """Check what vouches for a file of the cache. Returns what is recorded of it."""
    signature = _content_of(proof.signature, label)
    key = _content_of(proof.key, label)
    if proof.checksums is None:
        signed_by = verify_signature(cache.cached_path(sha256), signature, key, label)
    else:
        listing, name = _content_of(proof.checksums, label), file_name_of(proof.source or "")
        with written_for_check(listing) as path:
            signed_by = verify_signature(path, signature, key, label)
        stated = find_digest(listing, name, label)
        if not _is_of(sha256, stated, label):
            what = f"the signed list of checksums states {name_digest(stated)} for {name}, and the file has another"
            raise PextraError([Problem(what, "Do not use the file before you know why.", resource=label)])
    return {"signed_by": signed_by, "signing_key": proof.key_digest}


def _is_of(sha256: str, stated: str, label: str) -> bool:
    """Tell whether the file of the cache has this digest, of whichever kind."""
    kind, digits = split_digest(stated)
    if kind == "sha256":
        return digits == sha256
    digest = hashlib.new(kind)
    with open_cached(sha256, label) as file:
        while chunk := file.read(cache.CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == digits


def _content_of(value: str, label: str) -> bytes:
    """Return the content of an option that the action plugin has read, or that is a URL."""
    content = from_inline(value)
    if content is not None:
        return content
    if is_url(value):
        return fetch_small(value, label)
    what = f"{value} was not read on the controller"
    raise PextraError(
        [Problem(what, "The action plugin of pextra_image does; call the module by its full name.", resource=label)]
    )


def register(cloud: Cloud, row: Row, data: Mapping[str, Any], proven: Mapping[str, str], label: str) -> None:
    """Put a new content under its name once its file has been looked at, or change what is registered."""
    if not data["is_fresh"] and data["replaces"] is None:

        def change(current: Row) -> Row:
            own = {key: row.attributes[key] for key in OF_NAME if key in row.attributes}
            rest = describe_anew(keep_copies(current, lambda _, key: key not in data["gone"]), own)
            return replace(rest, attributes={**rest.attributes, **proven})

        change_images(cloud.registry, lambda one: one.id == row.id, change)
        return
    attributes = {**row.attributes, **proven}
    if data["is_fresh"]:
        with open_cached(data["sha256"], label) as file:
            is_iso = image_kind(row.attributes) == "iso"
            found = inspect_image(file, row.attributes["format"], data["max_size"], label, is_iso=is_iso)
        attributes |= {"virtual_size": found.virtual_size, "size": found.size}

    def write() -> set[str]:
        """Returns the digests of which the coordinator need not keep the file any more."""
        before = {str(one.attributes["sha256"]) for one in cloud.registry.rows("image")}
        if data["replaces"] is not None:
            cloud.registry.remove([data["replaces"]])
        cloud.registry.put([replace(row, attributes=attributes)])
        return before - {str(one.attributes["sha256"]) for one in cloud.registry.rows("image")}

    for sha256 in cloud.registry.transaction(write):
        cache.drop(sha256)
