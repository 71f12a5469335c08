# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contents that an image's name has meant. Pure.

The row of an image holds the newest; the older ones that are still there are in its attribute `versions`. Each has an
identifier of its own, after which its volumes are called, and a number: the newest has the highest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..._model.ids import is_id
from ..._model.names import image_volume
from ..._model.rows import Row
from ..pool.kinds import image_format

# What the row says of its newest version, in the words of the others. Sizes are bytes.
_OF_VERSION = ("number", "sha256", "format", "virtual_size", "size", "copies", "signed_by", "signing_key")
# What it says of the image whatever its content: what a call can change of one that is registered.
OF_NAME = ("kind", "description", "architecture", "origin", "stated", "protected", "retention", "pools")


@dataclass(frozen=True, kw_only=True)
class Version:
    """One content. copies are the keys of the sites that hold it complete; size is that of the file.

    signed_by: the fingerprint of the key whose signature was verified; signing_key: the digest of that key as declared.
    """

    id: str
    number: int
    sha256: str
    format: str
    virtual_size: int
    size: int | None
    copies: tuple[str, ...]
    signed_by: str | None = None
    signing_key: str | None = None

    def volume_in(self, pool: Row | None) -> str:
        """Return the name of its copy in a pool. A pool that is gone has no say in it."""
        pool_type = pool.attributes["type"] if pool is not None else "directory"
        return image_volume(self.id, image_format(pool_type, self.format))

    @property
    def content(self) -> tuple[str, str]:
        return self.sha256, self.format

    def as_dict(self) -> dict[str, Any]:
        """Return it as the registry and the nodes' labels keep it."""
        return {**asdict(self), "copies": list(self.copies)}


def newest_of(row: Row) -> Version:
    """Return what the name means now."""
    return _parse({**row.attributes, "id": row.id})


def older_of(row: Row) -> tuple[Version, ...]:
    """Return what the name meant before and is still there, newest first."""
    found = [_parse(one) for one in row.attributes.get("versions") or ()]
    return tuple(sorted(found, key=lambda version: -version.number))


def versions_of(row: Row) -> tuple[Version, ...]:
    """Return all, newest first."""
    return (newest_of(row), *older_of(row))


def with_versions(row: Row, newest: Version, older: Iterable[Version]) -> Row:
    """Return the row with other versions. Of the older ones those without a copy are left out: nothing is there."""
    kept = [version.as_dict() for version in older if version.copies]
    attributes = {key: value for key, value in row.attributes.items() if key != "versions"}
    of_newest = {key: value for key, value in newest.as_dict().items() if key in _OF_VERSION}
    attributes |= of_newest | ({"versions": kept} if kept else {})
    return replace(row, id=newest.id, attributes=attributes)


def describe_anew(row: Row, own: Mapping[str, Any]) -> Row:
    """Return the row with other values of what is said of the image, whatever its content (`OF_NAME`)."""
    unknown = own.keys() - set(OF_NAME)
    if unknown:
        raise ValueError(f"not of an image whatever its content: {', '.join(sorted(unknown))}")
    return replace(row, attributes={**row.attributes, **own})


def keep_copies(row: Row, stays: Callable[[Version, str], bool]) -> Row:
    """Return the row without the copies that do not stay, by version and site key."""
    newest, *older = (
        replace(version, copies=tuple(key for key in version.copies if stays(version, key)))
        for version in versions_of(row)
    )
    return with_versions(row, newest, older)


def choose_kept(
    older: Iterable[Version], retention: int, is_needed: Callable[[Version], bool]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the identifiers of the versions that are kept: (because they are needed, because of the retention)."""
    unneeded = []
    needed = set()
    for version in sorted(older, key=lambda one: -one.number):
        if is_needed(version):
            needed.add(version.id)
        else:
            unneeded.append(version.id)
    return frozenset(needed), frozenset(unneeded[:retention])


def merge_images(rows: Iterable[Row]) -> list[Row]:
    """Put together what several nodes carry of the same images: copies add up, and the highest number is the newest.

    Nodes differ in the number when a run was killed while it wrote the labels. What an image was declared for, no
    label says: it is what holds a copy of any version.
    """
    merged: dict[tuple[str, str], tuple[Row, dict[str, Version]]] = {}
    for row in rows:
        first, versions = merged.setdefault((row.scope, row.name), (row, {}))
        for version in versions_of(row):
            known = versions.get(version.id)
            copies = {*version.copies, *(known.copies if known else ())}
            number = max(version.number, known.number if known else 0)
            versions[version.id] = replace(version, copies=tuple(sorted(copies)), number=number)
        if newest_of(row).number > newest_of(first).number:
            merged[row.scope, row.name] = (row, versions)
    found = []
    for row, versions in merged.values():
        newest, *older = sorted(versions.values(), key=lambda version: -version.number)
        pools = sorted({key.partition("/")[0] for version in versions.values() for key in version.copies})
        declared = replace(row, attributes={**row.attributes, "pools": pools}) if pools else row
        found.append(with_versions(declared, newest, older))
    return found


def find_copied(images: Iterable[Row], keys: Collection[str]) -> list[str]:
    """Return the images that have a copy at one of these sites, as works name what they touch."""
    return [f"image {row.name}" for row in images if any(key in keys for one in versions_of(row) for key in one.copies)]


def find_last_copies(
    images: Iterable[Row], going: Collection[str], known: Collection[str]
) -> Iterator[tuple[Row, list[str]]]:
    """Yield each image of which a content would lose its last copy, with the keys of those that would go.

    going: the keys of the sites that go. known: the identifiers of the pools and nodes that there are; what was in, or
    on, others is gone already.
    """
    for row in images:
        lost: list[str] = []
        for version in versions_of(row):
            left = [key for key in version.copies if all(part in known for part in key.split("/") if part)]
            if left and all(key in going for key in left):
                lost += left
        if lost:
            yield row, list(dict.fromkeys(lost))


def is_version(value: object) -> bool:
    """Tell whether what a label holds can be a version: labels are texts that others can write."""
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("id"), str)
        and is_id(value["id"], "image")
        and {"sha256", "format", "virtual_size", "copies"} <= set(value)
        and isinstance(value["copies"], list)
        and isinstance(value.get("number", 1), int)
    )


def _parse(value: Mapping[str, Any]) -> Version:
    return Version(
        id=value["id"],
        number=value.get("number", 1),
        sha256=value["sha256"],
        format=value["format"],
        virtual_size=value.get("virtual_size", 0),
        size=value.get("size"),
        copies=tuple(value.get("copies") or ()),
        signed_by=value.get("signed_by"),
        signing_key=value.get("signing_key"),
    )
