# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out what was planned for an instance, act by act."""

from __future__ import annotations

import html
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import assert_never

from ..._cloud import Cloud
from ..._doors.host.seed import build_seed
from ..._doors.libvirt.hypervisor import Hypervisor
from ..._model.errors import HypervisorError, Problem
from ..._model.plan import Step, Work
from ..vswitch.definition import find_vlans
from . import acts as walking
from .apply_power import resume, sleep_or_wake, start, stop, wake
from .apply_targets import clear_switch, domain_of, node_name_of, node_of
from .definition_cdroms import change_medium
from .definition_disks import render_disk
from .definition_nics import move_nic, plug_nic, take_nic
from .definition_writing import edit_domain, move_screen, render_domain, render_labels
from .devices.disk import tuning_of
from .labels import URI
from .memory_room import memory_of
from .plan import acts
from .tree_making import delete_tree
from .volume_making import make_volume, write_small_volume

_MIB = 1024**2
_POLL_EVERY_S = 0.25
_MEMORY_TIMEOUT_S = 15
_NicAct = acts.AttachNic | acts.DetachNic | acts.UpdateNic | acts.ReplugNic


def apply(cloud: Cloud, work: Work, step: Step) -> Iterator[float] | None:
    """Carry out one step. Returns an iterator of pauses, in seconds, for what has to be waited for."""
    if step.node is not None:  # it has moved there
        work = replace(work, node=step.node)
    act: acts.Act = step.does
    match act:
        case acts.Register():
            pass  # done by `reserve`
        case acts.Settle():
            cloud.registry.put([act.row])
        case acts.Unregister():
            cloud.registry.remove([act.id])
        case acts.CreateVolume():
            return make_volume(cloud, node_name_of(work), act, work.label)
        case acts.WriteSeed():
            _write_seed(cloud, work, act)
        case acts.GrowVolume():
            _grow_volume(cloud, work, act)
        case acts.DeleteVolume():
            node_of(cloud, work).delete_volume(act.pool, act.volume, work.label, wipe=act.wipe)
        case acts.DeleteTree():
            return delete_tree(cloud, node_name_of(work), act, work.label)
        case acts.Define():
            _define(cloud, work, act)
        case acts.Undefine():
            cloud.hypervisor(act.node).undefine_domain(act.uuid, work.label, loses_state=act.loses_state)
        case acts.Autostart():
            node_of(cloud, work).set_autostart(domain_of(work), act.autostart, work.label)
        case acts.Start():
            start(cloud, work, act)
        case acts.Resume():
            resume(cloud, work, act)
        case acts.Suspend():
            node_of(cloud, work).suspend_domain(domain_of(work), work.label)
        case acts.Stop():
            return stop(cloud, work, act)
        case acts.Reset():
            node_of(cloud, work).reset_domain(domain_of(work), work.label)
        case acts.InjectNmi():
            node_of(cloud, work).inject_nmi(domain_of(work), work.label)
        case acts.Sleep():
            return sleep_or_wake(cloud, work, is_sleep=True)
        case acts.Wake():
            return wake(cloud, work, act)
        case acts.Save():
            return node_of(cloud, work).save_domain(domain_of(work), work.label)
        case acts.DiscardSaved():
            node_of(cloud, work).discard_saved(domain_of(work), work.label)
        case acts.AttachNic() | acts.DetachNic() | acts.UpdateNic() | acts.ReplugNic():
            return _change_nic(cloud, work, act)
        case acts.AttachDisk() | acts.DetachDisk():
            return _change_disk(cloud, work, act)
        case acts.LimitDisk():
            tuning = tuning_of(act.disk.further.get("limits") or {})
            limit = partial(node_of(cloud, work).limit_disk, domain_of(work), act.disk.target, tuning, work.label)
            limit(live=True, config=False)
        case acts.ChangeMedium():
            _change_medium(cloud, work, act)
        case acts.Label():
            _label(cloud, work, act)
        case acts.Adopt():
            _adopt(cloud, work, act)
        case acts.Move():
            _move(cloud, work, act)
        case acts.Plug():
            return _plug(cloud, work, act.act)
        case _:
            assert_never(act)
    return None


def _write_seed(cloud: Cloud, work: Work, act: acts.WriteSeed) -> None:
    """The name tells the content, but a killed run may have left half of it: always written anew."""
    write_small_volume(cloud, node_name_of(work), act.pool_row, act.volume, build_seed(act.files), work.label)


def _grow_volume(cloud: Cloud, work: Work, act: acts.GrowVolume) -> None:
    hypervisor = node_of(cloud, work)
    size = act.size * _MIB
    if act.target is not None:
        hypervisor.grow_disk(domain_of(work), act.target, size, work.label)
    elif hypervisor.volume_size(act.pool, act.volume) < size:
        hypervisor.grow_volume(act.pool, act.volume, size, work.label)


def _define(cloud: Cloud, work: Work, act: acts.Define) -> None:
    model = act.model
    xml = render_domain(model, act.virt_type) if act.xml is None else edit_domain(act.xml, model)
    node_of(cloud, work).define_domain(xml, work.label)


def _attach_nic(cloud: Cloud, work: Work, act: _NicAct) -> None:
    """Plug in what the definition says, which may hold more than we manage."""
    hypervisor, mac = node_of(cloud, work), act.interface.mac
    config = take_nic(hypervisor.config_xml_of(domain_of(work)), mac)
    if config is None:
        raise _changed_by_others(work, f"its NIC {mac}")
    if take_nic(hypervisor.live_xml_of(domain_of(work)), mac) is not None:
        return  # of a call that an earlier run has left alone; libvirt would plug in another one with its address
    clear_switch(cloud, work)
    hypervisor.attach_device(domain_of(work), plug_nic(config), work.label, live=True, config=False)


def _detach_nic(cloud: Cloud, work: Work, act: _NicAct) -> Iterator[float]:
    hypervisor, mac = node_of(cloud, work), act.interface.mac
    live = take_nic(hypervisor.live_xml_of(domain_of(work)), mac)
    if live is not None:
        hypervisor.detach_device(domain_of(work), live, work.label, live=True, config=False)
        yield from hypervisor.await_release(domain_of(work), mac, f"the NIC {mac}", work.label)


def _update_nic(cloud: Cloud, work: Work, act: _NicAct) -> None:
    hypervisor, mac = node_of(cloud, work), act.interface.mac
    live = take_nic(hypervisor.live_xml_of(domain_of(work)), mac)
    config = take_nic(hypervisor.config_xml_of(domain_of(work)), mac)
    if live is None or config is None:
        raise _changed_by_others(work, f"its NIC {mac}")
    vlan = find_vlans(hypervisor.network_xml(act.interface.network, work.label), act.interface.port_group)
    hypervisor.update_device(
        domain_of(work), move_nic(live, config, vlan, act.interface.further), work.label, live=True, config=False
    )


def _change_nic(cloud: Cloud, work: Work, act: _NicAct) -> Iterator[float]:
    if isinstance(act, acts.UpdateNic):
        _update_nic(cloud, work, act)
        return
    if not isinstance(act, acts.AttachNic):
        yield from _detach_nic(cloud, work, act)
    if not isinstance(act, acts.DetachNic):
        _attach_nic(cloud, work, act)


def _plug(cloud: Cloud, work: Work, act: walking.Act) -> Iterator[float]:
    hypervisor = node_of(cloud, work)
    if isinstance(act, walking.Describe):
        hypervisor.describe_running(domain_of(work), act.description, work.label)
        return
    if isinstance(act, walking.SetVcpus):
        hypervisor.plug_vcpus(domain_of(work), act.vcpus, work.label)
        return
    if isinstance(act, walking.PinVcpus):
        hypervisor.pin_vcpus(domain_of(work), act.pins, work.label)
        return
    if isinstance(act, walking.LimitContainer):
        hypervisor.limit_container(domain_of(work), work.label, memory=act.memory, processors=act.processors)
        return
    xml = ET.tostring(act.element, encoding="unicode")
    if isinstance(act, walking.ResizeMemory):
        hypervisor.update_device(domain_of(work), xml, work.label, live=True, config=False)
        yield from _await_memory(hypervisor, work, act.memory)
    elif isinstance(act, walking.AttachDevice):
        _attach_defined(hypervisor, work, xml)
    elif isinstance(act, walking.UpdateDevice):
        hypervisor.update_device(domain_of(work), xml, work.label, live=True, config=False)
    else:
        hypervisor.detach_device(domain_of(work), xml, work.label, live=True, config=False)
        alias = act.element.find("alias")
        if alias is not None:
            mark = f"name='{alias.get('name')}'"
            yield from hypervisor.await_release(domain_of(work), mark, f"the {act.device}", work.label)


def _attach_defined(hypervisor: Hypervisor, work: Work, xml: str) -> None:
    """Plug in what the definition has already."""
    try:
        hypervisor.attach_device(domain_of(work), xml, work.label, live=True, config=False)
    except HypervisorError as error:
        remedy = "Its definition has the device: it gets it when it is stopped and started again."
        raise type(error)([replace(one, remedy=one.remedy or remedy) for one in error.problems]) from error


def _await_memory(hypervisor: Hypervisor, work: Work, memory: int) -> Iterator[float]:
    """Let the guest give memory back. What it is asked for stands: what it keeps by then, it may give back later."""
    deadline = time.monotonic() + _MEMORY_TIMEOUT_S
    while memory_of(ET.fromstring(hypervisor.live_xml_of(domain_of(work)))) > memory and time.monotonic() < deadline:
        yield _POLL_EVERY_S


def _change_disk(cloud: Cloud, work: Work, act: acts.AttachDisk | acts.DetachDisk) -> Iterator[float] | None:
    hypervisor, xml = node_of(cloud, work), render_disk(act.disk)
    if isinstance(act, acts.AttachDisk):
        hypervisor.attach_device(domain_of(work), xml, work.label, live=True, config=False)
        return None
    hypervisor.detach_device(domain_of(work), xml, work.label, live=True, config=False)
    # One that was adopted may have none.
    mark = f"<serial>{html.escape(act.disk.serial, quote=False)}</serial>"
    mark = mark if act.disk.serial else f"<target dev='{act.disk.target}'"
    return hypervisor.await_release(domain_of(work), mark, f"the disk {act.disk.target}", work.label)


def _change_medium(cloud: Cloud, work: Work, act: acts.ChangeMedium) -> None:
    hypervisor = node_of(cloud, work)
    xml = change_medium(hypervisor.live_xml_of(domain_of(work)), act.drive)
    if xml is None:
        raise _changed_by_others(work, f"its drive {act.drive.serial}")
    hypervisor.update_device(domain_of(work), xml, work.label, live=True, config=False)


def _label(cloud: Cloud, work: Work, act: acts.Label) -> None:
    xml = render_labels(act.labels)
    node_of(cloud, work).set_metadata(domain_of(work), xml, "pextra", URI, work.label, live=True)


def _adopt(cloud: Cloud, work: Work, act: acts.Adopt) -> None:
    """One call for what runs and for its definition: after it both bear the labels, or neither."""
    hypervisor, xml = node_of(cloud, work), render_labels(act.labels)
    is_active = hypervisor.power_of(domain_of(work), work.label) != "stopped"
    hypervisor.set_metadata(domain_of(work), xml, "pextra", URI, work.label, live=is_active)


def _move(cloud: Cloud, work: Work, act: acts.Move) -> None:
    source, target = node_of(cloud, work), cloud.hypervisor(act.target)
    for pool in act.pools:
        # The target's libvirt has not seen what this node has written to the shared directory.
        target.refresh_pool(pool)
    _require_same_volumes(target, work, act)
    config = edit_domain(act.xml, act.model)
    if act.live:
        there = cloud.nodes[act.target]
        # What is shared, and how, is known of everything but files.
        is_vouched = any(disk.kind == "file" for disk in act.model.disks)
        source.migrate(
            *(domain_of(work), target, there.migration_address, config, work.label),
            certified=there.address,
            is_vouched=is_vouched,
            become=partial(move_screen, *act.screen) if act.screen is not None else None,
        )
    else:
        target.define_domain(config, work.label)
        source.undefine_domain(domain_of(work), work.label)
    target.set_autostart(domain_of(work), act.autostart, work.label)


def _changed_by_others(work: Work, device: str) -> HypervisorError:
    what = f"{device} has gone while it was being changed"
    return HypervisorError(
        [Problem(what, "Run again; something else is changing the instance.", work.node, work.label)]
    )


def _require_same_volumes(target: Hypervisor, work: Work, act: acts.Move) -> None:
    """A pool is declared as shared; whether it is shows here, before anything moves."""
    seen = set().union(*(target.volume_names(pool) for pool in act.pools))
    media = [drive for drive in act.model.cdroms if drive.path]
    missing = [disk.path for disk in (*act.model.disks, *act.attached, *media) if disk.volume not in seen]
    if missing:
        raise HypervisorError(
            [
                Problem(
                    f"{act.target} does not see {', '.join(missing)}, though the storage pool is declared shared",
                    "Mount the same file system there, or take shared: true from the pool.",
                    work.node,
                    f"instance {work.name}",
                )
            ]
        )
