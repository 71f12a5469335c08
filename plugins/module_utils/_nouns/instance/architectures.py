# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine of each architecture is, one row each: nothing else tells them apart. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..._fields.field import element_path, value_of
from .devices import DEVICES

_ARCH = re.compile(r"<type\b[^>]*\sarch=['\"](\w+)['\"]")
_MACHINE = re.compile(r"<type\b[^>]*\smachine=['\"]([^'\"]+)['\"]")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """machine: the type of machine of a new one, as libvirt calls it. QEMU's version of it is recorded in the
    definition when that is made, and stays. cpu, features: of a new one, by how it runs, kvm or qemu; features are
    elements of libvirt's with their attributes. cpu_check: how libvirt compares a named processor with its host's.
    firmware: its options, where nothing is said of it. features_off: of the firmware, which libvirt might choose
    otherwise. usb: the model of its controller. inputs: what a person at its screen has, where the machine itself
    brings nothing.

    usual: what a new device or its firmware is that is wanted and not said, by the path of the option. only: the
    choices of options that it has, where these are not all. plugs_vcpus: whether it can get virtual CPUs while it runs.
    """

    name: str
    machine: str
    cpu: Mapping[str, str]
    cpu_check: str
    features: Mapping[str, tuple[tuple[str, Mapping[str, str]], ...]]
    firmware: Mapping[str, Any] | None
    features_off: tuple[str, ...]
    usb: str
    inputs: tuple[str, ...]
    usual: Mapping[str, str]
    only: Mapping[str, tuple[Any, ...]]
    plugs_vcpus: bool

    @property
    def has_all(self) -> bool:
        """Tell whether it has all that an option can say."""
        return not self.only and self.plugs_vcpus


_PC: tuple[tuple[str, Mapping[str, str]], ...] = (("acpi", {}), ("apic", {}))
X86_64 = Architecture(
    name="x86_64",
    machine="q35",
    # Without KVM x86-64-v2, which current distributions need and QEMU's emulation offers in full.
    cpu={"kvm": "host-model", "qemu": "Nehalem"},
    cpu_check="partial",
    features={"kvm": _PC, "qemu": _PC},
    firmware=None,
    features_off=(),
    usb="none",
    inputs=(),
    usual={"cdroms.bus": "sata", "firmware.type": "bios", "panic.model": "isa", "tpm.model": "tpm-crb"},
    only={},
    plugs_vcpus=True,
)
AARCH64 = Architecture(
    name="aarch64",
    machine="virt",
    # libvirt knows no models of its hosts, and compares none with what is emulated.
    cpu={"kvm": "host-passthrough", "qemu": "maximum"},
    cpu_check="none",
    # On hardware libvirt takes the host's interrupt controller; the other one has place for eight virtual CPUs only.
    features={"kvm": (("acpi", {}),), "qemu": (("acpi", {}), ("gic", {"version": "3"}))},
    firmware={"type": "efi", "secure_boot": False},
    features_off=("secure-boot",),
    usb="qemu-xhci",
    inputs=("keyboard", "tablet"),
    usual={"cdroms.bus": "scsi", "firmware.type": "efi", "panic.model": "none", "tpm.model": "tpm-tis"},
    only={
        "cdroms.bus": ("scsi",),
        "firmware.secure_boot": (False,),
        "firmware.type": ("efi",),
        "launch_security.type": ("none",),
        "panic.model": ("none",),
        "root.bus": ("virtio", "scsi", "usb"),
        "tpm.model": ("tpm-tis", "none"),
        "video.model": ("virtio", "none"),
        "volumes.bus": ("virtio", "scsi", "usb"),
    },
    plugs_vcpus=False,
)
ARCHITECTURES: dict[str, Architecture] = {one.name: one for one in (X86_64, AARCH64)}
# Of what does not say it: definitions from before it was an option, and hosts of libvirt's that are none of both.
USUAL = X86_64.name


def architecture_in(xml: str) -> str:
    """Return the architecture of a definition, in libvirt's word. Read as text: there may be thousands of them."""
    found = _ARCH.search(xml)
    return found[1] if found is not None else USUAL


def machine_in(xml: str) -> str:
    """Return the type of machine of a definition, with QEMU's version of it; "" if it says none, as of a container."""
    found = _MACHINE.search(xml)
    return found[1] if found is not None else ""


def facts_of(architecture: str) -> Architecture:
    """Return what a machine is. One of neither architecture was adopted, and is nearest to a PC."""
    return ARCHITECTURES.get(architecture, X86_64)


def complete_machine(values: Mapping[str, Any], architecture: str) -> dict[str, Any]:
    """Return the options of a new machine with what its architecture decides. values: normalised, by option."""
    facts = facts_of(architecture)
    whole = {**values, "architecture": architecture, **complete_devices(values, {}, facts)}
    if whole.get("firmware") is None:
        whole["firmware"] = facts.firmware
    elif whole["firmware"].get("type") is None:
        whole["firmware"] = {**whole["firmware"], "type": facts.usual["firmware.type"]}
    drives = whole.get("cdroms") or ()
    whole["cdroms"] = tuple({**one, "bus": one.get("bus") or facts.usual["cdroms.bus"]} for one in drives)
    return whole


def complete_devices(wanted: Mapping[str, Any], has: Mapping[str, Any], facts: Architecture) -> dict[str, Any]:
    """Return the devices that are new, and wanted without a word of what they are, as they are usually. Both are by
    option; has: what there is.
    """
    return {
        kind.option: {
            **value,
            kind.switch: facts.usual.get(f"{kind.option}.{kind.switch}", kind.table[kind.switch].create),
        }
        for kind in DEVICES
        if (value := wanted.get(kind.option)) is not None
        and value.get(kind.switch) is None
        and not kind.is_wanted(has.get(kind.option))
    }


def find_unsuited(wanted: Mapping[str, Any], architecture: str) -> list[tuple[str, str]]:
    """Return pairs of a path and what is wrong there: what a machine of the architecture cannot have.

    wanted: of an instance, by option; None is not managed.
    """
    facts, found = facts_of(architecture), []
    for path, choices in facts.only.items():
        for here, value in _values_at(wanted, path):
            if value is not None and value not in choices:
                allowed = " or ".join(_show(one) for one in choices)
                what = f"{_show(value)} is nothing that a machine of {facts.name} has; write {allowed}, or leave it out"
                found.append((here, what))
    vcpus, most = wanted.get("vcpus"), wanted.get("vcpus_max")
    if not facts.plugs_vcpus and most is not None and vcpus not in (None, most):
        what = f"a machine of {facts.name} gets no virtual CPUs while it runs; write {vcpus}, as vcpus, or leave it out"
        found.append(("vcpus_max", what))
    return found


def _values_at(wanted: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """Yield what is wanted at a path of two words, with where it stands: of a list one for each element."""
    option, _, row = path.partition(".")
    value = wanted.get(option)
    if isinstance(value, tuple | list):
        for index, one in enumerate(value):
            yield f"{element_path(option, index, {'name': value_of(one, 'name')})}.{row}", value_of(one, row)
    elif value is not None:
        yield path, value_of(value, row)


def _show(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
