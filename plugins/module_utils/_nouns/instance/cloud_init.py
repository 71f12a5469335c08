# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guest's cloud-init is told, as the files of a NoCloud seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface
from typing import Any

from .labels import VolumeLabel
from .parts import CloudInit, Nic, User, name_nics
from .spec import Vm
from .vendor_data import render_vendor_data

# The ways in which seeds have been written, of which the last is today's: until each was first another one came, the
# first two knew no vendor data, and the first said less of the network.
WORDS = range(3)
# In a seed for ourselves, to be read back: cloud-init knows no such file.
DECLARED = "declared-vendor-data"


@dataclass(frozen=True)
class Seed:
    """What a guest was told before. network: the configuration of each NIC, by its name."""

    files: Mapping[str, str] = field(repr=False)
    hostname: str = ""
    network: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)


def parse_seed(files: Mapping[str, str], read_yaml: Callable[[str], Any]) -> Seed:
    """Return what the files of a seed of ours say. Raises ValueError if they are not of ours."""
    try:
        network = read_yaml(files["network-config"])["ethernets"] or {}
        return Seed(files, str(read_yaml(files["meta-data"])["local-hostname"]), dict(network))
    except (KeyError, TypeError) as error:
        raise ValueError(f"no seed of an instance: {error}") from error


class UnknownSeedError(Exception):
    """Something is not said, and was to stay as it is, and how it is is not known."""


def render_seed(
    vm: Vm,
    instance_id: str,
    macs: Sequence[str],
    volumes: Sequence[VolumeLabel] = (),
    before: Seed | None = None,
    *,
    words: int = WORDS[-1],
) -> dict[str, str]:
    """Return the seed's files by name; macs are the NICs', in order. words: one of WORDS.

    What is None stays as it was `before`. Raises UnknownSeedError if that is needed and not given.
    """
    init = vm.cloud_init or CloudInit()
    hostname = (init.hostname if init.hostname is not None else _need(before).hostname) or vm.name
    if init.user_data is not None:
        user_data = init.user_data
    elif init.users is not None:
        user_data = _user_data(init.users, hostname)
    else:
        old = _need(before)
        first = f"#cloud-config\nhostname: {_scalar(old.hostname)}\n"
        user_data = old.files["user-data"]
        if user_data.startswith(first):
            user_data = f"#cloud-config\nhostname: {_scalar(hostname)}\n{user_data[len(first) :]}"
    network = (
        _need(before).files["network-config"]
        if vm.nics is None
        else _to_yaml(_network(name_nics(vm.nics), macs, before, is_older=words == WORDS[0]))
    )
    files = {"user-data": user_data, "network-config": network}
    if words == WORDS[-1]:
        declared = init.vendor_data if init.vendor_data is not None else _need(before).files.get(DECLARED, "")
        files["vendor-data"] = render_vendor_data(declared, volumes)
        if declared:
            files[DECLARED] = declared
        instance_id = f"{instance_id}-{_digest_of_once(user_data, declared)}"
    return {"meta-data": _to_yaml({"instance-id": instance_id, "local-hostname": hostname}), **files}


def _digest_of_once(*texts: str) -> str:
    """Return what makes another instance of it: cloud-init carries out users, files and commands once for each.

    Not so the network and the volumes, which it is told at each boot: an address that changes is no reason to run the
    user's commands again, or to make new host keys.
    """
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:12]


def once_of(files: Mapping[str, str]) -> str | None:
    """Return what tells whether a seed is another instance to cloud-init; None in the words of older versions."""
    if "vendor-data" not in files:
        return None
    return _digest_of_once(files["user-data"], files.get(DECLARED, ""))


def _need(before: Seed | None) -> Seed:
    if before is None:
        raise UnknownSeedError
    return before


def digest_of(files: Mapping[str, str]) -> str:
    """Return a digest that tells one seed from another."""
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()


def _user_data(wanted: Sequence[User], hostname: str) -> str:
    config: dict[str, Any] = {"hostname": hostname}
    users = []
    for user in wanted:
        entry: dict[str, Any] = {"name": user.name, "lock_passwd": user.hashed_password is None}
        if user.ssh_authorized_keys:
            entry["ssh_authorized_keys"] = list(user.ssh_authorized_keys)
        if user.sudo:
            entry["sudo"] = "ALL=(ALL) NOPASSWD:ALL"
        if user.hashed_password is not None:
            entry["hashed_passwd"] = user.hashed_password
        users.append(entry)
    if users:
        config["users"] = users
    return "#cloud-config\n" + _to_yaml(config)


def _network(nics: Sequence[Nic], macs: Sequence[str], before: Seed | None, *, is_older: bool) -> dict[str, Any]:
    """cloud-init's network configuration, version 2.

    The default route of IPv6 is `gateway6`: of a route to ::/0, which versions before wrote, several renderers of
    cloud-init 22.4 make one to ::/64. `set-name`, because renderers other than netplan's and NetworkManager's look for
    an interface that is called as the entry is.
    """
    ethernets: dict[str, Any] = {}
    for nic, mac in zip(nics, macs, strict=True):
        said = (nic.addresses, nic.gateway, nic.gateway6, nic.nameservers)
        old = _old_entry(before, nic.name or "") if None in said else {}
        addresses = nic.addresses if nic.addresses is not None else old.get("addresses", ())
        gateway = nic.gateway if nic.gateway is not None else _old_gateway(old)
        gateway6 = nic.gateway6 if nic.gateway6 is not None else old.get("gateway6", "")
        if ":" in gateway and not is_older:
            gateway, gateway6 = "", gateway
        nameservers = (
            nic.nameservers if nic.nameservers is not None else old.get("nameservers", {}).get("addresses", ())
        )
        entry: dict[str, Any] = {"match": {"macaddress": mac}}
        if not is_older:
            entry["set-name"] = nic.name or ""
        if addresses:
            entry["addresses"] = list(addresses)
        else:
            entry["dhcp4"] = True
        if gateway:
            entry["routes"] = [{"to": "::/0" if ":" in gateway else "0.0.0.0/0", "via": gateway}]
            if not any(ip_address(gateway) in ip_interface(text).network for text in addresses):
                entry["routes"][0]["on-link"] = True
        if gateway6:
            entry["gateway6"] = gateway6
        if nameservers:
            entry["nameservers"] = {"addresses": list(nameservers)}
        ethernets[nic.name or ""] = entry
    return {"version": 2, "ethernets": ethernets}


def _old_entry(before: Seed | None, name: str) -> Mapping[str, Any]:
    """Return what a NIC was told before, nothing for one that is new."""
    return _need(before).network.get(name, {})


def _old_gateway(old: Mapping[str, Any]) -> str:
    return str(next((route["via"] for route in old.get("routes", ())), ""))


def _to_yaml(value: Mapping[str, Any]) -> str:
    """Write mappings, lists and scalars as block YAML. Scalars are written as JSON, which is nearly YAML."""
    return "".join(f"{line}\n" for line in _lines(value))


def _scalar(value: Any) -> str:
    # YAML knows no surrogates, by which JSON escapes what lies beyond 16 bits, and takes no unprintable characters.
    text = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in text)


def _lines(value: Any) -> list[str]:
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, Mapping | list) and item:
                lines.append(f"{key}:")
                lines += [f"  {line}" for line in _lines(item)]
            else:
                lines.append(f"{key}: {_scalar(item)}")
    else:
        for item in value:
            inner = _lines(item) if isinstance(item, Mapping | list) else [_scalar(item)]
            lines += [f"{'- ' if not index else '  '}{line}" for index, line in enumerate(inner)]
    return lines
