# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What short names of images mean: asked of their publishers, where that is not known yet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from ..._doors.host import image_files as cache
from ..._doors.host.signatures import find_digest, verify_signature, verify_signed_text, written_for_check
from ..._doors.web.fetch import fetch_small
from ..._model.errors import PextraError, Problem
from ..._model.rows import Row
from ..hierarchy.plan import find_cluster
from .distributions import DISTRIBUTIONS, Publication, find_publication
from .plan.state import ImageHave, Published
from .spec import Image
from .trust import file_name_of, from_inline


class Publishers:
    """Asks each list of checksums once in a run, so that all of a run means one content."""

    def __init__(self) -> None:
        self._stated: dict[tuple[Publication, str | None], tuple[str, dict[str, str]] | PextraError] = {}

    def look_up(self, wants: Sequence[Image], have: ImageHave) -> ImageHave:
        """Return what there is, with what the short names of the wants mean."""
        found = dict(have.published)
        problems = dict(have.unpublished)
        for want in wants:
            if want.state != "present" or want.source not in DISTRIBUTIONS:
                continue
            try:
                found[want] = self._look_up(want, have)
            except PextraError as error:
                problems[want] = error.problems
        return replace(have, published=found, unpublished=problems)

    def _look_up(self, want: Image, have: ImageHave) -> Published:
        source = want.source or ""
        row = _find_row(want, have)
        architecture = want.architecture or (row.attributes.get("architecture") if row else None) or "x86_64"
        publication = find_publication(DISTRIBUTIONS[source], architecture)
        if want.sha256 is not None:
            return Published(publication.url, source, want.sha256)
        if row is not None and row.attributes.get("origin") == source and not want.renew:
            return Published(publication.url, source, str(row.attributes["sha256"]), row.attributes.get("stated"))
        stated, proven = self._ask(publication, want)
        known = cache.known_sha256(stated)
        if known is None and row is not None and row.attributes.get("stated") == stated:
            known = str(row.attributes["sha256"])
        return Published(publication.url, source, known or stated, stated, proven)

    def _ask(self, publication: Publication, want: Image) -> tuple[str, dict[str, str]]:
        """Return (the digest that is stated, what is recorded of who signed it)."""
        key = (publication, want.signing_key)
        if key not in self._stated:
            try:
                self._stated[key] = _read_list(publication, want.signing_key, f"image {want.name}")
            except PextraError as error:
                self._stated[key] = error
        found = self._stated[key]
        if isinstance(found, PextraError):
            raise found
        return found


def _read_list(publication: Publication, key: str | None, label: str) -> tuple[str, dict[str, str]]:
    listing = fetch_small(publication.checksums, label)
    proven: dict[str, str] = {}
    if key is not None:
        listing, proven = _verify(publication, listing, key, label)
    return find_digest(listing, file_name_of(publication.url), label), proven


def _verify(publication: Publication, listing: bytes, key: str, label: str) -> tuple[bytes, dict[str, str]]:
    """Return (what of the list was signed, what is recorded of it)."""
    public = from_inline(key)
    if public is None:
        what = f"{key} was not read on the controller"
        remedy = "The action plugin of pextra_image does; call the module by its full name."
        raise PextraError([Problem(what, remedy, resource=label)])
    if publication.signature is None:
        signed, signed_by = verify_signed_text(listing, public, label)
    else:
        signature = fetch_small(publication.signature, label)
        with written_for_check(listing) as path:
            signed, signed_by = listing, verify_signature(path, signature, public, label)
    if signed_by != publication.fingerprint:
        what = f"signing_key is the key {signed_by}, and its publisher signs with {publication.fingerprint}"
        raise PextraError([Problem(what, "Give the publisher's key.", resource=label)])
    return signed, {"signed_by": signed_by, "signing_key": hashlib.sha256(key.encode()).hexdigest()}


def _find_row(want: Image, have: ImageHave) -> Row | None:
    cluster = find_cluster(want.cluster, have.clusters)
    return None if isinstance(cluster, str) else have.by_name.get((cluster.id, want.name))
