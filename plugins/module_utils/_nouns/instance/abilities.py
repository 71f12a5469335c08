# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node can do for an instance, as words that `Need` names (libvirt: Domain capabilities, Capabilities). Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from typing import Any

from . import walk
from .kinds import Need
from .spec import Vm, options_of

# The enumerations of libvirt's that are told as they are: the element, the name, and the word.
_ENUMS = (
    ("os", "firmware", "firmware"),
    ("devices/video", "modelType", "video"),
    ("devices/graphics", "type", "graphics"),
    ("devices/tpm", "backendModel", "tpm"),
)

# Begins the types of machine, each with QEMU's version of it, that a node's QEMU knows: its own, and older ones.
_MACHINE = "machine:"
# Begins what libvirt tells to be lacking, where it does not tell all that is there.
LACKING = "lacking:"


def parse_abilities(domain: str, host: str, threads: int) -> frozenset[str]:
    """Return what a node can do, and what it is told to lack. domain: what libvirt says of domains of its type; host:
    of itself; threads: of its processors.
    """
    return frozenset({*_of_domains(ET.fromstring(domain)), *_of_host(ET.fromstring(host), threads)})


def parse_emulated(host: str) -> frozenset[str]:
    """Return the architectures that a node has QEMU for. host: what libvirt says of itself."""
    root = ET.fromstring(host)
    return frozenset(
        arch.get("name", "")
        for guest in root.iterfind("guest")
        if guest.findtext("os_type") == "hvm"
        for arch in guest.iterfind("arch")
    )


def _of_domains(root: Any) -> Iterator[str]:
    for path, name, word in _ENUMS:
        element = root.find(path)
        if element is not None and element.get("supported") == "yes":
            yield from (f"{word}:{value.text}" for value in element.iterfind(f"enum[@name='{name}']/value"))
    if any(value.text == "yes" for value in root.iterfind("os/loader/enum[@name='secure']/value")):
        yield "secure-boot"
    yield from _of_encryption(root)
    # Of some architectures QEMU does not tell: what it emulates, it can.
    usable = ("yes", "unknown") if root.findtext("domain") == "qemu" else ("yes",)
    for mode in root.iterfind("cpu/mode"):
        if mode.get("supported") == "yes":
            yield f"cpu:{mode.get('name')}"
            yield from (f"cpu:{model.text}" for model in mode.iterfind("model") if model.get("usable") in usable)
    # What its own model has is told only as far as the name does not imply it; what it goes without, always.
    own = root.find("cpu/mode[@name='host-model']")
    if own is not None and own.find("model[@fallback='forbid']") is not None:
        features = own.iterfind("feature[@policy='disable']")
        yield from (f"{LACKING}cpu-feature:{feature.get('name')}" for feature in features)


def _of_encryption(root: Any) -> Iterator[str]:
    """QEMU tells what it could do with KVM also of machines that it emulates."""
    sev = root.find("features/sev[@supported='yes']")
    if sev is None or root.findtext("domain") != "kvm":
        return
    yield "sev"
    if int(sev.findtext("maxESGuests") or 0) > 0:
        yield "sev-es"


def _of_host(root: Any, threads: int) -> Iterator[str]:
    yield from (f"thread:{number}" for number in range(threads))
    for machine in root.iterfind("guest/arch//machine"):
        yield from (f"{_MACHINE}{name}" for name in (machine.text, machine.get("canonical")) if name)
    yield from (f"numa-node:{cell.get('id')}" for cell in root.iterfind("host/topology/cells/cell"))
    for pages in root.iterfind("host/cpu/pages"):
        if pages.get("unit") == "KiB" and int(pages.get("size", "0")) >= 1024:
            yield f"huge-pages:{int(pages.get('size', '0')) // 1024}"


def knows_machine(machine: str, abilities: frozenset[str] | None) -> bool:
    """Tell whether a node's QEMU can run a type of machine. abilities: None if they are not known, or tell of none."""
    if not machine or abilities is None or f"{_MACHINE}{machine}" in abilities:
        return True
    return not any(one.startswith(_MACHINE) for one in abilities)


def needs_of(want: Vm, has: Mapping[str, Any] | None) -> list[Need]:
    """Return what a node must be able to do for an instance. has: by option, what it has already."""
    wanted: dict[str, Any] = dict(has or {})
    for option, value in options_of(want).items():
        before = wanted.get(option)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            wanted[option] = {**before, **{key: one for key, one in value.items() if one is not None}}
        else:
            wanted[option] = value
    return list(dict.fromkeys(walk.list_needs(wanted)))


def find_lacking(needs: list[Need], abilities: frozenset[str] | None) -> list[str]:
    """Return what a node lacks. abilities: None if that is not known."""
    return [] if abilities is None else [f"it has {need.lacks}" for need in needs if _is_lacking(need, abilities)]


def _is_lacking(need: Need, abilities: frozenset[str]) -> bool:
    return f"{LACKING}{need.ability}" in abilities if need.is_told_lacking else need.ability not in abilities
