# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The menu of the firmware (libvirt: Domain XML, operating system booting)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..kinds import Aspect, Refusal
from ..places import Attribute

_MENU = Attribute("os/bootmenu", "enable", "yes_no")
_TIMEOUT = Attribute("os/bootmenu", "timeout", "int")


def _refuse(after: Any, before: Any) -> Sequence[Refusal]:
    """libvirt forgets how long a menu waits that is not shown."""
    if _MENU.read(after) or _TIMEOUT.read(after) in (None, _TIMEOUT.read(before)):
        return ()
    return (Refusal("boot.menu_timeout_ms", "it has no menu", "Set boot.menu: true as well."),)


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    boot = values.get("boot") or {}
    if boot.get("menu_timeout_ms") is None or boot.get("menu") is not False:
        return ()
    return (("boot.menu_timeout_ms", "is of the menu, and menu is false; write menu: true, or leave it out"),)


ASPECT = Aspect(
    option="boot",
    help="How the firmware begins.",
    table={
        "menu": Field(
            kind="bool",
            create=False,
            at=_MENU,
            effect="next_boot",
            help="Whether it offers a menu of what to boot from.",
        ),
        "menu_timeout_ms": Field(
            kind="int",
            minimum=0,
            maximum=65535,
            at=_TIMEOUT,
            effect="next_boot",
            help="How long the menu waits, in milliseconds. As the firmware has it unless given.",
        ),
        "reboot_timeout_ms": Field(
            kind="int",
            minimum=0,
            maximum=65535,
            at=Attribute("os/bios", "rebootTimeout", "int"),
            effect="next_boot",
            help="How long the BIOS waits before it begins again, in milliseconds, where it found nothing to boot "
            "from. It stops there unless given.",
        ),
    },
    refuse=_refuse,
    find_mistakes=_find_mistakes,
)
