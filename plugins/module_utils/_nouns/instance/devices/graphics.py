# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A screen that is looked at over the network (libvirt: Domain XML, graphical framebuffers)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..kinds import Device, Need, Refusal
from ..places import Attribute

LOOPBACK, MANAGEMENT = "loopback", "management"
# As QEMU knows them: of a longer one VNC compares no more, and SPICE takes none.
_LONGEST = {"vnc": 8, "spice": 60}
_SECURE = Attribute("", "defaultMode")
# No screens that are looked at over the network, and beside which there may be one.
_LOCAL = frozenset({"dbus", "desktop", "egl-headless", "sdl"})


class _Type:
    def read(self, element: Any) -> Any:
        return element.get("type")

    def write(self, element: Any, value: Any) -> None:
        element.set("type", value)
        _secure(element)


class _Listen:
    """`loopback`, or the address of the node, which is what the planner makes of `management`. A screen of SPICE that
    would talk without TLS is none that can be declared.
    """

    def read(self, element: Any) -> Any:
        listen = element.find("listen")
        kind = listen.get("type") if listen is not None else "address"
        if kind != "address":
            return kind
        address = (listen.get("address") if listen is not None else None) or element.get("listen")
        if not address or _is_loopback(address):
            return LOOPBACK
        return f"{address}, without TLS" if _is_open(element) else address

    def write(self, element: Any, value: Any) -> None:
        address = "127.0.0.1" if value == LOOPBACK else value
        element.set("listen", address)
        for old in element.findall("listen"):
            element.remove(old)
        element.append(element.makeelement("listen", {"type": "address", "address": address}))
        if value == LOOPBACK:
            element.attrib.pop(_SECURE.name, None)
        _secure(element)


class _Password:
    """Another one is not over when the one before was."""

    def read(self, element: Any) -> Any:
        return element.get("passwd")

    def write(self, element: Any, value: Any) -> None:
        Attribute("", "passwd").write(element, value)
        element.attrib.pop("passwdValidTo", None)


def _is_open(element: Any) -> bool:
    """Tell whether SPICE talks without TLS too: as a whole, in one of its channels, or at a port of its own for that,
    which is there only where it is said.
    """
    if element.get("type") != "spice":
        return False
    has_port = element.get("autoport") != "yes" and (element.get("port") or "-1") not in ("-1", "0")
    return _SECURE.read(element) != "secure" or has_port or bool(_insecure_channels(element))


def _insecure_channels(element: Any) -> list[Any]:
    return [channel for channel in element.findall("channel") if channel.get("mode") == "insecure"]


def _secure(element: Any) -> None:
    """Without TLS on its node libvirt does not even start it. VNC has no such word: see `_NO_VNC`."""
    if element.get("type") != "spice" or _is_loopback(element.get("listen") or "127.0.0.1"):
        return
    _SECURE.write(element, "secure")
    for channel in _insecure_channels(element):
        element.remove(channel)
    # A port that is said would be one without TLS; left to libvirt there is none.
    element.set("autoport", "yes")
    for name in ("port", "tlsPort"):
        element.attrib.pop(name, None)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _check_password(text: str) -> str | None:
    if len(text) <= _LONGEST["spice"] and text.isascii() and text.isprintable():
        return None
    return "its secret value is no password of a screen; write at most 60 printable ASCII characters, of VNC at most 8"


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    screen = values.get("graphics") or {}
    kind, password = screen.get("type"), screen.get("password")
    if kind == "none":
        return []
    mistakes = []
    if kind == "vnc" and password is not None and len(password) > _LONGEST["vnc"]:
        mistakes.append(("graphics.password", _TOO_LONG))
    if kind == "vnc" and screen.get("listen") == MANAGEMENT:
        mistakes.append(("graphics.listen", _NO_VNC))
    elif screen.get("listen") == MANAGEMENT and password == "":
        mistakes.append(("graphics.password", "is missing; a screen that listens beyond its node needs one"))
    return mistakes


_NO_VNC = (
    "VNC has no TLS of a single screen, and would be open to the network; write type: spice, or listen: loopback, and "
    "look at it through ssh"
)
_TOO_LONG = (
    "its secret value is longer than the 8 characters that VNC compares; write 8 at most, or choose type: spice, which "
    "takes 60"
)


def _refuse(after: Any, before: Any) -> Sequence[Refusal]:
    """What a hand has made stays, as long as the screen is not changed."""
    screen, was = (next(filter(_is_screen, root.iterfind("devices/graphics")), None) for root in (after, before))
    if screen is None or (was is not None and all(_tell(screen, key) == _tell(was, key) for key in _TABLE)):
        return []
    kind, password = screen.get("type"), screen.get("passwd") or ""
    refusals = []
    if kind not in _LONGEST and password:
        what = f"its screen is of the type {kind}, which asks for none"
        refusals.append(Refusal("graphics.password", what, "Leave it out, or name graphics.type: vnc or spice."))
    if kind == "vnc" and len(password) > _LONGEST["vnc"]:
        refusals.append(Refusal("graphics.password", _TOO_LONG, "Name graphics.password, or type: spice."))
    if kind == "vnc" and _tell(screen, "listen") != LOOPBACK:
        refusals.append(Refusal("graphics.listen", _NO_VNC, "Name graphics.listen, or graphics.type."))
    elif _tell(screen, "listen") != LOOPBACK and not password:
        what = "it has none, and a screen that listens beyond its node needs one"
        refusals.append(Refusal("graphics.password", what, "Name graphics.password, or listen: loopback."))
    return refusals


def _is_screen(element: Any) -> bool:
    return element.get("type") not in _LOCAL


def _tell(element: Any, key: str) -> Any:
    place = _TABLE[key].at
    return place.read(element) if place is not None else None


def _takes(path: str, runs: Any, wanted: Any) -> bool:
    """QEMU asks for a password, or not, from its start on."""
    return path == "graphics.password" and bool(runs) and bool(wanted)


def _needs(values: Any) -> list[Need]:
    kind = values.get("type")
    return [Need(f"graphics:{kind}", f"no {kind.upper()}")] if kind else []


_TABLE = {
    "type": Field(
        kind="str",
        choices=("vnc", "spice", "none"),
        create="vnc",
        at=_Type(),
        effect="next_boot",
        help="The protocol. V(none) takes it away.",
    ),
    "listen": Field(
        kind="str",
        choices=(LOOPBACK, MANAGEMENT),
        create=LOOPBACK,
        at=_Listen(),
        effect="next_boot",
        help="Where it listens: on the node's own loopback address, which is looked at through C(ssh -L), or "
        "C(virt-viewer) with C(qemu+ssh); or on the node's management address, over TLS alone, with the certificate of "
        "the node's QEMU, and with a password, which V(spice) can.",
    ),
    "password": Field(
        kind="str",
        no_log=True,
        check=_check_password,
        create="",
        at=_Password(),
        effect="live",
        help="What the screen asks for, 60 characters at most, of VNC 8 at most. Another one takes effect at once; the "
        "first one, and an empty one, which is none, by the next start.",
    ),
}
DEVICE = Device(
    option="graphics",
    help="A screen, which is looked at over the network.",
    tag="graphics",
    switch="type",
    fixed=(
        (Attribute("", "autoport"), "yes"),
        # What is said nowhere is the node's to choose.
        (Attribute("", "listen"), "127.0.0.1"),
        (Attribute("listen", "type"), "address"),
        (Attribute("listen", "address"), "127.0.0.1"),
    ),
    claims=_is_screen,
    takes=_takes,
    table=_TABLE,
    refuse=_refuse,
    find_mistakes=_find_mistakes,
    needs=_needs,
)
