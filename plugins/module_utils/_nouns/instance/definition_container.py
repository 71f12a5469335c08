# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers as libvirt domains: what each has, and the helper that works on the files of one.

Sources of the rules: libvirt 9.0, docs/drvlxc.rst and src/lxc/lxc_container.c.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from ..._model.names import files_of_tree
from .definition import DomainModel
from .definition_tree import add

# Who is 0 in a container is this user and group on its node, and so on upwards: nobody there.
FIRST_ID = 1_000_000
_IDS = 65_536
# The permissions of a root volume once all of it is there: its helper has nothing more to write.
COMPLETE = 0o500
# Those with which every other helper leaves it: one that has failed, or has emptied it.
LEFT = 0o600
_HELPER_MIB = 256
# Of the role node: what a helper has for its root, and its program.
_HELPER_ROOT = "/usr/local/lib/pextra/container-root"
_HELPER_PROGRAM = "/usr/local/lib/pextra/container-volume"
# Debian has everything below /usr; the rest are links there.
_MOUNTED = (("/usr", "/usr"), ("/usr/bin", "/bin"), ("/usr/lib", "/lib"), ("/usr/lib64", "/lib64"))


def make_container(model: DomainModel) -> Any:
    """Return the skeleton of a new container's definition."""
    root = _make_unprivileged(model.name, "/sbin/init")
    root.insert(1, root.makeelement("uuid", {}))
    root[1].text = model.uuid
    add(root, "on_poweroff").text = "destroy"
    add(root, "on_reboot").text = "restart"
    add(root, "on_crash").text = "destroy"
    devices = add(root, "devices")
    for disk in model.disks:
        _mount(devices, files_of_tree(disk.path), disk.target)
    add(devices, "console", type="pty")
    return root


def render_filler(instance: str, instance_id: str, volume: str, image: str) -> str:
    """Return the definition of a helper that unpacks an image into the volume of a container, see `_render_helper`.

    instance: its name, which becomes its host name.
    """
    return _render_helper(instance_id, ("fill", instance), volume, image)


def render_emptier(instance_id: str, volume: str) -> str:
    """Return the definition of a helper that empties the volume of a container, see `_render_helper`."""
    return _render_helper(instance_id, ("empty",), volume)


def _render_helper(instance_id: str, work: tuple[str, ...], volume: str, image: str | None = None) -> str:
    """Return the definition of a container that works on the volume of another one, and ends.

    It is as unprivileged as that one, has no network, and sees nothing of its node but its programs, the volume, and
    the image. volume and image are paths.
    """
    root = _make_unprivileged(f"pextra-{instance_id}", _HELPER_PROGRAM, *work)
    add(root, "memory", unit="MiB").text = str(_HELPER_MIB)
    devices = add(root, "devices")
    _mount(devices, _HELPER_ROOT, "/")
    for source, target in _MOUNTED:
        _mount(devices, source, target, read_only=True)
    _mount(devices, volume, "/volume")
    if image is not None:
        _mount(devices, image, "/image", read_only=True)
    add(devices, "console", type="pty")
    return ET.tostring(root, encoding="unicode")


def render_tree(name: str) -> str:
    """Return the definition of the volume that a container's files go to: closed to everybody but its root."""
    root = ET.Element("volume", {"type": "dir"})
    add(root, "name").text = name
    add(root, "capacity").text = "0"
    target = add(root, "target")
    add(target, "format", type="dir")
    permissions = add(target, "permissions")
    for tag, text in (("owner", FIRST_ID), ("group", FIRST_ID), ("mode", "0700")):
        add(permissions, tag).text = str(text)
    return ET.tostring(root, encoding="unicode")


def _make_unprivileged(name: str, *init: str) -> Any:
    root = ET.Element("domain", {"type": "lxc"})
    add(root, "name").text = name
    os_ = add(root, "os")
    add(os_, "type", arch="x86_64").text = "exe"
    add(os_, "init").text = init[0]
    for argument in init[1:]:
        add(os_, "initarg").text = argument
    ids = add(root, "idmap")
    for tag in ("uid", "gid"):
        add(ids, tag, start="0", target=str(FIRST_ID), count=str(_IDS))
    # Without it, one without NICs would have its node's network.
    add(add(root, "features"), "privnet")
    return root


def _mount(devices: Any, source: str, target: str, *, read_only: bool = False) -> None:
    element = add(devices, "filesystem", type="mount", accessmode="passthrough")
    add(element, "source", dir=source)
    add(element, "target", dir=target)
    if read_only:
        add(element, "readonly")
