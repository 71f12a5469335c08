# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out what was planned for an instance, act by act."""

from __future__ import annotations

import contextlib
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
from ..._model.errors import HypervisorError, NotFoundError, PextraError, Problem
from ..._model.ids import uuid_of
from ..._model.plan import Step, Work
from ..vswitch.definition import find_vlans
from . import acts as walking
from . import lifetimes
from .definition_cdroms import change_medium
from .definition_container import COMPLETE
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
_SLEEP_TIMEOUT_S = 60
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
            return make_volume(cloud, _node_name(work), act, work.label)
        case acts.WriteSeed():
            _write_seed(cloud, work, act)
        case acts.GrowVolume():
            _grow_volume(cloud, work, act)
        case acts.DeleteVolume():
            _node(cloud, work).delete_volume(act.pool, act.volume, work.label, wipe=act.wipe)
        case acts.DeleteTree():
            return delete_tree(cloud, _node_name(work), act, work.label)
        case acts.Define():
            _define(cloud, work, act)
        case acts.Undefine():
            cloud.hypervisor(act.node).undefine_domain(act.uuid, work.label, loses_state=act.loses_state)
        case acts.Autostart():
            _node(cloud, work).set_autostart(_uuid(work), act.autostart, work.label)
        case acts.Start():
            _start(cloud, work, act)
        case acts.Resume():
            _resume(cloud, work, act)
        case acts.Suspend():
            _node(cloud, work).suspend_domain(_uuid(work), work.label)
        case acts.Stop():
            return _stop(cloud, work, act)
        case acts.Reset():
            _node(cloud, work).reset_domain(_uuid(work), work.label)
        case acts.InjectNmi():
            _node(cloud, work).inject_nmi(_uuid(work), work.label)
        case acts.Sleep():
            return _sleep_or_wake(cloud, work, is_sleep=True)
        case acts.Wake():
            return _wake(cloud, work, act)
        case acts.Save():
            return _node(cloud, work).save_domain(_uuid(work), work.label)
        case acts.DiscardSaved():
            _node(cloud, work).discard_saved(_uuid(work), work.label)
        case acts.AttachNic() | acts.DetachNic() | acts.UpdateNic() | acts.ReplugNic():
            return _change_nic(cloud, work, act)
        case acts.AttachDisk() | acts.DetachDisk():
            return _change_disk(cloud, work, act)
        case acts.LimitDisk():
            tuning = tuning_of(act.disk.further.get("limits") or {})
            _node(cloud, work).limit_disk(_uuid(work), act.disk.target, tuning, work.label, live=True, config=False)
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
    write_small_volume(cloud, _node_name(work), act.pool_row, act.volume, build_seed(act.files), work.label)


def _grow_volume(cloud: Cloud, work: Work, act: acts.GrowVolume) -> None:
    hypervisor = _node(cloud, work)
    size = act.size * _MIB
    if act.target is not None:
        hypervisor.resize_disk(_uuid(work), act.target, size, work.label)
    elif hypervisor.volume_size(act.pool, act.volume) < size:
        hypervisor.grow_volume(act.pool, act.volume, size, work.label)


def _define(cloud: Cloud, work: Work, act: acts.Define) -> None:
    model = act.model
    xml = render_domain(model, act.virt_type) if act.xml is None else edit_domain(act.xml, model)
    _node(cloud, work).define_domain(xml, work.label)


def _start(cloud: Cloud, work: Work, act: acts.Start) -> None:
    hypervisor = _node(cloud, work)
    unfinished = hypervisor.find_open_root(_uuid(work), COMPLETE, work.label)
    if unfinished is not None:
        what = f"its files in {unfinished} are not whole: a run that was to make them, or to remove them, was ended"
        raise HypervisorError(
            [Problem(what, "See docs/containers.md, Files that are not whole.", work.node, work.label)]
        )
    hypervisor.start_domain(_uuid(work), work.label, paused=act.paused)
    # Nothing depends on it, and the guest may have ended already.
    with contextlib.suppress(PextraError):
        start = lifetimes.render_start(cloud.registry.now())
        hypervisor.mark_running(_uuid(work), start, lifetimes.PREFIX, lifetimes.URI, work.label)
    # One that was paused when it was saved by hand is paused again.
    if act.saved and not act.paused and hypervisor.power_of(_uuid(work), work.label) == "paused":
        hypervisor.resume_domain(_uuid(work), work.label)


def _resume(cloud: Cloud, work: Work, act: acts.Resume) -> None:
    # One that cannot go on (its storage is gone) can still be switched off.
    with contextlib.suppress(HypervisorError) if act.may_fail else contextlib.nullcontext():
        _node(cloud, work).resume_domain(_uuid(work), work.label)


def _stop(cloud: Cloud, work: Work, act: acts.Stop) -> Iterator[float]:
    """Press the power button, and wait for the guest. It may not have listened yet, so press again.

    One that does not stop in time is switched off if the call allows that, also if its QEMU does not take the button.
    """
    hypervisor = _node(cloud, work)
    deadline = time.monotonic() + act.timeout_s
    pressed = 0.0
    while hypervisor.power_of(_uuid(work), work.label) != "stopped":
        now = time.monotonic()
        if now >= deadline and act.is_forced:
            hypervisor.force_stop(_uuid(work), work.label)
            return
        if now >= deadline:
            raise HypervisorError(
                [
                    Problem(
                        f"the guest did not stop within {act.timeout_s} s",
                        "Stop it from inside, give it more time (stop_timeout_s), or set force_stop: true.",
                        work.node,
                        f"instance {work.name}",
                    )
                ]
            )
        if now - pressed >= 10:
            pressed = now
            with contextlib.suppress(HypervisorError if act.is_forced else NotFoundError):
                yield from hypervisor.request_shutdown(_uuid(work), work.label, max(deadline - now, _POLL_EVERY_S))
        yield _POLL_EVERY_S


def _wake(cloud: Cloud, work: Work, act: acts.Wake) -> Iterator[float]:
    with contextlib.suppress(HypervisorError) if act.may_fail else contextlib.nullcontext():
        yield from _sleep_or_wake(cloud, work, is_sleep=False)


def _sleep_or_wake(cloud: Cloud, work: Work, *, is_sleep: bool) -> Iterator[float]:
    hypervisor = _node(cloud, work)
    (hypervisor.put_to_sleep if is_sleep else hypervisor.wake_up)(_uuid(work), work.label)
    deadline = time.monotonic() + _SLEEP_TIMEOUT_S
    while (hypervisor.state_of(_uuid(work), work.label) == "asleep") is not is_sleep:
        if time.monotonic() >= deadline:
            what = f"the guest did not {'fall asleep' if is_sleep else 'wake up'} within {_SLEEP_TIMEOUT_S} s"
            remedy = "Look at its console: its drivers may refuse. A restart with force_stop: true ends it."
            raise HypervisorError([Problem(what, remedy, work.node, f"instance {work.name}")])
        yield _POLL_EVERY_S


def _attach_nic(cloud: Cloud, work: Work, act: _NicAct) -> None:
    """Plug in what the definition says, which may hold more than we manage."""
    hypervisor, mac = _node(cloud, work), act.interface.mac
    config = take_nic(hypervisor.config_xml_of(_uuid(work)), mac)
    if config is None:
        raise _changed_by_others(work, f"its NIC {mac}")
    if take_nic(hypervisor.live_xml_of(_uuid(work)), mac) is not None:
        return  # of a call that an earlier run has left alone; libvirt would plug in another one with its address
    hypervisor.attach_device(_uuid(work), plug_nic(config), work.label, live=True, config=False)


def _detach_nic(cloud: Cloud, work: Work, act: _NicAct) -> Iterator[float]:
    hypervisor, mac = _node(cloud, work), act.interface.mac
    live = take_nic(hypervisor.live_xml_of(_uuid(work)), mac)
    if live is not None:
        hypervisor.detach_device(_uuid(work), live, work.label, live=True, config=False)
        yield from hypervisor.await_release(_uuid(work), mac, f"the NIC {mac}", work.label)


def _update_nic(cloud: Cloud, work: Work, act: _NicAct) -> None:
    hypervisor, mac = _node(cloud, work), act.interface.mac
    live = take_nic(hypervisor.live_xml_of(_uuid(work)), mac)
    config = take_nic(hypervisor.config_xml_of(_uuid(work)), mac)
    if live is None or config is None:
        raise _changed_by_others(work, f"its NIC {mac}")
    vlan = find_vlans(hypervisor.network_xml(act.interface.network, work.label), act.interface.port_group)
    hypervisor.update_device(
        _uuid(work), move_nic(live, config, vlan, act.interface.further), work.label, live=True, config=False
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
    hypervisor = _node(cloud, work)
    if isinstance(act, walking.Describe):
        hypervisor.describe_running(_uuid(work), act.description, work.label)
        return
    if isinstance(act, walking.SetVcpus):
        hypervisor.plug_vcpus(_uuid(work), act.vcpus, work.label)
        return
    if isinstance(act, walking.PinVcpus):
        hypervisor.pin_vcpus(_uuid(work), act.pins, work.label)
        return
    if isinstance(act, walking.LimitContainer):
        hypervisor.limit_container(_uuid(work), work.label, memory=act.memory, processors=act.processors)
        return
    xml = ET.tostring(act.element, encoding="unicode")
    if isinstance(act, walking.ResizeMemory):
        hypervisor.update_device(_uuid(work), xml, work.label, live=True, config=False)
        yield from _await_memory(hypervisor, work, act.memory)
    elif isinstance(act, walking.AttachDevice):
        _attach_defined(hypervisor, work, xml)
    elif isinstance(act, walking.UpdateDevice):
        hypervisor.update_device(_uuid(work), xml, work.label, live=True, config=False)
    else:
        hypervisor.detach_device(_uuid(work), xml, work.label, live=True, config=False)
        alias = act.element.find("alias")
        if alias is not None:
            mark = f"name='{alias.get('name')}'"
            yield from hypervisor.await_release(_uuid(work), mark, f"the {act.device}", work.label)


def _attach_defined(hypervisor: Hypervisor, work: Work, xml: str) -> None:
    """Plug in what the definition has already."""
    try:
        hypervisor.attach_device(_uuid(work), xml, work.label, live=True, config=False)
    except HypervisorError as error:
        remedy = "Its definition has the device: it gets it when it is stopped and started again."
        raise type(error)([replace(one, remedy=one.remedy or remedy) for one in error.problems]) from error


def _await_memory(hypervisor: Hypervisor, work: Work, memory: int) -> Iterator[float]:
    """Let the guest give memory back. What it is asked for stands: what it keeps by then, it may give back later."""
    deadline = time.monotonic() + _MEMORY_TIMEOUT_S
    while memory_of(ET.fromstring(hypervisor.live_xml_of(_uuid(work)))) > memory and time.monotonic() < deadline:
        yield _POLL_EVERY_S


def _change_disk(cloud: Cloud, work: Work, act: acts.AttachDisk | acts.DetachDisk) -> Iterator[float] | None:
    hypervisor, xml = _node(cloud, work), render_disk(act.disk)
    if isinstance(act, acts.AttachDisk):
        hypervisor.attach_device(_uuid(work), xml, work.label, live=True, config=False)
        return None
    hypervisor.detach_device(_uuid(work), xml, work.label, live=True, config=False)
    # One that was adopted may have none.
    mark = f"<serial>{html.escape(act.disk.serial, quote=False)}</serial>"
    mark = mark if act.disk.serial else f"<target dev='{act.disk.target}'"
    return hypervisor.await_release(_uuid(work), mark, f"the disk {act.disk.target}", work.label)


def _change_medium(cloud: Cloud, work: Work, act: acts.ChangeMedium) -> None:
    hypervisor = _node(cloud, work)
    xml = change_medium(hypervisor.live_xml_of(_uuid(work)), act.drive)
    if xml is None:
        raise _changed_by_others(work, f"its drive {act.drive.serial}")
    hypervisor.update_device(_uuid(work), xml, work.label, live=True, config=False)


def _label(cloud: Cloud, work: Work, act: acts.Label) -> None:
    xml = render_labels(act.labels)
    _node(cloud, work).set_metadata(_uuid(work), xml, "pextra", URI, work.label, live=True)


def _adopt(cloud: Cloud, work: Work, act: acts.Adopt) -> None:
    """One call for what runs and for its definition: after it both bear the labels, or neither."""
    hypervisor, xml = _node(cloud, work), render_labels(act.labels)
    is_active = hypervisor.power_of(_uuid(work), work.label) != "stopped"
    hypervisor.set_metadata(_uuid(work), xml, "pextra", URI, work.label, live=is_active)


def _move(cloud: Cloud, work: Work, act: acts.Move) -> None:
    source, target = _node(cloud, work), cloud.hypervisor(act.target)
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
            *(_uuid(work), target, there.migration_address, config, work.label),
            certified=there.address,
            is_vouched=is_vouched,
            become=partial(move_screen, *act.screen) if act.screen is not None else None,
        )
    else:
        target.define_domain(config, work.label)
        source.undefine_domain(_uuid(work), work.label)
    target.set_autostart(_uuid(work), act.autostart, work.label)


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


def _node(cloud: Cloud, work: Work) -> Hypervisor:
    return cloud.hypervisor(_node_name(work))


def _node_name(work: Work) -> str:
    if work.node is None:
        raise ValueError(f"{work.label} is planned on no node")
    return work.node


def _uuid(work: Work) -> str:
    if work.id is None:
        raise ValueError(f"{work.label} is planned without an identifier")
    return uuid_of(work.id)
