# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance is, it stays, and it has only what instances of its type have. Pure."""

from __future__ import annotations

from ...._model.rows import Row
from ...pool.kinds import TREE_FORMATS
from ..kinds import Type
from ..spec import Vm, what_is_said
from ..unsuited import find_unsuited
from .context import Context, RefusedError
from .references import find_image, find_pool
from .state import Domain

_WORDS: dict[str, str] = {"qemu": "a virtual machine", "lxc": "a container"}


def require_type(want: Vm, row: Row | None, current: Domain | None, context: Context) -> Type:
    """Return the type that it has, or will have. Refuses another one, and what it cannot have."""
    type_ = type_of(want, row, current)
    if want.type not in (None, type_):
        raise RefusedError(
            f"it is {_WORDS[type_]}, and cannot become {_WORDS[want.type or type_]}",
            f"Declare type: {type_}. What is to be otherwise can be an instance of another name, beside it.",
        )
    if type_ == "lxc":
        # Of a call that names the type, its options alone have told that already.
        unsuited = find_unsuited(what_is_said(want))
        if unsuited:
            raise RefusedError("; ".join(f"{path} {what}" for path, what in unsuited))
    if want.image is not None:
        _require_image(want.image, type_, context)
    if type_ == "lxc" and want.root is not None and want.root.pool:
        pool = find_pool(want.root.pool, context)
        if pool.attributes["type"] != "directory":
            raise RefusedError(
                f"storage pool {pool.name} is of type {pool.attributes['type']}, and the files of a container lie in a "
                "pool of type directory",
                "Choose another pool.",
            )
    return type_


def type_of(want: Vm, row: Row | None, current: Domain | None) -> Type:
    if current is not None:
        return current.config.type
    if row is not None:
        return "lxc" if row.attributes.get("type") == "lxc" else "qemu"
    return want.type or "qemu"


def _require_image(reference: str, type_: Type, context: Context) -> None:
    image = find_image(reference, context)
    is_tree = image.attributes["format"] in TREE_FORMATS
    if type_ == "lxc" and not is_tree:
        raise RefusedError(
            f"image {image.name} is a disk ({image.attributes['format']}), and a container begins from files",
            f"Choose an image of the format {' or '.join(TREE_FORMATS)}.",
        )
    if type_ == "qemu" and is_tree:
        raise RefusedError(
            f"image {image.name} holds the files of a container ({image.attributes['format']}), and is no disk",
            "Choose an image of the format qcow2 or raw, or declare type: lxc.",
        )
