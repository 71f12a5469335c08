# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running guest can have at once. Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from ...._model.plan import Step
from .. import walk
from ..definition import DomainModel
from ..definition_writing import edit_domain
from ..size import find_obstacle
from ..spec import Vm
from ..walk import Walked
from .context import RefusedError
from .differences import place_of
from .state import Domain


def walk_over(want: Vm, current: Domain, model: DomainModel) -> Walked:
    """Compare aspects and devices, and refuse what the definition cannot become."""
    obstacle = find_obstacle(current.xml, model.memory) if current.xml else None
    if obstacle is not None:
        raise RefusedError(*obstacle)
    if current.xml and (want.further or model.vcpus != current.config.vcpus or model.memory != current.config.memory):
        refusals = walk.refuse(ET.fromstring(edit_domain(current.xml, model)))
        if refusals:
            what = "; ".join(f"{refusal.path}: {refusal.what}" for refusal in refusals)
            raise RefusedError(what, " ".join(dict.fromkeys(refusal.remedy for refusal in refusals)))
    if not want.further:
        return Walked()
    live = ET.fromstring(current.live_xml) if current.live_xml else None
    return walk.compare(ET.fromstring(current.xml), live, want.further)


def live_steps(live: DomainModel, model: DomainModel) -> list[Step]:
    """Plan what the running guest can have at once: NICs, further volumes, labels."""
    steps: list[Step] = []
    old = {interface.mac: interface for interface in live.interfaces}
    new = {interface.mac: interface for interface in model.interfaces}
    for mac, interface in old.items():
        if mac not in new:
            steps.append(Step("detach_nic", f"detach the NIC {mac}", {"interface": interface}))
    for mac, interface in new.items():
        if mac not in old:
            steps.append(Step("attach_nic", f"attach the NIC {mac}", {"interface": interface}))
        elif place_of(interface) != place_of(old[mac]):
            # A port of a switch cannot become one of another: it is unplugged there and plugged in here.
            act = "update_nic" if interface.network == old[mac].network else "replug_nic"
            steps.append(Step(act, f"move the NIC {mac} to {interface.port_group}", {"interface": interface}))
    attached = {disk.serial: disk for disk in live.disks}
    wanted = {disk.serial: disk for disk in model.disks}
    for serial, disk in attached.items():
        if serial not in wanted and serial not in ("root", "seed"):
            steps.append(Step("detach_disk", f"detach volume {serial}; its data stays", {"disk": disk}))
    for serial, disk in wanted.items():
        if serial not in attached and serial not in ("root", "seed"):
            steps.append(Step("attach_disk", f"attach volume {serial}", {"disk": disk}))
    if live.labels != model.labels:
        steps.append(Step("label", "write its labels", {"labels": model.labels}))
    return steps
