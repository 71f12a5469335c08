# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volume that lives on its own: made in a pool, attached to an instance and detached again with its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._fields.checks import check_absolute_path, check_name, check_sha256
from ..._fields.common import (
    CLUSTER,
    DESCRIPTION,
    MAX_VOLUME_MIB,
    NAME,
    STATE,
    parse_spec,
    protected,
)
from ..._fields.field import Field, Table, join
from ..._model.ids import is_id
from ..._model.mistake import Mistake
from ..._model.sizes import show_size
from ..instance.devices.disk import LIMITS, find_limit_mistakes

# Formats of files that volumes are imported from and exported to. It is stated, never probed.
FILE_FORMATS = ("qcow2", "raw", "vmdk", "vdi")
MAX_IMPORT_MIB = 16 * 1024**2


def check_reference(value: str) -> str | None:
    """A name or an identifier. What it stands for is looked up later; what can be neither is told at once."""
    return None if is_id(value) else check_name(value)


def check_holder(value: str) -> str | None:
    """An instance, or the empty text for none."""
    return check_reference(value) if value else None


IMPORT = {
    "path": Field(kind="str", required=True, check=check_absolute_path, help="A file on the coordinator's disk."),
    "format": Field(
        kind="str",
        required=True,
        choices=FILE_FORMATS,
        help="The format of the file. It is never guessed. "
        "Pools of the types V(rbd), V(lvm) and V(zfs) take V(qcow2) and V(raw).",
    ),
    "sha256": Field(
        kind="str",
        check=check_sha256,
        help="The SHA-256 that the file must have. It is not looked at unless given.",
    ),
}

FIELDS = {
    "name": NAME,
    "cluster": CLUSTER,
    "pool": Field(
        kind="str",
        check=check_reference,
        help="The storage pool, by name or identifier. Needed to make the volume; it cannot be changed afterwards.",
    ),
    "node": Field(
        kind="str",
        check=check_reference,
        help="The node where it lies, for pools that are not shared. That of O(attached_to), or the one with most "
        "space, unless given. It cannot be changed afterwards.",
    ),
    "size": Field(
        kind="size",
        minimum=1,
        maximum=MAX_VOLUME_MIB,
        help="Its size. It may grow, also while an instance uses it. It shrinks only with consent, and only while no "
        "running instance uses it. In pools of the types V(lvm) and V(zfs) it does neither. That of what it is cloned "
        "or imported from unless given.",
    ),
    "format": Field(
        kind="str",
        choices=("qcow2", "raw"),
        help="The format of the volume. V(qcow2) unless given, and V(raw) for a thick volume, or where the pool knows "
        "no other. It cannot be changed afterwards.",
    ),
    "provisioning": Field(
        kind="str",
        choices=("thin", "thick"),
        help="Whether it takes its space when it is written, or at once. V(thin) unless given; in pools of the type "
        "V(lvm) always V(thick), and of the type V(rbd) always V(thin). It cannot be changed afterwards.",
    ),
    "attached_to": Field(
        kind="str",
        check=check_holder,
        help="The instance that has it, by name or identifier; the empty text for none. Left as it is unless given; "
        "in the deployment document it is then attached to none.",
    ),
    "cache": Field(
        kind="str",
        choices=("none", "writeback", "writethrough", "directsync", "unsafe"),
        help="The cache mode. V(none) unless given. V(unsafe) loses data when the node does. A running instance has a "
        "change after its next restart.",
    ),
    "discard": Field(
        kind="str",
        choices=("unmap", "ignore"),
        help="Whether blocks that the guest discards become free. V(unmap) unless given. A running instance has a "
        "change after its next restart.",
    ),
    "limits": Field(
        kind="dict",
        table=LIMITS,
        help="Limits of its input and output. They change at once, also while an instance uses it.",
    ),
    "clone_of": Field(
        kind="str",
        check=check_reference,
        help="The volume that it is made from, by name or identifier. It only says how it begins.",
    ),
    "clone_mode": Field(
        kind="str",
        choices=("full", "linked"),
        help="V(full) is independent of the other. V(linked) shares the other's blocks until they are written; the "
        "other then can be neither attached, nor resized, nor destroyed. Pools of the types V(lvm) and V(zfs) have no "
        "V(linked). V(full) unless given.",
    ),
    "import_from": Field(kind="dict", table=IMPORT, help="The file that it is made from. It only says how it begins."),
    "description": DESCRIPTION,
    "protected": protected("it can neither be destroyed nor shrink"),
    "grow_by": Field(
        kind="size",
        minimum=1,
        maximum=MAX_VOLUME_MIB,
        help="How much larger than O(size) it is to be: O(size) is then what it has now. It grows once; what it "
        "has must be the one or the other.",
    ),
    "state": STATE,
}
# A delta says what to do, not what should be.
DECLARED: Table = {name: field for name, field in FIELDS.items() if name != "grow_by"}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Per second; bandwidths are MiB. Of a volume, None is no limit; in a call it is not managed, and 0 is no limit."""

    iops: int | None = None
    iops_read: int | None = None
    iops_write: int | None = None
    bandwidth: int | None = None
    bandwidth_read: int | None = None
    bandwidth_write: int | None = None


@dataclass(frozen=True, kw_only=True)
class Import:
    """sha256: in lower case."""

    path: str
    format: str
    sha256: str | None = None

    def __post_init__(self) -> None:
        if self.sha256 is not None:
            object.__setattr__(self, "sha256", self.sha256.lower())


@dataclass(frozen=True, kw_only=True)
class Volume:
    """Sizes are MiB. attached_to: the empty text is no instance, None is not managed."""

    name: str
    cluster: str | None = None
    pool: str | None = None
    node: str | None = None
    size: int | None = None
    format: str | None = None
    provisioning: str | None = None
    attached_to: str | None = None
    cache: str | None = None
    discard: str | None = None
    limits: Limits | None = None
    clone_of: str | None = None
    clone_mode: str | None = None
    import_from: Import | None = None
    description: str | None = None
    protected: bool | None = None
    grow_by: int | None = None
    state: str = "present"


def make_volume(**values: Any) -> Volume:
    """Return the spec of the values that `parse` has normalised."""
    if values.get("limits") is not None:
        values["limits"] = Limits(**values["limits"])
    if values.get("import_from") is not None:
        values["import_from"] = Import(**values["import_from"])
    return Volume(**values)


def merge_limits(before: Limits, named: Limits | None) -> Limits:
    """Return the limits of a volume after a call: those that it does not name stay."""
    given = {key: value for key, value in vars(named or Limits()).items() if value is not None}
    return Limits(**{key: value or None for key, value in {**vars(before), **given}.items()})


def parse_volume(raw: Mapping[str, Any], path: str) -> tuple[Volume | None, list[Mistake]]:
    """Parse one volume, and look whether its options belong together. Returns (spec or None, mistakes)."""
    spec, mistakes = parse_spec(FIELDS, make_volume, raw, path)
    if spec is not None:
        mistakes = find_mistakes_within(spec, path)
    return (None, mistakes) if mistakes else (spec, [])


def find_mistakes_within(volume: Volume, path: str) -> list[Mistake]:
    """Return where a volume's options contradict each other."""
    if volume.state == "absent":
        return []
    mistakes = []

    def wrong(key: str, problem: str) -> None:
        mistakes.append(Mistake(join(path, key), problem))

    if volume.clone_of is not None and volume.import_from is not None:
        wrong("import_from", "a volume begins from one thing: leave out clone_of or import_from")
    if volume.clone_mode is not None and volume.clone_of is None:
        wrong("clone_mode", "is for a clone; say of what with clone_of")
    if volume.clone_of == volume.name:
        wrong("clone_of", "a volume cannot be a clone of itself")
    if volume.grow_by is not None and volume.size is None:
        wrong("grow_by", "needs size, the size that it has now: a delta alone would grow it again on every run")
    if volume.grow_by is not None and (volume.size or 0) + volume.grow_by > MAX_VOLUME_MIB:
        wrong("grow_by", f"makes it larger than {show_size(MAX_VOLUME_MIB)}, which no volume can be; write less")
    if volume.provisioning == "thick" and volume.format == "qcow2":
        wrong("format", "a thick volume is raw; leave out format, or provisioning")
    if volume.clone_mode == "linked" and volume.provisioning == "thick":
        wrong("provisioning", "a linked clone is thin; leave out provisioning, or set clone_mode: full")
    if volume.limits is not None:
        mistakes += [
            Mistake(join(path, key), problem) for key, problem in find_limit_mistakes(vars(volume.limits)).items()
        ]
    return mistakes
