# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A domain that was there before becomes an instance as it is. Pure.

It is registered, and gets its labels. A call that wants it otherwise than it is, is refused: what is changed is what
was adopted, and nobody is surprised by a restart.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

from ...._model.ids import adopted_id
from ...._model.plan import Change, Work, step_of
from ...._model.rows import Row
from .. import adoption, walk
from ..labels import Labels
from ..parts import name_nics
from ..spec import Vm
from .acts import Adopt
from .change import plan_change
from .claims import room_of, takes_of, uses_of
from .context import Context, FailedError, RefusedError, keys_of_devices
from .kept import with_kept_parts
from .references import find_organization, find_pinned
from .registered import register_step, row_attributes
from .state import Domain, Stranger


def plan_adoption(want: Vm, row: Row | None, context: Context) -> Work:
    stranger = _find(want, context)
    hindrance = adoption.find_hindrance(stranger)
    if hindrance is not None:
        raise RefusedError(f"{stranger.node}: {hindrance[0]}", hindrance[1])
    instance_id = adopted_id(stranger.uuid)
    _require_free(row, instance_id, context)
    try:
        adopted = adoption.adopt(stranger, context.have, find_organization(want, context))
        labels = _labels_of(want, adopted.domain.config.labels)
        domain = adoption.with_labels(stranger, labels)
    except (ValueError, KeyError) as error:
        raise RefusedError(f"its definition on {stranger.node} cannot be understood ({error})") from error
    model, here = domain.config, context.have.nodes[stranger.node]
    attributes = row_attributes(here.row.id, model)
    known = Row(instance_id, "instance", want.name, context.cluster.id, attributes)
    devices = keys_of_devices(domain, context.have)
    for key in devices:
        if context.taken.get(key) == ("", stranger.name):
            context.taken[key] = (instance_id, want.name)  # it has it itself
    takes = takes_of(model, context, devices)
    for key in takes:
        holder = context.taken.setdefault(key, (instance_id, want.name))
        if holder[0] != instance_id:
            who = f"instance {holder[1]}" if holder[0] else f"virtual machine {holder[1]}"
            raise RefusedError(f"its {key} is that of {who}", "Take it from one of the two first.")
    rest = plan_change(with_kept_parts(replace(want, node=None), domain), known, instance_id, domain, context)
    if rest.steps:
        raise RefusedError(
            f"it is not as declared: {'; '.join(_show(change) for change in rest.changes)}",
            "Adopt it as it is first: leave this out, or declare what it has. pextra_vm_info with foreign: true says "
            "what that is. Then change it.",
        )
    context.remarks += [f"{stranger.node}: instance {want.name}: {one}; it stays as it is" for one in adopted.remarks]
    steps = (
        []
        if row is not None and dict(row.attributes) == attributes
        else [register_step(instance_id, want, context, attributes)]
    )
    return Work(
        kind="instance",
        name=want.name,
        id=instance_id,
        node=stranger.node,
        steps=(*steps, step_of(Adopt(labels), "adopt")),
        changes=_changes(domain),
        pending=rest.pending,
        uses=uses_of(model, (stranger.node,), context),
        takes=takes,
        room=room_of(model, domain.size, domain, domain.power, here),
    )


def _find(want: Vm, context: Context) -> Stranger:
    """Return the only domain of that name, or the one on the node that is named."""
    nodes = {find_pinned(want.node, context)} if want.node is not None else set(context.nodes.values())
    found = [one for one in context.have.strangers if one.name == want.name and one.node in nodes]
    if len(found) > 1:
        # A container beside it may have its name, and is not adopted.
        found = [one for one in found if walk.type_of(ET.fromstring(one.xml)) == "qemu"] or found
    if len(found) > 1:
        raise RefusedError(
            f"{' and '.join(sorted(one.node for one in found))} have a virtual machine of this name",
            "Say which is meant (node).",
        )
    if found:
        return found[0]
    down = [context.have.down[node] for node in sorted(nodes) if node in context.have.down]
    if down:
        raise FailedError(down[0])
    where = want.node or f"the nodes of cluster {context.cluster.name}"
    raise RefusedError(
        f"there is no virtual machine of this name to adopt on {where}",
        "pextra_vm_info with foreign: true lists what there is. What is new is made without adopt.",
    )


def _require_free(row: Row | None, instance_id: str, context: Context) -> None:
    if row is not None and row.id != instance_id:
        raise RefusedError(
            f"an instance of this name is registered already, as {row.id}, and it is another one",
            "Rename the virtual machine, when it is stopped: virsh domrename.",
        )
    other = next((one for one in context.have.hierarchy.members if one.id == instance_id), None)
    if other is not None and row is None:
        raise RefusedError(
            f"it is registered already, as {other.name}", "Give it that name back, when it is stopped: virsh domrename."
        )


def _labels_of(want: Vm, labels: Labels) -> Labels:
    """Return the labels as they are declared, as far as they alone say it."""
    nics = name_nics(want.nics or ())
    named = {nic.mac: (nic.name or "", nic.addresses or ()) for nic in nics if nic.mac is not None}
    labels = adoption.named_as_wanted(labels, named)
    return replace(
        labels,
        tags=want.tags or (),
        flavor=want.flavor or None,
        profiles=want.profiles or (),
        protected=bool(want.protected),
        anti_affinity=want.anti_affinity or None,
    )


def _changes(domain: Domain) -> tuple[Change, ...]:
    model = domain.config
    return (
        Change("adopted", "no", "yes"),
        Change("node", None, domain.node),
        *(Change(f"volumes.{label.name}.path", None, label.path) for label in model.labels.volumes),
        *(
            Change(f"nics.{label.name}.port_group", None, f"{one.port_group} ({one.network})")
            for label, one in zip(model.labels.nics, model.interfaces, strict=True)
        ),
    )


def _show(change: Change) -> str:
    return f"{change.field} is {change.before if change.before is not None else 'none'}, declared {change.after}"
