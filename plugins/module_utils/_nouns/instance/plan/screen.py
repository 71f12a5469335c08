# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A screen that listens on its node's address listens on another one where the instance goes: what is compared is what
arrives there, and what is defined before it goes is for the node that it is on. Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

from ..definition import DomainModel
from ..definition_writing import move_screen
from ..devices.graphics import MANAGEMENT
from ..spec import Vm
from .context import Context
from .state import Domain


def with_address(want: Vm, node: str, context: Context) -> Vm:
    """Return what is wanted with the address itself. node: where it will be."""
    named = want.further.get("graphics") or {}
    if named.get("listen") != MANAGEMENT:
        return want
    return replace(want, further={**want.further, "graphics": {**named, "listen": address_of(node, context)}})


def seen_from(node: str, current: Domain, context: Context) -> Domain:
    """Return an instance as it is, its screens with the addresses that a move gives them. node: where it will be.

    The text of what runs stays: what is changed of that is changed before it goes.
    """
    moved = moved_screen(current, node, context)
    if moved is None:
        return current
    return replace(
        current,
        config=_with_screen(current.config, *moved),
        live=_with_screen(current.live, *moved) if current.live is not None else None,
        xml=move_screen(*moved, current.xml),
    )


def staying(model: DomainModel, current: Domain, node: str, context: Context) -> DomainModel:
    """Return what is to be defined where it runs before it moves: a move that fails leaves it there, to be started
    again, so nothing of it is of the other node. node: where it will be.
    """
    further = dict(model.further)
    screen = further.get("graphics") or {}
    if screen.get("listen") == address_of(node, context):
        further["graphics"] = {**screen, "listen": address_of(current.node, context)}
    further.pop("host_devices", None)
    return replace(model, further=further)


def moved_screen(current: Domain, node: str, context: Context) -> tuple[str, str] | None:
    """Return the address of its node where a screen of it listens, and the one that it gets where it goes; None if it
    stays, or has none there.
    """
    here = address_of(current.node, context)
    if current.node == node or not here or not any(_listens(here, xml) for xml in (current.xml, current.live_xml)):
        return None
    return here, address_of(node, context)


def address_of(node: str, context: Context) -> str:
    address: str = context.have.nodes[node].row.attributes.get("address") or ""
    return address


def _with_screen(model: DomainModel, here: str, there: str) -> DomainModel:
    screen: dict[str, Any] = model.options.get("graphics") or {}
    listen = screen.get("listen") or ""
    if listen.partition(",")[0] != here:
        return model
    moved = {**screen, "listen": there + listen.removeprefix(here)}
    return replace(model, further={**model.further, "graphics": moved})


def _listens(address: str, xml: str | None) -> bool:
    # Of nearly all the text tells.
    return address in (xml or "") and any(
        address in (screen.get("listen"), *(one.get("address") for one in screen.iterfind("listen")))
        for screen in ET.fromstring(xml or "").iterfind("devices/graphics")
    )
