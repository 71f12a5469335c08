"""What the guest's cloud-init is told, as the files of a NoCloud seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from .vm import CloudInit, Vm


def render_seed(vm: Vm, instance_id: str, macs: Sequence[str]) -> dict[str, str]:
    """Return the seed's files by name; macs are the NICs', in order."""
    init = vm.cloud_init or CloudInit()
    hostname = init.hostname or vm.name
    return {
        "meta-data": _to_yaml({"instance-id": instance_id, "local-hostname": hostname}),
        "user-data": init.user_data if init.user_data is not None else _user_data(init, hostname),
        "network-config": _to_yaml(_network(vm, macs)),
    }


def digest_of(files: Mapping[str, str]) -> str:
    """Return a digest that tells one seed from another."""
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()


def _user_data(init: CloudInit, hostname: str) -> str:
    config: dict[str, Any] = {"hostname": hostname}
    users = []
    for user in init.users:
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


def _network(vm: Vm, macs: Sequence[str]) -> dict[str, Any]:
    """cloud-init's network configuration, version 2."""
    ethernets: dict[str, Any] = {}
    for index, (nic, mac) in enumerate(zip(vm.nics, macs, strict=True)):
        entry: dict[str, Any] = {"match": {"macaddress": mac}}
        if nic.addresses:
            entry["addresses"] = list(nic.addresses)
        else:
            entry["dhcp4"] = True
        if nic.gateway:
            entry["routes"] = [{"to": "::/0" if ":" in nic.gateway else "0.0.0.0/0", "via": nic.gateway}]
        if nic.nameservers:
            entry["nameservers"] = {"addresses": list(nic.nameservers)}
        ethernets[f"nic{index}"] = entry
    return {"version": 2, "ethernets": ethernets}


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
