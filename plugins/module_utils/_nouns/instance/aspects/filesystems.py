# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of its node that a guest mounts by virtiofs (libvirt: Domain XML, filesystems). Ours are all of virtiofs,
and are known by the guest's name for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ...._model.mistake import shown
from ...pool.path import check_shared_directory
from ..kinds import Aspect, Need, Refusal
from ..named_elements import NamedElements

# What virtiofs has room for.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,35}")
_PRIVATE = "shares memory with the program of the node that serves its filesystems; leave it out, or write shared"


def _check_name(value: str) -> str | None:
    if _NAME.fullmatch(value):
        return None
    return f"{shown(value)} cannot be its name; write 1 to 36 letters, digits, dashes, dots or underscores"


def _name_of(element: Any) -> str | None:
    driver, target = element.find("driver"), element.find("target")
    is_ours = driver is not None and driver.get("type") == "virtiofs" and target is not None
    return target.get("dir", "") if is_ours else None


def _values_of(element: Any) -> dict[str, str | None]:
    source = element.find("source")
    return {"directory": source.get("dir") if source is not None else None}


def _make(devices: Any, one: Mapping[str, Any]) -> Any:
    # Its users are the node's own: what the guest's root writes belongs to root.
    element = devices.makeelement("filesystem", {"type": "mount", "accessmode": "passthrough"})
    for tag, attributes in (
        ("driver", {"type": "virtiofs"}),
        ("source", {"dir": str(one["directory"])}),
        ("target", {"dir": str(one["name"])}),
    ):
        element.append(element.makeelement(tag, attributes))
    return element


def _share_memory(root: Any) -> None:
    """The program that serves it reads and writes in the guest's memory, which then may not be a file on a disk."""
    backing = root.find("memoryBacking")
    if backing is None:
        backing = root.makeelement("memoryBacking", {})
        root.append(backing)
    for tag, name, value in (("access", "mode", "shared"), ("source", "type", "memfd")):
        element = backing.find(tag)
        if element is None:
            element = backing.makeelement(tag, {})
            backing.append(element)
        elif tag == "source":
            continue
        element.set(name, value)


_FILESYSTEMS = NamedElements(tag="filesystem", name_of=_name_of, values_of=_values_of, make=_make, settle=_share_memory)


def share_memory(values: dict[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a new instance with memory that is shared, where its filesystems need that and nothing else
    is said. said: what was, without what a new one gets.
    """
    backing, said_of_it = values.get("memory_backing"), said.get("memory_backing")
    is_named = isinstance(said_of_it, Mapping) and said_of_it.get("access") is not None
    if not values.get("filesystems") or backing is None or is_named:
        return values
    return {**values, "memory_backing": {**backing, "access": "shared"}}


def _needs(values: Any) -> Sequence[Need]:
    return [
        Need(f"directory:{one['directory']}", f"no directory {one['directory']} to share (pextra_shared_directories)")
        for one in values
    ]


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    given = values.get("filesystems") or ()
    names = [one.get("name") for one in given]
    mistakes = [
        (f"filesystems[{index}] ({name}).name", f"{shown(name)} is the name of another of them")
        for index, name in enumerate(names)
        if name in names[:index]
    ]
    if given and (values.get("memory_backing") or {}).get("access") == "private":
        mistakes.append(("memory_backing.access", f'"private" cannot be: it {_PRIVATE}'))
    return mistakes


def _refuse(after: Any, before: Any) -> Sequence[Refusal]:
    access, was = (root.find("memoryBacking/access") for root in (after, before))
    is_shared, was_shared = (one is not None and one.get("mode") == "shared" for one in (access, was))
    if is_shared or not was_shared or not _FILESYSTEMS.find(after):
        return []
    return [Refusal("memory_backing.access", f"it {_PRIVATE}", "Take its filesystems away first (filesystems: []).")]


ASPECT = Aspect(
    option="filesystems",
    row=Field(
        kind="list",
        element=Field(
            kind="dict",
            table={
                "name": Field(
                    kind="str",
                    required=True,
                    check=_check_name,
                    sample="media",
                    help="What the guest mounts it by (C(mount -t virtiofs NAME /mnt)), 36 characters at most.",
                ),
                "directory": Field(
                    kind="str",
                    required=True,
                    check=check_shared_directory,
                    sample="/srv/media",
                    help="The directory, as it stands in C(pextra_shared_directories) of the node.",
                ),
            },
            help="A directory.",
        ),
        at=_FILESYSTEMS,
        effect="next_boot",
        help="Directories of its node that it mounts by virtiofs, and may write to: the root of the guest is root in "
        "them. It can only be where they are declared (C(pextra_shared_directories)), and moves only while it is "
        "stopped. Its memory is then shared with the program that serves them. The list is all of them.",
    ),
    refuse=_refuse,
    find_mistakes=_find_mistakes,
    needs=_needs,
)
