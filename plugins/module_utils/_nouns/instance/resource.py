# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances, as the engine sees them: read from all nodes, planned, carried out, told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..._cloud import Cloud
from ..._doors.libvirt.domains import DomainRecord
from ..._engine.noun import Options
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..._model.rows import Row
from ..hierarchy.plan import find_cluster
from ..hierarchy.reading import read_hierarchy
from ..pool.identity import pools_by_node
from ..vswitch.rows import names_elsewhere
from .adoption import describe_stranger
from .node_devices import list_given
from .placement import Capacity
from .plan import acts
from .plan.planning import plan_vms
from .plan.state import Consent, Domain, NodeState, Odd, VmHave
from .reading import (
    NodeReading,
    has_its_name,
    read_abilities,
    read_crashed,
    read_figures,
    read_interfaces,
    read_node,
    read_seeds,
    read_strangers,
)
from .report import describe_instance
from .spec import FIELDS, Vm, find_mistakes_within, parse_vm
from .volume_making import look_again_where_doubtful


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
        # To tell of instances no volume is looked at: of pools libvirt tells nothing while it waits for a server.
        pools = [
            row
            for row in hierarchy.members
            if (wants or options["foreign"]) and row.kind == "pool" and row.scope in clusters
        ]
        pools_on = pools_by_node(pools, cloud.registry.associations("pool") if pools else ())
        odd: list[Odd] = []
        # What only NICs ask for, and those that go along with a move, costs a connection to every node.
        has_nics = any(want.nics or (want.node is not None and want.nics is None) for want in wants)
        asked_of = frozenset(want.name for want in wants)

        def read_one(node: str) -> NodeReading:
            return read_node(cloud, node, pools_on.get(rows[node].id, {}), odd, has_nics=has_nics, named=asked_of)

        read = cloud.on_each(rows, read_one)
        switches = [row for row in hierarchy.members if row.kind == "vswitch" and row.scope in clusters]
        named = {row.id: row.name for row in hierarchy.members if row.kind == "instance"}
        nodes: dict[str, NodeState] = {}
        domains: dict[str, list[Domain]] = {}
        misnamed: list[Domain] = []
        foreign: dict[str, frozenset[str]] = {}
        adopts = {want.name for want in wants if want.adopt}
        asked: list[tuple[str, DomainRecord]] = []
        for name, (host, networks, volumes, sizes, ours, others, userspace) in read.items():
            capacity = Capacity(host.memory, cloud.nodes[name].reserved_of(host.memory), threads=host.cores)
            for other in others:
                capacity.take(other.size, runs=other.runs)
            asked += [(name, one.record) for one in others if options["foreign"] or one.record.name in adopts]
            renamed = {domain.config.name for domain in ours if not has_its_name(domain, named, odd)}
            for domain in ours:
                capacity.take(domain.size, runs=domain.runs)
                if domain.config.name in renamed:
                    misnamed.append(domain)
                    continue
                domains.setdefault(domain.config.uuid, []).append(domain)
                if domain.config.labels.anti_affinity:
                    capacity.groups.add(domain.config.labels.anti_affinity)
            foreign[name] = frozenset(other.record.name for other in others) | renamed
            nodes[name] = NodeState(
                rows[name],
                cloud.nodes[name].virt_type,
                capacity,
                networks - names_elsewhere(switches, rows[name]),
                volumes,
                sizes,
                userspace,
                host.architecture,
                lent={
                    device: other.record.name
                    for other in others
                    for device in (*list_given(other.record.config), *list_given(other.record.live))
                },
                containers=cloud.nodes[name].containers,
            )
        down = {name: problem for name, problem in cloud.unreachable.items() if name in rows}
        have = VmHave(hierarchy, nodes, domains, foreign, down, claims=tuple(claims), odd=tuple(odd))
        have = replace(have, renamed=tuple(misnamed))
        have = read_crashed(cloud, wants, have)
        have = read_abilities(cloud, wants, have)
        # Twice: what lies in a pool may be there since libvirt last looked.
        have = replace(have, strangers=read_strangers(cloud, asked, have))
        have = look_again_where_doubtful(cloud, wants, have)
        have = replace(have, strangers=read_strangers(cloud, asked, have))
        have = replace(have, seeds=read_seeds(cloud, wants, have))
        have = replace(have, now=cloud.registry.now())
        if options["guests"]:
            have = replace(have, interfaces=read_interfaces(cloud, have, options["names"]))
        return replace(have, figures=read_figures(cloud, have)) if options["figures"] else have

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
        return replace(plan, warnings=(*have.warnings, *plan.warnings))

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Register all new instances, with their nodes, before one is made: a killed run's choices stand."""
        found = (step.does for work in plan.all for step in work.steps)
        cloud.registry.put([act.row for act in found if isinstance(act, acts.Register)])

    # Applying

    def apply(self, cloud: Cloud, work: Work, step: Step) -> Iterator[float] | None:
        from .apply import apply  # most runs change nothing, and it needs much that nothing else does

        return apply(cloud, work, step)

    # Results

    def describe_further(self, have: VmHave) -> dict[str, list[dict[str, Any]]]:
        """Return the domains that are not ours, where they were asked for."""
        clusters = {row.id: row.name for row in have.hierarchy.clusters}
        told = [describe_stranger(one, have, clusters.get(have.nodes[one.node].row.scope)) for one in have.strangers]
        return {"foreign": sorted(told, key=lambda item: (item["name"], item["node"]))}

    def describe(self, wants: Sequence[Vm], have: VmHave, *, is_outline: bool = False) -> list[dict[str, Any]]:
        """is_outline: see `describe_instance`."""
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
        hierarchy = have.hierarchy
        nodes = [row for row in hierarchy.members if row.kind == "node"]
        named = {row.id: row.name for row in (*hierarchy.clusters, *hierarchy.organizations, *nodes)}
        datacenters = {row.id: row.name for row in hierarchy.datacenters}
        above = {row.id: datacenters.get(row.attributes.get("datacenter", "")) for row in hierarchy.clusters}
        return [
            describe_instance(
                row,
                by_name.get((row.scope, row.name)),
                have.down,
                named,
                above.get(row.scope),
                have.figures,
                have.interfaces,
                have.now,
                is_outline=is_outline,
            )
            for row in rows
        ]
