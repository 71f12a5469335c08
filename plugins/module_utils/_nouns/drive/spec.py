# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of local disks of a node, and what each is prepared as: a volume group, a zpool, or devices for Ceph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._fields.common import parse_spec
from ..._fields.field import (
    Field,
    element_path,
    join,
    render,
)
from ..._model.mistake import Mistake, shown

MAX_DISKS = 256
# How many disks a mirror is made of, and the fewest of a raidz.
MIRROR_WIDTH = 2
RAIDZ_MINIMUM = 3

# vgcreate(8), less what begins like an option; libvirt and device names have no use for longer ones.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
# zpool-create(8), "reserved", and what LVM keeps for itself.
_RESERVED = re.compile(r"(mirror|raidz|draid|spare|log|cache|special|dedup|c[0-9]).*|lvm.*")
_PATTERN = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_PATH = re.compile(r"/dev/[^\x00-\x1f\x7f]{1,250}")


def check_set_name(value: str) -> str | None:
    """The name becomes that of a volume group, a zpool, and a file on the node."""
    if not _NAME.fullmatch(value) or ".." in value:
        return (
            f"{shown(value)} is no name of a set of disks; write 1 to 63 letters, digits, dots, dashes or underscores, "
            "beginning with a letter"
        )
    if _RESERVED.fullmatch(value):
        return f"{shown(value)} begins with a word that LVM or ZFS keeps for itself; choose another name"
    return None


def check_pattern(value: str) -> str | None:
    if _PATTERN.fullmatch(value) and value == value.strip():
        return None
    return f"{shown(value)} is no pattern; write text on one line, in which * and ? stand for any characters"


def check_device_pattern(value: str) -> str | None:
    if _PATH.fullmatch(value) and not {"..", "."} & set(value.split("/")):
        return None
    return f"{shown(value)} is no device; write a path such as /dev/disk/by-id/nvme-*, in which * and ? may stand"


SIZE = {
    "min": Field(kind="size", help="The smallest size, for example V(100 GiB)."),
    "max": Field(kind="size", help="The largest size."),
}
MATCH = {
    "size": Field(kind="dict", table=SIZE, help="The range of sizes. A disk sold as 1 TB has 931 GiB."),
    "rotational": Field(kind="bool", help="V(true) for disks that turn, V(false) for SSDs and NVMe."),
    "model": Field(kind="str", check=check_pattern, help="The model, in which C(*) and C(?) stand for any characters."),
    "serial": Field(
        kind="str", check=check_pattern, help="The serial number, in which C(*) and C(?) stand for any characters."
    ),
    "path": Field(
        kind="str",
        check=check_device_pattern,
        help="One of the disk's paths, such as V(/dev/disk/by-id/nvme-*). C(*) and C(?) stand for any characters.",
    ),
}

FIELDS = {
    "name": Field(
        kind="str",
        required=True,
        check=check_set_name,
        help="The name of the set, unique on its node. The volume group or zpool has it too, and so has the storage "
        "pool that uses it.",
    ),
    "use": Field(
        kind="str",
        required=True,
        choices=("lvm", "zfs", "ceph"),
        help="What the disks are prepared as: a volume group, a zpool, or devices that the role C(ceph) takes.",
    ),
    "match": Field(
        kind="dict",
        required=True,
        table=MATCH,
        help="Which disks of the node. A disk is taken only if it meets all that is given.",
    ),
    "count": Field(
        kind="int",
        required=True,
        minimum=1,
        maximum=MAX_DISKS,
        help="Exactly how many disks. If there are more or fewer to choose from, none is taken. Raise it to add disks.",
    ),
    "layout": Field(
        kind="str",
        choices=("stripe", "mirror", "raidz"),
        help="How a zpool spreads data over its disks, for V(zfs). V(stripe) survives no loss of a disk. V(mirror) "
        "keeps everything on two disks, pair by pair. V(raidz) survives the loss of one disk. Needed with more than "
        "one disk.",
    ),
    "wipe": Field(
        kind="bool",
        default=False,
        help="Whether disks that hold something may be taken, and what they hold destroyed. It needs C(confirm). "
        "A disk that is in use is never taken.",
    ),
    "confirm": Field(
        kind="str",
        choices=("DESTROY",),
        help="V(DESTROY) to consent to what C(wipe) destroys. Take both out again once the disks have been taken.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Match:
    """Sizes in MiB; patterns as fnmatch reads them. What is None is not asked."""

    min_mib: int | None = None
    max_mib: int | None = None
    rotational: bool | None = None
    model: str | None = None
    serial: str | None = None
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class DiskSet:
    """layout is complete: `stripe` for the single disk of a zpool, None for what is no zpool."""

    name: str
    use: str
    match: Match
    count: int
    layout: str | None = None
    wipe: bool = False
    confirm: str | None = None


def _make(**values: Any) -> DiskSet:
    match = values["match"]
    size = match["size"] or {}
    layout = values["layout"]
    if values["use"] == "zfs" and layout is None and values["count"] == 1:
        layout = "stripe"
    return DiskSet(
        **{
            **values,
            "layout": layout,
            "match": Match(
                min_mib=size.get("min"),
                max_mib=size.get("max"),
                **{key: match[key] for key in ("rotational", "model", "serial", "path")},
            ),
        },
    )


def render_disk_set(disks: DiskSet) -> dict[str, Any]:
    """Return a set as plain JSON types, which are read again as the same set."""
    match = disks.match
    values = {key: getattr(disks, key) for key in FIELDS if key != "match"}
    given = {key: getattr(match, key) for key in ("rotational", "model", "serial", "path")}
    size = {"min": match.min_mib, "max": match.max_mib}
    given["size"] = size if any(size.values()) else None
    return render(FIELDS, {**values, "match": given})


def parse_disk_sets(raw: Sequence[object] | None, path: str) -> tuple[tuple[DiskSet, ...], list[Mistake]]:
    """Parse the sets of one node, each by itself and all together. Returns (sets, mistakes)."""
    sets: list[DiskSet] = []
    mistakes: list[Mistake] = []
    first: dict[str, str] = {}
    for index, element in enumerate(raw or ()):
        here = element_path(path, index, element)
        given = element if isinstance(element, Mapping) else {}
        spec, found = parse_spec(FIELDS, _make, element, here)  # type: ignore[arg-type]  # whatever it is, parsing tells
        mistakes += found
        name = given.get("name")
        if isinstance(name, str):
            if name.casefold() in first:
                mistakes.append(Mistake(join(here, "name"), f"{shown(name)} is taken by {first[name.casefold()]}"))
            first.setdefault(name.casefold(), here)
        if spec is not None:
            found = _find_mistakes_within(spec, here)
            mistakes += found
            sets += [] if found else [spec]
    return tuple(sets), mistakes


def _find_mistakes_within(disks: DiskSet, path: str) -> list[Mistake]:
    mistakes = []
    match = disks.match
    if match == Match():
        problem = "is empty; write at least one of size, rotational, model, serial and path"
        mistakes.append(Mistake(join(path, "match"), problem))
    if match.min_mib is not None and match.max_mib is not None and match.min_mib > match.max_mib:
        mistakes.append(Mistake(join(path, "match.size"), "its min is larger than its max"))
    if disks.use != "zfs" and disks.layout is not None:
        problem = f"is for zpools, and these disks are for {disks.use}; leave it out"
        mistakes.append(Mistake(join(path, "layout"), problem))
    mistakes += _find_layout_mistakes(disks, path) if disks.use == "zfs" else []
    if disks.wipe and disks.confirm is None:
        problem = "is missing; wiping disks destroys what they hold. If that is what you want, write confirm: DESTROY"
        mistakes.append(Mistake(join(path, "confirm"), problem))
    if disks.confirm is not None and not disks.wipe:
        problem = "consents to nothing without wipe: true; write both, or leave both out"
        mistakes.append(Mistake(join(path, "confirm"), problem))
    return mistakes


def _find_layout_mistakes(disks: DiskSet, path: str) -> list[Mistake]:
    if disks.layout is None:
        problem = "is missing; write how several disks make a zpool: stripe, mirror or raidz"
        return [Mistake(join(path, "layout"), problem)]
    if disks.layout == "mirror" and disks.count % MIRROR_WIDTH:
        return [Mistake(join(path, "count"), f"{disks.count} disks make no mirrors of two; write an even number")]
    if disks.layout == "raidz" and disks.count < RAIDZ_MINIMUM:
        problem = f"{disks.count} disks are too few for raidz; write {RAIDZ_MINIMUM} or more"
        return [Mistake(join(path, "count"), problem)]
    return []
