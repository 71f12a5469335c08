# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running guest can have at once. Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection
from dataclasses import replace

from ...._model.plan import Step, step_of
from .. import walk
from ..definition import DomainModel
from ..definition_writing import edit_domain
from ..devices import nic
from ..devices.disk import is_hot
from ..rows import differ_rows
from ..spec import Vm, options_of
from ..walk import Walked
from .acts import AttachDisk, AttachNic, ChangeMedium, DetachDisk, DetachNic, Label, LimitDisk, ReplugNic, UpdateNic
from .context import RefusedError
from .differences import differ_disks, place_of
from .state import Domain


def walk_over(want: Vm, current: Domain, model: DomainModel, cold: Collection[str]) -> Walked:
    """Compare aspects and devices, and refuse what the definition cannot become. cold: see `walk.compare`."""
    live, wanted = current.live.options if current.live is not None else None, options_of(want)
    walked = walk.compare(current.config.options, live, wanted, lambda: ET.fromstring(current.live_xml or ""), cold)
    if current.xml and walked.changes:
        after = ET.fromstring(edit_domain(current.xml, model))
        refusals = walk.refuse(after, ET.fromstring(current.xml))
        if refusals:
            what = "; ".join(f"{refusal.path}: {refusal.what}" for refusal in refusals)
            raise RefusedError(what, " ".join(dict.fromkeys(refusal.remedy for refusal in refusals)))
        left = walk.compare(walk.read(after), None, wanted, lambda: None).changes
        if left:
            # What does not end where it is wanted would be begun again by every run.
            what = "; ".join(f"{one.field}: it would be {one.before}, declared {one.after}" for one in left)
            raise RefusedError(
                what, "It does not go together with what else its definition says; leave one of them out."
            )
    return walked


def live_steps(live: DomainModel, model: DomainModel) -> list[Step]:
    """Plan what the running guest can have at once: NICs, further volumes, what is in its drives, labels."""
    steps: list[Step] = []
    # What libvirt plugs into a container has neither its name nor its addresses: all of that waits for its next start.
    is_machine = model.type == "qemu"
    # Neither is a virtual function plugged, nor what becomes one or was one.
    cold = {one.mac for one in (*live.interfaces, *model.interfaces) if one.function}
    old, new = (
        {one.mac: one for one in found.interfaces if is_machine and one.mac not in cold} for found in (live, model)
    )
    for mac, interface in old.items():
        if mac not in new:
            steps.append(step_of(DetachNic(interface), f"detach the NIC {mac}"))
    for mac, interface in new.items():
        if mac not in old:
            steps.append(step_of(AttachNic(interface), f"attach the NIC {mac}"))
        elif place_of(interface) != place_of(old[mac]):
            act = UpdateNic if interface.network == old[mac].network else ReplugNic
            steps.append(step_of(act(interface), f"move the NIC {mac} to {interface.port_group}"))
        elif any(one.when == "live" for one in differ_rows(nic.TABLE, "", old[mac].further, interface.further)):
            steps.append(step_of(UpdateNic(interface), f"change the NIC {mac}"))
    runs, threads = [disk.further for disk in (*live.disks, *live.cdroms)], live.options.get("io_threads", 0)
    attached = {disk.name: disk for disk in live.disks if is_hot(disk.further, runs)}
    wanted = {disk.name: disk for disk in model.disks if is_hot(disk.further, runs, threads)}
    # One that only goes to another bus at its next start is neither new nor gone.
    settled = {"root", "seed"} | ({disk.name for disk in live.disks} & {disk.name for disk in model.disks})
    for serial, disk in attached.items():
        if serial not in wanted and serial not in settled:
            steps.append(step_of(DetachDisk(disk), f"detach volume {serial}; its data stays"))
    for serial, disk in wanted.items():
        if serial not in attached and serial not in settled:
            steps.append(step_of(AttachDisk(disk), f"attach volume {serial}"))
    limited = {disk.name: disk for disk, change in differ_disks(live, model) if change.when == "live"}
    # One that goes to another bus has another name only after its next start.
    names = {disk.name: disk.target for disk in live.disks}
    for serial, disk in limited.items():
        steps.append(step_of(LimitDisk(replace(disk, target=names[serial])), f"limit volume {serial}"))
    drives = {drive.serial: drive for drive in (*live.other_cdroms, *live.cdroms)}
    for drive in model.cdroms:
        if drive.serial in drives and drives[drive.serial].medium != drive.medium:
            what = f"put {drive.volume} into" if drive.path else "eject what is in"
            steps.append(step_of(ChangeMedium(drive), f"{what} drive {drive.serial}"))
    if live.labels != model.labels:
        steps.append(step_of(Label(model.labels), "write its labels"))
    return steps
