"""Which copies of images are complete, as the registry records it.

Several threads, and runs on different pools, record copies of one image: each change reads and writes the row in one
transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .._names import image_volume
from .._plan._rows import Row
from .._plan.image import site_key
from .._registry.store import Registry


def record_copy(registry: Registry, image_id: str, key: str) -> None:
    """Note that a copy is complete."""

    def add(attributes: dict[str, Any]) -> None:
        attributes["copies"] = sorted({*attributes.get("copies", ()), key})

    change_images(registry, lambda row: row.id == image_id, add)


def withdraw_copy(registry: Registry, image_id: str, key: str) -> None:
    """Note that a copy is about to be written anew: half of it has the same name, and must not count."""

    def drop(attributes: dict[str, Any]) -> None:
        attributes["copies"] = [one for one in attributes.get("copies", ()) if one != key]

    change_images(registry, lambda row: row.id == image_id, drop)


def forget_copy(registry: Registry, scope: str, name: str, key: str, volume: str) -> None:
    """Note that a copy, or what was left of the content before, has been deleted."""

    def write() -> None:
        for row in registry.rows("image"):
            if (row.scope, row.name) != (scope, name):
                continue
            attributes = dict(row.attributes)
            if image_volume(row.id, attributes["format"]) == volume:
                attributes["copies"] = [one for one in attributes.get("copies", ()) if one != key]
            _keep_leftovers(attributes, lambda one: one != [key, volume])
            registry.put([replace(row, attributes=attributes)])

    registry.transaction(write)


def forget_copies(registry: Registry, pool_id: str, node_id: str) -> None:
    """Note that a pool has left a node, and the copies in it with it."""
    gone = {site_key(pool_id, node_id), site_key(pool_id, None)}

    def drop(attributes: dict[str, Any]) -> None:
        attributes["copies"] = [one for one in attributes.get("copies", ()) if one not in gone]
        _keep_leftovers(attributes, lambda one: one[0] not in gone)

    change_images(registry, lambda _: True, drop)


def change_images(
    registry: Registry, concerns: Callable[[Row], bool], change: Callable[[dict[str, Any]], None]
) -> None:
    """Apply a change to the attributes of images, in one transaction."""

    def write() -> None:
        changed = []
        for row in registry.rows("image"):
            attributes = dict(row.attributes)
            if concerns(row):
                change(attributes)
            if attributes != row.attributes:
                changed.append(replace(row, attributes=attributes))
        registry.put(changed)

    registry.transaction(write)


def _keep_leftovers(attributes: dict[str, Any], stays: Callable[[list[str]], bool]) -> None:
    rest = [one for one in attributes.pop("leftovers", ()) if stays(one)]
    if rest:
        attributes["leftovers"] = rest
