# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processors it is a machine of (libvirt: Domain XML, operating system booting).

What follows from it, architectures.py says. The type of machine is recorded beside it when an instance is made, with
its version, and is changed by nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..architectures import ARCHITECTURES, find_unsuited
from ..kinds import Aspect, Refusal
from ..places import Attribute

_PLACE = Attribute("os/type", "arch")


def _refuse(after: Any, before: Any) -> Sequence[Refusal]:
    was, is_ = _PLACE.read(before), _PLACE.read(after)
    if was == is_:
        return ()
    what = f"it is a machine of {was}, and cannot become one of {is_}: it was chosen when the instance was made"
    remedy = f"Declare architecture: {was}, or leave it out. An instance of another name can have the other."
    return (Refusal("architecture", what, remedy),)


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    architecture = values.get("architecture")
    return find_unsuited(values, architecture) if architecture is not None else ()


ASPECT = Aspect(
    option="architecture",
    row=Field(
        kind="str",
        choices=tuple(ARCHITECTURES),
        at=_PLACE,
        effect="fixed",
        help="The processors that it is a machine of. It is chosen when the instance is made: by its image, if that "
        "says one; or else by its node, if it names that; or else as the cluster's nodes are, V(x86_64) where they "
        "differ. One that says it here itself can also be on a node that emulates it (C(pextra_architectures)), "
        "which is slow: nodes that are of it are taken first.",
    ),
    refuse=_refuse,
    find_mistakes=_find_mistakes,
)
