# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools, and the secrets of their sources, as libvirt XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .kinds import CEPH_PORT, ISCSI_PORT

_TYPES = {"directory": "dir", "netfs": "netfs", "iscsi": "iscsi", "rbd": "rbd", "zfs": "zfs", "lvm": "logical"}
_SECRET_KINDS = {"iscsi": "iscsi", "rbd": "ceph"}
# libvirt's own namespace for options of mounts.
_MOUNT = "http://libvirt.org/schemas/storagepool/fs/1.0"
ET.register_namespace("fs", _MOUNT)
# An SMB share has no owners of files that could be changed: everything in it is QEMU's, as Debian's user is called.
_SMB_OPTIONS = ("uid=libvirt-qemu", "gid=libvirt-qemu", "file_mode=0660", "dir_mode=0771")
SMB_ACCOUNTS = "/etc/pextra/smb"


class PoolDefinition(NamedTuple):
    """What a pool's XML says. type is libvirt's word; path is None for pools that are not in a directory.

    source: what it is made of, in words that a person reads and two definitions can be compared by; "" for a directory.
    """

    name: str
    uuid: str
    type: str
    path: str | None
    source: str = ""


def render_pool(name: str, uuid: str, pool_type: str, path: str | None, source: Mapping[str, Any] | None = None) -> str:
    """Return the XML of a pool. Permissions are left out on purpose: libvirt then makes a missing directory with
    mode 0711, so that QEMU can pass through it, and leaves one that is there as it is.

    source: as `Pool.source` of the specs has it. The secret of the source has the pool's UUID.
    """
    root = ET.Element("pool", type=_TYPES[pool_type])
    ET.SubElement(root, "name").text = name
    ET.SubElement(root, "uuid").text = uuid
    if pool_type != "directory":
        _add_source(ET.SubElement(root, "source"), name, uuid, pool_type, source or {})
    if pool_type != "rbd":
        ET.SubElement(ET.SubElement(root, "target"), "path").text = path or _FIXED_PATHS[pool_type].format(name=name)
    options = _mount_options(name, source or {}) if pool_type == "netfs" else ()
    if options:
        mount = ET.SubElement(root, f"{{{_MOUNT}}}mount_opts")
        for option in options:
            ET.SubElement(mount, f"{{{_MOUNT}}}option", name=option)
    return ET.tostring(root, encoding="unicode")


def _mount_options(name: str, source: Mapping[str, Any]) -> tuple[str, ...]:
    """libvirt adds "guest" to every SMB mount; an account that follows it counts (mount.cifs(8))."""
    if source["format"] != "cifs":
        return ()
    return (*_SMB_OPTIONS, f"credentials={SMB_ACCOUNTS}/{name}") if source.get("username") else _SMB_OPTIONS


# libvirt wants a target for these, and uses it to name the volumes' devices.
_FIXED_PATHS = {"iscsi": "/dev/disk/by-path", "lvm": "/dev/{name}", "zfs": "/dev/zvol/{name}"}


def _add_source(element: ET.Element, name: str, uuid: str, pool_type: str, source: Mapping[str, Any]) -> None:
    if pool_type == "netfs":
        ET.SubElement(element, "host", name=source["host"])
        ET.SubElement(element, "dir", path=source["export"])
        ET.SubElement(element, "format", type=source["format"])
    elif pool_type == "iscsi":
        ET.SubElement(element, "host", name=source["host"], port=str(source["port"]))
        ET.SubElement(element, "device", path=source["target"])
        if source.get("username"):
            _add_auth(element, "chap", source["username"], uuid)
    elif pool_type == "rbd":
        ET.SubElement(element, "name").text = source["pool"]
        for monitor in source["monitors"]:
            ET.SubElement(element, "host", name=monitor, port=str(CEPH_PORT))
        _add_auth(element, "ceph", source["user"], uuid)
    else:
        ET.SubElement(element, "name").text = name
        if pool_type == "lvm":
            ET.SubElement(element, "format", type="lvm2")


def _add_auth(element: ET.Element, kind: str, username: str, uuid: str) -> None:
    auth = ET.SubElement(element, "auth", type=kind, username=username)
    ET.SubElement(auth, "secret", uuid=uuid)


def render_secret(pool_id: str, uuid: str, pool_type: str) -> str:
    """Return the XML of the secret of a pool's source. private: libvirt gives its value to nobody."""
    kind = _SECRET_KINDS[pool_type]
    root = ET.Element("secret", ephemeral="no", private="yes")
    ET.SubElement(root, "uuid").text = uuid
    usage = ET.SubElement(root, "usage", type=kind)
    ET.SubElement(usage, "target" if kind == "iscsi" else "name").text = pool_id
    return ET.tostring(root, encoding="unicode")


def parse_pool(xml: str) -> PoolDefinition:
    """Return what libvirt's XML of a pool says."""
    root = ET.fromstring(xml)
    path = root.findtext("target/path")
    found = root.find("source")
    options = [str(option.get("name")) for option in root.iterfind(f"{{{_MOUNT}}}mount_opts/{{{_MOUNT}}}option")]
    return PoolDefinition(
        root.findtext("name", ""),
        root.findtext("uuid", ""),
        root.get("type", ""),
        path.strip() if path and path.startswith("/") else None,
        _with_options(_describe_element(found, is_iscsi=root.get("type") == "iscsi"), options)
        if found is not None
        else "",
    )


def describe_source(name: str, uuid: str, pool_type: str, source: Mapping[str, Any] | None) -> str:
    """Return how the source of a pool of ours reads, as `PoolDefinition.source` has it."""
    if pool_type == "directory":
        return ""
    element = ET.Element("source")
    _add_source(element, name, uuid, pool_type, source or {})
    described = _describe_element(element, is_iscsi=pool_type == "iscsi")
    return _with_options(described, _mount_options(name, source or {}) if pool_type == "netfs" else ())


def has_other_monitors(definition: PoolDefinition, source: str) -> bool:
    """Tell whether a pool of libvirt's is one of Ceph that differs from a source, as `describe_source` has it, in its
    monitors alone.
    """
    (its, _, own), (wanted, _, rest) = definition.source.partition(" "), source.partition(" ")
    return definition.type == "rbd" and its != wanted and own == rest


def _with_options(source: str, options: Sequence[str]) -> str:
    return f"{source} with {','.join(options)}" if options else source


def _port_of(host: ET.Element, usual: int) -> int:
    """Return a server's port, the usual one where it is left to whoever connects to it."""
    text = host.get("port", "0")
    return int(text) or usual if text.isdecimal() else usual


def _describe_element(source: ET.Element, *, is_iscsi: bool) -> str:
    """Only what we write: libvirt adds the devices of a volume group, and defaults. In which order hosts stand is no
    difference.
    """
    usual = ISCSI_PORT if is_iscsi else 0
    hosts = sorted(f"{host.get('name')}:{_port_of(host, usual)}".removesuffix(":0") for host in source.iterfind("host"))
    parts = [",".join(hosts)] if hosts else []
    for tag in ("dir", "device"):
        # A volume group's devices are none of our business.
        parts += [str(one.get("path")) for one in source.iterfind(tag) if hosts]
    parts += [text for text in (source.findtext("name"),) if text]
    auth = source.find("auth")
    if auth is not None:
        secret = auth.find("secret")
        parts.append(f"as {auth.get('username')}")
        parts += [str(secret.get("uuid"))] if secret is not None else []
    kind = source.find("format")
    if hosts and kind is not None and kind.get("type") in ("nfs", "cifs"):
        parts.append(str(kind.get("type")))
    return " ".join(parts)


def render_source_query(pool_type: str, source: Mapping[str, Any] | None) -> tuple[str, str] | None:
    """Return libvirt's pool type and the XML to ask a node what can be used, None where libvirt cannot tell."""
    if pool_type == "lvm":
        return "logical", "<source/>"
    if pool_type in ("netfs", "iscsi") and source is not None and source.get("format") != "cifs":
        element = ET.Element("source")
        host = ET.SubElement(element, "host", name=source["host"])
        if pool_type == "iscsi":
            host.set("port", str(source["port"]))
        else:
            ET.SubElement(element, "format", type="nfs")
        return _TYPES[pool_type], ET.tostring(element, encoding="unicode")
    return None


def parse_sources(pool_type: str, xml: str) -> list[str]:
    """Return the exports, targets or volume groups in libvirt's answer."""
    root = ET.fromstring(xml)
    if pool_type == "lvm":
        return sorted({name.text or "" for name in root.iterfind("source/name")})
    tag = "source/dir" if pool_type == "netfs" else "source/device"
    return sorted({str(found.get("path")) for found in root.iterfind(tag)})


def is_of_type(definition: PoolDefinition, pool_type: str) -> bool:
    """Tell whether libvirt's pool is of one of our types."""
    return definition.type == _TYPES[pool_type]


def declare_pool(xml: str) -> dict[str, Any] | None:
    """Return libvirt's pool by the options that declare it: type, and path or what it is made of.

    None where none can: of another type, of Ceph, or with a login, whose secret is another's.
    """
    root = ET.fromstring(xml)
    kind = next((ours for ours, word in _TYPES.items() if word == root.get("type")), None)
    source, path = root.find("source"), parse_pool(xml).path
    if kind is None or kind == "rbd" or (source is not None and source.find("auth") is not None):
        return None
    declared: dict[str, Any] = {"type": kind}
    if kind in ("directory", "netfs"):
        declared["path"] = path
    host, device = (source.find(tag) if source is not None else None for tag in ("host", "device"))
    if kind == "netfs" and source is not None:
        exported, form = source.find("dir"), source.find("format")
        declared["netfs"] = {
            "host": host.get("name") if host is not None else None,
            "export": exported.get("path") if exported is not None else None,
            "format": form.get("type") if form is not None else None,
        }
    if kind == "iscsi":
        declared["iscsi"] = {
            "host": host.get("name") if host is not None else None,
            "port": _port_of(host, ISCSI_PORT) if host is not None else None,
            "target": device.get("path") if device is not None else None,
        }
    return declared
