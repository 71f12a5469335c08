# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node has room for an instance that is made, started, grows or moves there. Pure.

Room is needed for what is added. What runs there already and does not grow is never refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..placement import Capacity, Size
from .context import Context, RefusedError


class Lack(NamedTuple):
    """What a node lacks, as in `it has ...`."""

    what: str
    is_of_vcpus: bool = False


def require_room(node: str, before: Size, after: Size, context: Context) -> None:
    """Refuse what the node has no room for, see `find_lacks`."""
    lacks = find_lacks(context.capacities[node], before, after)
    if lacks:
        what = " and ".join(lack.what for lack in lacks)
        raise RefusedError(f"{node} has no room for it: it has {what}", remedy_for(lacks, context))


def find_lacks(capacity: Capacity, before: Size, after: Size) -> list[Lack]:
    """Return what a node lacks for an instance that is to use `after` there, and of which `before` is counted."""
    lacks = []
    memory, vcpus = after.memory - before.memory, after.vcpus - before.vcpus
    if capacity.lacks_memory(memory):
        lacks.append(Lack(f"{capacity.free} MiB of memory free, {memory} {'more ' if before.memory else ''}needed"))
    if capacity.lacks_vcpus(vcpus):
        what = (
            f"{capacity.vcpus} virtual CPUs in use of the {capacity.most_vcpus} for its {capacity.threads} threads "
            f"(vcpus_per_thread is {capacity.per_thread:g}), {vcpus} more needed"
        )
        lacks.append(Lack(what, is_of_vcpus=True))
    return lacks


def remedy_for(lacks: Sequence[Lack], context: Context) -> str:
    """Return what to do. Memory is what it is; how many virtual CPUs there may be is the cluster's to say."""
    if all(lack.is_of_vcpus for lack in lacks):
        return (
            f"Choose another node, stop an instance there, or raise vcpus_per_thread of cluster {context.cluster.name}."
        )
    return "Choose another node, or stop an instance there."


def warn_of_crowds(context: Context) -> list[str]:
    """Return a warning for each node of the cluster on which more virtual CPUs are to run than it wants."""
    return [
        f"{name}: {capacity.vcpus} virtual CPUs are to run on its {capacity.threads} threads, more than "
        f"{capacity.per_thread_warn:g} for each (vcpus_per_thread_warn of cluster {context.cluster.name}); what would "
        f"make them more than {capacity.per_thread:g} for each (vcpus_per_thread) is refused"
        for name, capacity in sorted(context.capacities.items())
        if capacity.is_crowded and name in context.nodes
    ]
