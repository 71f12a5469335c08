# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances: what to do so that they are as declared. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from ...._model.errors import Problem
from ...._model.ids import new_id, uuid_of
from ...._model.plan import Change, Plan, Work
from ...._model.protection import explain, is_protected
from ...._model.rows import Row
from ...hierarchy.plan import find_cluster
from ..spec import Vm, complete_new, find_missing, find_mistakes_within
from .absence import plan_absence, undefine_leftover
from .adoption import plan_adoption
from .change import plan_change
from .choosing import settle_devices
from .context import Context, FailedError, RefusedError, node_name
from .creation import plan_creation
from .host_devices import list_wishes
from .kept import with_kept_parts
from .machine import architecture_of, require_machine
from .placement import choose_home
from .references import find_root_pool, find_volume_pool
from .registered import lift_protection
from .room import warn_of_crowds
from .state import Consent, Domain, VmHave
from .suited import require_type

Item = TypeVar("Item")


def plan_vms(wants: Sequence[Vm], have: VmHave, consent: Consent) -> Plan:
    """Return what takes every instance to its declared state."""
    works: dict[int, Work] = {}
    refusals: dict[int, Problem] = {}
    failures: dict[int, Problem] = {}
    contexts: dict[str, Context] = {}
    clusters: dict[int, Context] = {}
    names: set[tuple[str, str]] = set()
    planned = frozenset(want.name for want in wants)
    for index, want in enumerate(wants):
        label = f"instance {want.name}"
        cluster = find_cluster(want.cluster, have.hierarchy.clusters)
        if isinstance(cluster, str):
            refusals[index] = Problem(cluster, resource=label)
            continue
        if (cluster.id, want.name) in names:
            refusals[index] = Problem(f"it is given twice for cluster {cluster.name}", resource=label)
            continue
        names.add((cluster.id, want.name))
        if cluster.id not in contexts:
            contexts[cluster.id] = Context.of(cluster, have, consent, planned)
        clusters[index] = contexts[cluster.id]
        contexts[cluster.id].note_want(want)
    for index in sorted(clusters, key=lambda index: _turn_of(wants[index], clusters[index])):
        label = f"instance {wants[index].name}"
        try:
            works[index] = _plan_one(wants[index], clusters[index])
        except RefusedError as refused:
            refusals[index] = Problem(refused.what, refused.remedy, resource=label)
        except FailedError as error:
            failures[index] = replace(error.problem, resource=label)
            lifted = lift_protection(wants[index], clusters[index])
            if lifted is not None:
                works[index] = lifted
    return Plan(
        works=_in_order(works),
        refusals=_in_order(refusals),
        failures=_in_order(failures),
        warnings=tuple(
            warning for context in contexts.values() for warning in (*context.remarks, *warn_of_crowds(context))
        ),
    )


def _turn_of(want: Vm, context: Context) -> tuple[int, bool]:
    """Those that stop come first, for they make room; then those whose node is settled: the others go around them. Of
    each, those first that leave none of their devices to placement.
    """
    has_wishes = bool(list_wishes(want))
    if want.power == "stopped" and want.name in context.by_name:
        return 0, has_wishes
    is_open = want.node is None and want.name not in context.by_name and want.name not in context.instances
    return (2 if is_open else 1), has_wishes


def _in_order(found: Mapping[int, Item]) -> tuple[Item, ...]:
    return tuple(found[index] for index in sorted(found))


def _plan_one(want: Vm, context: Context) -> Work:
    row = context.instances.get(want.name)
    domains = list(context.by_name.get(want.name, ()))
    instance_id = row.id if row else domains[0].config.labels.id if domains else new_id("instance")
    was_protected = is_protected(row) or any(domain.config.labels.protected for domain in domains)
    if was_protected and want.state == "absent":
        raise RefusedError(*explain("cannot be removed"))
    if was_protected and want.protected is None:
        # One of registry and definition may have lost it, by hand or with a run that was killed.
        want = replace(want, protected=True)
    for odd in context.have.odd:
        if odd.uuid == uuid_of(instance_id):
            # It is the instance itself, and making it once more would run two guests on one volume.
            raise FailedError(odd.problem)
    current, leftovers = _pick(row, domains, context)
    if want.state == "present":
        want = replace(want, type=require_type(want, row, current, context))
    if want.state == "absent":
        return plan_absence(want, row, current, leftovers, context)
    if current is None and want.adopt:
        return plan_adoption(want, row, context)
    # One that a node has to emulate is only there where that is declared.
    may_emulate = want.further.get("architecture") is not None
    architecture = architecture_of(want, row, current, context)
    if current is None:
        want = complete_new(want, architecture)
        # Also what is no mistake before it is known what it gets of which nothing is said.
        mistakes = [*find_missing(want, ""), *find_mistakes_within(want, "")]
        if mistakes:
            raise RefusedError("; ".join(f"{one.path.lstrip('.')}: {one.problem}" for one in mistakes))
    else:
        want = with_kept_parts(want, current)
    require_machine(want, current, architecture, context)
    if want.root is not None:
        find_root_pool(want.root, context)
    for volume in want.volumes or ():
        find_volume_pool(volume, context)
    for name, foreign in context.have.foreign.items():
        # The nodes of other clusters are nothing to this one.
        if want.name in foreign and current is None and name in context.nodes:
            raise RefusedError(
                f"{name} runs a virtual machine of this name that is not ours",
                "Choose another name; what is not ours is never touched. With adopt: true it becomes an instance as it "
                "is.",
            )
    if current is None:
        node = choose_home(want, row, context, may_emulate=may_emulate)
        want = settle_devices(want, None, node, context)
        work = plan_creation(want, row, instance_id, node, context)
    else:
        work = plan_change(want, row, instance_id, current, context)
    # A move replaces what it finds at its target.
    moved_to = {step.data["target"] for step in work.steps if step.act == "move"}
    left_behind = [left for left in leftovers if left.node not in moved_to]
    if not left_behind:
        return work
    change = Change("leftover_definitions", ", ".join(left.node for left in left_behind), None)
    steps = (*work.steps, *map(undefine_leftover, left_behind))
    return replace(work, steps=steps, changes=(*work.changes, change))


def _pick(row: Row | None, domains: Sequence[Domain], context: Context) -> tuple[Domain | None, list[Domain]]:
    """Return the domain that is the instance, and definitions that a killed move has left behind."""
    if not domains:
        # While it moves, it may be on the node that it comes from.
        for key in ("node", "origin"):
            home = node_name(row.attributes.get(key), context) if row else None
            if home is not None and home in context.have.down:
                raise FailedError(context.have.down[home])
        return None, []
    strange = [domain for domain in domains if domain.config.labels.id != (row or domains[0].config.labels).id]
    if strange:
        raise RefusedError(
            f"{strange[0].node} has an instance of this name with the identifier {strange[0].config.labels.id}, "
            f"another than {(row or domains[0].config.labels).id}",
            "Find out which of the two is meant, and undefine the other by hand.",
        )
    running = [domain for domain in domains if domain.power != "stopped"]
    if len(running) > 1:
        raise RefusedError(
            f"it runs on {' and '.join(domain.node for domain in running)} at once",
            "Stop it on one of them by hand: two guests on one volume destroy its file system.",
        )
    home = node_name(row.attributes.get("node"), context) if row else None
    best = running or [domain for domain in domains if domain.node == home] or list(domains)
    return best[0], [domain for domain in domains if domain is not best[0]]
