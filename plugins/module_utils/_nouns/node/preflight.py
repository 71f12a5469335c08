# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host must be to become a node: facts and exceptions in, violations out.

Every rule comes from the domain rules, "Nodes", and has a name by which an inventory can make an exception.
This runs on hosts on which nothing has been installed yet, so it uses the standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from ..._fields.address_ranges import REFUSED_RANGES, find_range
from ..._model.host_facts import Directory, HostFacts, Interface, Mount, parse_address
from ..._model.mistake import shown, suggest
from ..pool.path import find_system_place, is_within

GB = 1000**3
MIN_CORES = 4
# 8 GB as sold: what the firmware keeps is not in the kernel's figure.
MIN_MEMORY_BYTES = 8 * GB * 95 // 100
# A disk of 16 GB, less partition table, boot partition and file system.
MIN_STORAGE_BYTES = 16 * GB * 90 // 100
MIN_NIC_MBITS = 1000
ARCHITECTURES = ("x86_64", "aarch64")
RELEASES = {"debian": ("12", "13")}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the inventory says about the host. ca_fingerprint is None as long as the deployment has no CA yet.

    mounts: what its storage pools mount from the network. directories: where they are.
    """

    node: str
    address: str
    uplinks: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    directories: tuple[Directory, ...] = ()
    ca_fingerprint: str | None = None
    takeover: str | None = None


@dataclass(frozen=True)
class Violation:
    """One rule that the host breaks."""

    rule: str
    found: str
    required: str
    remedy: str
    node: str

    def __str__(self) -> str:
        return f"{self.rule}: found {self.found}; required: {self.required}. {self.remedy}"

    @property
    def excused(self) -> str:
        """What is said where an exception is made: who made it needs no advice."""
        return f"{self.rule}: found {self.found}; required: {self.required}. An exception is made."

    def as_dict(self) -> dict[str, str]:
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True)
class Finding:
    """What a rule finds when it is broken."""

    found: str
    required: str
    remedy: str


Check = Callable[[HostFacts, Wanted], Iterable[Finding]]


@dataclass(frozen=True)
class Rule:
    """A named rule. `is_excusable` says whether an inventory may make an exception of it."""

    name: str
    help: str
    check: Check
    is_excusable: bool = True


@dataclass(frozen=True)
class Result:
    """violations stop the host; excused ones are only told."""

    violations: tuple[Violation, ...] = ()
    excused: tuple[Violation, ...] = field(default=())


def evaluate(facts: HostFacts, wanted: Wanted, exceptions: Collection[str] = ()) -> Result:
    """Hold the facts against every rule; all violations come at once."""
    violations: list[Violation] = []
    excused: list[Violation] = []
    for rule in RULES:
        for finding in rule.check(facts, wanted):
            target = excused if rule.is_excusable and rule.name in exceptions else violations
            target.append(Violation(rule.name, finding.found, finding.required, finding.remedy, wanted.node))
    return Result(tuple(violations), tuple(excused))


def check_exceptions(exceptions: Iterable[Any]) -> list[str]:
    """Return what is wrong with a list of exceptions: names of no rule, and rules that know no exception."""
    by_name = {rule.name: rule for rule in RULES}
    problems = []
    for name in exceptions:
        rule = by_name.get(name)
        if rule is None:
            hint = suggest(name, by_name) or f" Rules: {', '.join(by_name)}."
            problems.append(f"{shown(name)} is not a preflight rule.{hint}")
        elif not rule.is_excusable:
            problems.append(f"{shown(name)} knows no exception. {rule.help}")
    return problems


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / GB:.1f} GB"


def _architecture(facts: HostFacts, _wanted: Wanted) -> Iterable[Finding]:
    if facts.architecture not in ARCHITECTURES or facts.word_bits != 64:
        yield Finding(
            f"{facts.architecture}, {facts.word_bits} bits",
            f"{' or '.join(ARCHITECTURES)} with a 64-bit system",
            "32-bit and other processors are not supported; use another host.",
        )


def _os_release(facts: HostFacts, _wanted: Wanted) -> Iterable[Finding]:
    if facts.os_version not in RELEASES.get(facts.os_id, ()):
        yield Finding(
            f"{facts.os_id or 'unknown'} {facts.os_version}".strip(),
            "Debian 12 or 13",
            "Install a supported release.",
        )


def _init_system(facts: HostFacts, _wanted: Wanted) -> Iterable[Finding]:
    if facts.init != "systemd":
        yield Finding(
            f"{facts.init} as process 1",
            "systemd as process 1",
            "libvirt and Open vSwitch are run by systemd; boot the host, or start the container, with it.",
        )


def _cpu_cores(facts: HostFacts, _wanted: Wanted) -> Iterable[Finding]:
    if facts.cores < MIN_CORES:
        yield Finding(f"{facts.cores} cores", f"at least {MIN_CORES}; 8 are recommended", "Use a larger host.")


def _memory(facts: HostFacts, _wanted: Wanted) -> Iterable[Finding]:
    if facts.memory_bytes < MIN_MEMORY_BYTES:
        yield Finding(_gb(facts.memory_bytes), "at least 8 GB; 32 GB are recommended", "Add memory.")


def _storage(facts: HostFacts, _wanted: Wanted) -> Iterable[Finding]:
    if facts.storage_bytes < MIN_STORAGE_BYTES:
        yield Finding(
            f"{_gb(facts.storage_bytes)} below /var/lib",
            "at least 16 GB; a 128 GB SSD is recommended",
            "Enlarge the file system, or mount a larger one at /var/lib/pextra.",
        )


def _avx2(facts: HostFacts, _wanted: Wanted) -> Iterable[Finding]:
    if facts.architecture == "x86_64" and "avx2" not in facts.cpu_flags:
        yield Finding(
            "a processor without AVX2",
            "AVX2",
            "Use a newer processor; if the host is a virtual machine, pass its processor's features through.",
        )


def _virtualization(facts: HostFacts, _wanted: Wanted) -> Iterable[Finding]:
    if facts.kvm == "works":
        return
    has_extensions = facts.architecture != "x86_64" or bool({"vmx", "svm"} & facts.cpu_flags)
    extensions = "" if has_extensions else "no VT-x or AMD-V, and "
    yield Finding(
        f"{extensions}KVM is {facts.kvm}: {facts.kvm_reason}",
        "VT-x or AMD-V and a KVM that runs guests",
        "Enable virtualization in the firmware, or nested virtualization if the host is a virtual machine. "
        "With an exception for this rule the host runs its guests in software: slow, and unsupported.",
    )


def _nic_speed(facts: HostFacts, wanted: Wanted) -> Iterable[Finding]:
    nic = facts.interface_of(wanted.address)
    if nic is not None and nic.speed_mbits is not None and nic.speed_mbits < MIN_NIC_MBITS:
        yield Finding(
            f"{nic.speed_mbits} Mbit/s on {nic.name}",
            "at least 1 Gbit/s",
            "Use a faster NIC, cable or switch port for the management address.",
        )


def _hardware_raid(facts: HostFacts, _wanted: Wanted) -> Iterable[Finding]:
    if facts.raid_volumes:
        yield Finding(
            f"volumes of a hardware RAID ({', '.join(facts.raid_volumes)})",
            "disks that their controller passes through",
            "Switch the controller to HBA mode. Where it has none, make one RAID 0 of each single disk "
            "and make an exception for this rule.",
        )


def _address_range(_facts: HostFacts, wanted: Wanted) -> Iterable[Finding]:
    required = "an IP address that all nodes of the cluster can reach"
    address = parse_address(wanted.address)
    if address is None:
        yield Finding(shown(wanted.address), required, "Set pextra_address to the host's management address.")
        return
    kind = find_range(address, REFUSED_RANGES)
    if kind is not None:
        yield Finding(f"{wanted.address}, a {kind} address", required, "Give the node another address.")


def _address_present(facts: HostFacts, wanted: Wanted) -> Iterable[Finding]:
    if parse_address(wanted.address) is None or facts.interface_of(wanted.address) is not None:
        return
    present = ", ".join(text for nic in facts.interfaces for text in nic.addresses) or "none"
    yield Finding(
        f"{wanted.address} on no interface (the host has {present})",
        "the management address on one of the host's interfaces",
        "Correct pextra_address; an address that is translated on the way does not serve.",
    )


def _uplink_exists(facts: HostFacts, wanted: Wanted) -> Iterable[Finding]:
    missing = [name for name in wanted.uplinks if facts.interface(name) is None]
    if missing:
        names = [nic.name for nic in facts.interfaces if nic.name != "lo"]
        yield Finding(
            f"no interface {', '.join(shown(name) for name in missing)}",
            "every declared uplink as a network interface of the host",
            f"Correct the vSwitch's uplinks; the host has {', '.join(names) or 'no interfaces'}.",
        )


def _uplink_management(facts: HostFacts, wanted: Wanted) -> Iterable[Finding]:
    """Rule: an address may not sit on a vSwitch uplink (domain rules, "Nodes"), nor on anything on top of one."""
    for name in wanted.uplinks:
        stack = [nic for nic in facts.interfaces if nic.name == name or name in _lowers(facts, nic.name)]
        for nic in stack:
            carried = _carried(facts, nic, wanted.address)
            if carried:
                where = name if nic.name == name else f"{name}, through {nic.name} on top of it,"
                yield Finding(
                    f"uplink {where} carries {carried}",
                    "uplinks without addresses of the host",
                    "A vSwitch takes its uplinks over whole, and the host would be lost. Use another NIC.",
                )


def _lowers(facts: HostFacts, name: str) -> set[str]:
    return {nic.name for nic in facts.interfaces if name in nic.uppers}


def _carried(facts: HostFacts, nic: Interface, address: str) -> str | None:
    if facts.interface_of(address) is nic:
        return f"the management address {address}"
    if nic.has_default_route:
        return "the host's default route"
    usable = [text for text in nic.addresses if not _is_link_local(text)]
    return f"the address {', '.join(usable)}" if usable else None


def _is_link_local(text: str) -> bool:
    address = parse_address(text)
    return address is not None and address.is_link_local


def _pool_mount(facts: HostFacts, wanted: Wanted) -> Iterable[Finding]:
    """Rule: a pool's target path does not conflict with what is not ours (domain rules, "Storage pools").

    libvirt would mount over it, and hide it.
    """
    for want in wanted.mounts:
        for mount in facts.mounts:
            if f"{mount.path}/".startswith(f"{want.path}/") and mount.source.rstrip("/") != want.source.rstrip("/"):
                yield Finding(
                    f"{mount.source} mounted at {mount.path}",
                    f"nothing else at {want.path}, where the pool {want.pool} mounts {want.source}",
                    "Give the pool another path, or unmount that if nobody needs it.",
                )


def _pool_directory(facts: HostFacts, wanted: Wanted) -> Iterable[Finding]:
    """Rule: a pool has a directory to itself, however many links lead there (domain rules, "Storage pools").

    What the paths themselves tell is found in the document, and with libvirt's pools by the module pextra_pool.
    """
    names = {want.pool for want in wanted.directories}
    others = [(one, "libvirt's storage pool") for one in facts.directories if one.pool not in names]
    for number, want in enumerate(wanted.directories):
        required = f"a directory of its own for the pool {want.pool}"
        remedy = "Give the pool another path, or let no link lead there."
        path = facts.resolved.get(want.path, want.path)
        leads = f"{want.path}, which leads to {path}" if path != want.path else want.path
        place = find_system_place(path)
        if path != want.path and place is not None:
            yield Finding(f"{leads}, a place of the system", required, remedy)
        earlier = [(one, "the pool") for one in wanted.directories[:number]]
        for other, what in (*earlier, *others):
            there = facts.resolved.get(other.path, other.path)
            is_told_elsewhere = is_within(want.path, other.path) or is_within(other.path, want.path)
            if not is_told_elsewhere and (is_within(path, there) or is_within(there, path)):
                yield Finding(f"{leads}, in the way of {what} {other.pool} at {there}", required, remedy)


def _foreign_deployment(facts: HostFacts, wanted: Wanted) -> Iterable[Finding]:
    """Membership is the certificate: a host of another deployment is never absorbed."""
    member = facts.membership
    if member is None or member.fingerprint == wanted.ca_fingerprint:
        return
    if wanted.takeover is not None and wanted.takeover == member.deployment:
        return
    own = wanted.ca_fingerprint[:16] if wanted.ca_fingerprint else "none yet: its CA is not on this controller"
    yield Finding(
        f"a certificate of the deployment {shown(member.deployment)} (CA {member.fingerprint[:16]}…)",
        f"no certificate, or one of this deployment (CA {own})",
        "Decommission the host in the deployment it belongs to; or give this controller that deployment's CA, if it "
        f"is this one; or take it over on purpose with pextra_takeover={shown(member.deployment)} for this host.",
    )


RULES: tuple[Rule, ...] = (
    Rule("architecture", "x86_64 or aarch64, 64 bits.", _architecture, is_excusable=False),
    Rule("os_release", "Debian 12 or 13.", _os_release),
    Rule("init_system", "systemd is process 1.", _init_system),
    Rule("cpu_cores", "At least 4 cores.", _cpu_cores),
    Rule("avx2", "The processor has AVX2 (x86_64).", _avx2, is_excusable=False),
    Rule("virtualization", "KVM runs a test guest.", _virtualization),
    Rule("memory", "At least 8 GB of memory.", _memory),
    Rule("storage", "At least 16 GB of storage.", _storage),
    Rule("hardware_raid", "No hardware RAID.", _hardware_raid),
    Rule("nic_speed", "At least 1 Gbit/s on the management NIC.", _nic_speed),
    Rule("address_range", "The management address can be reached by others.", _address_range),
    Rule("address_present", "The management address is on the host.", _address_present),
    Rule("uplink_exists", "Every declared uplink exists.", _uplink_exists),
    Rule("uplink_management", "No uplink carries an address of the host.", _uplink_management),
    Rule("pool_mount", "Nothing else is mounted where a pool mounts its source.", _pool_mount, is_excusable=False),
    Rule("pool_directory", "No link leads from a pool's directory to another's.", _pool_directory, is_excusable=False),
    Rule(
        "foreign_deployment",
        "A host of another deployment is taken over only by naming that deployment in pextra_takeover.",
        _foreign_deployment,
        is_excusable=False,
    ),
)
RULE_NAMES = tuple(rule.name for rule in RULES)
