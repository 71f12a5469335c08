# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that its node cannot read (libvirt: Domain XML, launch security).

Where a processor has the bit that marks encrypted memory (`cbitpos`, `reducedPhysBits`), differs from node to node:
libvirt adds it at each start, from the capabilities of the node that it starts on, unless a hand has written it down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..firmware_type import read_firmware_type
from ..kinds import Aspect, Need, Refusal

# Of a guest's policy: its state in the processor is encrypted as well (SEV-ES).
_ES = 0x4
# Nobody debugs it, and no other guest has its key.
_USUAL_POLICY = 0x3
_FIRMWARE = "needs UEFI; write firmware: {type: efi}"
_LOCKED = "keeps all of its memory where it is on the node; write memory_backing: {locked: true}"
_SMM = "cannot be with SEV-ES (4 in launch_security.policy), which knows no protected mode of the firmware (SMM)"


class _Type:
    """What is encrypted by other means, by hand, is told as libvirt calls it."""

    def read(self, root: Any) -> str:
        found = root.find("launchSecurity")
        return (found.get("type") or "none") if found is not None else "none"

    def write(self, root: Any, value: Any) -> None:
        for old in root.findall("launchSecurity"):
            root.remove(old)
        if value in (None, "none"):
            return
        element = root.makeelement("launchSecurity", {"type": value})
        root.append(element)
        _POLICY.write(root, _USUAL_POLICY)


class _Policy:
    """libvirt writes it in base 16, and reads it so whether or not that is said."""

    def read(self, root: Any) -> int | str | None:
        found = root.find("launchSecurity")
        text = found.findtext("policy") if found is not None else None
        try:
            return int(text, 16) if text is not None else None
        except ValueError:
            return str(text)

    def write(self, root: Any, value: Any) -> None:
        security = root.find("launchSecurity")
        if security is None:
            security = root.makeelement("launchSecurity", {})
            root.append(security)
        policy = security.find("policy")
        if policy is None:
            policy = security.makeelement("policy", {})
            security.append(policy)
        policy.text = f"{value:#06x}"


_POLICY = _Policy()


def _has_es(policy: Any) -> bool:
    return isinstance(policy, int) and bool(policy & _ES)


def _refuse(after: Any, before: Any) -> Sequence[Refusal]:
    """Only where something of it becomes otherwise: what a hand has made, libvirt has taken."""
    had, has = (_look(root) for root in (before, after))
    if has == had or has["type"] != "sev":
        return ()
    refusals = []
    if has["firmware"] != "efi":
        remedy = (
            "Leave launch_security out. An instance of another name can have UEFI, which is chosen when it is made."
        )
        refusals.append(Refusal("launch_security.type", "it needs UEFI, and it has the BIOS", remedy))
    if not has["locked"]:
        what = "it keeps all of its memory where it is on the node, and its memory is not locked"
        refusals.append(Refusal("launch_security.type", what, "Set memory_backing.locked: true as well."))
    if has["smm"] and _has_es(has["policy"]):
        refusals.append(Refusal("firmware.secure_boot", f"it {_SMM}", "Declare a policy without SEV-ES."))
    return refusals


def _look(root: Any) -> dict[str, Any]:
    loader = root.find("os/loader")
    return {
        "type": _Type().read(root),
        "policy": _POLICY.read(root),
        "firmware": read_firmware_type(root),
        "locked": root.find("memoryBacking/locked") is not None,
        "smm": loader is not None and loader.get("secure") == "yes",
    }


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    security = values.get("launch_security") or {}
    if security.get("type") == "none" and security.get("policy") is not None:
        return (("launch_security.policy", "says how its memory is encrypted, and type is none; leave it out"),)
    if security.get("type") != "sev":
        return ()
    firmware, backing = values.get("firmware") or {}, values.get("memory_backing") or {}
    mistakes = []
    if firmware.get("type") == "bios":
        mistakes.append(("launch_security.type", _FIRMWARE))
    if backing.get("locked") is False:
        mistakes.append(("launch_security.type", _LOCKED))
    if firmware.get("secure_boot") and _has_es(security.get("policy")):
        mistakes.append(("firmware.secure_boot", f"{_SMM}; leave one of them out"))
    return mistakes


def find_missing(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a new instance needs for it, and does not say, as pairs of a path and a problem. values: by option.

    Without a word it would have the BIOS, and memory that is not locked.
    """
    if (values.get("launch_security") or {}).get("type") != "sev":
        return []
    firmware, backing = values.get("firmware") or {}, values.get("memory_backing") or {}
    missing = [_FIRMWARE] if firmware.get("type") is None else []
    missing += [_LOCKED] if backing.get("locked") is None else []
    return [("launch_security.type", what) for what in missing]


def _needs(values: Any) -> Sequence[Need]:
    if values.get("type") != "sev":
        return []
    needs = [Need("sev", "no SEV, by which AMD's processors encrypt the memory of guests")]
    if _has_es(values.get("policy")):
        needs.append(Need("sev-es", "no SEV-ES, by which AMD's processors encrypt the state of guests"))
    return needs


ASPECT = Aspect(
    option="launch_security",
    help="Memory that its node cannot read. Each start makes a key for it in its node's processor, so it does not "
    "move. It needs UEFI, and memory that is locked. Of x86_64 with KVM alone.",
    table={
        "type": Field(
            kind="str",
            choices=("none", "sev"),
            required=True,
            at=_Type(),
            effect="next_boot",
            help="V(sev) is AMD's SEV. It can then only be where the node has it.",
        ),
        "policy": Field(
            kind="int",
            minimum=0,
            maximum=2**32 - 1,
            at=_POLICY,
            effect="next_boot",
            help="What the processor holds its node to, as a sum by AMD's specification of SEV: 1 no debugging, 2 no "
            "key in common with others, 4 its registers are encrypted as well (SEV-ES), 8 no sending to other "
            "platforms, 16 none outside its domain, 32 none without SEV. 3 unless given.",
        ),
    },
    refuse=_refuse,
    find_mistakes=_find_mistakes,
    needs=_needs,
)
