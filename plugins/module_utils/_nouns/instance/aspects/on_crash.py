# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a guest that crashes (libvirt: Domain XML, events configuration)."""

from __future__ import annotations

from typing import Any

from ...._fields.field import Field
from ..kinds import Aspect
from ..places import Text

_WORDS = {"restart": "restart", "destroy": "stop"}


class _OnCrash:
    """libvirt calls it `destroy` to switch a guest off. Its other ways are told from both that can be wanted."""

    text = Text("on_crash")

    def read(self, root: Any) -> str | None:
        word = self.text.read(root)
        return None if word is None else _WORDS.get(word, word)

    def write(self, root: Any, value: Any) -> None:
        self.text.write(root, {told: word for word, told in _WORDS.items()}.get(value))


ASPECT = Aspect(
    option="on_crash",
    row=Field(
        kind="str",
        choices=("restart", "stop"),
        at=_OnCrash(),
        effect="next_boot",
        help="What happens when its kernel crashes, or its QEMU ends by itself: V(restart), as a new instance has it, "
        "or V(stop) to leave it off. Of a QEMU that ended the coordinators' job takes notice within its interval, and "
        "starts the instance again, three times an hour at most.",
    ),
)
