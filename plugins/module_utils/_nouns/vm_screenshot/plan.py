# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of instances' screens: of which there can be one. Pure."""

from __future__ import annotations

import os.path
import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..._model.plan import Change, Plan, Work, step_of
from ..._model.rows import Row
from ..instance.plan.context import RefusedError
from ..instance.whereabouts import Seen, Whereabouts, plan_each, refusal_of, refuse_container
from .spec import Screenshot


@dataclass(frozen=True)
class Take:
    """path: the file on the coordinator."""

    path: str
    screen: int


def plan_screenshots(
    wants: Sequence[Screenshot], have: Whereabouts, hindrances: Mapping[str, str | None], done: Collection[str]
) -> Plan:
    """Plan what is to be taken. hindrances: why nothing can be written into a directory, None where it can. done:
    identifiers of the instances of which this call has taken one.
    """

    def plan_one(want: Screenshot, row: Row, seen: Seen) -> Work | None:
        refuse_container(row, "screen")
        if row.id in done:
            return None
        hindrance = hindrances[want.directory]
        if hindrance is not None:
            raise RefusedError(f"{want.directory} cannot be written: {hindrance}", "Choose another directory.")
        if not seen.is_active:
            raise refusal_of(seen.state)
        if not has_display(seen.xml):
            raise RefusedError(
                "it has no screen: its definition has no video device",
                "Set video and graphics, and restart it. Without a screen, pextra_vm_console tells what it writes.",
            )
        path = os.path.join(want.directory, f"{row.name}.png")
        return Work(
            kind="instance",
            name=row.name,
            id=row.id,
            node=seen.node,
            steps=(step_of(Take(path, want.screen), f"write its screen to {path}"),),
            changes=(Change("screenshot", None, path),),
        )

    return plan_each(wants, have, plan_one)


def has_display(xml: str) -> bool:
    """Tell whether a domain has a graphics device that shows anything."""
    models = ET.fromstring(xml).iterfind("devices/video/model")
    return any(model.get("type") != "none" for model in models)
