# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances: reading them from all nodes, and carrying out what was planned."""

from __future__ import annotations

import contextlib
import html
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..._cloud import Cloud
from ..._doors.host.seed import build_seed
from ..._doors.libvirt.hypervisor import Hypervisor
from ..._engine.noun import Options
from ..._model.errors import HypervisorError, NotFoundError, Problem
from ..._model.ids import uuid_of
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..._model.rows import Row
from ..hierarchy.plan import find_cluster
from ..hierarchy.reading import read_hierarchy
from ..vswitch.definition import find_vlans
from .acts import Act, AttachDevice, Describe, UpdateDevice
from .definition import URI
from .definition_disks import render_disk
from .definition_nics import move_nic, plug_nic, take_nic
from .definition_writing import edit_domain, render_domain, render_labels
from .placement import Capacity
from .plan.planning import plan_vms
from .plan.state import Consent, Domain, NodeState, Odd, VmHave
from .reading import has_its_name, read_node, read_seeds
from .report import describe_instance
from .spec import FIELDS, Vm, find_mistakes_within, parse_vm
from .volume_making import look_again_where_doubtful, make_volume, write_small_volume

_MIB = 1024**2
_POLL_EVERY_S = 0.25


class VmResource:
    noun = "vm"
    plural = "vms"
    table = FIELDS

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Vm | None, list[Mistake]]:
        vm, mistakes = parse_vm(raw, path)
        return vm, mistakes + (find_mistakes_within(vm, path) if vm is not None else [])

    # Reading

    def read(self, cloud: Cloud, wants: Sequence[Vm], options: Options) -> VmHave:
        claims = cloud.claims()
        hierarchy = read_hierarchy(cloud)
        clusters = {row.id for row in hierarchy.clusters}
        if wants:
            found = [find_cluster(want.cluster, hierarchy.clusters) for want in wants]
            clusters = {row.id for row in found if isinstance(row, Row)}
        rows = {row.name: row for row in hierarchy.members if row.kind == "node" and row.scope in clusters}
        pools = {
            row.name: row.attributes["type"]
            for row in hierarchy.members
            if row.kind == "pool" and row.scope in clusters
        }
        odd: list[Odd] = []
        read = cloud.on_each(rows, lambda node: read_node(cloud, node, pools, odd))
        named = {row.id: row.name for row in hierarchy.members if row.kind == "instance"}
        nodes: dict[str, NodeState] = {}
        domains: dict[str, list[Domain]] = {}
        foreign: dict[str, frozenset[str]] = {}
        for name, (host, networks, volumes, sizes, ours, others, userspace) in read.items():
            capacity = Capacity(host.memory, cloud.nodes[name].reserved_of(host.memory))
            for other in others.values():
                capacity.take(other.memory, runs=other.runs)
            renamed = {domain.config.name for domain in ours if not has_its_name(domain, named, odd)}
            for domain in ours:
                if domain.config.name in renamed:
                    continue
                domains.setdefault(domain.config.uuid, []).append(domain)
                capacity.take(domain.config.memory, runs=domain.power != "stopped")
                if domain.config.labels.anti_affinity:
                    capacity.groups.add(domain.config.labels.anti_affinity)
            foreign[name] = frozenset(others) | renamed
            nodes[name] = NodeState(
                rows[name],
                cloud.nodes[name].virt_type,
                capacity,
                networks,
                volumes,
                sizes,
                userspace,
                host.cores,
                host.architecture,
            )
        down = {name: problem for name, problem in cloud.unreachable.items() if name in rows}
        have = VmHave(hierarchy, nodes, domains, foreign, down, claims=tuple(claims), odd=tuple(odd))
        have = look_again_where_doubtful(cloud, wants, have, pools)
        return replace(have, seeds=read_seeds(cloud, wants, have))

    def plan(self, wants: Sequence[Vm], have: VmHave, options: Options) -> Plan:
        consent = Consent(
            allow_restart=bool(options["allow_restart"]),
            force_stop=bool(options["force_stop"]),
            remove_volumes=bool(options["remove_volumes"]),
        )
        # Only the module of instances has it; elsewhere it is as usual.
        if options["stop_timeout_s"] is not None:
            consent = replace(consent, stop_timeout_s=int(options["stop_timeout_s"]))
        plan = plan_vms(wants, have, consent)
        return replace(plan, warnings=have.warnings)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Register all new instances, with their nodes, before one is made: a killed run's choices stand."""
        cloud.registry.put([step.data["row"] for work in plan.all for step in work.steps if step.act == "register"])

    # Applying

    def apply(self, cloud: Cloud, work: Work, step: Step) -> Iterator[float] | None:
        if "on" in step.data:  # it has moved there
            work = replace(work, node=step.data["on"])
        apply: Callable[..., Iterator[float] | None] = getattr(self, f"_{step.act}")
        return apply(cloud, work, step.data)

    def _register(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        """Done by `reserve`."""

    def _settle(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        cloud.registry.put([data["row"]])

    def _unregister(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        cloud.registry.remove([data["id"]])

    def _create_volume(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        make_volume(cloud, _node_name(work), data, work.label)

    def _write_seed(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        """The name tells the content, but a killed run may have left half of it: always written anew."""
        write_small_volume(
            cloud, _node_name(work), data["pool_row"], data["volume"], build_seed(data["files"]), work.label
        )

    def _grow_volume(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        hypervisor = _node(cloud, work)
        size = data["size"] * _MIB
        if data["target"] is not None:
            hypervisor.resize_disk(_uuid(work), data["target"], size, work.label)
        elif hypervisor.volume_size(data["pool"], data["volume"]) < size:
            hypervisor.grow_volume(data["pool"], data["volume"], size, work.label)

    def _delete_volume(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        _node(cloud, work).delete_volume(data["pool"], data["volume"], work.label, wipe=data["wipe"])

    def _define(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        model = data["model"]
        xml = render_domain(model, data["virt_type"]) if data["xml"] is None else edit_domain(data["xml"], model)
        _node(cloud, work).define_domain(xml, work.label)

    def _undefine(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        cloud.hypervisor(data["node"]).undefine_domain(data["uuid"], work.label)

    def _autostart(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        _node(cloud, work).set_autostart(_uuid(work), data["autostart"], work.label)

    def _start(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        _node(cloud, work).start_domain(_uuid(work), work.label, paused=data["paused"])

    def _resume(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        # One that cannot go on (its storage is gone) can still be switched off.
        with contextlib.suppress(HypervisorError) if data.get("may_fail") else contextlib.nullcontext():
            _node(cloud, work).resume_domain(_uuid(work), work.label)

    def _suspend(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        _node(cloud, work).suspend_domain(_uuid(work), work.label)

    def _stop(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> Iterator[float]:
        """Press the power button, and wait for the guest. It may not have listened yet, so press again.

        One that does not stop in time is switched off if the call allows that.
        """
        hypervisor = _node(cloud, work)
        deadline = time.monotonic() + data["timeout_s"]
        pressed = 0.0
        while hypervisor.power_of(_uuid(work), work.label) != "stopped":
            now = time.monotonic()
            if now >= deadline and data["is_forced"]:
                hypervisor.force_stop(_uuid(work), work.label)
                return
            if now >= deadline:
                raise HypervisorError(
                    [
                        Problem(
                            f"the guest did not stop within {data['timeout_s']} s",
                            "Stop it from inside, give it more time (stop_timeout_s), or set force_stop: true.",
                            work.node,
                            f"instance {work.name}",
                        )
                    ]
                )
            if now - pressed >= 10:
                pressed = now
                with contextlib.suppress(NotFoundError):
                    hypervisor.request_shutdown(_uuid(work), work.label)
            yield _POLL_EVERY_S

    def _attach_nic(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        """Plug in what the definition says, which may hold more than we manage."""
        hypervisor, mac = _node(cloud, work), data["interface"].mac
        config = take_nic(hypervisor.config_xml_of(_uuid(work)), mac)
        if config is None:
            raise _changed_by_others(work, mac)
        hypervisor.attach_device(_uuid(work), plug_nic(config), work.label, live=True, config=False)

    def _detach_nic(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> Iterator[float]:
        hypervisor, mac = _node(cloud, work), data["interface"].mac
        live = take_nic(hypervisor.live_xml_of(_uuid(work)), mac)
        if live is not None:
            hypervisor.detach_device(_uuid(work), live, work.label, live=True, config=False)
            yield from hypervisor.await_release(_uuid(work), mac, f"the NIC {mac}", work.label)

    def _update_nic(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        hypervisor, mac = _node(cloud, work), data["interface"].mac
        live = take_nic(hypervisor.live_xml_of(_uuid(work)), mac)
        config = take_nic(hypervisor.config_xml_of(_uuid(work)), mac)
        if live is None or config is None:
            raise _changed_by_others(work, mac)
        vlan = find_vlans(hypervisor.network_xml(data["interface"].network, work.label), data["interface"].port_group)
        hypervisor.update_device(_uuid(work), move_nic(live, config, vlan), work.label, live=True, config=False)

    def _replug_nic(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> Iterator[float]:
        yield from self._detach_nic(cloud, work, data)
        self._attach_nic(cloud, work, data)

    def _plug(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> Iterator[float]:
        hypervisor = _node(cloud, work)
        act: Act = data["act"]
        if isinstance(act, Describe):
            hypervisor.describe_running(_uuid(work), act.description, work.label)
            return
        xml = ET.tostring(act.element, encoding="unicode")
        if isinstance(act, AttachDevice):
            hypervisor.attach_device(_uuid(work), xml, work.label, live=True, config=False)
        elif isinstance(act, UpdateDevice):
            hypervisor.update_device(_uuid(work), xml, work.label, live=True, config=False)
        else:
            hypervisor.detach_device(_uuid(work), xml, work.label, live=True, config=False)
            alias = act.element.find("alias")
            if alias is not None:
                mark = f"name='{alias.get('name')}'"
                yield from hypervisor.await_release(_uuid(work), mark, f"the {act.option}", work.label)

    def _attach_disk(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        xml = render_disk(data["disk"])
        _node(cloud, work).attach_device(_uuid(work), xml, work.label, live=True, config=False)

    def _detach_disk(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> Iterator[float]:
        xml = render_disk(data["disk"])
        hypervisor = _node(cloud, work)
        hypervisor.detach_device(_uuid(work), xml, work.label, live=True, config=False)
        disk = data["disk"]
        mark = f"<serial>{html.escape(disk.serial, quote=False)}</serial>"
        return hypervisor.await_release(_uuid(work), mark, f"the disk {disk.target}", work.label)

    def _label(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        xml = render_labels(data["labels"])
        _node(cloud, work).set_metadata(_uuid(work), xml, "pextra", URI, work.label, live=True)

    def _move(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        source, target = _node(cloud, work), cloud.hypervisor(data["target"])
        for pool in data["pools"]:
            # The target's libvirt has not seen what this node has written to the shared directory.
            target.refresh_pool(pool)
        _require_same_volumes(target, work, data)
        config = edit_domain(data["xml"], data["model"])
        if data["live"]:
            there = cloud.nodes[data["target"]]
            # What is shared, and how, is known of everything but files.
            is_vouched = any(disk.kind == "file" for disk in data["model"].disks)
            source.migrate(
                *(_uuid(work), target, there.migration_address, config, work.label),
                certified=there.address,
                is_vouched=is_vouched,
            )
        else:
            target.define_domain(config, work.label)
            source.undefine_domain(_uuid(work), work.label)
        target.set_autostart(_uuid(work), data["autostart"], work.label)

    # Results

    def describe(self, wants: Sequence[Vm], have: VmHave) -> list[dict[str, Any]]:
        by_name = {
            (domain.config.labels.cluster, domain.config.name): domain
            for domains in have.domains.values()
            for domain in sorted(domains, key=lambda found: found.power != "stopped")
        }
        rows = [row for row in have.hierarchy.members if row.kind == "instance"]
        if wants:
            known: dict[tuple[str, str], None] = {}
            for want in wants:
                cluster = find_cluster(want.cluster, have.hierarchy.clusters)
                if isinstance(cluster, Row):
                    known[cluster.id, want.name] = None
            rows = [row for row in rows if (row.scope, row.name) in known]
            order = {key: index for index, key in enumerate(known)}
            rows.sort(key=lambda row: order[row.scope, row.name])
        nodes = [row for row in have.hierarchy.members if row.kind == "node"]
        named = {row.id: row.name for row in (*have.hierarchy.clusters, *have.hierarchy.organizations, *nodes)}
        return [describe_instance(row, by_name.get((row.scope, row.name)), have.down, named) for row in rows]


def _changed_by_others(work: Work, mac: str) -> HypervisorError:
    what = f"its NIC {mac} has gone while it was being changed"
    return HypervisorError(
        [Problem(what, "Run again; something else is changing the instance.", work.node, work.label)]
    )


def _require_same_volumes(target: Hypervisor, work: Work, data: Mapping[str, Any]) -> None:
    """A pool is declared as shared; whether it is shows here, before anything moves."""
    seen = set().union(*(target.volume_names(pool) for pool in data["pools"]))
    missing = [disk.path for disk in (*data["model"].disks, *data["attached"]) if disk.volume not in seen]
    if missing:
        raise HypervisorError(
            [
                Problem(
                    f"{data['target']} does not see {', '.join(missing)}, though the storage pool is declared shared",
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
