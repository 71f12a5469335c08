# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of single values. Each takes a normalised value and returns what is wrong with it, or None.

The tables of fields name these, and argument specs are made from the tables before anything can report a missing
library: so netaddr is imported late.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from .._model.mistake import shown
from .address_ranges import NO_HOSTS, REFUSED_RANGES, find_range
from .addresses import canonical_mac

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
# Ansible's own groups, and the controller, where what is delegated to it would run.
_RESERVED = frozenset({"all", "localhost", "ungrouped"})
_HOSTNAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_VSWITCH = re.compile(r"svswitch[1-9][0-9]{0,6}")
# Linux: at most 15 characters (IFNAMSIZ), no slash and no blank.
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_UNIT = re.compile(r"unit:[0-9]{1,5}:[0-9]{1,5}:[0-9]{1,5}")
_DEVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,31}")
_WORD = re.compile(r"[A-Za-z0-9._-]+")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_PREFIX = re.compile(r"[0-9]{1,3}")
_MAC = re.compile(
    r"[0-9A-Fa-f]{1,2}((:[0-9A-Fa-f]{1,2}){5}|(-[0-9A-Fa-f]{1,2}){5})|[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4}){2}|[0-9A-Fa-f]{12}"
)
_PCI = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
# Vendor and product, of PCI and of USB.
_MODEL = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MDEV_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


def _find_too_long(value: str, most: int, pattern: re.Pattern[str]) -> str | None:
    """Tell of what is only too long how long it may be. pattern: of what is not too long."""
    if len(value) <= most or pattern.fullmatch(value[:1] + value[-1:]) is None or not _WORD.fullmatch(value):
        return None
    return f"{shown(value[:20] + '...')} has {len(value)} characters; write at most {most}"


def check_word(value: str) -> str | None:
    if _WORD.fullmatch(value):
        return None
    return f"{shown(value)} is not a word; write letters, digits, dots, dashes and underscores"


def check_name(value: str) -> str | None:
    if _NAME.fullmatch(value) and ".." not in value:
        return None
    return _find_too_long(value, 63, _NAME) or (
        f"{shown(value)} is not a name; write 1 to 63 letters, digits, dots, dashes or underscores, "
        "beginning and ending with a letter or digit"
    )


def check_hostname(value: str) -> str | None:
    if _HOSTNAME.fullmatch(value):
        return None
    labels = value.split(".")
    too_long = next((found for label in labels if (found := _find_too_long(label, 63, _HOSTNAME))), None)
    if too_long and all(_HOSTNAME.fullmatch(label[:1] + label[-1:]) for label in labels):
        return f"its part {too_long}"
    return f"{shown(value)} is not a host name; write lower-case letters, digits, dashes and dots (RFC 1123)"


def check_inventory_name(value: str) -> str | None:
    """The name of what is a host of an inventory: a node, or an instance with the inventory plugin."""
    if value in _RESERVED:
        return f"{shown(value)} means something else in an inventory of Ansible; write another name"
    return check_hostname(value)


def check_vswitch_name(value: str) -> str | None:
    if _VSWITCH.fullmatch(value):
        return None
    return f"{shown(value)} is not a vSwitch name; write svswitchN with N from 1"


def check_interface(value: str) -> str | None:
    if _INTERFACE.fullmatch(value):
        return None
    too_long = _find_too_long(value, 15, _INTERFACE)
    return (
        too_long or f"{shown(value)} is not the name of a network interface; write at most 15 characters, such as eth1"
    )


def check_interface_or_none(value: str) -> str | None:
    return check_interface(value) if value else None


def check_uplink(value: str) -> str | None:
    """Rule: a vSwitch is no uplink, neither of itself nor of another, and the loopback interface leads nowhere."""
    if value == "lo":
        return f"{shown(value)} is the loopback interface; write a physical NIC, such as eth1"
    if _VSWITCH.fullmatch(value):
        return f"{shown(value)} is a vSwitch; write a physical NIC, such as eth1"
    return check_interface(value)


def check_device_name(value: str) -> str | None:
    """Rule: device names are 3 to 32 characters without spaces (domain rules, "Instances")."""
    if _DEVICE_NAME.fullmatch(value) and ".." not in value:
        return None
    too_long = _find_too_long(value, 32, _NAME)
    return (
        too_long or f"{shown(value)} is not a device name; write 3 to 32 letters, digits, dots, dashes or underscores"
    )


def check_nic_name(value: str) -> str | None:
    """Like a device's, and as short as Linux wants the names of interfaces: guests call it so."""
    if len(value) <= 15 and check_device_name(value) is None:
        return None
    return f"{shown(value)} is not a NIC's name; write 3 to 15 letters, digits, dots, dashes or underscores"


def check_unit(value: str) -> str | None:
    """As libvirt names the units of a target: bus, target and LUN."""
    if _UNIT.fullmatch(value):
        return None
    return f"{shown(value)} is not a unit of a target; write one as virsh vol-list shows it, such as unit:0:0:1"


def check_pci(value: str) -> str | None:
    if _PCI.fullmatch(value):
        return None
    return f"{shown(value)} is not the address of a PCI device; write it as `lspci -D` does, such as 0000:65:00.0"


def check_usb(value: str) -> str | None:
    if _MODEL.fullmatch(value):
        return None
    return f"{shown(value)} is not a USB device; write its vendor and product as `lsusb` does, such as 046d:c52b"


def check_pci_model(value: str) -> str | None:
    if _MODEL.fullmatch(value):
        return None
    return (
        f"{shown(value)} is not a model of PCI devices; write vendor and product as `lspci -n` does, such as 10de:2204"
    )


def check_mdev(value: str) -> str | None:
    if _UUID.fullmatch(value):
        return None
    return f"{shown(value)} is not the UUID of a mediated device; write it as `mdevctl list` does, in lower case"


def check_mdev_type(value: str) -> str | None:
    if _MDEV_TYPE.fullmatch(value):
        return None
    return f"{shown(value)} is not a type of mediated devices; write it as `mdevctl types` does, such as nvidia-63"


def check_plain_text(value: str) -> str | None:
    """Descriptions end in XML, terminals and logs: plain words cannot hurt in any of them."""
    if len(value) > 255:
        return f"{shown(value)} is too long; write at most 255 characters"
    bad = sorted({char for char in value if char in "<>" or not char.isprintable()})
    if bad:
        found = ", ".join(shown(char) for char in bad)
        return f"{shown(value)} holds {found}; write one line of plain text without < and >"
    return None


def check_tag(value: str) -> str | None:
    return check_name(value)


def check_absolute_path(value: str) -> str | None:
    parts = value.split("/")
    is_clean = value.isprintable() and not {"..", "."} & set(parts) and "//" not in value
    if is_clean and len(value) > 1 and value.startswith("/") and not value.endswith("/"):
        return None
    if value == "/":
        return f"{shown(value)} is not an absolute path below the root; write one such as /var/lib/pextra/pools/local"
    return f"{shown(value)} is not an absolute path; write one such as /var/lib/pextra/pools/local, without . and .."


def check_sha256(value: str) -> str | None:
    return None if _SHA256.fullmatch(value) else f"{shown(value)} is not a SHA-256; write 64 hexadecimal digits"


def check_mac(value: str) -> str | None:
    if not _MAC.fullmatch(value):
        return f"{shown(value)} is not a MAC address; write one such as 52:54:00:12:34:56"
    digits = canonical_mac(value).replace(":", "")
    if int(digits, 16) == 0:
        return f"{shown(value)} is the address of no NIC; write one such as 52:54:00:12:34:56, or leave it out"
    if int(digits[:2], 16) & 1:
        return f"{shown(value)} is a multicast address; a NIC needs a unicast one"
    if digits.startswith("fe"):
        # libvirt gives the host's end of a NIC the guest's address with this first byte, and refuses the guest's own.
        return f"{shown(value)} begins with fe, which libvirt keeps for itself; write one such as 52:54:00:12:34:56"
    return None


def check_address(value: str) -> str | None:
    """An IPv4 or IPv6 address without a prefix."""
    import netaddr

    if not _ADDRESS.fullmatch(value):
        # netaddr hands its argument to the C library, which knows no zero bytes and no surrogates.
        return f"{shown(value)} is not an IP address"
    if netaddr.valid_ipv4(value, netaddr.INET_PTON) or netaddr.valid_ipv6(value):
        return None
    return f"{shown(value)} is not an IP address"


def check_address_or_none(value: str) -> str | None:
    return check_address(value) if value else None


def check_hostname_or_none(value: str) -> str | None:
    return check_hostname(value) if value else None


def check_name_or_none(value: str) -> str | None:
    return check_name(value) if value else None


def check_address_with_prefix(value: str) -> str | None:
    """An address of a guest's NIC, such as 172.20.0.11/24."""
    import netaddr

    text, slash, prefix = value.partition("/")
    if not slash or not _PREFIX.fullmatch(prefix) or check_address(text) is not None:
        return f"{shown(value)} is not an address with its prefix length; write one such as 172.20.0.11/24"
    address = netaddr.IPAddress(text)
    longest = 32 if address.version == 4 else 128
    if not 1 <= int(prefix) <= longest:
        return f"{shown(value)} has an impossible prefix length; write one from 1 to {longest}"
    kind = find_range(ipaddress.ip_address(text), NO_HOSTS)
    if kind is not None:
        return f"{shown(value)} is a {kind} address; a guest needs one of its own, such as 172.20.0.11/24"
    network = netaddr.IPNetwork(value)
    if address.version == 4 and int(prefix) < 31 and address in (network.network, network.broadcast):
        return f"{shown(value)} is the network's own or its broadcast address, not a host's"
    return None


def check_node_address(value: str) -> str | None:
    """Domain rules, "Nodes": ranges that are refused for a node's own addresses."""
    problem = check_address(value)
    if problem:
        return problem
    kind = find_range(ipaddress.ip_address(value), REFUSED_RANGES)
    if kind is not None:
        return f"{shown(value)} is a {kind} address; a node needs an address that the other nodes can reach"
    return None


# What a schema can say of a check, in the regular expressions that every schema validator knows. A check may be
# stricter than its pattern, never more lenient.
PATTERNS: dict[Callable[[str], str | None], str] = {
    check_name: rf"^{_NAME.pattern}$",
    check_inventory_name: "^" + _HOSTNAME.pattern.replace(r"\Z", "$") + "$",
    check_hostname: "^" + _HOSTNAME.pattern.replace(r"\Z", "$") + "$",
    check_vswitch_name: rf"^{_VSWITCH.pattern}$",
    check_interface: rf"^{_INTERFACE.pattern}$",
    check_uplink: rf"^{_INTERFACE.pattern}$",
    check_device_name: rf"^{_DEVICE_NAME.pattern}$",
    check_nic_name: r"^[A-Za-z0-9][A-Za-z0-9._-]{2,14}$",
    check_unit: rf"^{_UNIT.pattern}$",
    check_plain_text: r"^[^<>\u0000-\u001f\u007f]{0,255}$",
    check_tag: rf"^{_NAME.pattern}$",
    check_word: rf"^{_WORD.pattern}$",
    check_absolute_path: r"^(/[^/]+)+$",
    check_sha256: rf"^{_SHA256.pattern}$",
    check_mac: rf"^({_MAC.pattern})$",
    check_address: rf"^{_ADDRESS.pattern}$",
    check_address_or_none: rf"^({_ADDRESS.pattern})?$",
    check_hostname_or_none: "^(" + _HOSTNAME.pattern.replace(r"\Z", "$") + "|)$",
    check_name_or_none: rf"^({_NAME.pattern})?$",
    check_address_with_prefix: rf"^{_ADDRESS.pattern}/{_PREFIX.pattern}$",
    check_node_address: rf"^{_ADDRESS.pattern}$",
    check_interface_or_none: rf"^({_INTERFACE.pattern})?$",
    check_pci: rf"^{_PCI.pattern}$",
    check_usb: rf"^{_MODEL.pattern}$",
    check_pci_model: rf"^{_MODEL.pattern}$",
    check_mdev: rf"^{_UUID.pattern}$",
    check_mdev_type: rf"^{_MDEV_TYPE.pattern}$",
}
