# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A watchdog, which does something to the guest when it no longer answers (libvirt: Domain XML, Watchdog devices).

The i6300esb is a device of PCI: the bridge that it needs on a machine of PCI Express comes with its next start.

Every q35 has one of its own as well, iTCO, which nothing can take away. Since 9.1 libvirt adds it to definitions that
do not say so, with the action of the first other one. It is none of ours: no guest feeds it unless it is told to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...._fields.field import Field
from ...._model.watchdogs import RESTARTS
from ..kinds import Device
from ..places import Attribute


class _Action:
    """To be restarted by the coordinators' job is to be paused until it looks. An alias, which libvirt keeps, tells it
    from what is to stay paused.
    """

    action, alias = Attribute("", "action"), Attribute("alias", "name")

    def read(self, element: Any) -> str | None:
        action = self.action.read(element)
        is_ours = action == "pause" and self.alias.read(element) == RESTARTS
        return "restart" if is_ours else action

    def write(self, element: Any, value: Any) -> None:
        self.action.write(element, "pause" if value == "restart" else value)
        if value == "restart" or self.alias.read(element) == RESTARTS:
            self.alias.write(element, RESTARTS if value == "restart" else None)


def _is_built_in(element: Any) -> bool:
    return bool(element.get("model") == "itco")


def _find_implied(elements: Sequence[Any]) -> Sequence[Any]:
    """An older libvirt does not know it, and no libvirt takes it with another action than that of another."""
    others = [element.get("action", "reset") for element in elements if not _is_built_in(element)]
    action = others[0] if others else "reset"
    return [element for element in elements if _is_built_in(element) and element.get("action", "reset") == action]


DEVICE = Device(
    option="watchdog",
    help="A watchdog. The guest needs its driver, and a service that feeds it.",
    tag="watchdog",
    claims=lambda element: not _is_built_in(element),
    implied=_find_implied,
    table={
        "model": Field(
            kind="str",
            choices=("i6300esb", "none"),
            create="i6300esb",
            at=Attribute("", "model"),
            effect="next_boot",
            help="Its model. V(none) takes it away.",
        ),
        "action": Field(
            kind="str",
            choices=("restart", "reset", "shutdown", "poweroff", "pause", "none", "inject-nmi"),
            create="restart",
            at=_Action(),
            effect="next_boot",
            help="What happens to a guest that no longer answers. V(restart): the coordinators' job resets it within "
            "its interval, three times an hour at most. V(reset): QEMU does at once, however often.",
        ),
    },
)
