# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a host is, from /proc, /sys and `ip`. Runs on bare hosts: standard library only."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import ssl
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from ..._model.host_facts import Directory, HostFacts, Interface, Membership, Mount
from .kvm import Verdict

# Takes an argument list, returns (exit code, standard output, standard error).
RunCommand = Callable[[list[str]], tuple[int, str, str]]

# Those that are defined, and those that run.
POOL_DEFINITIONS = (Path("/etc/libvirt/storage"), Path("/run/libvirt/storage"))
# As many as the kernel follows.
_MOST_LINKS = 40
CA_PATH = Path("/etc/pki/pextra/ca.pem")
# Drivers of controllers that can make RAID volumes of disks. Most can also pass disks through (HBA mode, JBOD).
RAID_DRIVERS = frozenset(
    {
        "3w-9xxx",
        "3w-sas",
        "aacraid",
        "arcmsr",
        "dpt_i2o",
        "gdth",
        "hpsa",
        "ips",
        "megaraid",
        "megaraid_sas",
        "mpi3mr",
        "mpt3sas",
        "smartpqi",
    }
)
# Those that pass nothing through: every disk behind them is a volume, and some have no name of the kind below.
ONLY_RAID_DRIVERS = frozenset({"3w-9xxx", "3w-sas", "dpt_i2o", "gdth", "ips", "megaraid"})
# What the node role installs last, or needs before it can say anything in check mode.
PROGRAMS = ("libvirtd", "virsh", "ovs-vsctl", "stunnel4")
PYTHON_PACKAGES = ("apt", "cryptography")


def read_host_facts(run: RunCommand, kvm: Verdict, paths: Collection[str] = ()) -> HostFacts:
    """Gather everything that the rules of preflight look at. paths: where storage pools shall have directories."""
    os_release = _os_release()
    mounts = parse_mounts(_text(Path("/proc/self/mounts")))
    directories = read_pool_directories(POOL_DEFINITIONS)
    threads = _threads()
    return HostFacts(
        architecture=platform.machine(),
        word_bits=64 if sys.maxsize > 2**32 else 32,
        os_id=os_release.get("ID", ""),
        os_version=os_release.get("VERSION_ID", ""),
        init=_text(Path("/proc/1/comm")),
        cores=len(set(threads)) or os.cpu_count() or 1,
        sockets=len({package for package, _core in threads}) or 1,
        memory_bytes=_memory_bytes(),
        storage_bytes=_storage_bytes(),
        cpu_flags=frozenset(_cpuinfo("flags", "Features").split()),
        kvm=kvm.state,
        kvm_reason=kvm.reason,
        raid_volumes=read_raid_volumes(),
        interfaces=read_interfaces(run),
        mounts=mounts,
        directories=directories,
        resolved=_resolve_all({*paths, *(one.path for one in directories)}, mounts),
        membership=_membership(),
        container=_virtualization(run, "--container"),
        virtual_machine=_virtualization(run, "--vm"),
    )


def describe(facts: HostFacts, kvm: Verdict, address: str) -> dict[str, Any]:
    """Return the facts in the shape that later stages use."""
    nic = facts.interface_of(address)
    return {
        "architecture": facts.architecture,
        "os": f"{facts.os_id} {facts.os_version}".strip(),
        "os_version": facts.os_version,
        "cores": facts.cores,
        "cpus": os.cpu_count() or facts.cores,
        "sockets": facts.sockets,
        "cpu_model": _cpuinfo("model name") or facts.architecture,
        "memory_mib": facts.memory_bytes // 1024**2,
        "storage_gib": facts.storage_bytes // 1024**3,
        "kvm": kvm.state,
        "kvm_reason": kvm.reason,
        "kvm_device_exists": os.path.exists("/dev/kvm"),
        "virt_type": kvm.virt_type,
        "container": facts.container,
        "virtual_machine": facts.virtual_machine,
        "management_interface": nic.name if nic else None,
        "time_zone": _time_zone(),
        "has_apparmor": _text(Path("/sys/module/apparmor/parameters/enabled")) == "Y",
        "has_ovs_module": os.path.exists("/sys/module/openvswitch"),
        "is_prepared": _is_prepared(),
    }


def fingerprint(certificate_pem: str) -> str:
    """Return the SHA-256 of a certificate's DER form. Raises ValueError if it is no PEM certificate."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate_pem.strip())).hexdigest()


def read_interfaces(run: RunCommand) -> tuple[Interface, ...]:
    """List the network interfaces with addresses, speed, default routes and what lies on top of them."""
    routed = {
        route.get("dev")
        for family in ("-4", "-6")
        for route in _json(run, ["ip", family, "-json", "route", "show", "default"])
    }
    links = _json(run, ["ip", "-json", "address", "show"])
    return tuple(
        Interface(
            name=link["ifname"],
            addresses=tuple(item["local"] for item in link.get("addr_info", ()) if "local" in item),
            speed_mbits=_speed(link["ifname"]),
            has_default_route=link["ifname"] in routed,
            uppers=_uppers(link["ifname"]),
        )
        for link in links
        if link.get("ifname")
    )


def _json(run: RunCommand, argv: list[str]) -> list[dict[str, Any]]:
    code, out, error = run(argv)
    if code != 0:
        raise OSError(f"{' '.join(argv)} failed: {error.strip() or out.strip()}")
    return list(json.loads(out or "[]"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _os_release() -> dict[str, str]:
    lines = _text(Path("/etc/os-release")).splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key: value.strip("\"'") for key, _equals, value in pairs}


def _cpuinfo(*keys: str) -> str:
    for line in _text(Path("/proc/cpuinfo")).splitlines():
        key, _colon, value = line.partition(":")
        if key.strip() in keys:
            return value.strip()
    return ""


def _threads() -> list[tuple[str, str]]:
    """Return (package, core) of every processor thread that is online."""
    topology = sorted(Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology"))
    return [(_text(path / "physical_package_id"), _text(path / "core_id")) for path in topology]


def _memory_bytes() -> int:
    for line in _text(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def _storage_bytes() -> int:
    """The size of the file system that instances' data go to."""
    path = next(path for path in ("/var/lib/pextra", "/var/lib", "/") if os.path.isdir(path))
    status = os.statvfs(path)
    return status.f_blocks * status.f_frsize


def read_raid_volumes(sys: Path = Path("/sys")) -> tuple[str, ...]:
    """Return the disks that are volumes of a RAID controller, such as `sda (megaraid_sas)`.

    What the controller can do says little, since most pass disks through as well. A disk's own world wide name is of
    NAA type 5 or none; a volume's is of type 6, which holds a number that the controller gave it (SPC-4, 7.8.6.6).
    """
    found = []
    for block in sorted((sys / "block").glob("*")):
        if not (block / "device").is_dir():
            continue
        driver = _pci_driver(block.resolve(), sys.resolve())
        level = _text(block / "device" / "raid_level")
        if driver in RAID_DRIVERS and (
            driver in ONLY_RAID_DRIVERS
            or _text(block / "device" / "wwid").startswith("naa.6")
            or level.upper().startswith("RAID")
        ):
            found.append(f"{block.name} ({driver})")
    return tuple(found)


def _pci_driver(device: Path, top: Path) -> str | None:
    """Return the driver of the nearest PCI device that a device hangs on."""
    for parent in device.parents:
        if parent == top:
            return None
        if (parent / "vendor").is_file() and (parent / "driver").exists() and (parent / "class").is_file():
            return (parent / "driver").resolve().name
    return None


def _speed(name: str) -> int | None:
    # Reading it fails on a NIC that is down, and gives -1 where the driver does not know.
    text = _text(Path("/sys/class/net") / name / "speed")
    return int(text) if text.isdecimal() and int(text) > 0 else None


def _uppers(name: str) -> tuple[str, ...]:
    found: list[str] = []
    waiting = [name]
    while waiting:
        links = Path("/sys/class/net", waiting.pop()).glob("upper_*")
        new = [link.name.removeprefix("upper_") for link in links]
        waiting += [upper for upper in new if upper not in found]
        found += new
    return tuple(dict.fromkeys(found))


def _membership() -> Membership | None:
    try:
        pem = CA_PATH.read_text(encoding="ascii")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=pem)
        # A sequence of relative names, each a sequence of (field, value).
        names: Any = context.get_ca_certs()[0]["subject"]
        subject = dict(pair for rdn in names for pair in rdn)
        return Membership(deployment=str(subject.get("organizationName", "")), fingerprint=fingerprint(pem))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, IndexError) as error:
        # Something is there that cannot be read: refuse as foreign rather than overwrite it.
        return Membership(deployment=f"unreadable: {error}", fingerprint="unreadable")


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """Return the mounts in fstab's form, in which blanks and backslashes are octal escapes."""
    lines = (line.split() for line in text.splitlines())
    return tuple(Mount(_unescape(words[1]), _unescape(words[0])) for words in lines if len(words) > 1)


def read_pool_directories(places: Iterable[Path]) -> tuple[Directory, ...]:
    """Return the storage pools of the host's libvirt that have a directory. places: where it keeps definitions."""
    found: dict[Directory, None] = {}
    for file in (file for place in places for file in sorted(place.glob("*.xml"))):
        try:
            root = ET.fromstring(_text(file))
        except ET.ParseError:
            continue  # libvirt skips it as well
        pool = root if root.tag == "pool" else root.find("pool")
        if pool is not None and pool.get("type") in ("dir", "fs", "netfs"):
            path = pool.findtext("target/path")
            if path:
                found[Directory(pool.findtext("name") or file.stem, path)] = None
    return tuple(found)


def _resolve_all(paths: Iterable[str], mounts: Collection[Mount]) -> dict[str, str]:
    resolved = {path: resolve(path, mounts) for path in paths}
    return {path: target for path, target in resolved.items() if target != path}


def resolve(path: str, mounts: Collection[Mount]) -> str:
    """Return an absolute path with its links followed, what is not there included.

    What is mounted from the network is not looked at: its server may hang, and whoever asks with it.
    """
    mounted = {mount.path for mount in mounts}
    remote = {mount.path for mount in mounts if ":" in mount.source or mount.source.startswith("//")}
    here, links = "", 0
    rest = path.split("/")[::-1]
    while rest:
        part = rest.pop()
        if part in ("", "."):
            continue
        if part == "..":
            here = here.rpartition("/")[0]
            continue
        step = f"{here}/{part}"
        target = None if step in mounted or links == _MOST_LINKS else _link(step)
        if target is None:
            here = step
            if step in remote:
                return "/".join([step, *reversed(rest)])
            continue
        links += 1
        here = "" if target.startswith("/") else here
        rest += target.split("/")[::-1]
    return here or "/"


def _link(path: str) -> str | None:
    """Return where a link leads, None for what is none or is not there."""
    try:
        return os.readlink(path)
    except OSError:
        return None


def _unescape(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word)


def _virtualization(run: RunCommand, kind: str) -> str | None:
    """Return systemd's name of the container or virtual machine technique, or None."""
    if shutil.which("systemd-detect-virt") is None:
        return None
    _code, out, _error = run(["systemd-detect-virt", kind])
    name = out.strip()
    return None if name in ("", "none") else name


def _time_zone() -> str:
    target = os.path.realpath("/etc/localtime")
    return target.partition("/zoneinfo/")[2] if os.path.exists("/etc/localtime") else "Etc/UTC"


def _is_prepared() -> bool:
    """Whether the node role's packages are there, so that check mode can look at the rest."""
    path = os.pathsep.join(("/usr/sbin", "/usr/bin", "/sbin", "/bin"))
    return all(shutil.which(name, path=path) for name in PROGRAMS) and all(
        importlib.util.find_spec(name) for name in PYTHON_PACKAGES
    )
