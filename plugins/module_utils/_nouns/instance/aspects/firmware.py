# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts the guest: BIOS or UEFI (libvirt: Domain XML, operating system booting).

libvirt chooses the firmware's image, and the template of its variables (NVRAM), by the features that are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..firmware_type import read_firmware_type
from ..kinds import Aspect, Need, Refusal


class _Type:
    def read(self, root: Any) -> str | None:
        return read_firmware_type(root)

    def write(self, root: Any, value: Any) -> None:
        os_ = _find_or_add(root, "os")
        if value == "efi":
            os_.set("firmware", "efi")
            return
        os_.attrib.pop("firmware", None)
        for tag in ("firmware", "loader", "nvram"):
            for old in os_.findall(tag):
                os_.remove(old)


class _SecureBoot:
    """It needs a firmware that can do it, with the keys of the distributions, and the mode that protects both (SMM)."""

    def read(self, root: Any) -> bool | None:
        os_ = root.find("os")
        loader = os_.find("loader") if os_ is not None else None
        return None if os_ is None else loader is not None and loader.get("secure") == "yes"

    def write(self, root: Any, value: Any) -> None:
        os_ = _find_or_add(root, "os")
        firmware = _find_or_add(os_, "firmware")
        for name in ("secure-boot", "enrolled-keys"):
            feature = next((one for one in firmware.findall("feature") if one.get("name") == name), None)
            if feature is None:
                feature = firmware.makeelement("feature", {"name": name})
                firmware.append(feature)
            feature.set("enabled", "yes" if value else "no")
        if value:
            _find_or_add(os_, "loader").set("secure", "yes")
            _find_or_add(_find_or_add(root, "features"), "smm").set("state", "on")
        elif os_.find("loader") is not None:
            os_.find("loader").attrib.pop("secure", None)


def _find_or_add(parent: Any, tag: str) -> Any:
    found = parent.find(tag)
    if found is None:
        found = parent.makeelement(tag, {})
        parent.append(found)
    return found


def _refuse(after: Any, before: Any) -> Sequence[Refusal]:
    """An operating system is installed for one of them, and the variables are made for one of them."""
    refusals = []
    for name, field in _TABLE.items():
        place = field.at
        was, is_ = (place.read(root) if place is not None else None for root in (before, after))
        if was != is_:
            what = f"it is {_show(was)}, and cannot become {_show(is_)}: it was chosen when the instance was made"
            remedy = "Declare it as it is. An instance of another name can have the other."
            refusals.append(Refusal(f"firmware.{name}", what, remedy))
    return refusals


def _show(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    firmware = values.get("firmware") or {}
    if firmware.get("secure_boot") and firmware.get("type") == "bios":
        return (("firmware.secure_boot", "needs UEFI; write type: efi, or leave it out"),)
    return ()


def _needs(values: Any) -> Sequence[Need]:
    needs = [Need("firmware:efi", "no firmware for UEFI")] if values.get("type") == "efi" else []
    if values.get("secure_boot"):
        needs.append(Need("secure-boot", "no firmware with secure boot"))
    return needs


_TABLE = {
    "type": Field(
        kind="str",
        choices=("bios", "efi"),
        at=_Type(),
        effect="fixed",
        help="V(bios), or V(efi) for UEFI. A new instance has V(bios) unless given, and on aarch64 V(efi), which is "
        "all that there is.",
    ),
    "secure_boot": Field(
        kind="bool",
        create=False,
        at=_SecureBoot(),
        effect="fixed",
        help="Whether UEFI starts only what is signed, by the keys that distributions and Windows are signed with. Of "
        "x86_64 alone.",
    ),
}

ASPECT = Aspect(
    option="firmware",
    help="What starts the guest: the BIOS, and on aarch64 UEFI, unless given. It is chosen when the instance is made. "
    "The variables of UEFI stay with the instance, and go with its volumes.",
    table=_TABLE,
    refuse=_refuse,
    find_mistakes=_find_mistakes,
    needs=_needs,
)
