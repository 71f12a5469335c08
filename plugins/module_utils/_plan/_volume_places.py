"""Where volumes that live on their own can be, and as what: the only place here that knows types of pools."""

from __future__ import annotations

from .._names import serial_of
from .._pool_kinds import KINDS
from .._xml.domain import Disk
from . import _disks
from ._rows import Row


def find_formats(pool: Row) -> tuple[str, ...]:
    """Return the formats of volumes that can be made in a pool, the usual one first; none where none can be made."""
    kind = KINDS[pool.attributes["type"]]
    return kind.formats if kind.disk == "file" else ()


def can_be_linked(pool: Row) -> bool:
    """Tell whether a volume of a pool can share another one's blocks."""
    return KINDS[pool.attributes["type"]].clone == "file"


def name_usable_types() -> str:
    """Return, for people, the types of pools that volumes can be made in."""
    return " or ".join(sorted(name for name, kind in KINDS.items() if kind.disk == "file"))


def is_shared(pool: Row) -> bool:
    return bool(pool.attributes.get("shared"))


def disk_of(pool: Row, file: str, volume_id: str, volume_format: str, target: str) -> Disk:
    """Return a volume as a disk."""
    return _disks.disk_of(pool, file, target=target, serial=serial_of(volume_id), volume_format=volume_format)
