# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A screen that listens on its node's address listens on another one where the instance goes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..definition import DomainModel
from ..devices.graphics import MANAGEMENT
from ..spec import Vm
from .context import Context
from .state import Domain


def with_address(want: Vm, current: Domain | None, node: str, context: Context) -> Vm:
    """Return what is wanted with the address itself, and with another one than it has where it moves. node: where it
    will be.
    """
    named = want.further.get("graphics") or {}
    listen = named.get("listen")
    keeps = listen is None and named.get("type") != "none"
    if listen != MANAGEMENT and not (keeps and current is not None and _goes_with(current, node, context)):
        return want
    return replace(want, further={**want.further, "graphics": {**named, "listen": address_of(node, context)}})


def seen_from(node: str, current: Domain, context: Context) -> Domain:
    """Return an instance as it is, its running screen with the address that a move gives it. node: where it will be."""
    if current.live is None or current.node == node or not _is_at(address_of(current.node, context), current.live):
        return current
    screen = {**current.live.options["graphics"], "listen": address_of(node, context)}
    return replace(current, live=replace(current.live, further={**current.live.further, "graphics": screen}))


def moved_screen(current: Domain, node: str, context: Context) -> tuple[str, str] | None:
    """Return the address of its running screen, and the one that it gets where it goes; None if it has none there."""
    here = address_of(current.node, context)
    return (here, address_of(node, context)) if current.live is not None and _is_at(here, current.live) else None


def address_of(node: str, context: Context) -> str:
    address: str = context.have.nodes[node].row.attributes.get("address") or ""
    return address


def _goes_with(current: Domain, node: str, context: Context) -> bool:
    return current.node != node and _is_at(address_of(current.node, context), current.config)


def _is_at(address: str, model: DomainModel) -> bool:
    screen: Mapping[str, Any] = model.options.get("graphics") or {}
    return bool(address) and screen.get("listen") == address
