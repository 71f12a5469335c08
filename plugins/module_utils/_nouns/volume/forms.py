# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which forms a volume that lives on its own can have in a storage pool of a type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..._model.names import standalone_volume
from ..._model.sizes import show_size
from ..pool.kinds import KINDS, find_name_problem

if TYPE_CHECKING:
    from .spec import Volume

# What can be read block by block; the others are converted by libvirt, within a pool of files.
BLOCK_FORMATS = ("qcow2", "raw")
_SHOWN_OF_CIRCLE = 5
_SOME_ID = f"vol-{'x' * 21}"


@dataclass(frozen=True)
class Unfit:
    """Why a volume cannot be as declared in its pool. key: the option that says so."""

    key: str
    what: str
    remedy: str


def find_form(volume: Volume, pool_type: str) -> tuple[str, str]:
    """Return the format and the provisioning that a volume has in a pool."""
    kind = KINDS[pool_type]
    provisioning = volume.provisioning or kind.provisioning[0]
    usual = "raw" if provisioning == "thick" else kind.formats[0] if kind.formats else "raw"
    return volume.format or usual, provisioning


def find_unfit(volume: Volume, pool_type: str, pool_name: str, volume_id: str = _SOME_ID) -> Iterator[Unfit]:
    """Yield why a volume cannot be made in a pool. volume_id: as its name will have it there."""
    kind = KINDS[pool_type]
    where = f"storage pool {pool_name} is of type {pool_type}"
    if not kind.formats:
        usable = [name for name, other in KINDS.items() if other.formats]
        types = f"{', '.join(usable[:-1])} or {usable[-1]}"
        yield Unfit("pool", f"{where}, in which no volumes can be made", f"Choose one of type {types}.")
        return
    volume_format, provisioning = find_form(volume, pool_type)
    if volume_format not in kind.formats:
        formats = " or ".join(kind.formats)
        yield Unfit("format", f"{where}, which cannot hold {volume_format}", f"Choose format: {formats}.")
    if provisioning not in kind.provisioning:
        possible = " or ".join(kind.provisioning)
        yield Unfit("provisioning", f"{where}, where volumes are {possible}", "Leave out provisioning.")
    if volume.clone_mode == "linked":
        if kind.clone is None:
            yield Unfit("clone_mode", f"{where}, which has no linked clones", "Set clone_mode: full.")
        elif volume_format != kind.formats[0]:
            what = f"{where}, where a linked clone is {kind.formats[0]}"
            yield Unfit("format", what, "Leave out format, or set clone_mode: full.")
    file = volume.import_from
    if file is not None and kind.disk != "file" and file.format not in BLOCK_FORMATS:
        what = f"{where}, into which {' and '.join(BLOCK_FORMATS)} can be imported, and {file.format} cannot"
        remedy = "Import it into a pool of type directory and export it from there as qcow2, or convert the file."
        yield Unfit("import_from.format", what, remedy)
    problem = find_name_problem(pool_type, pool_name, standalone_volume(volume.name, volume_id, volume_format))
    if problem is not None:
        yield Unfit("name", f"it cannot be named so in storage pool {pool_name}: {problem}", "Choose another name.")


def find_unfit_clone(
    clone: Volume, pool: str, source: str, source_pool: str | None, source_size: int | None
) -> Iterator[Unfit]:
    """Yield why a volume cannot be made as a clone of another one.

    pool, source_pool: by name; source_size: MiB. None is not known.
    """
    if clone.clone_mode == "linked" and source_pool != pool:
        other = source_pool or "another one"
        what = f"a linked clone lies in the storage pool of what it shares, which is {other}"
        yield Unfit("pool", what, f"Set pool: {other}, or clone_mode: full.")
    if clone.size is not None and source_size is not None and clone.size < source_size:
        what = f"{show_size(clone.size)} is smaller than volume {source} of {show_size(source_size)}"
        yield Unfit("size", what, "Leave out size, or give one that is large enough.")


def find_circles(origins: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the circle of clones that each volume is in, of those that are in one.

    origins: the name of what each clone is made of, by the clone's.
    """
    circles: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for name in origins:
        way: list[str] = []
        at: str | None = name
        while at is not None and at not in seen:
            seen.add(at)
            way.append(at)
            at = origins.get(at)
        if at in way:
            circle = tuple(way[way.index(at) :])
            circles |= dict.fromkeys(circle, circle)
    return circles


def describe_circle(circle: Sequence[str]) -> tuple[str, str]:
    """Return (what is wrong with a circle of clones, what to do)."""
    names = circle if len(circle) <= _SHOWN_OF_CIRCLE else [*circle[:_SHOWN_OF_CIRCLE], "..."]
    way = " of ".join([*names, circle[0]])
    return f"it is a clone of itself in the end ({way})", "Leave out clone_of of the one that is to be made first."
